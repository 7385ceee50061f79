"""A change of code restarts the functions, threads kept; the studio's switches reach them."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import pytest

from dm_sandbox import profile_files
from dm_sandbox.functions.control import Switched
from dm_sandbox.studio.scheduler import sweep_regularly
from dm_sandbox.studio.watch import watch_files
from dm_sandbox.world import Sandbox


def _happened(sandbox: Sandbox, kind: str) -> bool:
    return any(entry.kind == kind for entry in sandbox.log.entries)


async def test_a_change_of_code_restarts_the_functions_and_keeps_the_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile_files, "CODE_FOLDERS", (tmp_path,))

    async with Sandbox(studio=True) as sandbox:
        watching = asyncio.create_task(watch_files(sandbox))
        sam = sandbox.person()
        await sam.says("how much is it to join?")
        await sandbox.wait_for(lambda: sandbox.instagram.sent, 40, "a reply")
        before = sandbox.processor.pid
        (tmp_path / "changed.py").write_text("")
        await sandbox.wait_for(lambda: _happened(sandbox, "restarted"), 40, "a restart")
        await sam.says("thanks!")
        await sandbox.wait_for(lambda: sandbox.instagram.reactions, 40, "a reaction")
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching

    assert sandbox.processor.name == "processor"
    assert before
    assert len(sandbox.instagram.sent) == 1


async def test_a_function_that_ended_by_itself_runs_again() -> None:
    async with Sandbox(studio=True) as sandbox:
        watching = asyncio.create_task(watch_files(sandbox))
        os.killpg(sandbox.processor.pid, signal.SIGKILL)
        await sandbox.wait_for(lambda: _happened(sandbox, "revived"), 40, "a revival")
        await sandbox.person().says("how much is it to join?")
        await sandbox.wait_for(lambda: sandbox.instagram.sent, 40, "a reply")
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


async def test_a_store_that_is_switched_off_gets_no_dm_acknowledged_and_loses_none() -> None:
    async with Sandbox(studio=True) as sandbox:
        sam = sandbox.person()
        sandbox.sender.persistence = 100
        sandbox.switch(Switched(store_down=True))
        saying = asyncio.create_task(sam.says("how much is it to join?"))
        await sandbox.wait_for(lambda: [d.status for d in sandbox.deliveries][:1] == [500], 20, "a 500")
        sandbox.switch(Switched())
        await saying
        await sandbox.wait_for(lambda: sandbox.instagram.sent, 40, "a reply")

    assert sandbox.deliveries[0].status == 500


async def test_an_instance_ordered_to_die_does_so_once_at_its_checkpoint_and_nothing_goes_out_twice() -> None:
    async with Sandbox(studio=True) as sandbox:
        sandbox.switch(Switched(kill=1))
        await sandbox.person().says("how much is it to join?")
        await sandbox.wait_for(lambda: sandbox.queue.counters.failed > 0, 40, "a failed task")
        await sandbox.wait_for(lambda: sandbox.queue.counters.dispatched > 1, 40, "another attempt")
        sandbox.switch(Switched(kill=1, clock_offset_ms=400_000))
        await sandbox.wait_for(lambda: _happened(sandbox, "send_looked_up"), 40, "a look-up")

    assert len(sandbox.instagram.sent) <= 1


async def test_the_processor_is_told_to_sweep_again_and_again() -> None:
    async with Sandbox(studio=True) as sandbox:
        sweeping = asyncio.create_task(sweep_regularly(sandbox, 0.2))

        await sandbox.wait_for(lambda: [each.kind for each in sandbox.log.entries].count("swept") > 1, 40, "two sweeps")

        sweeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sweeping
