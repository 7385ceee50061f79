"""What happened in a stored thread, as a scenario's events; what went before, and the calendar its runs were told.

    runs     ├── run 1 ──┤            ├──────── run 2 ────────┤
    DMs      a b         (reply)      c        d (taken in)
    events   a b                      c        d during: 2          everything before a is history

Times are kept where the replay decides by them as production did. DMs that one run claimed together stay within
the debounce, and those of two runs stay apart: the replay's wake-ups fire at other moments of the bucket.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from dm_admin.reads import ArchivedRun
from dm_core.agent.tools.registry import LOOK_UP
from dm_core.messages import Content, Direction, EventKind, Message
from dm_core.runs import Run, ToolTurn
from dm_evals.production.anonymous import Anonymous
from dm_evals.scenarios.scenario import Event, Past, Session
from dm_evals.scenarios.scenario import EventKind as Kind
from dm_sandbox.platforms.server import as_list, as_object

MAX_HISTORY: Final = 20
"""Messages of before that are kept; the model is shown twelve of any thread."""
BURST_MS: Final = 4_000
"""DMs of one run stay within this: the shortest debounce is 5 s."""
APART_MS: Final = 25_000
"""DMs of two runs stay this far apart: the longest debounce is 15 s."""
_BY: Final[Mapping[Direction, Literal["person", "bot", "human"]]] = {
    Direction.INBOUND: "person",
    Direction.OUTBOUND: "bot",
    Direction.HUMAN: "human",
}
_DAY: Final = "%A %d %B %Y"
UNSENT: Final = "(a message that was unsent)"
_MEDIA: Final[Mapping[str, Kind]] = {
    "image": Kind.PHOTO,
    "audio": Kind.VOICE,
    "share": Kind.SHARE,
    "ig_post": Kind.SHARE,
    "post": Kind.SHARE,
    "story_mention": Kind.STORY_MENTION,
    "sticker": Kind.STICKER,
    "like_heart": Kind.STICKER,
}


@dataclass(slots=True)
class Story:
    """Events in the making. ``said`` are lines for the file's head: what is not as it was."""

    anonymous: Anonymous
    start: int
    events: list[Event] = field(default_factory=list[Event])
    said: list[str] = field(default_factory=list[str])
    _names: dict[str, str] = field(default_factory=dict[str, str])

    def tell(self, message: Message, at: int, during: int | None) -> None:
        """One message ``at`` ms after the start, or during a turn; its unsend follows where there was one."""
        name = f"d{len(self._names) + 1}"
        self._names[message.mid] = name
        if message.direction is Direction.HUMAN:
            event = Event(kind=Kind.HUMAN, text=self.anonymous.text(message.content.text or "(no text)"))
        else:
            event = self._said(message, name)
        place = {"during": during} if during is not None else {"at": _duration(at)}
        self.events.append(event.model_copy(update=place))
        if message.unsent_at is not None:
            unsent = {"during": during} if during is not None else {"at": _duration(at + 1_000)}
            self.events.append(Event(kind=Kind.UNSEND, to=name).model_copy(update=unsent))
            self.note("an unsent message has no text any more")
        if message.edited_at is not None:
            self.note("an edited message has its last text only")

    def note(self, line: str) -> None:
        if line not in self.said:
            self.said.append(line)

    def _said(self, message: Message, name: str) -> Event:
        content = message.content
        text = self.anonymous.text(content.text or "")
        if message.unsent_at is not None:
            return Event(id=name, text=UNSENT)
        if content.kind is EventKind.POSTBACK:
            return Event(kind=Kind.PRESS, id=name, text=self.anonymous.text(content.text or content.postback or "…"))
        if content.quick_reply:
            return Event(kind=Kind.TAP, id=name, text=text or self.anonymous.text(content.quick_reply))
        if content.reply_to_story:
            return Event(kind=Kind.STORY_REPLY, id=name, text=text or "…")
        if content.attachments:
            return self._media(content, name, text)
        if not text:
            self.note("a message without text is played as one that the API does not show")
            return Event(kind=Kind.UNSUPPORTED, id=name)
        to = self._names.get(content.reply_to_mid or "")
        return Event(id=name, text=text, to=to)

    def _media(self, content: Content, name: str, text: str) -> Event:
        first = content.attachments[0]
        kind = _MEDIA.get(first.type, Kind.UNSUPPORTED)
        if kind is Kind.UNSUPPORTED or len(content.attachments) > 1:
            self.note(f"attachments are played as one {kind}")
        if kind is Kind.SHARE:
            return Event(kind=kind, id=name, text=self.anonymous.text(first.title or text or "A post"))
        return Event(kind=kind, id=name, text=text if kind is Kind.PHOTO else "")


