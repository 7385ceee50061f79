"""What a live run says in numbers: pass^k, cost, latency, tokens, flakes; two runs side by side."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dm_evals.checks.pricing import cost_of
from dm_evals.live.trials import INFRASTRUCTURE, LiveRun
from dm_evals.live.upstream import ASKERS, Counts
from dm_evals.observation import ModelCall
from dm_evals.results import Outcome, Table, TrialResult
from dm_evals.statistics import Counted, Interval, counted, flakes, mean_pass_hat_k, newcombe, wilson


@dataclass(frozen=True, slots=True)
class Known:
    """A sum, and how many of its parts are not known (their share is missing from it)."""

    total: float
    unknown: int

    @property
    def value(self) -> float | None:
        """None where a part is not known."""
        return None if self.unknown else self.total


@dataclass(frozen=True, slots=True)
class Summary:
    """One variant. Latencies in ms per model turn, cost in US dollars; None where nothing was measured."""

    name: str
    counts: tuple[Counted, ...]
    pass_hat: dict[int, float | None]
    """k → pass^k; k is capped by the scenario with the fewest judged trials: above it, None."""
    cost: Known
    tokens: Known
    latency_p50: int | None
    latency_p95: int | None
    infrastructure: int
    errored: int
    skipped: int
    flaky: tuple[Counted, ...]
    endings: Counter[str]
    """How runs ended."""
    guards: Counter[str]
    """What the guards kept back or mended."""


def summary(run: LiveRun) -> Summary:
    """The numbers of one variant; only reviewed scenarios count."""
    results = [result for result in run.report.results if result.counts]
    counts = counted(results)
    calls = [call for result in results for call in result.observation.model_calls]
    latencies = sorted(call.latency_ms for call in calls if call.latency_ms is not None)
    infrastructure = sum(_is_infrastructure(result) for result in results)
    outcomes = [result.outcome for result in results]
    return Summary(
        name=run.variant.name,
        counts=counts,
        pass_hat={k: mean_pass_hat_k(counts, k) for k in range(1, run.trials + 1)},
        cost=_sum([cost_of(call) for call in calls]),
        tokens=_sum([_tokens(call) for call in calls]),
        latency_p50=_quantile(latencies, 0.5),
        latency_p95=_quantile(latencies, 0.95),
        infrastructure=infrastructure,
        errored=outcomes.count(Outcome.ERRORED) + outcomes.count(Outcome.STALE) - infrastructure,
        skipped=outcomes.count(Outcome.SKIPPED),
        flaky=flakes(counts),
        endings=Counter(ending for result in results for ending in result.observation.runs),
        guards=Counter(guard for result in results for guard in result.observation.guards),
    )


@dataclass(frozen=True, slots=True)
class Compared:
    """One line of two variants side by side: passes of judged trials, and the difference of the rates with its 95 %
    interval. Trials of one scenario repeat; over all scenarios they are taken as independent."""

    name: str
    first: tuple[int, int]
    second: tuple[int, int]
    difference: float | None
    interval: Interval

    @property
    def is_clear(self) -> bool:
        """Zero is not in the interval."""
        return 0 not in self.interval


def compared(first: Summary, second: Summary) -> tuple[Compared, ...]:
    """All scenarios together (``all``), then each one of either side."""
    sides = [{row.scenario: (row.passes, row.judged) for row in side.counts} for side in (first, second)]
    totals = [(sum(p for p, _ in side.values()), sum(n for _, n in side.values())) for side in sides]
    names = sorted({*sides[0], *sides[1]})
    rows = [("all", totals[0], totals[1]), *((name, *(side.get(name, (0, 0)) for side in sides)) for name in names)]
    return tuple(_compared(name, one, other) for name, one, other in rows)


def tables(runs: Sequence[LiveRun], counts: Counts) -> tuple[Table, ...]:
    """The figures of all variants, the scenarios that flake, and each further variant against the first."""
    found = [summary(run) for run in runs]
    flaky = [
        (row.scenario, each.name, f"{row.passes} of {row.judged}", _broken(run.report.results, row.scenario))
        for run, each in zip(runs, found, strict=True)
        for row in each.flaky
    ]
    return (
        Table("live", ("", *(each.name for each in found)), (*_figures(found), *_shared(counts, len(found)))),
        *([Table("flaky", ("scenario", "variant", "passed", "checks that broke"), tuple(flaky))] if flaky else []),
        *(_against(found[0], other) for other in found[1:]),
    )


def _figures(found: Sequence[Summary]) -> Iterator[tuple[str, ...]]:
    yield ("passed, of those judged", *map(_passed, found))
    for k in found[0].pass_hat:
        yield (f"pass^{k}", *(_share(each.pass_hat[k]) for each in found))
    yield (
        "not judged",
        *(f"{x.infrastructure} infrastructure, {x.errored} errored, {x.skipped} skipped" for x in found),
    )
    yield ("cost in USD", *(_known(each.cost, ".4f") for each in found))
    yield ("tokens", *(_known(each.tokens, ",.0f") for each in found))
    yield ("latency of a turn", *(f"p50 {_ms(each.latency_p50)}, p95 {_ms(each.latency_p95)}" for each in found))
    yield ("how runs ended", *(_listed(each.endings) for each in found))
    yield ("guards at work", *(_listed(each.guards) for each in found))


def _shared(counts: Counts, variants: int) -> Iterator[tuple[str, ...]]:
    """What is counted over all variants stands in the first one's column."""
    rest = ("",) * (variants - 1)
    unpriced = f", {counts.unpriced} calls without a price" if counts.unpriced else ""
    for asker in ASKERS:
        yield (f"the {asker}'s cost in USD", f"{counts.spent[asker]:.4f}{unpriced}", *rest)
    troubles = f": {_listed(counts.troubles)}" if counts.troubles else ""
    yield ("calls of this part", f"{counts.calls}, tried again {counts.again} times{troubles}", *rest)


