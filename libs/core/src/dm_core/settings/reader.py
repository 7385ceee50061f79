"""Reads variables one by one and remembers what is wrong with them. No value is ever shown: it may be a secret."""

import math
import re
from collections.abc import Callable, Mapping
from typing import cast
from urllib.parse import urlsplit

from dm_core.errors import Misconfigured


class Reader:
    """Reads variables and remembers what is wrong with them."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._problems: list[str] = []

    def optional(self, name: str) -> str | None:
        value = self._env.get(name, "").strip()
        return value or None

    def text(self, name: str, default: str | None = None, pattern: str = "", hint: str = "") -> str:
        value = self.optional(name) or default
        if value is None:
            self.problem(name, "is missing")
            return ""
        if pattern and not re.fullmatch(pattern, value):
            self.problem(name, hint)
        return value

    def texts(self, name: str, default: str | None = None) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.text(name, default).split(",") if part.strip())

    def url(self, name: str, default: str | None = None) -> str:
        value = self.text(name, default)
        if value:
            try:
                parts = urlsplit(value)
                printable = re.fullmatch(r"[\x21-\x7e]+", value) is not None
                valid = printable and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
            except ValueError:
                valid = False
            if not valid:
                self.problem(name, "must be an http(s) URL")
        return value

    def base_url(self, name: str, default: str) -> str:
        """An address that paths are appended to: without a slash at its end."""
        return self.url(name, default).rstrip("/")

    def number(self, name: str, default: float, minimum: float, maximum: float) -> float:
        raw = self.optional(name)
        if raw is None:
            return default
        try:
            value = float(raw)
        except ValueError:
            value = math.nan
        if not minimum <= value <= maximum:
            self.problem(name, f"must be a number from {minimum:g} to {maximum:g}")
            return default
        return value

    def whole(self, name: str, default: int, minimum: int, maximum: int) -> int:
        raw = self.optional(name)
        if raw is not None and not re.fullmatch(r"[0-9]{1,12}", raw):
            self.problem(name, f"must be a whole number from {minimum} to {maximum}")
            return default
        return int(self.number(name, default, minimum, maximum))

    def choice[T: str](self, name: str, default: T, choices: tuple[T, ...]) -> T:
        value = self.optional(name) or default
        if value not in choices:
            self.problem(name, f"must be {' or '.join(choices)}")
            return default
        return cast("T", value)

    def flag(self, name: str) -> bool:
        value = (self.optional(name) or "false").lower()
        if value not in ("true", "false", "1", "0"):
            self.problem(name, "must be true or false")
        return value in ("true", "1")

    def problem(self, name: str, what: str) -> None:
        self._problems.append(f"{name} {what}")

    def done[S](self, function: str, build: Callable[[], S]) -> S:
        if self._problems:
            raise Misconfigured(f"{function} cannot start: {'; '.join(dict.fromkeys(self._problems))}")
        return build()
