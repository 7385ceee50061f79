"""What a live run says in numbers: pass^k, cost, latency, tokens, flakes; two runs side by side."""

from collections import Counter
from collections.abc import Iterator, Sequence

from dm_evals.checks.pricing import cost_of
from dm_evals.live.trials import INFRASTRUCTURE
from dm_evals.live.upstream import ASKERS, Counts
from dm_evals.observation import ModelCall
from dm_evals.results import Outcome, Report, Table, TrialResult
from dm_evals.statistics import counted, flakes, mean_pass_hat_k, newcombe, wilson

Variants = Sequence[tuple[str, Report]]
"""Each variant's name and what came of it. Only reviewed scenarios count."""


def tables(variants: Variants, trials: int, counts: Counts) -> tuple[Table, ...]:
    """The figures of all variants, the scenarios that flake, and each further variant against the first."""
    columns = [_figures([each for each in report.results if each.counts], trials) for _, report in variants]
    figures = [(cells[0][0], *(told for _, told in cells)) for cells in zip(*columns, strict=True)]
    flaky = [
        (row.scenario, name, f"{row.passes} of {row.judged}", _broken(report.results, row.scenario))
        for name, report in variants
        for row in flakes(counted(report.results))
    ]
    return (
        Table("live", ("", *(name for name, _ in variants)), (*figures, *_shared(counts, len(variants)))),
        *([Table("flaky", ("scenario", "variant", "passed", "checks that broke"), tuple(flaky))] if flaky else []),
        *(_against(variants[0], other) for other in variants[1:]),
    )


def _figures(results: Sequence[TrialResult], trials: int) -> list[tuple[str, str]]:
    """One variant's column: latencies in ms per model turn, cost in US dollars. pass^k is unknown for a k above the
    judged trials of a scenario."""
    rows, outcomes = counted(results), Counter(result.outcome for result in results)
    calls = [call for result in results for call in result.observation.model_calls]
    latencies = sorted(call.latency_ms for call in calls if call.latency_ms is not None)
    infrastructure = sum(
        result.outcome is Outcome.ERRORED and result.reason.startswith(INFRASTRUCTURE) for result in results
    )
    errored = outcomes[Outcome.ERRORED] + outcomes[Outcome.STALE] - infrastructure
    passes, judged = sum(row.passes for row in rows), sum(row.judged for row in rows)
    rate = wilson(passes, judged)
    shares = [(k, mean_pass_hat_k(rows, k)) for k in range(1, trials + 1)]
    return [
        ("passed, of those judged", f"{passes} of {judged} (95 % interval {rate.low:.2f} to {rate.high:.2f})"),
        *((f"pass^{k}", "unknown" if share is None else f"{share:.2f}") for k, share in shares),
        (
            "not judged",
            f"{infrastructure} infrastructure, {errored} errored, {outcomes[Outcome.SKIPPED]} skipped",
        ),
        ("cost in USD", _sum([cost_of(call) for call in calls], ".4f")),
        ("tokens", _sum([_tokens(call) for call in calls], ",.0f")),
        ("latency of a turn", f"p50 {_quantile(latencies, 0.5)}, p95 {_quantile(latencies, 0.95)}"),
        ("how runs ended", _listed(Counter(ending for result in results for ending in result.observation.runs))),
        ("guards at work", _listed(Counter(guard for result in results for guard in result.observation.guards))),
    ]


def _shared(counts: Counts, variants: int) -> Iterator[tuple[str, ...]]:
    """What is counted over all variants stands in the first one's column."""
    rest = ("",) * (variants - 1)
    unpriced = f", {counts.unpriced} calls without a price" if counts.unpriced else ""
    for asker in ASKERS:
        yield (f"the {asker}'s cost in USD", f"{counts.spent[asker]:.4f}{unpriced}", *rest)
    troubles = f": {_listed(counts.troubles)}" if counts.troubles else ""
    yield ("calls of this part", f"{counts.calls}, tried again {counts.again} times{troubles}", *rest)


def _against(first: tuple[str, Report], other: tuple[str, Report]) -> Table:
    """All scenarios together, then those in which the variants differ: passes of judged trials, and the difference of
    the rates with its 95 % interval. Trials of one scenario repeat; over all scenarios they are taken as independent.
    """
    sides = [
        {row.scenario: (row.passes, row.judged) for row in counted(report.results)} for _, report in (first, other)
    ]
    totals = [(sum(p for p, _ in side.values()), sum(n for _, n in side.values())) for side in sides]
    names = sorted({*sides[0], *sides[1]})
    pairs = [("all", totals), *((name, [side.get(name, (0, 0)) for side in sides]) for name in names)]
    rows: list[tuple[str, ...]] = []
    for name, ((passes, n), (others, m)) in pairs:
        difference = others / m - passes / n if n and m else None
        if name == "all" or difference:
            interval = newcombe(passes, n, others, m)
            told = f"{interval.low:+.2f} to {interval.high:+.2f}{'' if 0 in interval else ' *'}"
            shown = "unknown" if difference is None else f"{difference:+.2f}"
            rows.append((name, f"{passes}/{n}", f"{others}/{m}", shown, told))
    columns = ("scenario", first[0], other[0], "difference", "95 % interval (*: without zero)")
    return Table(f"{other[0]} against {first[0]}", columns, tuple(rows))


def _broken(results: Sequence[TrialResult], scenario: str) -> str:
    failed = [each for each in results if each.scenario == scenario and each.outcome is Outcome.FAIL]
    return _listed(Counter(check.name for each in failed for check in each.checks if check.verdict == "broken"))


def _listed(counts: Counter[str]) -> str:
    """``answered 41, handed_over 3``, the most frequent first."""
    return ", ".join(f"{name} {number}" for name, number in counts.most_common()) or "none"


def _tokens(call: ModelCall) -> int | None:
    used, answered = call.input_tokens, call.output_tokens
    return None if used is None or answered is None else used + answered


def _sum(parts: Sequence[float | None], form: str) -> str:
    """The sum; where parts of it are not known, how many those are."""
    known = [part for part in parts if part is not None]
    total, unknown = float(sum(known)), len(parts) - len(known)
    return f"unknown ({unknown} turns; the others {total:{form}})" if unknown else f"{total:{form}}"


def _quantile(ordered: Sequence[int], share: float) -> str:
    """The nearest rank."""
    return f"{ordered[min(len(ordered) - 1, int(share * len(ordered)))]} ms" if ordered else "unknown"
