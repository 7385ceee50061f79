"""An operator at a terminal beside a running sandbox: the real command, as a process of its own."""

import asyncio
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from dm_core.bootstrap.parts import open_store
from dm_core.clock import system_clock
from dm_core.settings import WebhookSettings
from dm_core.store.port import Store
from dm_sandbox.environment import operators_environment
from dm_sandbox.person import Person
from dm_sandbox.world import Sandbox

READS = re.compile(r"documents read: (\d+)\n")


@dataclass(frozen=True, slots=True)
class Said:
    """What a command came to. ``reads``: how many documents it read, -1 where it ended before it could say."""

    code: int
    out: str
    error: str
    reads: int

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Operator:
    """Types commands. ``extra`` are further variables of the terminal."""

    sandbox: Sandbox

    async def types(self, *words: str, extra: Mapping[str, str] | None = None) -> Said:
        """One command to its end."""
        environment = {**_bare(), **operators_environment(self.sandbox.environment), **(extra or {})}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "dm_admin", "--count", *words),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = (text.decode() for text in await process.communicate())
        found = READS.search(error)
        return Said(cast("int", process.returncode), out, READS.sub("", error), int(found[1]) if found else -1)

    async def does(self, *words: str) -> str:
        """A command that must succeed; what it said."""
        said = await self.types(*words)
        assert said.code == 0, said.error
        return said.out.strip()

    async def sees(self, *words: str) -> Any:
        """A command's JSON."""
        return json.loads(await self.does(*words, "--json"))

    async def is_refused(self, *words: str, extra: Mapping[str, str] | None = None) -> str:
        """A command that must be refused with one line; that line."""
        said = await self.types(*words, extra=extra)
        assert (said.code, said.out) == (1, ""), said
        assert len(said.error.strip().splitlines()) == 1, said.error
        return said.error.strip().removeprefix("dm-admin: ")

    def store(self) -> Store:
        """The sandbox's store, for whoever looks behind the scenes; to be closed."""
        return open_store(WebhookSettings.load(self.sandbox.environment).store, system_clock)


def _bare() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


async def settled(sandbox: Sandbox) -> None:
    """Every wake-up has been answered."""
    await sandbox.wait_for(lambda: sandbox.pending_wake_ups == 0, 60, "the end of the wake-ups")


async def answered(sandbox: Sandbox, person: Person, text: str) -> str:
    """A DM that got its answer; the answer."""
    before = len(sandbox.instagram.sent_to(person.user_id))
    await person.says(text)
    await sandbox.wait_for(lambda: len(sandbox.instagram.sent_to(person.user_id)) > before, 60, "an answer")
    await settled(sandbox)
    return sandbox.instagram.sent_to(person.user_id)[-1]
