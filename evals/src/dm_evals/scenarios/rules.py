"""What makes no sense in a scenario although each of its parts does."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from dm_core.errors import Misconfigured
from dm_core.settings import ProcessorSettings, WebhookSettings
from dm_core.settings.table import SETTINGS
from dm_evals.checks.named import Named, Unknown
from dm_evals.reading import nearest
from dm_evals.replay.digests import own_prompt
from dm_evals.scenarios.scenario import Event, Expectations, Limits, Scenario
from dm_evals.scenarios.yaml_lines import Place, Value
from dm_sandbox.environment import Addresses, Pace, Platforms, function_environment
from dm_sandbox.platforms.instagram import Instagram
from dm_sandbox.platforms.spond import Spond
from dm_sandbox.platforms.whatsapp import WhatsApp

MODEL_VARIABLES: Final = frozenset(("GEMINI_MODEL", "GEMINI_API_KEY", "MODEL_TIMEOUT_SECONDS"))
FREE_VARIABLES: Final = frozenset(
    ("DEBOUNCE_MIN_SECONDS", "DEBOUNCE_MAX_SECONDS", "WHATSAPP_TEMPLATE", "MANAGER_WHATSAPP_NUMBER")
)
"""Variables the environment sets that a scenario may set otherwise."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and the way to where it stands."""

    place: Place
    message: str


def broken_rules(scenario: Scenario, document: Mapping[str, Value]) -> Iterator[Problem]:
    """Everything of this kind; ``document`` is what was written, defaults left out."""
    yield from _settings_rules(scenario.world.settings)
    yield from _events(scenario.events)
    yield from _others(scenario)
    yield from _named(scenario)
    without = scenario.expect.model_copy(update={"limits": Limits(), "changed": {}})
    if without == Expectations():  # the limits alone are no expectation: a crash at once keeps every limit
        place: Place = ("expect",) if "expect" in document else ()
        yield Problem(place, "expects nothing: say something in calls, state, reply or rubric")


def _others(scenario: Scenario) -> Iterator[Problem]:
    """Everybody who writes is there, and everybody who is there writes."""
    named: list[tuple[Place, str | None]] = [
        *((("events", number, "by"), event.by) for number, event in enumerate(scenario.events)),
        *((("expect", "others", name), name) for name in scenario.expect.others),
    ]
    for place, name in named:
        if name is not None and name not in scenario.others:
            yield Problem(place, f'"{name}" is none of the others{nearest(name, scenario.others)}')
    for name in scenario.others.keys() - {event.by for event in scenario.events}:
        yield Problem(("others", name), f"{name} writes nothing: take {name} out, or write an event by {name}")


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


def _settings_rules(settings: Mapping[str, str]) -> Iterator[Problem]:
    """What no function reads, what the environment sets, and what the functions refuse."""
    free, fixed = _variables()
    for name in settings:
        place: Place = ("world", "settings", name)
        if name in fixed:
            yield Problem(place, f"{name} is set by the environment and can't be set here")
        elif name not in free:
            yield Problem(place, f"unknown setting {name}{nearest(name, free) or nearest(name.upper(), free)}")
    for load in (WebhookSettings.load, ProcessorSettings.load):
        try:
            load({**_stage_variables(), **{name: value for name, value in settings.items() if name in free}})
        except Misconfigured as error:
            told = str(error).partition("cannot start: ")[2]
            named = next((name for name in settings if told.startswith(name)), None)
            yield Problem(("world", "settings", named) if named else ("world", "settings"), told)


@cache
def _stage_variables() -> Mapping[str, str]:
    """What a environment sets, with addresses that lead nowhere."""
    nowhere = "http://127.0.0.1:9"
    platforms = Platforms(Instagram(), WhatsApp(), Spond())
    addresses = Addresses(nowhere, "127.0.0.1:9", "firestore:", gemini=nowhere)
    env = function_environment(platforms, addresses, Pace(), {"GEMINI_API_KEY": "key"}, {})
    return {name: nowhere if name.endswith("_BASE_URL") else value for name, value in env.items()}


@cache
def _variables() -> tuple[frozenset[str], frozenset[str]]:
    """The names a scenario may set, and those it may not."""
    given, names = _stage_variables(), {setting.name for setting in SETTINGS}
    fixed = {name for name in given if name not in FREE_VARIABLES} | MODEL_VARIABLES
    fixed |= {name for name in names if name.startswith(("GOOGLE_", "FIRESTORE_", "SPOND_", "CLOUD_TASKS_"))}
    fixed |= {name for name in names if name.endswith(("_SECRET", "_FILE", "_BASE_URL", "_EMULATOR_HOST"))}
    return frozenset(names - fixed), frozenset(fixed)
