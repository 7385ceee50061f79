"""The wake-up formula: when, under which name, and that no DM is ever left without a future task."""

import hashlib
import itertools
from statistics import fmean

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dm_core.queue.wakeup import plan_at_once, plan_not_before, plan_outbox, plan_wake_up, planned_time, shard

NOW = st.integers(min_value=1_000_000, max_value=4_000_000_000_000)
THREADS = st.text(min_size=1, max_size=20)
SKEW_MS = 2_000


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


@st.composite
def _bounds(draw: st.DrawFn, minimum: int = 0) -> tuple[float, float]:
    """Delays in seconds, exact to the ms; equal ones too."""
    low = draw(st.integers(minimum, 60_000))
    width = draw(st.one_of(st.just(0), st.integers(1, 60_000)))
    return low / 1000, (low + width) / 1000


@given(THREADS, NOW, _bounds())
def test_fires_more_than_min_and_at_most_max_ahead(thread: str, now: int, bounds: tuple[float, float]) -> None:
    low, high = bounds

    ahead = plan_wake_up(thread, now, low, high).fire_at - now

    assert _ms(low) < ahead <= max(_ms(high), _ms(low) + (1000 if low == high else 0))


@given(THREADS, NOW, NOW, _bounds())
def test_name_and_fire_time_are_the_same_number(thread: str, one: int, other: int, bounds: tuple[float, float]) -> None:
    first, second = plan_wake_up(thread, one, *bounds), plan_wake_up(thread, other, *bounds)

    assert (first.name == second.name) == (first.fire_at == second.fire_at)


@given(THREADS, NOW, st.integers(0, 60_000), _bounds())
def test_later_dms_never_wake_earlier(thread: str, now: int, later: int, bounds: tuple[float, float]) -> None:
    assert plan_wake_up(thread, now + later, *bounds).fire_at >= plan_wake_up(thread, now, *bounds).fire_at


@given(THREADS, NOW)
def test_all_dms_of_a_bucket_share_one_task(thread: str, now: int) -> None:
    start = plan_wake_up(thread, now, 5, 15).fire_at - 15_000

    names = {plan_wake_up(thread, start + offset, 5, 15).name for offset in (0, 1, 4_999, 9_999)}

    assert len(names) == 1
    assert plan_wake_up(thread, start - 1, 5, 15).name not in names
    assert plan_wake_up(thread, start + 10_000, 5, 15).name not in names


@given(THREADS, NOW, _bounds())
def test_equal_bounds_make_buckets_of_one_second(thread: str, now: int, bounds: tuple[float, float]) -> None:
    low, _ = bounds

    fires = plan_wake_up(thread, now, low, low).fire_at

    assert plan_wake_up(thread, now + 1000, low, low).fire_at == fires + 1000
    assert plan_wake_up(thread, now, low, low + 0.0004).fire_at == fires, "equal to the ms"


