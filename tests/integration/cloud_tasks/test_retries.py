"""What happens to a task that fails."""

import pytest

from dm_core.clock import system_clock
from dm_core.queue.cloud_tasks import CloudTasksQueue
from dm_core.queue.port import WakeUp
from dm_sandbox.cloud_tasks import CloudTasksEmulator, QueueConfig, QueueEvent
from dm_sandbox.cloud_tasks.worker import Worker


def _now(name: str) -> WakeUp:
    return WakeUp("178414_555", name, system_clock())


async def test_a_failed_task_comes_again_until_it_succeeds(
    queue: CloudTasksQueue, worker: Worker, emulator: CloudTasksEmulator
) -> None:
    worker.answers.extend([500, 409, 302])

    await queue.schedule(_now("fails-1"))
    await worker.until(lambda: emulator.counters.succeeded == 1)

    def heard(header: str) -> list[str | None]:
        return [delivery.headers.get(f"x-cloudtasks-task{header}") for delivery in worker.deliveries]

    assert heard("retrycount") == ["0", "1", "2", "3"]
    assert heard("executioncount") == ["0", "0", "1", "2"], "5xx is no execution"
    assert heard("previousresponse") == [None, "500", "409", "302"]
    assert heard("retryreason") == [None, "", "", ""]
    assert emulator.counters.failed == 3


async def test_retries_wait_longer_each_time(queue: CloudTasksQueue, worker: Worker) -> None:
    worker.answers.extend([500, 500, 500])

    await queue.schedule(_now("waits-1"))

    at = [delivery.at for delivery in await worker.received(4)]
    assert at[1] - at[0] >= 20
    assert at[2] - at[1] >= 40
    assert at[3] - at[2] >= 80


@pytest.mark.parametrize("config", [QueueConfig(min_backoff=0.01, max_attempts=2)])
async def test_a_task_is_given_up_after_its_last_attempt_and_its_name_stays_taken(
    queue: CloudTasksQueue, worker: Worker, emulator: CloudTasksEmulator, events: list[QueueEvent]
) -> None:
    worker.answers.extend([500, 500])

    await queue.schedule(_now("hopeless-1"))
    await worker.until(lambda: emulator.counters.given_up == 1)

    assert [event.task for event in events if event.kind == "given_up"] == ["hopeless-1"]
    assert await queue.schedule(_now("hopeless-1")) is False
    assert emulator.pending == 0


@pytest.mark.parametrize("deadline", [0.1])
async def test_a_task_over_its_deadline_is_sent_again_while_the_handler_still_runs(
    queue: CloudTasksQueue, worker: Worker, events: list[QueueEvent]
) -> None:
    worker.gate.clear()

    await queue.schedule(_now("slow-1"))
    await worker.until(lambda: worker.in_progress >= 2)
    worker.gate.set()

    failed = next(event for event in events if event.kind == "failed")
    assert str(failed.detail["reason"]).startswith("DEADLINE_EXCEEDED")
    assert worker.deliveries[1].headers["x-cloudtasks-taskretrycount"] == "1"
    assert worker.deliveries[1].headers["x-cloudtasks-taskexecutioncount"] == "0"
    assert worker.deliveries[1].headers["x-cloudtasks-taskpreviousresponse"] == "504"


async def test_a_task_waits_for_a_worker_that_is_down(queue: CloudTasksQueue, worker: Worker) -> None:
    port = int(worker.url.rpartition(":")[2])
    await worker.stop()

    await queue.schedule(_now("down-1"))
    await worker.start(port)

    (delivery,) = await worker.received(1)
    assert delivery.task == "down-1"


@pytest.mark.parametrize(("status", "throttled"), [(409, False), (500, False), (429, True), (503, True)])
async def test_only_429_and_503_slow_the_whole_queue(
    queue: CloudTasksQueue, worker: Worker, events: list[QueueEvent], status: int, throttled: bool
) -> None:
    worker.answers.append(status)

    await queue.schedule(_now("throttle-1"))
    await worker.until(lambda: worker.answered == 2)

    assert [event.detail["per_second"] for event in events if event.kind == "throttled"] == [50.0] * throttled


def test_backoff_is_the_services_own_example() -> None:
    config = QueueConfig(min_backoff=10, max_backoff=300, max_doublings=3)

    assert [config.backoff(failures) for failures in range(1, 9)] == [10, 20, 40, 80, 160, 240, 300, 300]


def test_backoff_of_a_task_that_fails_for_ever_stays_at_the_maximum() -> None:
    assert QueueConfig().backoff(1_000_000) == 3600


@pytest.mark.parametrize(
    ("max_attempts", "max_retry_duration", "attempts", "age", "gives_up"),
    [
        (-1, 0, 1_000, 10**9, False),
        (-1, 60, 1_000, 10**9, False),
        (3, 0, 2, 0, False),
        (3, 0, 3, 0, True),
        (3, 60, 3, 59_999, False),
        (3, 60, 3, 60_000, True),
        (3, 60, 2, 60_000, False),
    ],
)
def test_a_task_is_given_up_once_attempts_and_time_are_both_exhausted(
    max_attempts: int, max_retry_duration: float, attempts: int, age: int, gives_up: bool
) -> None:
    config = QueueConfig(max_attempts=max_attempts, max_retry_duration=max_retry_duration)

    assert config.gives_up(attempts, first_attempt_at=1_000, now=1_000 + age) is gives_up
