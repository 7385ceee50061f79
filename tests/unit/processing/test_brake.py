"""What an instance knows of a service that fails, and who may ask it."""

import pytest

from dm_core.errors import Service
from dm_core.processing.brake import DOUBT_MS, KNOCKS, MAX_PROBE_MS, PROBE_LASTS_MS, PROBE_MS, REQUESTS, Brake, Key

MODEL: Key = (Service.MODEL, "")
OTHER: Key = (Service.INSTAGRAM, "178")


class Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def brake(clock: Time) -> Brake:
    return Brake(clock)


def down(brake: Brake, clock: Time) -> None:
    """Two threads have failed."""
    brake.failed(MODEL, "a")
    brake.failed(MODEL, "b")
    clock.now += PROBE_MS


def test_one_thread_alone_never_applies_it(brake: Brake) -> None:
    for _ in range(5):
        brake.failed(MODEL, "a")

    assert brake.wait_for([MODEL], "c") is None


def test_two_threads_apply_it_for_their_service_and_account_only(brake: Brake) -> None:
    brake.failed(MODEL, "a")
    brake.failed(MODEL, "b")

    assert brake.wait_for([MODEL], "c") == MODEL
    assert brake.wait_for([OTHER], "c") is None


def test_a_success_between_two_failures_keeps_it_off(brake: Brake, clock: Time) -> None:
    brake.failed(MODEL, "a")
    clock.now += 1
    brake.succeeded(MODEL, "c")
    clock.now += 1
    brake.failed(MODEL, "b")

    assert brake.wait_for([MODEL], "d") is None


def test_any_success_releases_it(brake: Brake, clock: Time) -> None:
    down(brake, clock)

    brake.succeeded(MODEL, "b")

    assert [brake.wait_for([MODEL], each) for each in "abc"] == [None, None, None]


def test_one_thread_at_a_time_probes(brake: Brake, clock: Time) -> None:
    down(brake, clock)

    assert [brake.wait_for([MODEL], each) for each in "abc"] == [None, MODEL, MODEL]


def test_probes_are_spaced_further_and_further_up_to_a_bound(brake: Brake, clock: Time) -> None:
    down(brake, clock)
    gaps: list[int] = []
    for number in range(6):
        assert brake.wait_for([MODEL], f"t{number}") is None
        brake.failed(MODEL, f"t{number}")
        failed_at = clock.now
        while brake.wait_for([MODEL], f"u{number}") is not None:
            clock.now += 500
        brake.release(f"u{number}")
        gaps.append(clock.now - failed_at)

    assert gaps == [PROBE_MS, 2 * PROBE_MS, *[MAX_PROBE_MS] * 4]


def test_a_probe_that_cost_a_reply_is_not_soon_followed_by_another(brake: Brake, clock: Time) -> None:
    down(brake, clock)
    brake.wait_for([MODEL], "c")
    brake.failed(MODEL, "c", in_doubt=True)

    clock.now += DOUBT_MS - 1
    early = brake.wait_for([MODEL], "d")
    clock.now += 1

    assert (early, brake.wait_for([MODEL], "d")) == (MODEL, None)


def test_threads_probe_in_turn(brake: Brake, clock: Time) -> None:
    down(brake, clock)
    brake.wait_for([MODEL], "a")
    assert brake.wait_for([MODEL], "b") == MODEL
    brake.failed(MODEL, "a")
    clock.now += MAX_PROBE_MS

    assert [brake.wait_for([MODEL], "a"), brake.wait_for([MODEL], "b")] == [MODEL, None]


def test_who_probes_alone_is_not_kept_waiting_for_others_for_ever(brake: Brake, clock: Time) -> None:
    down(brake, clock)
    brake.wait_for([MODEL], "a")
    brake.wait_for([MODEL], "gone")
    brake.failed(MODEL, "a")
    clock.now += MAX_PROBE_MS

    assert [brake.wait_for([MODEL], "a"), brake.wait_for([MODEL], "a")] == [MODEL, None]


def test_a_probe_that_is_lost_does_not_hold_up_the_next(brake: Brake, clock: Time) -> None:
    down(brake, clock)
    brake.wait_for([MODEL], "dies")
    clock.now += PROBE_LASTS_MS

    assert brake.wait_for([MODEL], "c") is None


def test_a_task_that_ended_without_a_call_gives_its_probe_back(brake: Brake, clock: Time) -> None:
    down(brake, clock)
    brake.wait_for([MODEL], "a")

    brake.release("a")

    assert brake.wait_for([MODEL], "c") is None


def test_a_failure_is_a_threads_own_only_when_others_are_answered_since_its_last(brake: Brake, clock: Time) -> None:
    def fails(thread: str) -> bool:
        clock.now += 1
        return brake.failed(MODEL, thread)

    def answered(thread: str) -> None:
        clock.now += 1
        brake.succeeded(MODEL, thread)

    answered("b")
    first = fails("a")
    alone = fails("a")
    answered("b")
    own = fails("a")
    answered("b")
    fails("c")
    among_others = fails("a")

    assert (first, alone, own, among_others) == (False, False, True, False)


def test_nobody_knocks_while_it_is_off(brake: Brake) -> None:
    assert not brake.knocks(MODEL, "a")
    brake.failed(MODEL, "a")
    assert brake.wait_for([MODEL], "a") is None

    assert not brake.knocks(MODEL, "a")


def test_only_the_thread_that_probes_knocks(brake: Brake, clock: Time) -> None:
    down(brake, clock)
    brake.wait_for([MODEL], "a")

    assert [brake.knocks(MODEL, each) for each in "ab"] == [True, False]


def test_a_service_that_minds_no_more_than_knocks_is_tried_all_the_same(brake: Brake, clock: Time) -> None:
    down(brake, clock)
    knocked: list[bool] = []
    for number in range(2 * (KNOCKS + 1)):
        assert brake.wait_for([MODEL], f"t{number}") is None
        knocked.append(brake.knocks(MODEL, f"t{number}"))
        brake.failed(MODEL, f"t{number}")
        clock.now += MAX_PROBE_MS

    assert knocked == [*[True] * KNOCKS, False] * 2


def test_whether_the_model_takes_what_it_is_sent_is_no_brake_that_is_told(
    brake: Brake, capsys: pytest.CaptureFixture[str]
) -> None:
    for thread in ("a", "b"):
        brake.failed(REQUESTS, thread)
    refused = brake.is_on(REQUESTS)
    brake.succeeded(REQUESTS, "a")

    assert (refused, brake.is_on(REQUESTS), capsys.readouterr().out) == (True, False, "")
