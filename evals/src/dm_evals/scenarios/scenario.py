"""A scenario as written in ``evals/scenarios/*.yaml``: who writes what and when, the world, and what is expected.

One file, one scenario; the file's name is the scenario's. Unknown keys are errors (a typo must not be an expectation
that is never checked). Times: ``now`` is an ISO date-time with its zone, ``at`` and ``ago`` are durations such as
``90s``, ``5m``, ``2h``, ``3d``. The JSON schema for editors is made from these classes.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self, cast

from pydantic import (
    AfterValidator,
    AwareDatetime,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from dm_core.agent.tools.registry import TOOLS
from dm_core.messages import Disposition, Status
from dm_evals.reading import Strict, nearest
from dm_evals.scenarios.clock import milliseconds
from dm_sandbox.platforms.faults import FaultKind
from dm_sandbox.platforms.instagram import SENDER_ACTIONS

Duration = Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)?[smhd]$")]
"""``90s``, ``5m``, ``2h``, ``3d``."""
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{2,60}$")]
Words = Annotated[str, StringConstraints(pattern=r"\S")]
Count = Annotated[int, Field(ge=0)]
Once = Annotated[int, Field(ge=1)]
Change = Literal[
    "overtaken", "refused", "dropped", "uncertain", "split", "plain_text", "disclosure", "undelivered", "added"
]
"""What production may do to what the model asked for (``dm_evals.checks.effects``)."""
type Meant = str | float | time | tuple[date, date]
"""What a fact or a session stands for: a text, an amount, a time of day, or a day as seen from another."""
Platform = Literal["instagram", "whatsapp", "spond", "gemini"]

OPERATIONS: Final[Mapping[Platform, tuple[str, ...]]] = {
    "instagram": ("*", "send", *SENDER_ACTIONS, "conversations", "profile", "node", "me"),
    "whatsapp": ("*", "send", "template"),
    "spond": ("*", "login", "sponds", "groups", "profile"),
    "gemini": ("*", "generateContent"),
}
"""The platforms' words for what a request wants (``Platform.operation`` of the sandbox)."""
ENDS: Final = (*(status.value for status in Status), *(disposition.value for disposition in Disposition))


def _known(what: str, names: Callable[[], Iterable[str]]) -> AfterValidator:
    """One of these names, or the nearest is told."""

    def known(word: str) -> str:
        if word not in (there := tuple(names())):
            raise ValueError(f'unknown {what} "{word}"{nearest(word, there) or f" (there are {', '.join(there)})"}')
        return word

    return AfterValidator(known)


def _within(days: int) -> AfterValidator:
    def within(duration: str) -> str:
        if milliseconds(duration) > milliseconds(f"{days}d"):
            raise ValueError(f"is more than {days} days")
        return duration

    return AfterValidator(within)


Tool = Annotated[str, _known("tool", lambda: TOOLS)]


class Part(Strict):
    """Any part of a scenario: nothing unknown in it, never changed."""


# -- the world ----------------------------------------------------------------------------------------------


def _of_these_years(moment: datetime) -> datetime:
    """Far from its ends no time zone leads out of the calendar."""
    if not 2000 <= moment.year < 2100:
        raise ValueError("must be between 2000 and 2100")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_of_these_years)]


class Person(Part):
    """Who writes. The name is what the profile look-up answers; it may hold an injection."""

    name: str | None = "Sam Jones"
    username: str | None = "sam.jones"


class Session(Part):
    """One event of the club's Spond calendar."""

    title: str = "Senior nets"
    starts: Moment
    ends: Moment
    place: str | None = "Hollybank School sports hall"
    accepted: int = 0
    capacity: int | None = None
    cancelled: bool = False

    @field_validator("ends")
    @classmethod
    def _after_it_starts(cls, ends: datetime, info: ValidationInfo) -> datetime:
        if "starts" in info.data and ends <= info.data["starts"]:
            raise ValueError("must end after it starts")
        return ends


class Past(Part):
    """A message of the thread's history, stored before the scenario begins."""

    by: Literal["person", "bot", "human"]
    text: Words
    ago: Annotated[Duration, _within(3_650)]


class PlatformFault(Part):
    """What a platform does wrong; the words are those of ``dm_sandbox.platforms.faults``."""

    platform: Platform
    kind: FaultKind
    operation: str = "*"
    times: Once = 1
    status: int = 0
    code: int = 0
    message: str = ""
    seconds: float = 0.0
    wait_minutes: int = 0

    @field_validator("operation")
    @classmethod
    def _of_the_platform(cls, operation: str, info: ValidationInfo) -> str:
        platform = info.data.get("platform", "")
        known = OPERATIONS.get(platform, (operation,))
        if operation not in known:
            raise ValueError(f'{platform} has no operation "{operation}"{nearest(operation, known)}')
        return operation