def _against(first: Summary, other: Summary) -> Table:
    """All scenarios together, then those in which the variants differ."""
    rows: list[tuple[str, ...]] = []
    for row in compared(first, other):
        if row.name == "all" or row.difference:
            difference = "unknown" if row.difference is None else f"{row.difference:+.2f}"
            sides = [f"{passes}/{n}" for passes, n in (row.first, row.second)]
            interval = f"{row.interval.low:+.2f} to {row.interval.high:+.2f}{' *' if row.is_clear else ''}"
            rows.append((row.name, *sides, difference, interval))
    columns = ("scenario", first.name, other.name, "difference", "95 % interval (*: without zero)")
    return Table(f"{other.name} against {first.name}", columns, tuple(rows))


def _passed(found: Summary) -> str:
    passes, judged = sum(row.passes for row in found.counts), sum(row.judged for row in found.counts)
    interval = wilson(passes, judged)
    return f"{passes} of {judged} (95 % interval {interval.low:.2f} to {interval.high:.2f})"


def _broken(results: Sequence[TrialResult], scenario: str) -> str:
    counts = Counter(
        check.name
        for result in results
        if result.scenario == scenario and result.outcome is Outcome.FAIL
        for check in result.checks
        if check.verdict == "broken"
    )
    return _listed(counts)


def _listed(counts: Counter[str]) -> str:
    """``answered 41, handed_over 3``, the most frequent first."""
    return ", ".join(f"{name} {number}" for name, number in counts.most_common()) or "none"


def _compared(name: str, first: tuple[int, int], second: tuple[int, int]) -> Compared:
    both = first[1] and second[1]
    difference = second[0] / second[1] - first[0] / first[1] if both else None
    return Compared(name, first, second, difference, newcombe(*first, *second))


def _is_infrastructure(result: TrialResult) -> bool:
    return result.outcome is Outcome.ERRORED and result.reason.startswith(INFRASTRUCTURE)


def _tokens(call: ModelCall) -> int | None:
    known = call.input_tokens is not None and call.output_tokens is not None
    return (call.input_tokens or 0) + (call.output_tokens or 0) if known else None


def _sum(parts: Sequence[float | None]) -> Known:
    known = [part for part in parts if part is not None]
    return Known(float(sum(known)), len(parts) - len(known))


def _quantile(ordered: Sequence[int], share: float) -> int | None:
    """The nearest rank."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def _known(value: Known, form: str) -> str:
    return (
        f"{value.total:{form}}"
        if not value.unknown
        else f"unknown ({value.unknown} turns; the others {value.total:{form}})"
    )


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def _ms(value: int | None) -> str:
    return "unknown" if value is None else f"{value} ms"
