"""What makes no sense in a scenario although every key is known."""

from collections.abc import Iterator, Mapping

from dm_evals.checks.named import Named, Unknown
from dm_evals.reading import nearest
from dm_evals.replay.digests import own_prompt
from dm_evals.scenarios.problem import Problem
from dm_evals.scenarios.scenario import Calls, Event, Reply, Scenario, State
from dm_evals.scenarios.world_rules import settings_rules
from dm_evals.scenarios.yaml_lines import Place, Value


def broken_rules(scenario: Scenario, document: Mapping[str, Value]) -> Iterator[Problem]:
    """Everything of this kind; ``document`` is what was written, defaults left out."""
    yield from settings_rules(scenario.world.settings)
    yield from _events(scenario.events)
    yield from _others(scenario)
    yield from _named(scenario)
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
        if event.to is not None and event.to not in named:
            later = ", which comes later" if any(event.to == each.id for each in events) else ""
            yield Problem((*place, "to"), f'no message "{event.to}"{later}{"" if later else nearest(event.to, named)}')
        if event.id is not None:
            if event.id in named:
                yield Problem((*place, "id"), f'two events with the id "{event.id}"')
            named.append(event.id)
    if all(event.during is not None for event in events):
        yield Problem(("events",), "nothing begins: the first DM needs a time, not a turn it happens during")


def _named(scenario: Scenario) -> Iterator[Problem]:
    """Sessions that expectations name are there."""
    try:
        Named.of(scenario, own_prompt().profile.facts, "UTC").resolved(scenario.expect)
    except Unknown as error:
        yield Problem(("expect",), str(error))
