"""One request's events, sorted by thread and turned into what the store takes."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from dm_core.messages import WINDOW_MS, Content, Direction, Disposition, EventKind, Message, Status, message_id
from dm_core.store.port import ThreadEvents
from dm_core.webhook.events import Echo, Edit, Event, Ignored, InboundMessage, ThreadEvent, ThreadKey, Unknown, Unsend
from dm_core.webhook.quarantine import MAX_QUARANTINED


@dataclass(slots=True)
class ThreadBatch:
    """What came for one thread, each message once, in the order of arrival."""

    thread_key: ThreadKey
    inbound: dict[str, InboundMessage] = field(default_factory=dict[str, InboundMessage])
    echoes: dict[str, Echo] = field(default_factory=dict[str, Echo])
    edits: dict[str, Edit] = field(default_factory=dict[str, Edit])
    unsends: dict[str, Unsend] = field(default_factory=dict[str, Unsend])

    def add(self, event: ThreadEvent) -> None:
        """Of several edits of one message the latest counts."""
        match event:
            case InboundMessage():
                self.inbound.setdefault(message_id(event.content.kind, event.mid), event)
            case Echo():
                self.echoes.setdefault(message_id(event.content.kind, event.mid), event)
            case Unsend():
                self.unsends.setdefault(document_id(event), event)
            case Edit():
                known = self.edits.get(document_id(event))
                if known is None or (known.number, known.sent_at) <= (event.number, event.sent_at):
                    self.edits[document_id(event)] = event


@dataclass(slots=True)
class Batches:
    """A whole request, sorted. ``counts`` has one word per event."""

    threads: dict[str, ThreadBatch] = field(default_factory=dict[str, ThreadBatch])
    unknown: dict[str, Unknown] = field(default_factory=dict[str, Unknown])
    counts: Counter[str] = field(default_factory=Counter[str])

    @classmethod
    def of(cls, events: Iterable[Event], account_ids: frozenset[str]) -> "Batches":
        """Sort events. Those of accounts off a non-empty ``account_ids`` are counted and dropped."""
        batches = cls()
        for event in events:
            batches._add(event, account_ids)
        return batches

    def _add(self, event: Event, account_ids: frozenset[str]) -> None:
        if isinstance(event, Ignored):
            self.counts[f"ignored_{event.kind}"] += 1
        elif isinstance(event, Unknown):
            fits = len(self.unknown) < MAX_QUARANTINED
            self.counts["quarantined" if fits else "quarantine_full"] += 1
            if fits:
                self.unknown[event.key] = event
        elif account_ids and event.thread_key.account_id not in account_ids:
            self.counts["other_account"] += 1
        else:
            self.counts[_word(event)] += 1
            self.threads.setdefault(event.thread_key.thread_id, ThreadBatch(event.thread_key)).add(event)


@dataclass(frozen=True, slots=True)
class MessageFactory:
    """Writes events down as messages, under document ids given as ``key``. Both times in ms since 1970.

    Messages of one instant keep the order in which they came: ``rank`` counts those, and is added to the arrival in ms.
    """

    now: int
    expire_at: int

    def inbound(self, key: str, event: InboundMessage, rank: int = 0) -> Message:
        """Pending, unless another app answers here or the platform no longer lets us."""
        disposition = None
        if event.standby:
            disposition = Disposition.STANDBY
        elif self.now - event.sent_at >= WINDOW_MS:
            disposition = Disposition.EXPIRED
        status = Status.PROCESSED if disposition else Status.PENDING
        return self._message(key, event, Direction.INBOUND, event.content, status, disposition, rank=rank)

    def echo(self, key: str, event: Echo, direction: Direction, rank: int = 0) -> Message:
        """History, nothing to do about it."""
        disposition = Disposition.STANDBY if event.standby else None
        return self._message(key, event, direction, event.content, Status.PROCESSED, disposition, rank)

    def tombstone(self, key: str, event: Unsend) -> Message:
        """What stands for a message that was taken back before it came."""
        direction = Direction.OUTBOUND if event.by_account else Direction.INBOUND
        message = self._message(key, event, direction, Content(), Status.PROCESSED, Disposition.UNSENT)
        return replace(message, unsent_at=self.now)

    def events(self, thread_key: ThreadKey, messages: tuple[Message, ...] = ()) -> ThreadEvents:
        return ThreadEvents(thread_key.thread_id, thread_key.account_id, thread_key.user_id, self.now, messages)

    def _message(
        self,
        key: str,
        event: InboundMessage | Echo | Unsend,
        direction: Direction,
        content: Content,
        status: Status,
        disposition: Disposition | None = None,
        rank: int = 0,
    ) -> Message:
        arrival = self.now + rank
        return Message(
            id=key,
            thread_id=event.thread_key.thread_id,
            mid=event.mid,
            direction=direction,
            status=status,
            content=content,
            sent_at=event.sent_at,
            created_at=arrival,
            updated_at=arrival,
            processed_at=arrival if status is Status.PROCESSED else None,
            disposition=disposition,
            expire_at=self.expire_at,
        )


def ranks(events: Iterable[InboundMessage | Echo]) -> Iterator[int]:
    """For each event, how many before it have the same time; the test button's times are whole seconds."""
    seen: Counter[int] = Counter()
    for event in events:
        yield seen[event.sent_at]
        seen[event.sent_at] += 1


def document_id(event: Unsend | Edit) -> str:
    """Id of the message an event is about; only ordinary messages can be taken back or edited."""
    return message_id(EventKind.MESSAGE, event.mid)


def _word(event: ThreadEvent) -> str:
    words = {InboundMessage: "dm", Echo: "echo", Unsend: "unsend", Edit: "edit"}
    standby = isinstance(event, InboundMessage | Echo) and event.standby
    return f"standby_{words[type(event)]}" if standby else words[type(event)]
