"""P1-P4 under SIGKILL: the real functions, the real emulator, the queue, all of them dying and coming back.

The long one is ``python -m dm_sandbox.chaos``. Deadlines here depend on progress, never on the machine's speed.
"""

import pytest

from dm_sandbox.chaos.storm import Plan, storm

KILLS = 15


@pytest.mark.timeout(600)  # a bound for a machine that is busy with something else; it takes 45 s
@pytest.mark.usefixtures("emulator_installed")
async def test_whatever_is_killed_every_dm_is_answered_once_or_the_manager_knows() -> None:
    report = await storm(Plan(seconds=18, kills=KILLS, people=6, kill_pause=0.5))

    print(report)
    assert report.kept, str(report)
