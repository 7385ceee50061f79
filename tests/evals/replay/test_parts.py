"""The small parts a trial is made of."""

import json
import sys

import pytest

from dm_core.queue.port import WakeUp
from dm_evals.replay.logs import captured, defects
from dm_evals.replay.trial_environment import TrialQueue
from dm_evals.scenarios.clock import ScenarioClock, milliseconds


@pytest.mark.parametrize(
    ("duration", "expected"), [("0s", 0), ("90s", 90_000), ("1.5m", 90_000), ("2h", 7_200_000), ("3d", 259_200_000)]
)
def test_durations_are_ms(duration: str, expected: int) -> None:
    assert milliseconds(duration) == expected


@pytest.mark.parametrize("duration", ["", "s", "5", "5 weeks", "xs"])
def test_what_is_no_duration_is_refused(duration: str) -> None:
    with pytest.raises(ValueError, match=r"duration|float"):
        milliseconds(duration)


async def test_the_clock_never_goes_back_and_waits_in_no_time() -> None:
    clock = ScenarioClock(1_000)

    clock.reach(500)
    await clock.sleep(3_600)

    assert clock() == 3_601_000


def test_only_errors_nobody_raised_on_purpose_are_defects() -> None:
    def line(event: str, error: str) -> str:
        return json.dumps({"severity": "ERROR", "message": event, "error": error}) + "\n"

    lines = [
        line("run_failed", "ModelUnavailable: the model answered 503"),
        line("run_failed", "RetryLater 80002/0"),
        line("task_failed", "KeyError"),
        line("task_failed", "KeyError"),
        line("run_finished", "KeyError"),
        "not json\n",
        "[1]\n",
    ]

    assert defects(lines) == ("task_failed: KeyError",)


def test_stdout_is_kept_only_inside_and_given_back(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout

    with captured() as outer:
        print("one")
        with captured() as inner:
            print("two")
        sys.stdout.flush()
    print("three")

    assert ("".join(outer), "".join(inner)) == ("one\n", "two\n")
    assert sys.stdout is before
    assert capsys.readouterr().out == "three\n"


async def test_a_name_of_a_wake_up_is_taken_for_good() -> None:
    queue = TrialQueue()

    assert await queue.schedule(WakeUp("t", "n-1", 5))
    queue.waiting.clear()

    assert not await queue.schedule(WakeUp("t", "n-1", 5))
    assert queue.waiting == []
