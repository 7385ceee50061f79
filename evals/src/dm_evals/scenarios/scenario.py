"""A scenario as written in ``evals/scenarios/*.yaml``: who writes what and when, the world, and what is expected.

One file, one scenario; the file's name is the scenario's. Unknown keys are errors (a typo must not be an expectation
that is never checked). Times: ``now`` is an ISO date-time with its zone, ``at`` and ``ago`` are durations such as
``90s``, ``5m``, ``2h``, ``3d``. The JSON schema for editors is made from these classes.
"""

from collections.abc import Iterable, Iterator
from datetime import date, time
from enum import StrEnum
from typing import Annotated, Literal, Self, cast

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.json_schema import SkipJsonSchema

Duration = Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)?[smhd]$")]
"""``90s``, ``5m``, ``2h``, ``3d``."""
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{2,60}$")]
Words = Annotated[str, StringConstraints(min_length=1)]
Change = Literal[
    "overtaken", "refused", "dropped", "uncertain", "split", "plain_text", "disclosure", "undelivered", "added"
]
"""What production may do to what the model asked for (``dm_evals.checks.effects``)."""
type Meant = str | float | time | tuple[date, date]
"""What a fact or a session stands for: a text, an amount, a time of day, or a day as seen from another."""
Platform = Literal["instagram", "whatsapp", "spond", "gemini"]


class Part(BaseModel):
    """Any part of a scenario: nothing unknown in it, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# -- the world ----------------------------------------------------------------------------------------------


class Person(Part):
    """Who writes. The name is what the profile look-up answers; it may hold an injection."""

    name: str | None = "Sam Jones"
    username: str | None = "sam.jones"


class Session(Part):
    """One event of the club's Spond calendar."""

    title: str = "Senior nets"
    starts: AwareDatetime
    ends: AwareDatetime
    place: str | None = "Hollybank School sports hall"
    accepted: int = 0
    capacity: int | None = None
    cancelled: bool = False


class Past(Part):
    """A message of the thread's history, stored before the scenario begins."""

    by: Literal["person", "bot", "human"]
    text: Words
    ago: Duration


class PlatformFault(Part):
    """What a platform does wrong; the words are those of ``dm_sandbox.platforms.faults``."""

    platform: Platform
    kind: str
    operation: str = "*"
    times: int = 1
    status: int = 0
    code: int = 0
    message: str = ""
    seconds: float = 0.0
    wait_minutes: int = 0


class World(Part):
    """What is there before the first DM. ``sessions`` null: the calendar is not connected at all."""

    sessions: tuple[Session, ...] | None = ()
    history: tuple[Past, ...] = ()
    notes: tuple[str, ...] = ()
    faults: tuple[PlatformFault, ...] = ()
    automatic: tuple[Words, ...] = ()
    """The account's own automatic messages, as the deployer lists them."""
    settings: dict[str, str] = Field(default_factory=dict)
    """Variables of both functions (docs/architecture.md#a-setting)."""


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
    at: Duration = "0s"
    during: int | None = Field(default=None, ge=1)
    id: str | None = None
    to: str | None = None
    repeat: int = Field(default=1, ge=1, le=10)
    by: str | None = None


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
        return self


class Call(Part):
    """A tool call that must be made ``at_least`` and ``at_most`` so many times with these arguments."""

    tool: str
    args: dict[str, Matcher] = Field(default_factory=dict)
    at_least: int = Field(default=1, ge=1)
    at_most: int | None = None


class Calls(Part):
    """Tool calls. Data tools are always allowed unless forbidden; an action neither required nor ``allowed`` fails.

    ``ordered``: the required ones in this order (others may come between).
    """

    required: tuple[Call, ...] = ()
    ordered: bool = False
    forbidden: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    at_most: int | None = None


class State(Part):
    """The end state of the world, counted on the platforms' side and read from the store.

    ``alerts``: what was stored for the manager; ``notices``: what of it reached the phone (several may come as one).
    ``alert`` and ``notice``: a text that is among them. ``alarmed``: an alert did not arrive, and the alarm rang.
    ``messages``: how many of the person's DMs ended with each status or disposition. ``paused``: a human took over.
    """

    replies: int | None = None
    reactions: int | None = None
    alerts: int | None = None
    alert: tuple[Matcher, ...] = ()
    alarmed: bool | None = None
    notices: int | None = None
    urgent: bool | None = None
    notice: tuple[Matcher, ...] = ()
    messages: dict[str, int] = Field(default_factory=dict)
    paused: bool | None = None
    notes: tuple[Matcher, ...] = ()
    runs: int | None = None


class Reply(Part):
    """What holds for all the person saw, taken together. ``language`` is an ISO 639-1 code.

    ``links``: only these.
    """

    language: str | None = None
    max_bytes: int | None = None
    max_sentences: int | None = None
    must: tuple[Matcher, ...] = ()
    must_not: tuple[Matcher, ...] = ()
    links: tuple[str, ...] | None = None


class Other(Reply):
    """What holds for all that one of the ``others`` saw."""

    replies: int | None = None


class Limits(Part):
    """Upper bounds of all runs of the scenario together."""

    model_calls: int | None = None
    tokens: int | None = None
    cost_usd: float | None = None


class Expectations(Part):
    """At least one of ``calls``, ``state``, ``reply`` and ``rubric`` must say something.

    ``changed``: how often production is meant to change what the recorded turns ask for; whatever else leaves the
    system is what they asked for, to the letter.
    """

    calls: Calls = Calls()
    state: State = State()
    reply: Reply = Reply()
    rubric: tuple[str, ...] = ()
    others: dict[str, Other] = Field(default_factory=dict[str, Other])
    changed: dict[Change, int] = Field(default_factory=dict[Change, int])
    limits: Limits = Limits()


class Scenario(Part):
    """One scenario. ``reviewed`` false: made from production and not looked at yet; it never counts in the gate."""

    name: Name
    tags: tuple[str, ...] = Field(min_length=1)
    about: Words
    reviewed: bool = True
    now: AwareDatetime
    person: Person = Person()
    others: dict[Name, Person] = Field(default_factory=dict[str, Person])
    """Who else writes, by the name that events call them; each has a thread, which begins empty."""
    world: World = World()
    events: tuple[Event, ...] = Field(min_length=1)
    user: SimulatedUser | None = None
    expect: Expectations

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
