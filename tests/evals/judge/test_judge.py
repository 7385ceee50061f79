"""Recorded rulings, and the agreement of a judge with verdicts people wrote."""

from pathlib import Path

import pytest

from dm_evals.judge.agreement import Authored, measure, read_verdicts
from dm_evals.judge.judge import BrokenRuling, RecordedJudge, RecordingJudge, Ruling, Vote, digest

VERDICTS = sorted((Path(__file__).parents[3] / "evals" / "agreement").glob("*.jsonl"))


class Wilful:
    """Knows the authored verdicts, and errs where it is told to."""

    def __init__(self, verdicts: tuple[Authored, ...], wrong: int = 0, silent: int = 0) -> None:
        self.known = {(v.item, v.text): (v.verdict, n) for n, v in enumerate(verdicts)}
        self.wrong, self.silent, self.asked = wrong, silent, 0

    def rule(self, item: str, text: str) -> Ruling:
        self.asked += 1
        verdict, number = self.known[item, text]
        if number < self.silent:
            return Ruling(("none", "none", "none"))
        if number < self.silent + self.wrong:
            verdict = "no" if verdict == "yes" else "yes"
        vote: Vote = "yes" if verdict == "yes" else "no"
        return Ruling((vote, vote), "because")


def test_there_are_enough_authored_verdicts_of_both_kinds() -> None:
    verdicts = read_verdicts(VERDICTS)

    assert len(verdicts) >= 30
    assert min(sum(v.verdict == kind for v in verdicts) for kind in ("yes", "no")) >= 12


def test_agreement_counts_errors_of_both_kinds_and_silence() -> None:
    verdicts = read_verdicts(VERDICTS)

    found = measure(Wilful(verdicts, wrong=5, silent=3), verdicts)

    assert (found.n, found.agreed, found.unanswered) == (len(verdicts), len(verdicts) - 8, 3)
    assert found.false_yes + found.false_no == 5
    assert found.false_yes == sum(v.verdict == "no" for v in verdicts[3:8])
    assert [each.authored for each in found.disagreements] == list(verdicts[:8])
    assert found.rate.low < found.agreed / found.n < found.rate.high
    assert found.kappa is not None and 0 < found.kappa < 1


def test_a_judge_that_always_says_yes_agrees_no_more_than_chance() -> None:
    verdicts = (Authored(item="a", text="1", verdict="yes"), Authored(item="a", text="2", verdict="no"))

    class Yes:
        def rule(self, item: str, text: str) -> Ruling:
            del item, text
            return Ruling(("yes", "yes"))

    assert measure(Yes(), verdicts).kappa == 0


def test_what_was_recorded_is_answered_again_without_asking(tmp_path: Path) -> None:
    verdicts = read_verdicts(VERDICTS)
    wilful = Wilful(verdicts, silent=2)
    recording = RecordingJudge(wilful, "some-model", "2026-11-22")
    for verdict in (*verdicts, *verdicts):
        recording.rule(verdict.item, verdict.text)

    recording.write(tmp_path / "judge.jsonl")
    again = measure(RecordedJudge.read([tmp_path / "judge.jsonl"]), verdicts)

    assert wilful.asked == len(verdicts) + 2
    assert (again.agreed, again.unanswered) == (len(verdicts) - 2, 2)


def test_another_item_or_text_has_no_answer(tmp_path: Path) -> None:
    judge = RecordedJudge({digest("is kind", "hello"): Ruling(("yes", "yes"))})

    assert judge.rule("is kind", "hello").verdict == "held"
    assert judge.rule("is kind", "hello!").verdict == "unknown"
    assert judge.rule("is rude", "hello").verdict == "unknown"
    assert digest("ab", "c") != digest("a", "bc")


@pytest.mark.parametrize(
    "line", ["{", '{"item": "a"}', '{"digest":"0","item":"a","text":"b","votes":["yes"],"origin":"authored"}']
)
def test_a_broken_recording_says_file_and_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "judge.jsonl"
    path.write_text(f"\n{line}\n")

    with pytest.raises(BrokenRuling, match=r"judge\.jsonl:2"):
        RecordedJudge.read([path])


def test_a_verdict_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    path.write_text('{"item":"a","text":"b","verdict":"yes"}\n{"item":"a","text":"b","verdict":"no"}\n')

    with pytest.raises(BrokenRuling, match=r":2: .*already"):
        read_verdicts([path])


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
