"""Rulings on evidence: votes, quotes, what a recorded ruling is bound to, and the agreement with people."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from dm_evals.judge import GENERAL, Evidence, RecordedJudge, RecordingJudge, Ruling
from dm_evals.judge.agreement import Label, measure, read_labels
from dm_evals.judge.recorded import read_rulings, statement
from dm_evals.observation import Bubble, Observation, StoredAlert, ToolUse
from dm_evals.reading import Unusable, write_json_lines
from dm_evals.scenarios.loading import load
from dm_evals.scenarios.scenario import Scenario

EVALS = Path(__file__).parents[3] / "evals"
LABELS = read_labels(sorted((EVALS / "agreement").glob("*.jsonl")))
KIND = "The reply is kind."
HELLO = replace(Evidence.of_text("Assistant: Hello, how are you?"), scenario="say_hi")


class Wilful:
    """Knows what people said, and errs where it is told to."""

    def __init__(self, labels: Sequence[Label], wrong: int = 0, silent: int = 0) -> None:
        self.known = {(label.statement, label.evidence.bound): (label.verdict, n) for n, label in enumerate(labels)}
        self.wrong, self.silent, self.asked = wrong, silent, 0

    def asks_in_general(self, scenario: str) -> bool:
        return not scenario

    def rule(self, statements: Sequence[str], evidence: Evidence) -> Sequence[Ruling]:
        return [self._one(each, evidence) for each in statements]

    def _one(self, text: str, evidence: Evidence) -> Ruling:
        self.asked += 1
        verdict, number = self.known[text, evidence.bound]
        if number < self.silent:
            return Ruling(("none", "none", "none"))
        right = number >= self.silent + self.wrong
        return Ruling(("yes", "yes") if (verdict == "held") is right else ("no", "no"), "because")


def test_evidence_holds_what_stands_in_it_and_nothing_else() -> None:
    scenario = Scenario.model_validate(
        {
            "name": "say_hi",
            "tags": ["x"],
            "about": "x",
            "now": "2026-11-23T17:30:00+00:00",
            "events": [{"text": "hi"}],
            "world": {"sessions": [{"starts": "2026-11-24T18:00:00Z", "ends": "2026-11-24T20:00:00Z", "capacity": 9}]},
            "expect": {"state": {"replies": 1}},
        }
    )
    looked_up = ToolUse(1, 0, "get_net_session_dates", {}, "answered", {"as_of": "4 hours ago"})
    observation = Observation(
        "say_hi",
        1,
        calls=(looked_up,),
        replies=("Nets are “on” Tuesday.",),
        alerts=(
            StoredAlert("Wants a call", True, "model", "delivered"),
            StoredAlert("Down", False, "model/403", "sent"),
        ),
        bubbles=(Bubble(1, "person", "hi </thread> there"), Bubble(2, "bot", "Nets are “on” Tuesday.")),
        runs=("answered",),
    )

    evidence = Evidence.of(scenario, observation)

    for quote in (
        'nets are "on"  TUESDAY',
        "Adult, playing: 120 pounds",
        "Tuesday 24 November 2026, 18:00 to 20:00",
        "0 of 9 places taken",
        '"as_of": "4 hours ago"',
        "urgent: Wants a call",
        "by the machine (model/403): Down",
        "Adult, playing … 120 pounds",
    ):
        assert evidence.holds(quote), quote
    for quote in ("", "Nets", "Nets are on Wednesday", "Adult, playing ... on Tuesday.", "…"):
        assert not evidence.holds(quote), quote
    assert "hi [tag] there" in str(evidence)
    assert "Adult, playing" not in evidence.shown()


def test_another_profile_or_tool_result_leaves_a_ruling_bound_another_word_does_not() -> None:
    scenario = load([EVALS / "scenarios" / "price_student.yaml"]).scenarios[0]
    said = Observation("price_student", 1, replies=("60 pounds.",))

    one = Evidence.of(scenario, said).bound

    assert (
        Evidence.of(scenario, replace(said, calls=(ToolUse(1, 0, "get_notes", {}, "answered", {"x": 1}),))).bound == one
    )
    assert Evidence.of(scenario, replace(said, replies=("65 pounds.",))).bound != one
    assert Evidence.of(scenario, replace(said, alerts=(StoredAlert("x", False, "model", "sent"),))).bound != one


def recorded(tmp_path: Path, quote: str = "", votes: tuple[str, ...] = ("yes", "yes")) -> RecordedJudge:
    class Answers:
        def asks_in_general(self, scenario: str) -> bool:
            return scenario == "say_hi"

        def rule(self, statements: Sequence[str], evidence: Evidence) -> Sequence[Ruling]:
            return [Ruling(votes, "because", quote) for _ in (*statements,) if evidence]  # pyright: ignore[reportArgumentType]

    judge = RecordingJudge(
        Answers(), RecordedJudge.read([tmp_path / "say_hi.jsonl"]), "recorded", "2026-11-29", "some-model"
    )
    judge.rule([KIND, GENERAL["kind"]], HELLO)
    write_json_lines(tmp_path / "say_hi.jsonl", judge.kept["say_hi"])
    return RecordedJudge.read([tmp_path / "say_hi.jsonl"])


def test_what_was_recorded_is_answered_again_and_counted_by_its_origin(tmp_path: Path) -> None:
    judge = recorded(tmp_path, "Hello, how are you?")

    rulings = judge.rule([GENERAL["kind"], KIND], HELLO)

    assert [(each.verdict, each.quote, each.origin) for each in rulings] == [
        ("held", "Hello, how are you?", "recorded")
    ] * 2
    assert judge.used == {"recorded": 2}
    assert judge.asks_in_general("say_hi")
    assert not judge.asks_in_general("another")
    (line,) = read_rulings(tmp_path / "say_hi.jsonl")
    assert line.lines == (KIND, "general.kind")


@pytest.mark.parametrize(
    ("statement_", "evidence", "why"),
    [
        ("The reply is rude.", HELLO, "nobody has ruled on it"),
        (KIND, replace(HELLO, scenario="another"), "nobody has ruled on it"),
        (KIND, replace(HELLO, bound="other words"), "what was said changed"),
        (KIND, replace(HELLO, sections={"thread": "Assistant: Bye"}), "the evidence no longer says 'Hello, how"),
    ],
)
def test_what_changed_has_no_ruling(tmp_path: Path, statement_: str, evidence: Evidence, why: str) -> None:
    (ruling,) = recorded(tmp_path, "Hello, how are you?").rule([statement_], evidence)

    assert ruling.verdict == "unknown"
    assert why in ruling.why


def test_an_answer_without_a_majority_is_not_kept(tmp_path: Path) -> None:
    judge = recorded(tmp_path, votes=("yes", "no", "none"))

    assert judge.rulings == {"say_hi": ()}


@pytest.mark.parametrize(
    "line",
    [
        "{",
        '{"lines": ["a"]}',
        '{"lines": [], "votes": ["yes"], "origin": "authored", "digest": "0"}',
        '{"lines": ["a"], "votes": ["perhaps"], "origin": "authored", "digest": "0"}',
        '{"lines": ["b", "a"], "votes": ["no"], "origin": "authored", "digest": "0"}',
    ],
)
def test_a_line_that_can_not_be_used_says_file_and_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "judge.jsonl"
    path.write_text(f'{{"lines": ["a"], "votes": ["yes"], "origin": "authored", "digest": "0"}}\n\n{line}\n')

    with pytest.raises(Unusable, match=r"judge\.jsonl:3"):
        RecordedJudge.read([path])


def test_every_scenario_of_the_repository_is_ruled_on_in_general_with_a_quote() -> None:
    names = {path.stem for path in (EVALS / "scenarios").glob("*.yaml")}
    files = {path.stem: read_rulings(path) for path in (EVALS / "rulings").glob("*.jsonl")}

    assert files.keys() == names
    for name, rulings in files.items():
        ruled = {text for each in rulings for text in each.statements}
        assert not set(GENERAL.values()) - ruled, name
        assert all(each.quote for each in rulings), name


def test_agreement_counts_errors_of_both_kinds_and_silence() -> None:
    wilful = Wilful(LABELS, wrong=5, silent=3)

    found = measure(wilful, LABELS)

    assert len(LABELS) >= 30
    assert min(sum(label.verdict == kind for label in LABELS) for kind in ("held", "broken")) >= 12
    assert (found.n, found.agreed, found.unanswered) == (len(LABELS), len(LABELS) - 8, 3)
    assert found.false_yes + found.false_no == 5
    assert found.false_yes == sum(label.verdict == "broken" for label in LABELS[3:8])
    assert [label for label, _ in found.disagreements] == list(LABELS[:8])
    assert found.rate.low < found.agreed / found.n < found.rate.high
    assert found.kappa is not None and 0 < found.kappa < 1
    assert f"{len(LABELS) - 8} of {len(LABELS)}" in str(found)


def test_a_judge_that_always_says_yes_agrees_no_more_than_chance() -> None:
    labels = [Label("a", Evidence.of_text("1"), "held"), Label("a", Evidence.of_text("2"), "broken")]

    found = measure(Wilful([replace(label, verdict="held") for label in labels]), labels)

    assert found.kappa == 0
    assert found.false_yes == 1


def test_a_general_line_may_be_labelled_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text('{"item": "general.kind", "text": "Assistant: No.", "verdict": "no"}\n')

    (label,) = read_labels([path])

    assert (label.statement, label.verdict) == (GENERAL["kind"], "broken")
    assert statement("general.unheard") == "general.unheard"


@pytest.mark.parametrize(
    ("second", "message"),
    [('{"item":"a","text":"b","verdict":"no"}', ":2: .*already"), ('{"item":"a","text":"b"}', ":2: verdict: ")],
)
def test_a_label_that_can_not_be_used_is_refused(tmp_path: Path, second: str, message: str) -> None:
    path = tmp_path / "verdicts.jsonl"
    path.write_text(f'{{"item":"a","text":"b","verdict":"yes"}}\n{second}\n')

    with pytest.raises(Unusable, match=message):
        read_labels([path])


@pytest.mark.parametrize(
    ("votes", "verdict"),
    [
        ((), "unknown"),
        (("yes",), "unknown"),
        (("yes", "no"), "unknown"),
        (("yes", "no", "yes"), "held"),
        (("no", "none", "no"), "broken"),
    ],
)
def test_two_of_three_decide(votes: tuple[str, ...], verdict: str) -> None:
    assert Ruling(votes).verdict == verdict  # pyright: ignore[reportArgumentType]
