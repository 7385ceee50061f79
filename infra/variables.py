"""The functions' environment variables as the program knows them: who reads which secret, and what may be tuned.

All of it is dm_core's own table of settings, read by its path: the program never imports what it deploys.
"""

import sys
from collections.abc import Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Final, Literal, Protocol, cast

TABLE: Final = Path(__file__).parents[1] / "libs/core/src/dm_core/settings/table.py"

Function = Literal["webhook", "processor"]


class Setting(Protocol):
    """What the program uses of a row of the table, which says what each of it means."""

    @property
    def name(self) -> str: ...
    @property
    def default(self) -> object: ...
    @property
    def functions(self) -> tuple[Function, ...]: ...
    @property
    def bounds(self) -> tuple[float, float] | None: ...
    @property
    def set_by(self) -> str: ...
    @property
    def instead(self) -> str: ...
    def problem(self, value: str) -> str | None: ...


def read_table(path: Path = TABLE) -> dict[str, Setting]:
    """The table's settings by name. Raises ImportError."""
    spec = spec_from_file_location("settings_table", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} can't be read")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return {setting.name: setting for setting in cast("tuple[Setting, ...]", module.SETTINGS)}


SETTINGS: Final = read_table()


def _secrets(*, with_another_instead: bool) -> dict[str, Function]:
    return {
        name: setting.functions[0]
        for name, setting in SETTINGS.items()
        if setting.set_by == "secret" and bool(setting.instead) is with_another_instead
    }


SECRETS: Final[Mapping[str, Function]] = _secrets(with_another_instead=False)
"""Every secret variable that has no default, and the one function that reads it."""

OPTIONAL_SECRETS: Final[Mapping[str, Function]] = _secrets(with_another_instead=True)
"""Their containers are always there; a function reads one where its version is pinned, else Instagram's serves. With
the Instagram login WhatsApp's webhook is signed with another secret than Instagram's: there the first is needed."""

ALL_SECRETS: Final[Mapping[str, Function]] = {**SECRETS, **OPTIONAL_SECRETS}

MODEL_KEY: Final = "GEMINI_API_KEY"
SPOND_SECRETS: Final = ("SPOND_USERNAME", "SPOND_PASSWORD")
REFRESHED: Final = "INSTAGRAM_ACCESS_TOKEN"
"""The processor adds versions to this one when it refreshes the token; the latest counts."""

TUNINGS: Final[Mapping[str, Setting]] = {n: setting for n, setting in SETTINGS.items() if setting.set_by == "stack"}
"""What ``dm-agent:settings`` may hold. Timeouts and the lease are not here: they follow from the function's timeout."""

DEFAULT_MODEL: Final = cast("str", TUNINGS["GEMINI_MODEL"].default)
"""Where it is offered decides which locations a stack may name."""

DEFAULT_ATTEMPTS: Final = cast("int", TUNINGS["MAX_ATTEMPTS"].default)
"""The queue's retries are computed from it."""

MOST_SHARDS: Final = int(cast("tuple[float, float]", SETTINGS["QUEUE_SHARDS"].bounds)[1])


def secret_id(prefix: str, variable: str) -> str:
    """The container's name in Secret Manager: ``dm-instagram-app-secret``."""
    return f"{prefix}-{variable.lower().replace('_', '-')}"


def tuned(settings: Mapping[str, str], function: Function) -> dict[str, str]:
    """The part of a stack's settings that a function reads."""
    return {name: value for name, value in settings.items() if function in TUNINGS[name].functions}
