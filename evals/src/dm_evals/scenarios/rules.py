"""What makes no sense in a scenario although every key is known."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from dm_core.durations import DAY_MS
from dm_evals.reading import nearest
from dm_evals.replay.events import POINTING
from dm_evals.scenarios.clock import milliseconds
from dm_evals.scenarios.expectation_rules import expectation_rules
from dm_evals.scenarios.problem import Problem
from dm_evals.scenarios.scenario import Calls, Event, EventKind, Reply, Scenario, State
from dm_evals.scenarios.world_rules import world_rules
from dm_evals.scenarios.yaml_lines import Place, Value

LONGEST_AT_MS: Final = 30 * DAY_MS

WRITTEN: Final = frozenset(
    (
        EventKind.SAY,
        EventKind.STORY_REPLY,
        EventKind.TAP,
        EventKind.PRESS,
        EventKind.EDIT,
        EventKind.HUMAN,
        EventKind.AUTOMATIC,
    )
)
"""Kinds that have a text; PHOTO and SHARE may have one, the others have none."""
_MAY_HAVE_FILES: Final = frozenset(
    (
        EventKind.PHOTO,
        EventKind.VOICE,
        EventKind.VIDEO,
        EventKind.SHARE,
        EventKind.STORY_MENTION,
        EventKind.STORY_REPLY,
    )
)
_MAY_HAVE_TEXT: Final = WRITTEN | {EventKind.PHOTO, EventKind.SHARE}


def broken_rules(scenario: Scenario, document: Mapping[str, Value]) -> Iterator[Problem]:
    """Everything of this kind; ``document`` is what was written, defaults left out."""
    for number, tag in enumerate(scenario.tags):
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", tag) or tag in scenario.tags[:number]:
            yield Problem(("tags", number), f'tag "{tag}" must be of a-z, 0-9, _ and -, and stand there once')
    yield from world_rules(scenario)
    yield from _events(scenario.events)
    yield from _others(scenario)
    yield from expectation_rules(scenario)
    if not _says_something(scenario):
        place: Place = ("expect",) if "expect" in document else ()
        yield Problem(place, "expects nothing: say something in calls, state, reply or rubric")


def _others(scenario: Scenario) -> Iterator[Problem]:
    """Everybody who writes is there, and everybody who is there writes."""
    for number, event in enumerate(scenario.events):
        if event.by is not None and event.by not in scenario.others:
            told = f'"{event.by}" is none of the others{nearest(event.by, scenario.others)}'
            yield Problem(("events", number, "by"), told)
    for name in scenario.expect.others:
        if name not in scenario.others:
            told = f'"{name}" is none of the others{nearest(name, scenario.others)}'
            yield Problem(("expect", "others", name), told)
    for name in scenario.others:
        if name not in {event.by for event in scenario.events}:
            yield Problem(("others", name), f"{name} writes nothing: take {name} out, or write an event by {name}")


def _says_something(scenario: Scenario) -> bool:
    """The limits alone are no expectation: a crash at once keeps every limit."""
    expect = scenario.expect
    calls = expect.calls.model_copy(update={"ordered": False})
    return bool(
        calls != Calls() or expect.state != State() or expect.reply != Reply() or expect.rubric or expect.others
    )


def _events(events: tuple[Event, ...]) -> Iterator[Problem]:
    named: list[str] = []
    for number, event in enumerate(events):
        place: Place = ("events", number)
        for told in _event(event):
            yield Problem(place, told)
        if event.to is not None and event.to not in named:
            later = ", which comes later" if any(event.to == each.id for each in events) else ""
            yield Problem((*place, "to"), f'no message "{event.to}"{later}{"" if later else nearest(event.to, named)}')
        if event.id is not None:
            if event.id in named:
                yield Problem((*place, "id"), f'two events with the id "{event.id}"')
            named.append(event.id)
    if all(event.during is not None for event in events):
        yield Problem(("events",), "nothing begins: the first DM needs a time, not a turn it happens during")


def _event(event: Event) -> Iterator[str]:
    kind = event.kind
    if kind in WRITTEN and not event.text.strip():
        yield f"{kind} needs a text"
    if kind not in _MAY_HAVE_TEXT and event.text:
        yield f"{kind} has no text"
    if kind not in _MAY_HAVE_FILES and event.files:
        yield f"{kind} has no files"
    if event.to is None and kind in (EventKind.UNSEND, EventKind.EDIT):
        yield f'{kind} needs "to": the id of the message it is about'
    if event.to is not None and kind not in POINTING:
        yield f"{kind} points to no message"
    if event.repeat > 1 and kind is not EventKind.SAY:
        yield f"only say can be repeated, not {kind}"
    if event.id is not None and kind in (EventKind.UNSEND, EventKind.EDIT):
        yield f"{kind} is no message and has no id"
    if event.during is not None and "at" in event.model_fields_set:
        yield "at or during, not both"
    if milliseconds(event.at) > LONGEST_AT_MS:
        yield f"{event.at} is more than 30 days"
