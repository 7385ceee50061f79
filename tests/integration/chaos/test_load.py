"""Many threads at once: everybody gets one answer, and nobody waits for the others to be done."""

import pytest

from dm_sandbox.chaos.load import Crowd, load


@pytest.mark.timeout(600)  # a bound for a machine that is busy with something else; it takes 20 s
@pytest.mark.usefixtures("emulator_installed")
async def test_forty_threads_that_write_at_once_are_all_answered_exactly_once() -> None:
    report = await load(Crowd(threads=40, each=3, model_seconds=0.5))

    print(report)
    assert report.kept, str(report)
    assert report.figures["threads without an answer"] == 0
