"""What makes no sense in a scenario although each of its parts does."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from dm_core.errors import Misconfigured
from dm_core.settings import ProcessorSettings, WebhookSettings
from dm_evals.checks.named import Named, Unknown
from dm_evals.reading import nearest
from dm_evals.replay.digests import own_prompt
from dm_evals.scenarios.scenario import Calls, Event, Reply, Scenario, State
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


class _Asked(dict[str, str]):
    """Variables that remember which of them were asked for."""

    def __init__(self, given: Mapping[str, str]) -> None:
        super().__init__(given)
        self.names: set[str] = set()

    def get(self, key: str, default: str | None = None, /) -> str | None:  # type: ignore[override]
        self.names.add(key)
        return super().get(key, default)


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
    """The names a scenario may set, and those it may not: what the settings ask for, so that nothing drifts."""
    asked = _Asked(_stage_variables())
    WebhookSettings.load(asked)
    ProcessorSettings.load(asked)
    fixed = {name for name in asked if name not in FREE_VARIABLES} | MODEL_VARIABLES
    fixed |= {name for name in asked.names if name.startswith(("GOOGLE_", "FIRESTORE_", "SPOND_", "CLOUD_TASKS_"))}
    fixed |= {name for name in asked.names if name.endswith(("_SECRET", "_FILE", "_BASE_URL", "_EMULATOR_HOST"))}
    return frozenset(asked.names - fixed), frozenset(fixed)
