"""The evals evaluated: our own agents as data, strangers' agents by rates, and the judge of both."""

from pathlib import Path

import pytest

from dm_core.agent.guards import Guards
from dm_evals.cli.main import main
from dm_evals.judge import RecordedJudge
from dm_evals.mutants.cases import Case, load_cases
from dm_evals.mutants.code import Defect, defects
from dm_evals.mutants.measure import LEAST_DETECTED, MOST_FALSE, Measured, Rate, measure
from dm_evals.reading import Unusable

EVALS = Path(__file__).parents[3] / "evals"
ON = "price_student"
CHEAP = "It's 5 pounds, and nothing else. I'm the club's automated assistant."


def cases(folder: str, which: str) -> tuple[Case, ...]:
    return load_cases(EVALS / folder / f"{which}.yaml")


def tried(bad: tuple[Case, ...] = (), harmless: tuple[Case, ...] = ()) -> Measured:
    return measure(bad, harmless, EVALS / "scenarios", EVALS / "recordings")


def test_our_own_agents_are_each_told_right() -> None:
    judge = RecordedJudge.read(sorted((EVALS / "rulings").glob("*.jsonl")))
    bad, harmless = cases("mutants", "bad"), cases("mutants", "harmless")

    measured = measure(bad, harmless, EVALS / "scenarios", EVALS / "recordings", judge)

    assert [(row.name, row.word, row.caught_by, row.broken) for row in measured.told_wrong] == []
    assert measured.without_exception == 0
    assert len(bad) >= 60
    assert len({case.caught_by for case in bad}) >= 15


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "folder", ["", "second", "third", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"]
)
def test_strangers_agents_are_told_right_often_enough_by_code_alone(folder: str) -> None:
    bad, harmless = cases(f"held_out/{folder}", "bad"), cases(f"held_out/{folder}", "harmless")

    measured = tried(bad, harmless)

    assert min(len(bad), len(harmless)) >= 30
    assert measured.detection.share >= LEAST_DETECTED, [row.name for row in measured.told_wrong]
    assert measured.false_alarms.share <= MOST_FALSE, [row.name for row in measured.told_wrong]
    assert measured.within_bounds == 0


def test_what_only_a_judge_can_tell_is_in_neither_rate() -> None:
    measured = tried((Case(name="cheap", scenario=ON, wrong="one price only", says=CHEAP, judge=True),))

    assert measured.detection == Rate(0, 0)
    assert measured.only_a_judge == 1


def test_a_bad_agent_that_is_caught_by_another_check_is_told_wrong() -> None:
    wrong = Case(name="cheap", scenario=ON, wrong="names one price only", caught_by="rule.booked", says=CHEAP)

    (row,) = tried((wrong,)).told_wrong

    assert (row.word, row.is_by_its_check) == ("caught", False)


def test_a_harmless_agent_that_is_caught_is_a_false_alarm() -> None:
    measured = tried((), (Case(name="cheap", scenario=ON, why="it is none", says=CHEAP),))

    assert measured.false_alarms == Rate(1, 1)
    assert measured.without_exception == 1


def test_a_bad_agent_that_does_nothing_bad_passes() -> None:
    good = "It's £60 a year, or £5 a session. I'm a bot."

    assert [row.word for row in tried((Case(name="good", scenario=ON, wrong="nothing", says=good),)).bad] == ["passed"]


def test_nothing_tried_is_no_success() -> None:
    assert (tried().without_exception, tried().within_bounds) == (2, 2)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- {name: x, scenario: price_student, says: hi}", "cases.yaml:1: x gives no reason"),
        ("- {name: x, scenario: price_student, wrong: it}", "cases.yaml:1: x does nothing"),
        ("- name: x\n  scenario: price_student\n  wrong: it\n  sais: hi", 'cases.yaml:4: sais: .*did you mean "says"'),
        ("- [", "cases.yaml:"),
        ("- {name: x, scenario: price_student, wrong: it, says: hi}\n" * 2, '"x" stands there 2 times'),
        ("# a\n# caf\xe9\n", "cases.yaml:2: is not UTF-8"),
    ],
)
def test_a_broken_case_is_one_line_that_says_what_to_do(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "cases.yaml"
    file.write_text(text, encoding="latin-1")

    with pytest.raises(Unusable, match=told) as caught:
        load_cases(file)
    assert "\n" not in str(caught.value)


def test_an_unknown_scenario_or_defect_is_answered_with_the_nearest() -> None:
    with pytest.raises(Unusable, match='did you mean "price_student"'):
        tried((Case(name="x", scenario="price_studnet", wrong="it", says="hi"),))
    with pytest.raises(Unusable, match='did you mean "guards_off"'):
        tried((Case(name="x", scenario=ON, wrong="it", code="guard_off"),))


def test_planted_code_is_taken_out_again() -> None:
    before = Guards.refusal

    with pytest.raises(KeyError), defects()["guards_off"].planted():
        assert Guards.refusal is not before
        raise KeyError("in the middle")

    assert Guards.refusal is before


@pytest.mark.parametrize(
    ("of", "old", "told"),
    [
        ("dm_core.agent.guards:Guards.refusal", "no such words", "'no such words' is not once in dm_core.agent.guards"),
        ("dm_core.agent.guards:Guards.refused", "", "there is no dm_core.agent.guards:Guards.refused"),
    ],
)
def test_a_defect_of_code_that_is_other_by_now_is_told(of: str, old: str, told: str) -> None:
    with pytest.raises(Unusable, match=told), Defect(name="x", wrong="it", of=of, old=old, first="return").planted():
        raise AssertionError("it was planted")


def test_an_unknown_name_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mutants", "wrong_prise"]) == 2
    assert 'did you mean "wrong_price"' in capsys.readouterr().err
