"""A thread as a scenario for the evals, made by ``python -m dm_evals scenario-from``: the sandbox imports no evals."""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Final

from dm_sandbox.profile_files import ROOT
from dm_sandbox.studio.acts import CannotDo
from dm_sandbox.world import Sandbox

INTO: Final = ROOT / ".state" / "scenarios"
"""To be looked at before they go to evals/scenarios/."""


async def save_scenario(thread_id: str, sandbox: Sandbox) -> tuple[str, str]:
    """The scenario's path from the repository's root, and its text. Raises CannotDo with what the evals said."""
    name = f"studio_{time.strftime('%m%d_%H%M%S')}"
    into = (sandbox.folder / "scenarios") if sandbox.folder else INTO
    command = ("-m", "dm_evals", "scenario-from", "--thread", thread_id, "--name", name, "--into", str(into))
    path = into / "scenarios" / f"{name}.yaml"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        env={**os.environ, **sandbox.environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    text = await asyncio.to_thread(_text, path)
    if not text:
        last = output.decode(errors="replace").strip().splitlines()
        raise CannotDo(last[-1] if last else "the evals made no scenario of it")
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return str(shown), text


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
