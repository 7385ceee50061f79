"""A bad agent and a harmless variant as values: a small alteration of one scenario's recorded turns, or of the code.

    recorded turns ──alteration──▶ turns ──played──▶ judged ──▶ bad: the named check must be broken
                     code, folder                                harmless: must be a pass

An alteration that finds nothing to alter raises DoesNotApply: it would otherwise be the recording, and prove nothing.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal, cast

from dm_core.agent.tools.registry import SEND
from dm_evals.judge.judge import Vote
from dm_evals.replay.author import AuthoredTurn
from dm_evals.replay.recordings import Recording
from dm_evals.results import Outcome
from dm_evals.scenarios.scenario import Scenario
from dm_sandbox.platforms.model_request import parts_of
from dm_sandbox.platforms.server import as_list, as_object

NOTIFY: Final = "send_manager_notification"
REACT: Final = "react_to_instagram_message"
LOOK_UP: Final = "get_net_session_dates"

Turns = tuple[AuthoredTurn, ...]
Alteration = Callable[[Turns], Turns]
Tried = tuple[str, Mapping[str, object]]
"""A call: the tool's name and its arguments."""


class DoesNotApply(Exception):
    """The recording has nothing of what the alteration alters."""


def unaltered(turns: Turns) -> Turns:
    """For an alteration of the code alone."""
    return turns


@dataclass(frozen=True, slots=True)
class Altered:
    """What is altered of one scenario.

    ``turns``: the model's answers. ``code``: the production code, while the block is entered. ``folder``: a copy of the
    processor's ``prompts/`` and ``profile/``, to be changed in place. ``scenario``: the scenario itself. ``recording``:
    the recording as it is compared. ``by`` says how answers are found: ``position`` (whatever is asked) or
    ``recording`` (only to the recorded request, as a replay does).
    """

    name: str
    about: str
    on: str
    turns: Alteration = unaltered
    code: Callable[[], AbstractContextManager[None]] | None = None
    folder: Callable[[Path], None] | None = None
    scenario: Callable[[Scenario], Scenario] | None = None
    recording: Callable[[Recording], Recording] | None = None
    by: Literal["position", "recording"] = "position"
    votes: Mapping[str, Vote] = field(default_factory=dict[str, Vote])
    """How the judge votes on the altered conversation, by rubric item: by hand, as nobody recorded it."""


@dataclass(frozen=True, slots=True)
class BadAgent:
    """Must end as ``outcome`` with the check ``caught_by`` among those that did not hold."""

    altered: Altered
    caught_by: str
    outcome: Outcome = Outcome.FAIL


@dataclass(frozen=True, slots=True)
class Harmless:
    """Must stay a pass."""

    altered: Altered


def bad(
    name: str,
    about: str,
    on: str,
    caught_by: str,
    turns: Alteration = unaltered,
    *,
    code: Callable[[], AbstractContextManager[None]] | None = None,
    votes: Mapping[str, Vote] | None = None,
) -> BadAgent:
    """The usual bad agent: other turns, other code, or both; it must fail by this check."""
    return BadAgent(Altered(name, about, on, turns, code, votes=votes or {}), caught_by)


def harmless(name: str, about: str, on: str, turns: Alteration, *, votes: Mapping[str, Vote] | None = None) -> Harmless:
    """The usual harmless variant: other turns."""
    return Harmless(Altered(name, about, on, turns, votes=votes or {}))


# -- turns --------------------------------------------------------------------------------------------------


def turns_of(recording: Recording) -> Turns:
    """The recorded answers, to be altered. What is neither text nor call (a blocked answer) stays the body it is."""
    return tuple(_turn(turn.response) for turn in recording.turns)


def _turn(body: Mapping[str, object]) -> AuthoredTurn:
    candidates = as_list(body.get("candidates"))
    parts = parts_of(as_object(as_object(candidates[0] if candidates else None).get("content")))
    calls = tuple(
        (str(call.get("name", "")), as_object(call.get("args")))
        for call in (as_object(part.get("functionCall")) for part in parts if "functionCall" in part)
    )
    text = "".join(str(part["text"]) for part in parts if isinstance(part.get("text"), str) and not part.get("thought"))
    return AuthoredTurn(calls, text) if calls or text else AuthoredTurn(body=dict(body))


def turn(*calls: Tried, text: str = "") -> AuthoredTurn:
    """One model turn with these calls."""
    return AuthoredTurn(calls, text)


def say(text: str) -> Tried:
    return SEND, {"text": text}


def notify(text: str, urgency: str = "normal") -> Tried:
    return NOTIFY, {"text": text, "urgency": urgency}


def react(reaction: str, handle: str = "m1") -> Tried:
    return REACT, {"message_id": handle, "reaction": reaction}


def call(name: str, **arguments: object) -> Tried:
    return name, arguments


