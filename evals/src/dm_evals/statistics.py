"""How sure one may be of counts: pass^k, Wilson's and Newcombe's intervals, the flake table.

pass^k is "all of k trials pass" (arXiv 2406.12045), estimated without bias from n trials as C(c,k)/C(n,k). It is not
pass@k ("any passes"), which hides flakiness. Infrastructure errors are in none of these counts.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import comb, sqrt
from statistics import NormalDist
from typing import Final

from dm_evals.results import Outcome, TrialResult

CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A closed interval of a rate, or of the difference of two."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Counted:
    """The trials of one scenario. ``judged`` = passes + failures; the others could not be judged."""

    scenario: str
    passes: int
    failures: int
    unjudged: int

    @property
    def judged(self) -> int:
        return self.passes + self.failures

    @property
    def is_flaky(self) -> bool:
        return 0 < self.passes < self.judged


def pass_hat_k(n: int, passes: int, k: int) -> float:
    """Chance that all of ``k`` trials pass, from ``passes`` of ``n``. Raises ValueError where k > n or k < 1."""
    if not (1 <= k <= n and 0 <= passes <= n):
        raise ValueError(f"pass^{k} can't be told from {passes} of {n} trials")
    return comb(passes, k) / comb(n, k)


def mean_pass_hat_k(counts: Iterable[Counted], k: int) -> float | None:
    """The mean over scenarios; None where one of them has fewer than ``k`` judged trials, or there is none."""
    rows = tuple(counts)
    if not rows or k < 1 or any(row.judged < k for row in rows):
        return None
    return sum(pass_hat_k(row.judged, row.passes, k) for row in rows) / len(rows)


def wilson(passes: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's score interval of a rate. Of no trial at all nothing is known: 0 to 1. Raises ValueError."""
    if not 0 <= passes <= n:
        raise ValueError(f"{passes} of {n} is no rate")
    if n == 0:
        return Interval(0.0, 1.0)
    z = _z(confidence)
    rate = passes / n
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    low = 0.0 if passes == 0 else max(0.0, centre - half)
    high = 1.0 if passes == n else min(1.0, centre + half)
    return Interval(low, high)


def newcombe(passes: int, n: int, others: int, m: int, confidence: float = CONFIDENCE) -> Interval:
    """Interval of the difference ``others/m - passes/n`` of two independent rates (Newcombe 1998, method 10)."""
    if n == 0 or m == 0:
        return Interval(-1.0, 1.0)
    first, second = wilson(passes, n, confidence), wilson(others, m, confidence)
    p, q = passes / n, others / m
    low = q - p - sqrt((q - second.low) ** 2 + (first.high - p) ** 2)
    high = q - p + sqrt((second.high - q) ** 2 + (p - first.low) ** 2)
    return Interval(max(-1.0, low), min(1.0, high))


def counted(results: Iterable[TrialResult]) -> tuple[Counted, ...]:
    """One row a scenario, by name. Scenarios that were not reviewed do not count; skipped trials were not run."""
    rows: dict[str, Counter[Outcome]] = {}
    for result in results:
        if result.counts:
            rows.setdefault(result.scenario, Counter())[result.outcome] += 1
    return tuple(
        Counted(name, n[Outcome.PASS], n[Outcome.FAIL], n[Outcome.ERRORED] + n[Outcome.STALE])
        for name, n in sorted(rows.items())
    )


def flakes(counts: Iterable[Counted]) -> tuple[Counted, ...]:
    """The scenarios that sometimes pass and sometimes don't, the least certain first."""
    flaky = (row for row in counts if row.is_flaky)
    return tuple(sorted(flaky, key=lambda row: (abs(row.passes / row.judged - 0.5), row.scenario)))


def _z(confidence: float) -> float:
    """The two-sided quantile of the normal distribution."""
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence of {confidence} is none")
    return NormalDist().inv_cdf((1 + confidence) / 2)
