"""How long a thread waits, and until when."""

from dataclasses import replace

import pytest

from dm_core.messages import Content, Direction, Message, Status
from dm_core.processing import waits
from dm_core.threads import Thread
from dm_sandbox.examples import LIMITS

NOW = 1_800_000_000_000
HOUR = 3_600_000
DM = Message("m", "178_9", "mid", Direction.INBOUND, Status.PENDING, Content(text="hi"), NOW, NOW, NOW)
THREAD = Thread("178_9", "178", "9", last_inbound_at=NOW)


def test_waits_double_from_fifteen_seconds_to_four_minutes_less_a_jitter() -> None:
    times = [waits.wait_ms("178_9", count, None) for count in range(8)]

    for wait, longest in zip(times, (15, 30, 60, 120, 240, 240, 240, 240), strict=True):
        assert 0.75 * longest * 1000 <= wait <= longest * 1000


def test_threads_are_spread_and_a_repeated_decision_is_the_same_one() -> None:
    times = {waits.wait_ms(f"178_{n}", 4, None) for n in range(200)}

    assert len(times) > 100
    assert waits.wait_ms("178_9", 4, None) == waits.wait_ms("178_9", 4, None)


@pytest.mark.parametrize(
    ("told", "expected"),
    [(37.0, 37_000), (0.0, 1_000), (-5.0, 1_000), (3_600.0, HOUR), (31_536_000.0, HOUR), (float("inf"), HOUR)],
)
def test_the_services_own_wait_is_taken_between_a_second_and_an_hour(told: float, expected: int) -> None:
    assert waits.wait_ms("178_9", 0, told) == expected


def test_a_service_that_keeps_asking_for_a_moment_gets_our_own_waits_from_the_fifth_time() -> None:
    waited = [waits.wait_ms("178_9", count, 1.0) for count in range(8)]

    assert waited[:4] == [1_000] * 4
    assert waited[4:] == [waits.wait_ms("178_9", count, None) for count in range(4)]
    assert waits.wait_ms("178_9", 7, 1_800.0) == 1_800_000


def test_the_limit_is_twelve_hours_or_ten_minutes_before_the_window_closes() -> None:
    early = replace(THREAD, last_inbound_at=NOW - 20 * HOUR)

    assert waits.limit_at(DM, THREAD, LIMITS) == NOW + 12 * HOUR
    assert waits.limit_at(DM, early, LIMITS) == NOW + 4 * HOUR - 600_000


def test_the_last_try_is_at_the_limit() -> None:
    shortly_before = NOW + 12 * HOUR - 5_000

    assert waits.next_try([DM], THREAD, shortly_before, 240_000, LIMITS) == NOW + 12 * HOUR
    assert waits.over([DM], THREAD, shortly_before, LIMITS) == ()
    assert waits.over([DM], THREAD, NOW + 12 * HOUR, LIMITS) == (DM,)