def history(messages: Sequence[Message], start: int, anonymous: Anonymous, said: list[str]) -> tuple[Past, ...]:
    """What was said before ``start`` (ms), the newest."""
    before = [message for message in messages if message.created_at < start]
    spoken = [message for message in before if (message.content.text or "").strip()]
    if len(spoken) > MAX_HISTORY:
        said.append(f"of {len(spoken)} earlier messages the newest {MAX_HISTORY} are kept")
    if len(spoken) < len(before):
        said.append(f"{len(before) - len(spoken)} earlier messages without text are left out")
    return tuple(
        Past(
            by=_BY[message.direction],
            text=anonymous.text(message.content.text or ""),
            ago=f"{max(1, (start - message.created_at) // 1000)}s",
        )
        for message in spoken[-MAX_HISTORY:]
    )


def arranged(arrivals: Sequence[tuple[int, int | None]]) -> list[int]:
    """When DMs are played, in ms after the start, for their times (ms after the start) and the run that claimed them.

    Within a run they are drawn together to ``BURST_MS``; two runs are kept ``APART_MS`` apart.
    """
    placed: list[int] = []
    groups: list[list[int]] = []
    for index, (_, run) in enumerate(arrivals):
        if groups and run is not None and arrivals[groups[-1][0]][1] == run:
            groups[-1].append(index)
        else:
            groups.append([index])
    earliest = 0
    for group in groups:
        first, last = arrivals[group[0]][0], arrivals[group[-1]][0]
        scale = min(1.0, BURST_MS / (last - first)) if last > first else 1.0
        begin = max(first, earliest)
        placed += [begin + round((arrivals[index][0] - first) * scale) for index in group]
        earliest = placed[-1] + APART_MS
    return placed


def covering(runs: Sequence[ArchivedRun], message: Message) -> int | None:
    """The position of the run that claimed this message."""
    return next((place for place, each in enumerate(runs) if message.id in each.run.message_ids), None)


def _duration(at: int) -> str:
    return f"{at / 1000:.3f}".rstrip("0").rstrip(".") + "s"


def sessions(runs: Iterable[Run], zone: ZoneInfo, anonymous: Anonymous, said: list[str]) -> tuple[Session, ...] | None:
    """What the calendar showed; None where it never answered. ``said`` gets what can't be known."""
    turns = [turn for run in runs for turn in run.turns if isinstance(turn, ToolTurn)]
    results = [result for turn in turns for result in turn.results if result.name == LOOK_UP]
    told = [result for result in results if result.error is None]
    if not results:
        said.append("nobody looked at the calendar: it is empty here")
        return ()
    if not told:
        said.append("the calendar did not answer: it is not connected here")
        return None
    if len(told) < len(results):
        said.append("the calendar failed at times: that is not played again")
    known: dict[tuple[str, datetime], Session] = {}
    for result in told:
        for entry in as_list(result.output.get("sessions")):
            session = _session(as_object(entry), zone, anonymous)
            if session is None:
                said.append("a session of the calendar could not be read")
                continue
            if known.get((session.title, session.starts), session) != session:
                said.append(f"{session.title} changed between two look-ups: the later state is played")
            known[session.title, session.starts] = session
    return tuple(sorted(known.values(), key=lambda session: session.starts))


def _session(told: Mapping[str, object], zone: ZoneInfo, anonymous: Anonymous) -> Session | None:
    """One entry of the tool's answer (``agent/tools/spond.py``); None where it is another shape."""
    day, begins, ends = (str(told.get(key) or "") for key in ("day", "starts", "ends"))
    try:
        starts = datetime.strptime(f"{day} {begins}", f"{_DAY} %H:%M").replace(tzinfo=zone)
        if not ends:
            finish = starts + timedelta(hours=1)
        elif len(ends) > len("00:00"):
            finish = datetime.strptime(ends, f"{_DAY}, %H:%M").replace(tzinfo=zone)
        else:
            finish = datetime.strptime(f"{day} {ends}", f"{_DAY} %H:%M").replace(tzinfo=zone)
    except ValueError:
        return None
    left, place = told.get("places_left"), told.get("where")
    full = told.get("status") == "full"
    known = isinstance(left, int)
    return Session(
        title=anonymous.text(str(told.get("title", ""))),
        starts=starts,
        ends=finish,
        place=anonymous.text(place) if isinstance(place, str) else None,
        capacity=(1 if full else left) if known else None,
        accepted=1 if full and known else 0,
        cancelled=told.get("status") == "cancelled",
    )
