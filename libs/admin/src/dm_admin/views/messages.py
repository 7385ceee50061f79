"""A message as an operator sees it: who said what, and what became of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from dm_core.messages import WINDOW_MS, Content, Direction, Disposition, Message, Status
from dm_core.outbox import AuditLine
from dm_core.processing.waits import WINDOW_MARGIN_MS

WRITERS: Final = {Direction.INBOUND: "person", Direction.OUTBOUND: "agent", Direction.HUMAN: "human"}

BECAUSE: Final = {
    Disposition.EXPIRED: "Instagram's 24 hours were over, or nearly, before it could be answered",
    Disposition.HUMAN: "the conversation was left to humans (a pause, or a human's reply) before the agent was done",
    Disposition.UNSENT: "its writer took it back",
    Disposition.STANDBY: "another app answers in this conversation",
    Disposition.NO_REPLY: "the agent decided that no reply is needed",
    Disposition.LIMITED: "the person, or the deployment, had used up the runs of the hour or the day",
    Disposition.UNCERTAIN: "a reply may have gone out: nothing confirms it, and it is not sent twice",
    Disposition.HANDED_OVER: "it was handed over to a human",
    Disposition.REFUSED: "Instagram does not let us write to this person",
    Disposition.OFF: "the agent was switched off",
    Disposition.STOPPED: "the person used a stop word",
    Disposition.AUTOMATIC: "the account sends it by itself: a welcome, away or FAQ message",
}
"""Why a message ended as it did, a sentence for each disposition."""

LIMITED: Final[Mapping[str | None, str]] = {
    "MAX_RUNS_PER_HOUR": "the person had used up the runs of the hour (MAX_RUNS_PER_HOUR)",
    "MAX_RUNS_PER_DAY": "the person had used up the runs of the day (MAX_RUNS_PER_DAY)",
    "MAX_RUNS_PER_DAY_TOTAL": "the deployment had used up the runs of the day (MAX_RUNS_PER_DAY_TOTAL)",
}
"""By the limit that was met; older DMs do not say it."""

WAITED_TOO_LONG: Final = (
    "it had waited as long as a DM may (MAX_WAIT_HOURS) for a service, or Instagram said that the 24 hours were over"
)
"""Of a DM that expired long before its own 24 hours were over."""

_SWITCHED: Final = {"off": True, "mode off": True, "on": False, "mode auto": False, "mode draft": False}
"""What a line of the audit says of a switch, by WhatsApp or ``dm-admin``: whether it is off from then on."""

_BY_HAND: Final = "answer in the Instagram app, by quoting the alert, or with reply"
REMEDIES: Final[Mapping[str, str]] = {
    Status.FAILED: f"{_BY_HAND}; or retry, once the cause is mended",
    Disposition.EXPIRED: "answer in the Instagram app; with reply as long as Instagram takes one (see show)",
    Disposition.HUMAN: f"{_BY_HAND}; resume lets the agent answer what comes from then on",
    Disposition.LIMITED: f"{_BY_HAND}; the limits are MAX_RUNS_PER_HOUR, MAX_RUNS_PER_DAY and MAX_RUNS_PER_DAY_TOTAL",
    Disposition.UNCERTAIN: "look into the conversation in Instagram; if the reply is not there, reply",
    Disposition.HANDED_OVER: f"{_BY_HAND}; resume, if it was seen to in another way",
    Disposition.REFUSED: "see in the Instagram app whether it can write to them; why has Instagram's error",
    Disposition.OFF: f"{_BY_HAND}; mode auto lets the agent answer what comes from then on",
    Disposition.STOPPED: "reply, if need be; only the person's start word lets the agent answer again",
}
"""What an operator can do about a person's DM that was not answered, by its outcome; the words are commands."""


@dataclass(frozen=True, slots=True)
class MessageView:
    """``by``: person, agent or human. ``said``: its text, or in brackets what it holds instead of one.

    ``outcome``: its status, and how it ended other than by an ordinary answer; ``because`` says that as a sentence.
    ``remedy``: what an operator can do about it, or empty.
    """

    id: str
    thread_id: str
    at: int
    by: str
    said: str
    outcome: str
    because: str
    remedy: str
    attempts: int
    error: str | None
    run_id: str | None
    arrived_at: int
    ended_at: int | None
    edited_at: int | None
    unsent_at: int | None


def message_view(message: Message) -> MessageView:
    """One message."""
    outcome = message.disposition or message.status
    return MessageView(
        id=message.id,
        thread_id=message.thread_id,
        at=message.sent_at,
        by=WRITERS[message.direction],
        said=said(message),
        outcome=outcome,
        because=because(message),
        remedy=REMEDIES.get(outcome, "") if message.direction is Direction.INBOUND else "",
        attempts=message.attempts,
        error=message.error,
        run_id=message.run_id,
        arrived_at=message.created_at,
        ended_at=message.processed_at,
        edited_at=message.edited_at,
        unsent_at=message.unsent_at,
    )


def said(message: Message) -> str:
    """What a message says; what is no text stands in brackets."""
    if message.unsent_at is not None:
        return "[unsent]"
    return " ".join(_parts(message.content)) or "[nothing that can be shown]"


def _parts(content: Content) -> Iterator[str]:
    if content.text:
        yield content.text
    for attachment in content.attachments:
        yield f"[{attachment.type}{f': {attachment.title}' if attachment.title else ''}]"
    for what, value in (("button", content.postback), ("quick reply", content.quick_reply)):
        if value and not content.text:
            yield f"[{what}: {value}]"
    if content.referral:
        yield "[came by a link or an ad]"
    if content.unsupported:
        yield "[unsupported message]"


def because(message: Message) -> str:
    """Why it ended so, or what it waits for."""
    if message.disposition is Disposition.EXPIRED and _early(message):
        return WAITED_TOO_LONG
    if message.disposition is Disposition.LIMITED and message.error in LIMITED:
        return LIMITED[message.error]
    if message.disposition is not None:
        return BECAUSE[message.disposition]
    match message.status:
        case Status.PENDING:
            return f"it waits for the next run{_tried(message)}"
        case Status.PROCESSING:
            return f"a run has it{_tried(message)}"
        case Status.FAILED:
            return f"given up after {_attempts(message.attempts)}: {message.error or 'cut short'}"
        case Status.PROCESSED:
            return "answered" if message.direction is Direction.INBOUND else "sent"


def with_switch(view: MessageView, lines: Sequence[AuditLine]) -> MessageView:
    """Of one that ended because the agent was switched off: for whom, by whom and when, where the audit says it.

    ``lines``: those of its thread and of the whole deployment, the oldest first.
    """
    if view.outcome != Disposition.OFF:
        return view
    told = [line for line in lines if line.what in _SWITCHED and line.at <= (view.ended_at or line.at)]
    for thread_id, where in (("", "for everybody"), (view.thread_id, "for this conversation")):
        newest = next((line for line in reversed(told) if line.thread_id == thread_id), None)
        if newest is not None and _SWITCHED[newest.what]:
            at = datetime.fromtimestamp(newest.at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
            return replace(view, because=f"{view.because} {where}, by {newest.who}, {at}")
    return view


def _early(message: Message) -> bool:
    """It ended while its own 24 hours still had time for an answer."""
    return message.processed_at is not None and message.processed_at < message.sent_at + WINDOW_MS - WINDOW_MARGIN_MS


def _tried(message: Message) -> str:
    return f", after {_attempts(message.attempts)}: {message.error}" if message.attempts and message.error else ""


def _attempts(count: int) -> str:
    return f"{count} attempt{'' if count == 1 else 's'}"
