"""The gate and the baseline: only what was judged and good enough is held."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from dm_evals.baseline import Baseline, changes
from dm_evals.gate import Gate, GateDecision
from dm_evals.reading import Unusable
from dm_evals.results import Outcome, Report, TrialResult
from tests.evals.checks.making import observed

P, F, E, S, K = Outcome.PASS, Outcome.FAIL, Outcome.ERRORED, Outcome.STALE, Outcome.SKIPPED
ALL = {"tag": "*", "must": "all"}


def report(
    outcomes: Mapping[str, list[Outcome]],
    tags: tuple[str, ...] = ("sessions",),
    problems: tuple[str, ...] = (),
    counts: bool = True,
) -> Report:
    results = [
        TrialResult(name, trial, tags, outcome, (), observed(), counts=counts)
        for name, row in outcomes.items()
        for trial, outcome in enumerate(row, 1)
    ]
    return Report("replay", "", 0.0, tuple(results), problems=problems)


def gate(*rules: Mapping[str, object]) -> Gate:
    return Gate.model_validate({"replay": rules, "live": [ALL]})


def decided(
    outcomes: Mapping[str, list[Outcome]], *rules: Mapping[str, object], baseline: Baseline | None = None
) -> GateDecision:
    return gate(*(rules or (ALL,))).decide(report(outcomes), baseline)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [([P, P], 0), ([P, F], 1), ([P, E], 2), ([P, S], 2), ([P, K], 2), ([F, E], 1), ([E], 2), ([K], 2), ([], 2)],
)
def test_only_passes_are_held_and_what_was_not_judged_is_code_2(outcomes: list[Outcome], code: int) -> None:
    decision = decided({"nets": outcomes})

    assert (decision.exit_code, decision.held) == (code, code == 0)


def test_a_tag_of_the_gate_without_a_scenario_is_no_pass() -> None:
    decision = decided({"nets": [P]}, ALL, {"tag": "injury", "must": "all"})

    assert decision.exit_code == 2
    assert "no scenario has the tag injury" in decision.rules[1].reason


def test_a_run_restricted_to_some_tags_is_judged_by_their_rules() -> None:
    rules = gate(ALL, {"tag": "injury", "must": "all"})

    assert rules.decide(report({"nets": [P]}), None, only=["sessions"]).exit_code == 0
    assert rules.decide(report({}), None, only=["sessions"]).exit_code == 2


def test_a_scenario_no_rule_speaks_of_is_no_pass() -> None:
    outcomes = report({"nets": [P]}, tags=("kit",))

    assert gate({"tag": "sessions", "must": "all"}).decide(outcomes, None).exit_code == 2


def test_broken_files_and_unreviewed_scenarios_are_no_pass() -> None:
    assert gate(ALL).decide(report({"nets": [P]}, problems=("x.yaml:3: …",)), None).exit_code == 2
    assert gate(ALL).decide(report({"nets": [P]}, counts=False), None).exit_code == 2


def test_a_rate_is_judged_by_its_lower_bound() -> None:
    rule = {"tag": "*", "must": "rate", "at_least": 0.7}

    assert decided({"nets": [P] * 9}, rule).exit_code == 0
    assert decided({"nets": [P] * 8}, rule).exit_code == 1


def test_some_errors_may_be_allowed_but_not_more() -> None:
    rule = {"tag": "*", "must": "rate", "at_least": 0.5, "errors_at_most": 0.1}

    assert decided({"nets": [P] * 9 + [E]}, rule).exit_code == 0
    assert decided({"nets": [P] * 8 + [E] * 2}, rule).exit_code == 2


def test_against_the_baseline_counts_are_scaled_and_slack_is_given() -> None:
    before = Baseline.model_validate({"replay": {"nets": {"n": 4, "passes": 4, "tags": ["sessions"]}}})
    rule = {"tag": "*", "must": "baseline"}

    assert decided({"nets": [P]}, rule, baseline=before).exit_code == 0
    assert decided({"nets": [P, P, P, F]}, rule, baseline=before).exit_code == 1
    assert decided({"nets": [P, P, P, F]}, rule | {"slack": 1}, baseline=before).exit_code == 0
    assert decided({"nets": [P, P, F, F]}, rule | {"slack": 1}, baseline=before).exit_code == 1
    assert decided({"kit": [P]}, rule, baseline=before).exit_code == 2
    assert decided({"nets": [P]}, rule).exit_code == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("replay: [", "no YAML"),
        ("", "is empty"),
        ("replay: []\nlive: []", "replay"),
        ("replay: [{tag: a, must: al}]\nlive: [{tag: a, must: all}]", "replay.0.must"),
        ("replay: [{tag: a, must: rate}]\nlive: [{tag: a, must: all}]", "at_least"),
        ("replay: [{tag: a, must: all, slak: 1}]\nlive: [{tag: a, must: all}]", "slak"),
        ("replay: [{tag: a, must: rate, at_least: 85}]\nlive: [{tag: a, must: all}]", "at_least"),
    ],
)
def test_a_broken_gate_file_says_where(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text(text)

    with pytest.raises(Unusable, match=told) as error:
        Gate.load(path)
    assert str(path) in str(error.value)


def test_the_repository_s_gate_can_be_read() -> None:
    read = Gate.load(Path(__file__).parents[3] / "evals" / "gate.yaml")

    assert ALL["must"] in {rule.must for rule in read.replay}


@pytest.mark.parametrize("bad", [E, S, K])
def test_the_baseline_is_never_taken_from_a_run_that_was_not_judged(bad: Outcome) -> None:
    with pytest.raises(Unusable, match="nets, trial 2"):
        Baseline().updated(report({"nets": [P, bad]}))


def test_the_baseline_is_never_taken_from_nothing_or_broken_files() -> None:
    for nothing in (report({}), report({"nets": [P]}, counts=False), report({"nets": [P]}, problems=("x",))):
        with pytest.raises(Unusable):
            Baseline().updated(nothing)


def test_a_saved_baseline_is_read_back_and_reads_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    taken = Baseline().updated(report({"nets": [P, F], "kit": [P]}))

    taken.save(path)

    assert Baseline.load(path) == taken
    assert '    "kit": {"n": 1, "passes": 1, "tags": ["sessions"]},' in path.read_text().splitlines()
    assert Baseline.load(tmp_path / "none.json") is None
    path.write_text('{"replay": {"nets": {"n": 1, "passes": 2}}}')
    with pytest.raises(Unusable, match="more passes than trials"):
        Baseline.load(path)


def test_changes_are_told_worst_first() -> None:
    before = Baseline().updated(report({"nets": [P, P], "kit": [P, F], "gone": [P], "same": [P]}))

    told = changes(before, report({"nets": [P, F], "kit": [P, P], "new": [P], "same": [P, P]}))

    assert list(map(str, told)) == [
        "- nets: 2/2 → 1/2",
        "! gone: 1/1 → nothing",
        "+ kit: 1/2 → 2/2",
        "* new: nothing → 1/1",
        "  same: 1/1 → 2/2",
    ]
