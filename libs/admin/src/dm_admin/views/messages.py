"""A message as an operator sees it: who said what, and what became of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dm_core.messages import Content, Direction, Disposition, Message, Status

WRITERS: Final = {Direction.INBOUND: "person", Direction.OUTBOUND: "agent", Direction.HUMAN: "human"}

BECAUSE: Final = {
    Disposition.EXPIRED: "Instagram's 24 hours were over, or nearly, before it could be answered",
    Disposition.HUMAN: "the conversation was left to humans before it was answered (a pause, or a human's reply)",
    Disposition.UNSENT: "its writer took it back",
    Disposition.STANDBY: "another app answers in this conversation",
    Disposition.NO_REPLY: "the agent decided that no reply is needed",
    Disposition.LIMITED: "the person, or the deployment, had used up the runs of the hour or the day",
    Disposition.UNCERTAIN: "a reply may have gone out: it was looked for and not found, and is not sent twice",
    Disposition.HANDED_OVER: "it was handed over to a human",
    Disposition.REFUSED: "Instagram does not let us write to this person",
    Disposition.OFF: "the agent was switched off",
    Disposition.STOPPED: "the person used a stop word",
    Disposition.AUTOMATIC: "the account sends it by itself: a welcome, away or FAQ message",
}
"""Why a message ended as it did, a sentence for each disposition."""


@dataclass(frozen=True, slots=True)
class MessageView:
    """``by``: person, agent or human. ``said``: its text, or in brackets what it holds instead of one.

    ``outcome``: its status, and how it ended other than by an ordinary answer; ``because`` says that as a sentence.
    """

    id: str
    thread_id: str
    at: int
    by: str
    said: str
    outcome: str
    because: str
    attempts: int
    error: str | None
    run_id: str | None
    arrived_at: int
    ended_at: int | None
    edited_at: int | None
    unsent_at: int | None


def message_view(message: Message) -> MessageView:
    """One message."""
    return MessageView(
        id=message.id,
        thread_id=message.thread_id,
        at=message.sent_at,
        by=WRITERS[message.direction],
        said=said(message),
        outcome=message.disposition or message.status,
        because=because(message),
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
    if message.disposition is not None:
        return BECAUSE[message.disposition]
    match message.status:
        case Status.PENDING:
            return "it waits for the next run"
        case Status.PROCESSING:
            return "a run has it"
        case Status.FAILED:
            return f"given up after {message.attempts} attempts: {message.error or 'cut short'}"
        case Status.PROCESSED:
            return "answered" if message.direction is Direction.INBOUND else "sent"
