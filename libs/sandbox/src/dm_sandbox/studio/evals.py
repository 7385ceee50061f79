"""The evals' own commands, as processes: the sandbox imports no evals, so what a scenario is has one definition."""

import asyncio
import os
import sys
from collections.abc import Mapping

from dm_sandbox.profile_files import ROOT
from dm_sandbox.studio.acts import CannotDo


async def run_evals(*arguments: str, given: bytes = b"", env: Mapping[str, str] | None = None) -> str:
    """What ``python -m dm_evals`` prints, given this on its standard input. Raises CannotDo with its complaint."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "dm_evals", *arguments),
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, complaint = await process.communicate(given)
    if process.returncode:
        lines = complaint.decode(errors="replace").split("\n")
        said = [line for line in lines if line.strip()] or [f"the evals ended with code {process.returncode}"]
        raise CannotDo(said[-1] if said[0].startswith("Traceback") else "; ".join(said))
    return output.decode()
