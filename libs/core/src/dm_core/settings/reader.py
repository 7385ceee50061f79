"""Reads the settings of a function from its environment and remembers what is wrong with them."""

from collections.abc import Callable, Mapping
from typing import Any

from dm_core.errors import Misconfigured
from dm_core.settings.table import SETTINGS, Function, Setting


class Reader:
    """One function's environment. No value is ever shown: it may be a secret."""

    def __init__(self, env: Mapping[str, str], function: Function) -> None:
        self._env = env
        self._function = function
        self._problems: list[str] = []

    def is_set(self, setting: Setting[Any]) -> bool:
        return bool(self._text(setting))

    def read[T](self, setting: Setting[T]) -> T:
        """The value, or the default where there is none or it is not allowed."""
        text = self._text(setting)
        if not text:
            if self._function in setting.required:
                self.problem(setting, "is missing")
            return setting.default
        if (pasted := setting.pasted_with(text)) is not None:
            self.problem(setting, pasted)
            return setting.default
        try:
            return setting.parse(text)
        except ValueError as error:
            self.problem(setting, str(error))
            return setting.default

    def base_url(self, setting: Setting[str]) -> str:
        """An address that paths are appended to: without a slash at its end."""
        return self.read(setting).rstrip("/")

    def problem(self, setting: Setting[Any], what: str) -> None:
        self._problems.append(f"{setting.name} {what}")

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with what was read so far, each once."""
        return tuple(dict.fromkeys(self._problems))

    def done[S](self, build: Callable[[], S]) -> S:
        """What ``build`` makes, unless there were problems; a setting that nothing uses yet is checked too.

        Raises Misconfigured with one line that names each.
        """
        for setting in SETTINGS:
            if self._function in setting.functions:
                self.read(setting)
        if self._problems:
            raise Misconfigured(f"the {self._function} cannot start: {'; '.join(self.problems)}")
        return build()

    def _text(self, setting: Setting[Any]) -> str:
        """Without white space around it, and without the mark that Windows puts before a file's first character."""
        return self._env.get(setting.name, "").strip().strip("\ufeff\u200b").strip()
