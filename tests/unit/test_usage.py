"""Counting is honest: every billed call, and no price that is not known."""

import pytest

from dm_core.durations import DAY_MS
from dm_core.usage import DayRuns, Spent, parse_spent, spend_run

ONE = Spent(1, 900, 800, 20, 7, 0.001)


def test_calls_add_up() -> None:
    assert ONE + ONE + Spent() == Spent(2, 1_800, 1_600, 40, 14, 0.002)


def test_many_small_prices_add_up_without_dust() -> None:
    assert sum((Spent(usd=0.1),) * 3, Spent()).usd == 0.3


def test_one_unknown_price_makes_the_whole_unknown_and_keeps_the_tokens() -> None:
    assert ONE + Spent(1, 5, usd=None) + ONE == Spent(3, 1_805, 1_600, 40, 14, None)


@pytest.mark.parametrize("spent", [Spent(), ONE, Spent(2, 5, 0, 3, 1, None)])
def test_documents_bring_it_back(spent: Spent) -> None:
    assert parse_spent(spent.cost, spent.tokens) == spent


def test_a_document_of_before_has_spent_nothing_known() -> None:
    assert parse_spent({}, {}) == Spent()
    assert parse_spent({"modelCalls": "x", "usd": True}, {"input": None}) == Spent(usd=None)


NOON = 20_000 * DAY_MS + DAY_MS // 2


def test_the_days_runs_are_counted_up_to_the_limit_and_from_zero_on_the_next() -> None:
    used = DayRuns()
    for number in (1, 2):
        used = spend_run(used, NOON, 2) or DayRuns()
        assert used == DayRuns(20_000 * DAY_MS, number)

    assert spend_run(used, NOON + 1, 2) is None
    assert spend_run(used, NOON + DAY_MS, 2) == DayRuns(20_001 * DAY_MS, 1)


def test_without_a_limit_runs_are_only_counted() -> None:
    assert spend_run(DayRuns(20_000 * DAY_MS, 10**6), NOON, 0) == DayRuns(20_000 * DAY_MS, 10**6 + 1)