class World(Part):
    """What is there before the first DM. ``sessions`` null: the calendar is not connected at all."""

    sessions: tuple[Session, ...] | None = ()
    history: tuple[Past, ...] = ()
    notes: tuple[Words, ...] = ()
    faults: tuple[PlatformFault, ...] = ()
    automatic: tuple[Words, ...] = ()
    """The account's own automatic messages, as the deployer lists them."""
    settings: dict[str, str] = Field(default_factory=dict)
    """Variables of both functions (docs/architecture.md#a-setting)."""

    @field_validator("faults")
    @classmethod
    def _of_what_is_asked(cls, faults: tuple[PlatformFault, ...], info: ValidationInfo) -> tuple[PlatformFault, ...]:
        if info.data.get("sessions", ()) is None and any(fault.platform == "spond" for fault in faults):
            raise ValueError("name Spond, which is never asked: sessions is null")
        return faults


# -- what happens -------------------------------------------------------------------------------------------


class EventKind(StrEnum):
    SAY = "say"
    PHOTO = "photo"
    VOICE = "voice"
    VIDEO = "video"
    SHARE = "share"
    STORY_REPLY = "story_reply"
    STORY_MENTION = "story_mention"
    STICKER = "sticker"
    UNSUPPORTED = "unsupported"
    TAP = "tap"
    PRESS = "press"
    UNSEND = "unsend"
    EDIT = "edit"
    HUMAN = "human"
    AUTOMATIC = "automatic"


POINTING: Final = frozenset((EventKind.SAY, EventKind.UNSEND, EventKind.EDIT))
"""Kinds that may point to a message (``to``)."""
WRITTEN: Final = frozenset(
    (
        *(EventKind.SAY, EventKind.STORY_REPLY, EventKind.TAP, EventKind.PRESS, EventKind.EDIT),
        *(EventKind.HUMAN, EventKind.AUTOMATIC),
    )
)
"""Kinds that have a text; PHOTO and SHARE may have one, the others have none."""
_MAY_HAVE_FILES: Final = frozenset(
    (
        *(EventKind.PHOTO, EventKind.VOICE, EventKind.VIDEO, EventKind.SHARE),
        *(EventKind.STORY_MENTION, EventKind.STORY_REPLY),
    )
)


class File(Part):
    """A file that is sent: a picture, or a video, that ``shows`` these words; a voice note that stands for what it
    ``says``, or so many ``seconds`` of silence as the app records it. ``broken``: cut in half.
    """

    shows: str = ""
    says: str = ""
    seconds: float = Field(default=0, ge=0, le=600)
    heic: bool = False
    broken: bool = False


class Event(Part):
    """One thing that happens: ``kind`` with its ``text``.

    ``at``: after ``now``. ``during``: while the model makes its n-th turn (1 is the first), in place of a time.
    ``id`` names a message so that a later ``unsend``, ``edit`` or an inline reply (``to``) can point to it.
    ``files``: what comes with a photo, voice message, video, shared post or story; without any it has gone.
    ``human`` is the club answering in the app, ``automatic`` the account doing so by itself; ``say`` with ``repeat``
    has Meta deliver the same DM again. ``by``: one of the scenario's ``others``, in a thread of their own.
    """

    kind: EventKind = EventKind.SAY
    text: str = ""
    files: tuple[File, ...] = Field(default=(), max_length=10)
    at: Annotated[Duration, _within(30)] = "0s"
    during: int | None = Field(default=None, ge=1)
    id: str | None = None
    to: str | None = None
    repeat: int = Field(default=1, ge=1, le=10)
    by: str | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if wrong := next(self._wrong(), None):
            raise ValueError(wrong)
        return self

    def _wrong(self) -> Iterator[str]:
        kind, changes = self.kind, self.kind in (EventKind.UNSEND, EventKind.EDIT)
        if kind in WRITTEN and not self.text.strip():
            yield f"{kind} needs a text"
        if self.text and kind not in WRITTEN | {EventKind.PHOTO, EventKind.SHARE}:
            yield f"{kind} has no text"
        if self.files and kind not in _MAY_HAVE_FILES:
            yield f"{kind} has no files"
        if changes and self.to is None:
            yield f'{kind} needs "to": the id of the message it is about'
        if self.to is not None and kind not in POINTING:
            yield f"{kind} points to no message"
        if self.repeat > 1 and kind is not EventKind.SAY:
            yield f"only say can be repeated, not {kind}"
        if changes and self.id is not None:
            yield f"{kind} is no message and has no id"
        if self.during is not None and "at" in self.model_fields_set:
            yield "at or during, not both"


class SimulatedUser(Part):
    """Who writes on after the events, with a mind of their own: ``patience`` is how many messages more they write."""

    goal: Words
    persona: Words
    patience: int = Field(default=3, ge=1, le=20)


