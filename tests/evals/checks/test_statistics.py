"""Counts and intervals, against brute force and published figures."""

from itertools import combinations
from math import comb, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dm_evals.statistics import Counted, flakes, mean_pass_hat_k, newcombe, pass_hat_k, wilson


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_hat_k_is_the_share_of_draws_that_all_pass(drawn: tuple[int, int, int]) -> None:
    n, passes, k = drawn
    trials = [True] * passes + [False] * (n - passes)
    draws = list(combinations(trials, k))

    assert isclose(pass_hat_k(n, passes, k), sum(map(all, draws)) / len(draws))


@pytest.mark.parametrize(("n", "passes", "k"), [(4, 4, 5), (4, 5, 1), (4, -1, 1), (4, 4, 0), (0, 0, 1)])
def test_what_can_t_be_told_is_refused(n: int, passes: int, k: int) -> None:
    with pytest.raises(ValueError, match="can't be told"):
        pass_hat_k(n, passes, k)


def test_the_mean_is_unknown_where_a_scenario_has_too_few_trials() -> None:
    rows = [Counted("a", 4, 0, 0), Counted("b", 1, 1, 2)]

    assert mean_pass_hat_k(rows, 2) == pytest.approx(0.5)
    assert mean_pass_hat_k(rows, 3) is None
    assert mean_pass_hat_k([], 1) is None


def test_newcombe_s_own_example() -> None:
    """56/70 against 48/80: 0.2, from 0.0524 to 0.3339 (Newcombe 1998, table II, method 10)."""
    interval = newcombe(48, 80, 56, 70)

    assert (round(interval.low, 4), round(interval.high, 4)) == (0.0524, 0.3339)


def test_wilson_s_interval_of_ten_of_ten() -> None:
    interval = wilson(10, 10)

    assert (round(interval.low, 4), interval.high) == (0.7225, 1.0)
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)


@given(st.integers(1, 12), st.sampled_from([0.3, 0.5, 0.8, 0.95]))
def test_wilson_s_interval_holds_the_true_rate_about_as_often_as_it_says(n: int, rate: float) -> None:
    """Exact coverage, summed over every possible count: near 95 % on average, and never far below."""
    chance = [comb(n, passes) * rate**passes * (1 - rate) ** (n - passes) for passes in range(n + 1)]
    coverage = sum(p for passes, p in enumerate(chance) if rate in wilson(passes, n))

    assert coverage > 0.79


@given(st.integers(0, 9), st.integers(1, 9), st.integers(0, 9), st.integers(1, 9))
def test_the_difference_lies_in_its_interval_and_turns_with_its_sides(a: int, n: int, b: int, m: int) -> None:
    a, b = min(a, n), min(b, m)
    one, other = newcombe(a, n, b, m), newcombe(b, m, a, n)

    assert one.low - 1e-9 <= b / m - a / n <= one.high + 1e-9
    assert isclose(one.low, -other.high, abs_tol=1e-9)


def test_only_what_sometimes_passes_is_flaky() -> None:
    rows = [Counted("always", 4, 0, 0), Counted("never", 0, 4, 0), Counted("rarely", 1, 3, 0), Counted("half", 2, 2, 1)]

    assert [row.scenario for row in flakes(rows)] == ["half", "rarely"]
