"""Threads of a deployment that wait for review (docs/evals.md#from-production-to-a-scenario), shown and judged here.

Reading and keeping are the evals' own (``scenarios-queue``, ``scenario-review``): what is saved is what
``make scenarios-reviewed`` takes.
"""

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dm_sandbox.profile_files import ROOT
from dm_sandbox.studio.evals import run_evals

QUEUE_VARIABLE: Final = "DM_SANDBOX_QUEUE"
EMPTY: Final[Mapping[str, object]] = {"waiting": [], "reviewed": 0, "problems": []}


class ReviewQueue:
    """The folder ``evals/queue``, or the one that the variable names."""

    def __init__(self) -> None:
        self.folder = Path(os.environ.get(QUEUE_VARIABLE) or ROOT / "evals" / "queue").absolute()
        self._one_at_a_time = asyncio.Lock()

    async def waiting(self) -> object:
        """As JSON values, as ``scenarios-queue`` prints them. Raises CannotDo."""
        if not any((self.folder / "scenarios").glob("*.yaml")):
            return EMPTY
        async with self._one_at_a_time:
            return json.loads(await run_evals("scenarios-queue", "--queue", str(self.folder)))

    async def keep(self, review: Mapping[str, object]) -> None:
        """Keep what was said of one of them. Raises CannotDo, and then nothing is changed."""
        async with self._one_at_a_time:
            await run_evals("scenario-review", "--queue", str(self.folder), given=json.dumps(review).encode())