# -- what is expected ---------------------------------------------------------------------------------------


class Matcher(Part):
    """What one argument, or one text, must be: exactly one of these. A bare value in YAML means ``equals``.

    ``contains`` and ``any_of`` ignore case and white space; ``between`` is a closed range of numbers; ``absent``
    holds where the argument is not given. ``fact`` names a value of ``profile/facts.toml``; ``session`` one of the
    calendar (``next``, or its place in the list from 1), of which ``field`` is said: its start, in whatever way a time,
    a date or an amount is written.
    """

    equals: str | int | float | bool | None = None
    contains: str | tuple[str, ...] | None = None
    any_of: tuple[str, ...] | None = None
    regex: str | None = None
    between: tuple[float, float] | None = None
    absent: bool | None = None
    anything: bool | None = None
    fact: str | None = None
    session: Literal["next"] | Annotated[int, Field(ge=1)] | None = None
    field: Literal["start", "end", "date", "title", "place"] | None = None
    said: SkipJsonSchema[Meant | None] = None
    source: SkipJsonSchema[str] = ""
    """``fact`` and ``session`` as they are judged: what is meant, and the name and value it comes from."""

    @field_validator("fact")
    @classmethod
    def _of_the_profile(cls, fact: str | None, info: ValidationInfo) -> str | None:
        """Of the facts in the context, where there is one: another profile may have others."""
        known = cast("Mapping[str, Mapping[str, str]]", info.context or {}).get("facts")
        if fact is not None and known is not None and fact not in known:
            raise ValueError(f'the profile has no fact "{fact}"{nearest(fact, known)}')
        return fact

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: object) -> object:
        return {"equals": value} if isinstance(value, str | int | float | bool) else value

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self.model_fields_set - {"field", "source"}) != 1 or (self.field and self.session is None):
            raise ValueError(
                "needs exactly one of equals, contains, any_of, regex, between, absent, anything, fact, session"
            )
        (name,) = self.model_fields_set - {"field", "source"}
        if wrong := _WRONG.get(name, _nothing)(getattr(self, name)):
            raise ValueError(wrong)
        return self


def _nothing(_: Any) -> None:
    """Holds of some texts and not of others."""


def _words(words: str | tuple[str, ...] | None) -> str | None:
    each = words if isinstance(words, tuple) else (words or "",)
    return None if each and all(map(str.strip, each)) else "an empty text is in every text: say what must be there"


def _pattern(pattern: str) -> str | None:
    try:
        always = re.search(pattern, "") is not None
    except re.error as error:
        return f"is no regular expression: {error}"
    return "this pattern is found in an empty text, so in every text" if always else None


_WRONG: Final[Mapping[str, Callable[[Any], str | None]]] = {
    "equals": lambda value: "use absent: true for an argument that is not given" if value is None else None,
    "contains": _words,
    "any_of": _words,
    "regex": _pattern,
    "between": lambda ends: f"between {ends[0]:g} and {ends[1]:g} there is nothing" if ends[0] > ends[1] else None,
    "absent": lambda value: None if value else "must be true, or left out",
    "anything": lambda value: None if value else "must be true, or left out",
}
"""What always or never holds, which is a mistake."""


def _of_a_text(matcher: Matcher) -> Matcher:
    if matcher.absent is not None or matcher.between is not None:
        raise ValueError("absent and between are for arguments, not for a text")
    return matcher


TextMatcher = Annotated[Matcher, AfterValidator(_of_a_text)]


class Call(Part):
    """A tool call that must be made ``at_least`` and ``at_most`` so many times with these arguments."""

    tool: Tool
    args: dict[str, Matcher] = Field(default_factory=dict)
    at_least: Once = 1
    at_most: Count | None = None

    @field_validator("args")
    @classmethod
    def _of_the_tool(cls, args: dict[str, Matcher], info: ValidationInfo) -> dict[str, Matcher]:
        if (tool := TOOLS.get(info.data.get("tool", ""))) is not None:
            known = tool.arguments.__dataclass_fields__
            for name in args:
                if name not in known:
                    raise ValueError(f'{tool.name} has no argument "{name}"{nearest(name, known)}')
        return args

    @field_validator("at_most")
    @classmethod
    def _not_below(cls, at_most: int | None, info: ValidationInfo) -> int | None:
        if at_most is not None and at_most < info.data.get("at_least", 0):
            raise ValueError(f"{at_most} is below at_least {info.data['at_least']}")
        return at_most


