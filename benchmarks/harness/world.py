"""The processor's surroundings: the simulated platforms in this process, a model that always answers with one reply.

People's DMs are put straight into the store, as the webhook would have: what is measured begins at the wake-up.
"""

import contextlib
import json
import socket
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from benchmarks.harness.load import http_post
from benchmarks.harness.stage import PATIENT, TEXT
from dm_core.clock import system_clock
from dm_core.durations import DAY_MS
from dm_core.messages import Content, Direction, EventKind, Message, Status, message_id
from dm_core.processing.app import TASK_NAME_HEADER
from dm_core.store.port import Store, ThreadEvents
from dm_core.threads import thread_id
from dm_sandbox.environment import Addresses, Platforms, function_environment, model_variables
from dm_sandbox.platforms.answers import call
from dm_sandbox.platforms.gemini import Gemini
from dm_sandbox.platforms.instagram import Instagram
from dm_sandbox.platforms.model_request import ModelRequest, Part
from dm_sandbox.platforms.server import Platform
from dm_sandbox.platforms.spond import Spond
from dm_sandbox.platforms.whatsapp import WhatsApp

REPLY = "Hi! Nets are on Tuesday at 18:00. Bring trainers, we have bats and pads for everybody."
UNUSED_QUEUE = "127.0.0.1:9"
"""A plain answer schedules nothing."""


def plain_answer(_: ModelRequest) -> list[Part]:
    """One call, one reply."""
    return [call("send_instagram_message", text=REPLY)]


@dataclass(slots=True)
class World:
    """Running simulators, and the environment that points a processor at them."""

    instagram: Instagram
    whatsapp: WhatsApp
    spond: Spond
    gemini: Gemini
    env: dict[str, str]

    def thread_of(self, person: int) -> str:
        return thread_id(self.instagram.account_id, str(person))

    async def says(self, store: Store, person: int, text: str = TEXT) -> str:
        """This person's DM is stored, ready for a wake-up; the thread's id."""
        now, account, user = system_clock(), self.instagram.account_id, str(person)
        mid = self.instagram.mids.next(account, user)
        self.instagram.hear(user, mid, text)
        thread = self.thread_of(person)
        message = inbound(thread, mid, text, now)
        await store.record(ThreadEvents(thread, account, user, now, (message,), now, now + 10_000))
        return thread


def inbound(thread: str, mid: str, text: str, at: int, status: Status = Status.PENDING) -> Message:
    """A DM of that moment (ms since 1970); a processed one is history."""
    return Message(
        id=message_id(EventKind.MESSAGE, mid),
        thread_id=thread,
        mid=mid,
        direction=Direction.INBOUND,
        status=status,
        content=Content(text=text),
        sent_at=at,
        created_at=at,
        updated_at=at,
        processed_at=None if status is Status.PENDING else at,
        expire_at=at + 90 * DAY_MS,
    )


def task_request(thread: str, task: str) -> bytes:
    """The POST with which Cloud Tasks wakes the processor up for this thread."""
    headers = {"Content-Type": "application/json", TASK_NAME_HEADER: task}
    return http_post("127.0.0.1", "/", json.dumps({"threadId": thread}).encode(), headers)


@contextlib.asynccontextmanager
async def running_world(
    store_url: str, firestore: str | None = None, queue: str = UNUSED_QUEUE, extra: Mapping[str, str] | None = None
) -> AsyncGenerator[World]:
    """The simulators, started; stopped at the end."""
    instagram, whatsapp, spond, gemini = Instagram(), WhatsApp(), Spond(), Gemini()
    gemini.model = plain_answer
    async with contextlib.AsyncExitStack() as stack:
        for platform in (instagram, whatsapp, spond, gemini):
            await stack.enter_async_context(platform)
            _answer_at_once(platform)
        addresses = Addresses("http://127.0.0.1:9", queue, store_url, firestore, gemini.base_url)
        platforms = Platforms(instagram, whatsapp, spond)
        env = function_environment(platforms, addresses, PATIENT, model_variables({}), extra or {})
        yield World(instagram, whatsapp, spond, gemini, env)


def _answer_at_once(platform: Platform) -> None:
    """Send small answers without waiting for the caller's delayed acknowledgement, which takes 40 ms.

    asyncio does this by itself only for sockets made with an explicit protocol number, and the simulators' is not.
    """
    server = platform._server._server  # pyright: ignore[reportPrivateUsage]
    for listening in server.servers if server else ():
        for sock in listening.sockets:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
