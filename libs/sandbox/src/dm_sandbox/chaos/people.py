"""The people of a storm, who write numbered DMs in bursts, and a Meta that redelivers until it is acknowledged."""

import asyncio
import itertools
from dataclasses import dataclass
from random import Random

import httpx

from dm_core.messages import EventKind, message_id
from dm_sandbox.environment import APP_SECRET
from dm_sandbox.person import Person
from dm_sandbox.platforms.instagram import Instagram
from dm_sandbox.platforms.meta import Delivery, WebhookSender

FIRST_USER = 5_550_001_000
MOST_AT_ONCE = 80
"""Requests the platform lets into one instance (Cloud Run's default concurrency); the others wait in front of it."""
MOST_UNDELIVERED = 4
"""DMs of one person that may be on their way: without a bound, a storm becomes a test of overload."""


@dataclass(frozen=True, slots=True)
class AcknowledgedDm:
    """A DM that the webhook acknowledged with 200."""

    number: int
    thread_id: str
    mid: str

    @property
    def id(self) -> str:
        """Its document's id."""
        return message_id(EventKind.MESSAGE, self.mid)


class Redelivery(WebhookSender):
    """Delivers until it gets a 200, as Meta does for up to 36 h; sometimes once more although it got one."""

    def __init__(self, url: str, random: Random, duplicates: float = 0.1) -> None:
        super().__init__(url, APP_SECRET)
        self._random, self._duplicates = random, duplicates
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._client = httpx.AsyncClient(timeout=20, limits=limits, trust_env=False)

    async def post(self, payload: object) -> Delivery:
        """Deliver once, when it is its turn."""
        async with self._slots:
            return await super().post(payload)

    async def deliver(self, payload: object, attempts: int = 1_000_000, wait: float = 0.3) -> Delivery:
        """Returns the acknowledged delivery; waits about ``wait`` seconds in between."""
        delivery = await self.post(payload)
        for _ in range(attempts - 1):
            if delivery.status == 200:
                break
            await asyncio.sleep(wait * (0.5 + self._random.random()))
            delivery = await self.post(payload)
        if self._random.random() < self._duplicates:
            await self.post(payload)
        return delivery


class Senders:
    """Everybody who writes. ``dms`` are the acknowledged DMs; ``written`` counts those on their way too."""

    def __init__(self, instagram: Instagram, sender: Redelivery, size: int, random: Random) -> None:
        self.dms: list[AcknowledgedDm] = []
        self.written = 0
        self._random = random
        self._numbers = itertools.count(1)
        self.people = [
            Person(sender.url, APP_SECRET, instagram.account_id, str(FIRST_USER + n), platform=instagram, sender=sender)
            for n in range(size)
        ]

    def __str__(self) -> str:
        return f"{len(self.dms)} of {self.written} DMs acknowledged"

    async def chatter(self, over: asyncio.Event, pause: float) -> None:
        """All write bursts, ``pause`` seconds apart on the average, until ``over``; returns when all is delivered."""
        async with asyncio.TaskGroup() as writing:
            for person in self.people:
                writing.create_task(self._writes(person, over, pause))

    async def all_at_once(self, each: int) -> None:
        """Everybody writes ``each`` DMs in the same moment."""
        await asyncio.gather(*(self.write(person) for person in self.people for _ in range(each)))

    async def write(self, person: Person) -> AcknowledgedDm:
        """One DM, delivered."""
        number = next(self._numbers)
        self.written += 1
        mid = await person.says(f"DM {number}: what about this?")
        dm = AcknowledgedDm(number, person.thread_id, mid)
        self.dms.append(dm)
        return dm

    async def _writes(self, person: Person, over: asyncio.Event, pause: float) -> None:
        async with asyncio.TaskGroup() as delivering:
            under_way = set[asyncio.Task[AcknowledgedDm]]()
            while not over.is_set():
                burst = self._random.choice((1, 1, 1, 2, 2, 4))
                for _ in range(min(burst, MOST_UNDELIVERED - len(under_way))):
                    task = delivering.create_task(self.write(person))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
                try:
                    await asyncio.wait_for(over.wait(), self._random.uniform(0.2, 2) * pause)
                except TimeoutError:
                    continue
