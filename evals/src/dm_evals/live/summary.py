"""What a live run says in numbers: pass^k, cost, latency, tokens, flakes; two runs side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

from dm_evals.checks.pricing import cost_of
from dm_evals.live.trials import INFRASTRUCTURE, LiveRun
from dm_evals.observation import ModelCall
from dm_evals.results import Outcome, TrialResult
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


def lines(found: Summary) -> list[str]:
    """The summary for a terminal."""
    passes, judged = sum(row.passes for row in found.counts), sum(row.judged for row in found.counts)
    interval = wilson(passes, judged)
    hats = ", ".join(f"pass^{k} {_share(value)}" for k, value in found.pass_hat.items())
    shown = [
        f"{found.name}: {passes} of {judged} judged trials passed, "
        f"95 % interval {interval.low:.2f} to {interval.high:.2f}",
        f"  {hats}",
        f"  not judged: {found.infrastructure} infrastructure, {found.errored} errored, {found.skipped} skipped",
        f"  cost {_known(found.cost, '.4f')} USD, tokens {_known(found.tokens, '.0f')}, latency per turn "
        f"p50 {_ms(found.latency_p50)}, p95 {_ms(found.latency_p95)}",
    ]
    shown += [f"  flaky: {row.scenario} passed {row.passes} of {row.judged}" for row in found.flaky]
    return shown


def side_by_side(first: Summary, second: Summary) -> list[str]:
    """Two variants for a terminal; ``*`` where the difference is clear."""
    shown = [f"{'scenario':<40} {first.name:>20} {second.name:>20}  difference (95 % interval)"]
    for row in compared(first, second):
        difference = "unknown" if row.difference is None else f"{row.difference:+.2f}"
        sides = [f"{passes}/{n}" for passes, n in (row.first, row.second)]
        interval = f"{difference} ({row.interval.low:+.2f} to {row.interval.high:+.2f})"
        shown.append(f"{row.name:<40} {sides[0]:>20} {sides[1]:>20}  {interval}{' *' if row.is_clear else ''}")
    return shown


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
