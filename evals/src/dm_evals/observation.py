"""What one trial of a scenario did: on the platforms' side, in the store, and in the model's turns."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


def as_text(value: Mapping[str, object]) -> str:
    """Arguments or a result as JSON; nothing where there are none."""
    return json.dumps(dict(value), ensure_ascii=False, default=str) if value else ""


Author = Literal["person", "bot", "human", "manager", "tool"]


@dataclass(frozen=True, slots=True)
class ToolUse:
    """One call the model made, and what came of it.

    ``turn`` counts model turns of the whole trial from 1, ``index`` the calls of a turn from 0. ``outcome``: ``done``,
    ``refused``, ``dropped``, ``uncertain`` for actions; ``answered`` or ``error`` for data; ``discarded`` where the
    turn's actions were never planned (something came meanwhile).
    """

    turn: int
    index: int
    name: str
    arguments: Mapping[str, object]
    outcome: str
    result: Mapping[str, object] = field(default_factory=dict[str, object])
    by: str = ""
    """Whose thread it was made in: empty for the person, else the name of one of the others."""
    targets: tuple[str, ...] = ()
    """The platform's ids of the messages that the handle of a reaction may mean."""


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that left the system, as the platform took it.

    ``to``: ``person``, ``manager``, the name of one of the others, or the id of somebody else; ``target``: the message
    that a reaction is on.
    """

    kind: Literal["send", "react", "alert"]
    text: str
    to: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """What reached the manager's phone on WhatsApp."""

    text: str
    urgent: bool


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert to the manager as stored at the end, whether it arrived or not.

    ``cause``: ``model`` where the model asked for it, else what the machine wanted to be known. ``state`` is one of
    ``dm_core.alerts.AlertState``; ``alarmed``: the alarm on the other channel was raised.
    """

    text: str
    urgent: bool
    cause: str
    state: str
    alarmed: bool = False


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message of the thread as stored at the end. ``direction``: inbound, outbound, human."""

    id: str
    direction: str
    status: str
    disposition: str | None
    text: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One model turn: tokens are None where the model did not say; ``origin`` is the recording's, or ``live``."""

    turn: int
    origin: Literal["authored", "recorded", "live"]
    model: str
    input_tokens: int | None
    output_tokens: int | None
    latency_ms: int | None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Bubble:
    """One line of the conversation for people to read. ``at`` in ms since 1970, by the scenario's clock."""

    at: int
    author: Author
    text: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Stale:
    """A model turn whose request is no longer the recorded one, and what changed (``system``, ``contents[2]`` …)."""

    turn: int
    changed: tuple[str, ...]
    diff: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """One trial.

    ``crash`` is the reason it could not be played to its end; ``missing_turns``: asked beyond the recording;
    ``unused_turns``: recorded turns nobody asked for; ``sessions``: start times of the calendar, ISO with zone.
    """

    scenario: str
    trial: int
    calls: tuple[ToolUse, ...] = ()
    replies: tuple[str, ...] = ()
    reactions: tuple[str, ...] = ()
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """What each of the others saw, by their name in the scenario."""
    said: tuple[str, ...] = ()
    """What the simulated user wrote after the scenario's events."""
    mixed: tuple[str, ...] = ()
    not_shown: tuple[str, ...] = ()
    """Why the model was not shown a file: each line it was told so, once."""
    """What of one person's the model was shown, or was sent, in the thread of another."""
    effects: tuple[Effect, ...] = ()
    """All that left, to the person in order of time, then to the manager."""
    plain_texts: tuple[str, ...] = ()
    """Answers of the model's without a call, stripped."""
    disclosures: tuple[str, ...] = ()
    """The profile's lines about who writes."""
    notices: tuple[Notice, ...] = ()
    alerts: tuple[StoredAlert, ...] = ()
    messages: tuple[StoredMessage, ...] = ()
    notes: tuple[str, ...] = ()
    paused: bool = False
    handed_over: bool = False
    """The thread is with a human, because the model asked for it or gave up."""
    runs: tuple[str, ...] = ()
    """How each run ended, in order."""
    guards: tuple[str, ...] = ()
    model_calls: tuple[ModelCall, ...] = ()
    answers: tuple[int, ...] = ()
    """Statuses of the webhook's answers."""
    sessions: tuple[str, ...] = ()
    time_zone: str = "Europe/London"
    now: str = ""
    facts: Mapping[str, str] | None = None
    """Of the profile it was played with, those that the scenario names."""
    bubbles: tuple[Bubble, ...] = ()
    stale: tuple[Stale, ...] = ()
    missing_turns: tuple[int, ...] = ()
    unused_turns: tuple[int, ...] = ()
    crash: str | None = None
    seconds: float = 0.0
