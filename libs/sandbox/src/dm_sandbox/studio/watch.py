"""Looks after what runs: a changed profile is announced, changed code restarts the functions, a dead one is revived."""

import asyncio
from typing import Final

from dm_sandbox.launcher import FunctionDidNotStart
from dm_sandbox.profile_files import PROCESSOR_FOLDER, code_fingerprint, fingerprint
from dm_sandbox.world import Sandbox

LOOK_SECONDS: Final = 1.0


async def watch_files(sandbox: Sandbox) -> None:
    """Never returns. What can't be started says so, and is tried again after the next change."""
    log, broken = sandbox.log, False
    code, profile = await asyncio.to_thread(code_fingerprint), fingerprint(PROCESSOR_FOLDER)
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        seen = await asyncio.to_thread(code_fingerprint)
        if seen != code:
            changed = sorted(name for name in seen.keys() | code.keys() if seen.get(name) != code.get(name))
            code = seen
            log.add(
                "studio",
                f"code changed, the functions restart: {', '.join(changed[:3])}",
                "warning",
                kind="code_changed",
            )
            broken = not await _restart(sandbox)
        elif not broken:
            broken = not await _revive(sandbox)
        now = fingerprint(PROCESSOR_FOLDER)
        if now != profile:
            changed = sorted(name for name in now.keys() | profile.keys() if now.get(name) != profile.get(name))
            profile = now
            log.add("studio", f"{', '.join(changed)} changed: live at the next run", "good", kind="profile_seen")


async def _restart(sandbox: Sandbox) -> bool:
    """Whether both functions run the new code."""
    try:
        await sandbox.restart_functions()
    except FunctionDidNotStart as error:
        _tell(sandbox, error)
        return False
    sandbox.log.add("studio", "the functions run the new code, threads kept", "good", kind="restarted")
    return True


async def _revive(sandbox: Sandbox) -> bool:
    """Whether both functions run."""
    try:
        revived = await sandbox.revive_functions()
    except FunctionDidNotStart as error:
        _tell(sandbox, error)
        return False
    for name in revived:
        sandbox.log.add("studio", f"the function {name} had ended, it runs again", "warning", kind="revived")
    return True


def _tell(sandbox: Sandbox, error: FunctionDidNotStart) -> None:
    """In one line: what did not start, and the last thing it said."""
    first, *rest = str(error).splitlines()
    why = next((line for line in reversed(rest) if line.strip()), "")
    sandbox.log.add("studio", f"{first}: {why}; save a change, and it is tried again", "error", kind="code_broken")
