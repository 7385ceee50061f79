"""Settings of a scenario's world that make no sense."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from dm_core.errors import Misconfigured
from dm_core.settings import ProcessorSettings, WebhookSettings
from dm_evals.reading import nearest
from dm_evals.scenarios.problem import Problem
from dm_evals.scenarios.yaml_lines import Place
from dm_sandbox.environment import Addresses, Pace, Platforms, function_environment
from dm_sandbox.platforms.instagram import Instagram
from dm_sandbox.platforms.spond import Spond
from dm_sandbox.platforms.whatsapp import WhatsApp

MODEL_VARIABLES: Final = frozenset(("GEMINI_MODEL", "GEMINI_API_KEY", "MODEL_TIMEOUT_SECONDS"))
FREE_VARIABLES: Final = frozenset(
    ("DEBOUNCE_MIN_SECONDS", "DEBOUNCE_MAX_SECONDS", "WHATSAPP_TEMPLATE", "MANAGER_WHATSAPP_NUMBER")
)
"""Variables the environment sets that a scenario may set otherwise."""


def settings_rules(settings: Mapping[str, str]) -> Iterator[Problem]:
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
