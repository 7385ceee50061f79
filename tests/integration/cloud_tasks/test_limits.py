"""How many tasks go out at once and a second."""

import pytest

from dm_core.clock import system_clock
from dm_core.queue.cloud_tasks import CloudTasksQueue
from dm_core.queue.port import WakeUp
from dm_sandbox.cloud_tasks import QueueConfig
from dm_sandbox.cloud_tasks.limits import RateLimiter
from dm_sandbox.cloud_tasks.worker import Worker


@pytest.mark.parametrize("config", [QueueConfig(max_concurrent_dispatches=2)])
async def test_no_more_tasks_are_under_way_than_allowed(queue: CloudTasksQueue, worker: Worker) -> None:
    worker.gate.clear()

    for number in range(5):
        await queue.schedule(WakeUp("178414_555", f"many-{number}", system_clock()))
    await worker.until(lambda: worker.in_progress == 2)
    worker.gate.set()
    await worker.until(lambda: worker.answered == 5)

    assert worker.most_in_progress == 2


@pytest.mark.parametrize("config", [QueueConfig(max_dispatches_per_second=20)])
async def test_tasks_beyond_the_burst_go_out_at_the_rate(queue: CloudTasksQueue, worker: Worker) -> None:
    at = system_clock() + 200
    for number in range(26):
        await queue.schedule(WakeUp("178414_555", f"burst-{number}", at))

    deliveries = await worker.received(26)

    assert deliveries[-1].at - at >= 300


class _Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_full_bucket_lets_one_second_of_tasks_through() -> None:
    limiter = RateLimiter(10, 5, _Time())

    taken = 0
    while limiter.wait_seconds() == 0:
        limiter.take()
        taken += 1

    assert taken == 10
    assert limiter.wait_seconds() == pytest.approx(0.1)


def test_a_rate_below_one_a_second_still_lets_one_through() -> None:
    time = _Time()
    limiter = RateLimiter(0.25, 5, time)

    limiter.take()

    assert limiter.wait_seconds() == pytest.approx(4)
    time.now += 4
    assert limiter.wait_seconds() == 0


def test_throttling_cuts_to_a_tenth_each_time_and_stops_at_the_slowest() -> None:
    limiter = RateLimiter(500, 5, _Time())

    rates: list[float] = []
    for _ in range(5):
        limiter.throttle()
        rates.append(limiter.rate)

    assert rates == [50, 5, 0.5, 0.5, 0.5]
    assert limiter.wait_seconds() == pytest.approx(2)


def test_a_throttled_queue_recovers_step_by_step() -> None:
    time = _Time()
    limiter = RateLimiter(500, 5, time)
    limiter.throttle()
    limiter.throttle()

    rates: list[float] = []
    for _ in range(3):
        time.now += 5
        limiter.wait_seconds()
        rates.append(limiter.rate)

    assert rates == [50, 500, 500]