class Calls(Part):
    """Tool calls. Data tools are always allowed unless forbidden; an action neither required nor ``allowed`` fails.

    ``ordered``: the required ones in this order (others may come between).
    """

    required: tuple[Call, ...] = ()
    ordered: bool = False
    allowed: tuple[Tool, ...] = ()
    forbidden: tuple[Tool, ...] = ()
    at_most: Count | None = None

    @field_validator("ordered")
    @classmethod
    def _of_several(cls, ordered: bool, info: ValidationInfo) -> bool:
        if ordered and len(info.data.get("required", ())) < 2:
            raise ValueError("needs two required calls")
        return ordered

    @field_validator("forbidden")
    @classmethod
    def _nothing_else(cls, forbidden: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        also = {**dict.fromkeys(info.data.get("allowed", ()), "allowed")}
        also |= {call.tool: "required" for call in info.data.get("required", ())}
        for tool in forbidden:
            if tool in also:
                raise ValueError(f"{tool} is {also[tool]} too")
        return forbidden

    @field_validator("at_most")
    @classmethod
    def _enough(cls, at_most: int | None, info: ValidationInfo) -> int | None:
        least = sum(call.at_least for call in info.data.get("required", ()))
        if at_most is not None and at_most < least:
            raise ValueError(f"at most {at_most} calls, but {least} are required")
        return at_most


class State(Part):
    """The end state of the world, counted on the platforms' side and read from the store.

    ``alerts``: what was stored for the manager; ``notices``: what of it reached the phone (several may come as one).
    ``alert`` and ``notice``: a text that is among them. ``alarmed``: an alert did not arrive, and the alarm rang.
    ``messages``: how many of the person's DMs ended with each status or disposition. ``paused``: a human took over.
    """

    replies: Count | None = None
    reactions: Count | None = None
    alerts: Count | None = None
    alert: tuple[TextMatcher, ...] = ()
    alarmed: bool | None = None
    notices: Count | None = None
    urgent: bool | None = None
    notice: tuple[TextMatcher, ...] = ()
    messages: dict[Annotated[str, _known("status or disposition", lambda: ENDS)], Count] = Field(default_factory=dict)
    paused: bool | None = None
    notes: tuple[TextMatcher, ...] = ()
    runs: Count | None = None


class Reply(Part):
    """What holds for all the person saw, taken together. ``language`` is an ISO 639-1 code.

    ``links``: only these.
    """

    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")] | None = None
    max_bytes: Count | None = None
    max_sentences: Count | None = None
    must: tuple[TextMatcher, ...] = ()
    must_not: tuple[TextMatcher, ...] = ()
    links: tuple[str, ...] | None = None


class Other(Reply):
    """What holds for all that one of the ``others`` saw."""

    replies: Count | None = None


class Limits(Part):
    """Upper bounds of all runs of the scenario together."""

    model_calls: Count | None = None
    tokens: Count | None = None
    cost_usd: Annotated[float, Field(ge=0)] | None = None


class Expectations(Part):
    """At least one of ``calls``, ``state``, ``reply`` and ``rubric`` must say something.

    ``changed``: how often production is meant to change what the recorded turns ask for; whatever else leaves the
    system is what they asked for, to the letter.
    """

    calls: Calls = Calls()
    state: State = State()
    reply: Reply = Reply()
    rubric: tuple[Words, ...] = ()
    others: dict[str, Other] = Field(default_factory=dict[str, Other])
    changed: dict[Change, Once] = Field(default_factory=dict[Change, int])
    limits: Limits = Limits()


def _tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    for number, tag in enumerate(tags):
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", tag) or tag in tags[:number]:
            raise ValueError(f'tag "{tag}" must be of a-z, 0-9, _ and -, and stand there once')
    return tags


class Scenario(Part):
    """One scenario. ``reviewed`` false: made from production and not looked at yet; it never counts in the gate."""

    name: Name
    tags: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_tags)]
    about: Words
    reviewed: bool = True
    now: Moment
    person: Person = Person()
    others: dict[Name, Person] = Field(default_factory=dict[str, Person])
    """Who else writes, by the name that events call them; each has a thread, which begins empty."""
    world: World = World()
    events: tuple[Event, ...] = Field(min_length=1)
    user: SimulatedUser | None = None
    expect: Expectations

    def expecting(self, **other: object) -> "Scenario":
        """The same with other expectations, by their names."""
        return self.model_copy(update={"expect": self.expect.model_copy(update=other)})

    @property
    def facts(self) -> frozenset[str]:
        """The facts of the profile that its expectations name."""
        return frozenset(matcher.fact for matcher in _matchers(self.expect) if matcher.fact is not None)


def _matchers(node: object) -> Iterator[Matcher]:
    if isinstance(node, Matcher):
        yield node
    elif isinstance(node, Part):
        for name in node.model_fields_set:
            yield from _matchers(getattr(node, name))
    elif isinstance(node, tuple | dict):
        values = cast("Iterable[object]", node.values() if isinstance(node, dict) else node)
        for each in values:
            yield from _matchers(each)