@given(THREADS, NOW)
def test_name_is_the_hashed_thread_and_the_bucket(thread: str, now: int) -> None:
    digest, _, bucket = plan_wake_up(thread, now, 5, 15).name.rpartition("-")

    assert digest == hashlib.sha256(thread.encode()).hexdigest()[:32]
    assert bucket == str((now - int(hashlib.sha256(thread.encode()).hexdigest(), 16) % 10_000) // 10_000)


def test_names_are_the_same_in_every_process() -> None:
    wake_up = plan_wake_up("178414_5550001", 1_700_000_000_000, 5, 15)

    assert wake_up.name == "702f1d7a614773b2c3bccf862a91fa95-169999999"
    assert wake_up.fire_at == 1_700_000_012_751


def test_threads_do_not_fire_together() -> None:
    fires = [plan_wake_up(f"178414_{user}", 1_700_000_000_000, 5, 15).fire_at for user in range(2_000)]

    per_second = [sum(1 for at in fires if at // 1000 == second) for second in {at // 1000 for at in fires}]

    assert max(per_second) < 2 * len(fires) / 10


@given(THREADS, NOW, _bounds())
def test_a_wait_ends_at_the_first_bucket_that_is_late_enough(
    thread: str, not_before: int, bounds: tuple[float, float]
) -> None:
    low, high = bounds
    width = 1000 if low == high else _ms(high) - _ms(low)

    fires = plan_not_before(thread, not_before, low, high).fire_at

    assert not_before <= fires < not_before + width


@given(THREADS, NOW, _bounds())
def test_a_wait_and_a_dm_of_the_same_bucket_are_one_task(thread: str, now: int, bounds: tuple[float, float]) -> None:
    ordinary = plan_wake_up(thread, now, *bounds)

    assert plan_not_before(thread, ordinary.fire_at, *bounds) == ordinary


class _Queue:
    """The service's rule about names, in true time: a name once used is never free again (24 h outlasts the test)."""

    def __init__(self) -> None:
        self._fires: dict[str, int] = {}

    def schedule(self, name: str, fire_at: int) -> None:
        self._fires.setdefault(name, fire_at)

    def has_task_after(self, true_time: int) -> bool:
        return any(fire_at > true_time for fire_at in self._fires.values())


@given(
    THREADS,
    NOW,
    st.lists(st.tuples(st.integers(0, 40_000), st.integers(-SKEW_MS, SKEW_MS)), min_size=1, max_size=12),
    _bounds(minimum=SKEW_MS),
)
@example("t", 1_000_000, [(0, SKEW_MS), (0, -SKEW_MS)], (2.0, 2.0))
def test_no_dm_is_left_without_a_future_task_whatever_the_clocks_say(
    thread: str, start: int, arrivals: list[tuple[int, int]], bounds: tuple[float, float]
) -> None:
    """DMs at any true times, each on an instance whose clock is off by up to 2 s either way."""
    queue = _Queue()
    times = itertools.accumulate(pause for pause, _ in arrivals)

    for true_time, (_, skew) in zip((start + time for time in times), arrivals, strict=True):
        wake_up = plan_wake_up(thread, true_time + skew, *bounds)
        queue.schedule(wake_up.name, wake_up.fire_at)

        assert queue.has_task_after(true_time)
        assert wake_up.fire_at > true_time
        assert wake_up.fire_at - true_time <= max(_ms(bounds[1]), _ms(bounds[0]) + 1000) + SKEW_MS


@given(
    THREADS,
    NOW,
    st.lists(st.tuples(st.booleans(), st.integers(0, 40_000), st.integers(-SKEW_MS, SKEW_MS)), min_size=1, max_size=12),
    _bounds(minimum=SKEW_MS),
)
def test_waits_and_dms_never_take_each_others_future_away(
    thread: str, start: int, steps: list[tuple[bool, int, int]], bounds: tuple[float, float]
) -> None:
    queue, true_time = _Queue(), start

    for is_wait, pause, skew in steps:
        true_time += pause
        local = true_time + skew
        wake_up = plan_not_before(thread, local + 30_000, *bounds) if is_wait else plan_wake_up(thread, local, *bounds)
        queue.schedule(wake_up.name, wake_up.fire_at)

        assert queue.has_task_after(true_time)


@given(THREADS, NOW, st.integers(0, 60_000))
def test_a_burst_makes_no_more_tasks_than_buckets(thread: str, start: int, length: int) -> None:
    names = {plan_wake_up(thread, time, 5, 15).name for time in range(start, start + length + 1, 500)}

    assert len(names) <= length // 10_000 + 2


@given(THREADS, NOW, NOW, st.integers(1, 20))
def test_every_wake_up_of_a_thread_goes_to_one_queue(thread: str, one: int, other: int, shards: int) -> None:
    wake_ups = (plan_wake_up(thread, one, 5, 15), plan_not_before(thread, other, 5, 15), plan_at_once(thread, other))

    assert len({shard(wake_up, shards) for wake_up in wake_ups}) == 1


def test_threads_are_spread_evenly_over_the_queues_and_over_time_in_each() -> None:
    wake_ups = [plan_wake_up(f"178414_{number}", 1_790_000_000_000, 5, 15) for number in range(4_000)]
    of_queue = [[wake_up.fire_at for wake_up in wake_ups if shard(wake_up, 4) == number] for number in range(4)]

    assert all(900 < len(fires) < 1_100 for fires in of_queue)
    assert all(4_500 < fmean(fires) - min(fires) < 5_500 for fires in of_queue)


def test_what_humans_send_is_spread_too() -> None:
    assert {shard(plan_outbox(f"{number:032x}", 0), 3) for number in range(50)} == {0, 1, 2}


@given(THREADS, NOW, _bounds())
def test_a_name_tells_when_its_task_was_to_fire(thread: str, now: int, bounds: tuple[float, float]) -> None:
    wake_up = plan_wake_up(thread, now, *bounds)

    assert planned_time(wake_up.name, thread, *bounds) == wake_up.fire_at


@pytest.mark.parametrize(
    "name",
    ["", "task-1", "-1", f"{'0' * 32}-1", "{digest}-at1", "{digest}-", "{digest}-²", "{digest}-9999999999999999"],
)
def test_other_names_tell_no_time(name: str) -> None:
    digest = plan_at_once("a_b", 0).name.partition("-")[0]

    assert planned_time(name.format(digest=digest), "a_b", 5, 15) is None
