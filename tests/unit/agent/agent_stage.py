"""A club, a person, and an agent between them."""

# ruff: noqa: ARG002 - the doubles keep the argument names of the ports

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from dm_core.agent.agent import Agent, Situation
from dm_core.clients.port import AccessToken, PlatformMessage, Session
from dm_core.errors import DmAgentError
from dm_core.messages import Content, Direction, EventKind, Message, Status, message_id
from dm_core.runs import Run
from dm_core.threads import Profile, Thread

NOW = 1_795_543_500_000
"""Tue 24 Nov 2026 18:05 in London, in ms."""
PROCESSOR = Path(__file__).parents[3] / "functions" / "processor"
SECRETS = ("IGAAtoken12345secret", "sk-gemini-0987", "cricketclub")
MANAGER = "+44 7700 900123"


@dataclass(slots=True)
class Calendar:
    """A schedule with the sessions given; raises ``error`` when set."""

    sessions_: tuple[Session, ...] = ()
    fetched_at: int | None = NOW - 720_000
    available: bool = True
    stale: bool = False
    covered_until: int | None = None
    missing: int = 0
    error: Exception | None = None
    asked: list[tuple[datetime, datetime]] = field(default_factory=list[tuple[datetime, datetime]])

    @property
    def view(self) -> "View":
        return View(self.sessions_, self.fetched_at, self.available, self.stale, self.covered_until, self.missing)

    async def sessions(self, start: datetime, end: datetime) -> "View":
        self.asked.append((start, end))
        if self.error is not None:
            raise self.error
        return replace(self.view, sessions=tuple(s for s in self.sessions_ if start <= s.starts_at < end))


@dataclass(frozen=True, slots=True)
class View:
    sessions: tuple[Session, ...]
    fetched_at: int | None
    available: bool
    stale: bool
    covered_until: int | None = None
    missing: int = 0


@dataclass(slots=True)
class Inbox:
    """An account whose Conversations API shows the messages given, newest first."""

    seen: tuple[PlatformMessage, ...] = ()
    error: DmAgentError | None = None

    async def send_text(self, user_id: str, text: str) -> str:
        raise AssertionError("the agent itself sends nothing")

    async def react(self, user_id: str, mid: str, reaction: str) -> None:
        raise AssertionError("the agent itself sends nothing")

    async def indicate(self, user_id: str, action: Literal["mark_seen", "typing_on", "typing_off"]) -> None:
        raise AssertionError("the agent itself sends nothing")

    async def recent_messages(self, user_id: str, limit: int = 20) -> tuple[PlatformMessage, ...]:
        if self.error is not None:
            raise self.error
        return self.seen[:limit]

    async def profile(self, user_id: str, now: int) -> Profile | None:
        return None

    async def refresh_token(self, now: int) -> AccessToken:
        raise AssertionError("not the agent's business")

    async def subscribed_fields(self) -> tuple[str, ...]:
        return ()

    def use_token(self, token: str) -> None:
        raise AssertionError("not the agent's business")


class MakeAgent(Protocol):
    """Builds an agent around the doubles given."""

    def __call__(
        self, calendar: Calendar | None = None, inbox: Inbox | None = None, *, read_seconds: float = 10.0
    ) -> Agent: ...


def dm(number: int, text: str | None = None, content: Content | None = None) -> Message:
    """The person's message number ``number``, a minute apart."""
    at = NOW - 3_600_000 + number * 60_000
    return Message(
        id=message_id(EventKind.MESSAGE, f"mid-{number}"),
        thread_id="178414_9001",
        mid=f"mid-{number}",
        direction=Direction.INBOUND,
        status=Status.PROCESSING,
        content=content or Content(text=text or f"message {number}"),
        sent_at=at,
        created_at=at,
        updated_at=at,
    )


def reply(number: int, text: str) -> Message:
    return replace(dm(number, text), direction=Direction.OUTBOUND, status=Status.PROCESSED)


def situation(
    own: Sequence[Message], before: Sequence[Message] = (), run: Run | None = None, thread: Thread | None = None
) -> Situation:
    run = run or Run("run1", "task", NOW, tuple(m.id for m in own), "hash")
    handles = {f"m{n}": m.mid for n, m in enumerate((*before, *own), 1)}
    run = replace(run, handles=run.handles or handles, message_ids=tuple(m.id for m in own))
    thread = thread or Thread("178414_9001", "178414", "9001")
    return Situation(thread, run, NOW, (*before, *own))