# -- alterations --------------------------------------------------------------------------------------------


def instead(*turns: AuthoredTurn) -> Alteration:
    """Other turns altogether."""
    return lambda _: turns


def replies(text: str) -> Alteration:
    """The last reply says this."""

    def alter(turns: Turns) -> Turns:
        place, index = _last(turns, SEND)
        return _with_call(turns, place, index, say(text))

    return alter


def words(*pairs: tuple[str, str]) -> Alteration:
    """Words of the replies replaced by others: patterns, matched in any case; each must be found."""

    def alter(turns: Turns) -> Turns:
        for pattern, other in pairs:
            turns, found = _replaced(turns, pattern, other)
            if not found:
                raise DoesNotApply(f"no reply has {pattern!r}")
        return turns

    return alter


def argument(tool: str, name: str, value: object) -> Alteration:
    """The last call of this tool gets another value."""

    def alter(turns: Turns) -> Turns:
        place, index = _last(turns, tool)
        arguments = turns[place].calls[index][1]
        return _with_call(turns, place, index, (tool, {**arguments, name: value}))

    return alter


def also(*calls: Tried, beside: str = SEND, before: bool = False) -> Alteration:
    """More calls in the turn that has the last call of ``beside``."""

    def alter(turns: Turns) -> Turns:
        place, _ = _last(turns, beside)
        old = turns[place].calls
        new = replace(turns[place], calls=(*calls, *old) if before else (*old, *calls))
        return (*turns[:place], new, *turns[place + 1 :])

    return alter


def first(*more: AuthoredTurn) -> Alteration:
    """More turns before the recorded ones."""
    return lambda turns: (*more, *turns)


def then(*more: AuthoredTurn) -> Alteration:
    """More turns after the recorded ones."""
    return lambda turns: (*turns, *more)


def without(tool: str) -> Alteration:
    """No call of this tool; a turn that has nothing else is left out."""

    def alter(turns: Turns) -> Turns:
        _last(turns, tool)
        kept = (replace(each, calls=tuple(one for one in each.calls if one[0] != tool)) for each in turns)
        return tuple(each for each in kept if each.calls or each.text or each.body is not None)

    return alter


def in_place_of(tool: str, *calls: Tried) -> Alteration:
    """The last call of this tool becomes these."""

    def alter(turns: Turns) -> Turns:
        place, index = _last(turns, tool)
        old = turns[place].calls
        new = replace(turns[place], calls=(*old[:index], *calls, *old[index + 1 :]))
        return (*turns[:place], new, *turns[place + 1 :])

    return alter


def swapped() -> Alteration:
    """The calls of the last turn in the opposite order."""

    def alter(turns: Turns) -> Turns:
        if len(turns) == 0 or len(turns[-1].calls) < 2:
            raise DoesNotApply("the last turn has no two calls")
        return (*turns[:-1], replace(turns[-1], calls=turns[-1].calls[::-1]))

    return alter


def both(*alterations: Alteration) -> Alteration:
    """One after the other."""

    def alter(turns: Turns) -> Turns:
        for alteration in alterations:
            turns = alteration(turns)
        return turns

    return alter


def each_reply(change: Callable[[str], str]) -> Alteration:
    """Every reply rewritten; at least one must come out changed."""

    def alter(turns: Turns) -> Turns:
        new = tuple(
            replace(each, calls=tuple(say(change(_text(one))) if one[0] == SEND else one for one in each.calls))
            for each in turns
        )
        if new == turns:
            raise DoesNotApply("no reply is changed by it")
        return new

    return alter


def _last(turns: Turns, tool: str) -> tuple[int, int]:
    """Turn and place of the last call of a tool."""
    for place in range(len(turns) - 1, -1, -1):
        for index in range(len(turns[place].calls) - 1, -1, -1):
            if turns[place].calls[index][0] == tool:
                return place, index
    raise DoesNotApply(f"no turn calls {tool}")


def _with_call(turns: Turns, place: int, index: int, call: Tried) -> Turns:
    old = turns[place].calls
    new = replace(turns[place], calls=(*old[:index], call, *old[index + 1 :]))
    return (*turns[:place], new, *turns[place + 1 :])


def _replaced(turns: Turns, pattern: str, other: str) -> tuple[Turns, int]:
    """With the pattern replaced in every text that is sent, and how often it was found."""
    found = 0

    def changed(one: Tried) -> Tried:
        nonlocal found
        if one[0] != SEND:
            return one
        text, count = re.subn(pattern, lambda _: other, _text(one), flags=re.IGNORECASE)
        found += count
        return say(text)

    new = tuple(replace(each, calls=tuple(changed(one) for one in each.calls)) for each in turns)
    return new, found


def _text(one: Tried) -> str:
    return cast("str", one[1].get("text", ""))
