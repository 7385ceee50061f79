"""What makes no sense in a scenario's world: settings nobody reads, faults no platform has."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from dm_core.durations import DAY_MS
from dm_core.errors import Misconfigured
from dm_core.settings import ProcessorSettings, WebhookSettings
from dm_evals.reading import nearest
from dm_evals.scenarios.clock import milliseconds
from dm_evals.scenarios.problem import Problem
from dm_evals.scenarios.scenario import PlatformFault, Scenario
from dm_evals.scenarios.yaml_lines import Place
from dm_sandbox.environment import Addresses, Pace, Platforms, function_environment
from dm_sandbox.platforms.faults import FaultKind
from dm_sandbox.platforms.instagram import SENDER_ACTIONS, Instagram
from dm_sandbox.platforms.spond import Spond
from dm_sandbox.platforms.whatsapp import WhatsApp

LONGEST_AGO_MS: Final = 3_650 * DAY_MS

OPERATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "instagram": ("*", "send", *SENDER_ACTIONS, "conversations", "profile", "node", "me"),
    "whatsapp": ("*", "send", "template"),
    "spond": ("*", "login", "sponds", "groups", "profile"),
    "gemini": ("*", "generateContent"),
}
"""The platforms' words for what a request wants (``Platform.operation`` of the sandbox)."""

MODEL_VARIABLES: Final = frozenset(("GEMINI_MODEL", "GEMINI_API_KEY", "MODEL_TIMEOUT_SECONDS"))
FREE_VARIABLES: Final = frozenset(
    ("DEBOUNCE_MIN_SECONDS", "DEBOUNCE_MAX_SECONDS", "WHATSAPP_TEMPLATE", "MANAGER_WHATSAPP_NUMBER")
)
"""Variables the environment sets that a scenario may set otherwise."""


def world_rules(scenario: Scenario) -> Iterator[Problem]:
    """What makes no sense in the world before the first DM."""
    world = scenario.world
    for number, session in enumerate(world.sessions or ()):
        if session.ends <= session.starts:
            yield Problem(("world", "sessions", number, "ends"), "a session must end after it starts")
    for number, past in enumerate(world.history):
        if milliseconds(past.ago) > LONGEST_AGO_MS:
            yield Problem(("world", "history", number, "ago"), f"{past.ago} is more than ten years")
    for number, note in enumerate(world.notes):
        if not note.strip():
            yield Problem(("world", "notes", number), "a note must say something")
    for number, fault in enumerate(world.faults):
        yield from _fault(fault, ("world", "faults", number))
        if fault.platform == "spond" and world.sessions is None:
            yield Problem(("world", "faults", number), "Spond is never asked: sessions is null")
    yield from _settings(world.settings)


def _fault(fault: PlatformFault, place: Place) -> Iterator[Problem]:
    kinds, known = [kind.value for kind in FaultKind], OPERATIONS[fault.platform]
    if fault.kind not in kinds:
        told = f'fault "{fault.kind}" is none of {", ".join(kinds)}{nearest(fault.kind, kinds)}'
        yield Problem((*place, "kind"), told)
    if fault.operation not in known:
        told = f'{fault.platform} has no operation "{fault.operation}"{nearest(fault.operation, known)}'
        yield Problem((*place, "operation"), told)
    if fault.times < 1:
        yield Problem((*place, "times"), "a fault happens at least once")


def _settings(settings: Mapping[str, str]) -> Iterator[Problem]:
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
