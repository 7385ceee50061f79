"""A thread as a scenario for the evals, made by ``python -m dm_evals scenario-from``."""

import asyncio
import itertools
import time
from typing import Final

from dm_sandbox.profile_files import ROOT
from dm_sandbox.studio.acts import CannotDo
from dm_sandbox.studio.evals import run_evals
from dm_sandbox.world import Sandbox

INTO: Final = ROOT / ".state" / "scenarios"
"""To be looked at before they go to evals/scenarios/."""
_NUMBERS: Final = itertools.count(1)


async def save_scenario(thread_id: str, sandbox: Sandbox) -> tuple[str, str]:
    """The scenario's path from the repository's root, and its text. Raises CannotDo with what the evals said."""
    name = f"studio_{time.strftime('%m%d_%H%M%S')}_{next(_NUMBERS)}"
    into = (sandbox.folder.absolute() / "scenarios") if sandbox.folder else INTO
    path = into / "scenarios" / f"{name}.yaml"
    command = ("scenario-from", "--thread", thread_id, "--name", name, "--into", str(into))
    try:
        await run_evals(*command, env=sandbox.environment)
    except CannotDo:
        if not path.is_file():  # without a recording it is a scenario all the same
            raise
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return str(shown), await asyncio.to_thread(path.read_text, encoding="utf-8")
