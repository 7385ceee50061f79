"""Who a person is: read once, beside the first model call of a new thread, and stored with the next commit.

Best effort: a reply waits at most ``PATIENCE`` for it. What the platform refuses for good is not asked again.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from dm_core.clients.port import InstagramAccounts
from dm_core.clock import Clock
from dm_core.errors import AccountStopped, DmAgentError, RetryLater
from dm_core.processing.brake import Brake, instagram_of
from dm_core.threads import Profile, Thread

PATIENCE: Final = 0.5
"""Seconds that are waited for the name once the model has answered."""


@dataclass(frozen=True, slots=True)
class Names:
    """Reads the names of people."""

    instagram: InstagramAccounts
    clock: Clock
    brake: Brake

    def begin(self, thread: Thread) -> "asyncio.Task[Profile | None] | None":
        """Start reading, if nothing is known of this person and the account answers."""
        if thread.profile is not None or self.brake.is_spared(instagram_of(thread.account_id)):
            return None
        reading = asyncio.create_task(self._read(thread))
        reading.add_done_callback(_noted)
        return reading

    async def _read(self, thread: Thread) -> Profile | None:
        """None where it is worth asking another time; an empty profile where it is not."""
        unknown = Profile(None, None, self.clock())
        try:
            return await self.instagram.of(thread.account_id).profile(thread.user_id, self.clock()) or unknown
        except (RetryLater, AccountStopped):
            self.brake.spare(instagram_of(thread.account_id))
            return None
        except DmAgentError:
            return unknown


def _noted(reading: "asyncio.Task[Profile | None]") -> None:
    """Its failure counts as seen: a run that is cancelled while it waits for the name may never ask."""
    if not reading.cancelled():
        reading.exception()


async def known(reading: "asyncio.Task[Profile | None] | None") -> Profile | None:
    """What was read, if it is there in time."""
    if reading is None:
        return None
    try:
        await asyncio.wait((reading,), timeout=PATIENCE)
    finally:
        reading.cancel()
        (found,) = await asyncio.gather(reading, return_exceptions=True)
    if isinstance(found, BaseException) and not isinstance(found, (Exception, asyncio.CancelledError)):
        raise found  # the process is going down
    return None if isinstance(found, BaseException) else found
