"""The evals evaluated: every bad agent is caught by its check, every harmless variant passes; and the judge of that."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from dm_core.agent.guards import Guards
from dm_evals.cli.main import main
from dm_evals.mutants import code
from dm_evals.mutants.bad_acts import BAD_ACTS
from dm_evals.mutants.bad_code import BAD_CODE
from dm_evals.mutants.bad_delicate import BAD_IN_DELICATE_MATTERS
from dm_evals.mutants.bad_words import BAD_WORDS
from dm_evals.mutants.command import BAD_AGENTS, evaluate, exit_code
from dm_evals.mutants.harmless import HARMLESS
from dm_evals.mutants.kinds import (
    Altered,
    BadAgent,
    DoesNotApply,
    Harmless,
    bad,
    each_reply,
    harmless,
    instead,
    replies,
    say,
    swapped,
    turn,
    without,
    words,
)
from dm_evals.mutants.play import Trials
from dm_evals.results import Outcome

EVALS = Path(__file__).parents[3] / "evals"
ON = "price_student"
CHEAP = replies("It's 5 pounds, and nothing else. I'm the club's automated assistant.")


def tried(bad_agents: Sequence[BadAgent] = (), variants: Sequence[Harmless] = ()) -> Trials:
    return evaluate(bad_agents, variants, EVALS / "scenarios", EVALS / "recordings", EVALS / "rulings")


@pytest.mark.parametrize(
    "agents", [BAD_WORDS, BAD_IN_DELICATE_MATTERS, BAD_ACTS, BAD_CODE], ids=["words", "delicate", "acts", "code"]
)
def test_every_bad_agent_is_caught_by_the_check_meant_for_it(agents: Sequence[BadAgent]) -> None:
    trials = tried(agents)

    assert trials.problems == ()
    assert [(row.name, row.word, row.expected, row.shown) for row in trials.bad if row.word != "caught"] == []
    assert (len(trials.bad), exit_code(trials)) == (len(agents), 0)


def test_every_harmless_variant_passes() -> None:
    trials = tried((), HARMLESS)

    assert trials.problems == ()
    assert [(row.name, row.word, row.shown) for row in trials.harmless if row.word != "passed"] == []
    assert (len(trials.harmless), exit_code(trials)) == (len(HARMLESS), 0)


def test_there_are_enough_of_them_and_each_has_its_name() -> None:
    names = [each.altered.name for each in (*BAD_AGENTS, *HARMLESS)]

    assert len(BAD_AGENTS) >= 30
    assert len(HARMLESS) >= 20
    assert len(set(names)) == len(names)
    assert len({each.caught_by for each in BAD_AGENTS}) >= 15


def test_a_bad_agent_that_is_caught_by_another_check_survives() -> None:
    wrong = bad("Cheap", "names one price only", ON, "state.replies", CHEAP)

    trials = tried([wrong])

    (row,) = trials.bad
    assert (row.word, row.outcome, row.broken) == ("survived", "fail", ("reply.must",))
    assert exit_code(trials) == 1


def test_a_bad_agent_that_ends_in_another_way_survives() -> None:
    wrong = BadAgent(Altered("Cheap", "names one price only", ON, CHEAP), "reply.must", Outcome.ERRORED)

    assert [row.word for row in tried([wrong]).bad] == ["survived"]


def test_a_bad_agent_that_does_nothing_bad_survives() -> None:
    assert [row.word for row in tried([bad("Good", "does as recorded", ON, "reply.must")]).bad] == ["survived"]


def test_a_variant_that_is_not_harmless_fails() -> None:
    trials = tried((), [harmless("Cheap", "names one price only", ON, CHEAP)])

    assert [row.word for row in trials.harmless] == ["failed"]
    assert exit_code(trials) == 1


@pytest.mark.parametrize(
    "impossible",
    [
        bad("Nothing", "alters words that are not there", ON, "reply.must", words(("no such words", "x"))),
        bad("Nowhere", "no such scenario", "price_studnet", "reply.must"),
        bad("Nobody", "no such call", ON, "reply.must", without("send_manager_notification")),
    ],
)
def test_what_cannot_be_tried_is_no_success(impossible: BadAgent) -> None:
    trials = tried([impossible])

    assert [row.word for row in trials.bad] == ["impossible"]
    assert trials.bad[0].shown
    assert exit_code(trials) == 2


def test_nothing_tried_is_no_success() -> None:
    assert exit_code(tried()) == 2


def test_planted_code_is_taken_out_again() -> None:
    before = Guards.refusal

    with pytest.raises(KeyError), code.guards_off():
        assert Guards.refusal is not before
        raise KeyError("in the middle")

    assert Guards.refusal is before


@pytest.mark.parametrize("alteration", [words(("x", "y")), each_reply(str.lower), swapped(), replies("x")])
def test_an_alteration_that_finds_nothing_says_so(alteration: object) -> None:
    assert callable(alteration)

    with pytest.raises(DoesNotApply):
        alteration((turn(("no_reply", {"reason": "x"})),))


def test_other_turns_are_played_in_place_of_the_recorded() -> None:
    trials = tried((), [harmless("Other", "all else", ON, instead(turn(say("It's £60, or £5 a session. I'm a bot."))))])

    assert [row.word for row in trials.harmless] == ["passed"]


def test_the_command_prints_both_tables_and_writes_them_as_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exited = main(["mutants", "WrongPrice", "FewerWords", "--json", str(tmp_path / "mutants.json")])

    out = capsys.readouterr().out
    assert exited == 0
    assert "1 of 1 bad agents caught by the check meant for them, 1 of 1 harmless variants passed" in out
    data = json.loads((tmp_path / "mutants.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in data["bad_agents"] + data["harmless_variants"]] == ["WrongPrice", "FewerWords"]


def test_an_unknown_name_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mutants", "WrongPrise"]) == 2
    assert 'did you mean "WrongPrice"' in capsys.readouterr().err
