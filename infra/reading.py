"""Reads configuration values and remembers everything that is wrong, each with what to write where."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import cast

NAMESPACE = "dm-agent"
"""The Pulumi project's name, and so the prefix of every key."""


class ConfigurationError(Exception):
    """The stack's configuration can't be deployed. The message has a line for each of ``problems``."""

    def __init__(self, stack: str, problems: Iterable[str]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(f"stack {stack} can't be deployed, {len(self.problems)} to fix:{lines}")


class Reader:
    """Values by key, without the namespace. Never prints a value: somebody may have put a secret there."""

    def __init__(self, values: Mapping[str, str], stack: str) -> None:
        self._values = values
        self._stack = stack
        self._asked: set[str] = set()
        self._problems: list[str] = []
        self._faulty: set[str] = set()

    def is_faulty(self, key: str) -> bool:
        """Whether something is wrong with a key already. What follows from that alone is no second problem: whoever
        mends it as told would change what was right."""
        return key in self._faulty

    def optional(self, key: str) -> str | None:
        """A value without the spaces around it, or None."""
        self._asked.add(key)
        return self._values.get(key, "").strip() or None

    def text(self, key: str, default: str | None, pattern: str, meant: str, example: str) -> str:
        """A value of a shape; without a default it is required."""
        value = self.optional(key) or default
        if value is None:
            self.problem(key, f"is missing: {meant}", example)
            return ""
        if not re.fullmatch(pattern, value):
            self.problem(key, f"is not {meant}", example)
        return value

    def choice(self, key: str, default: str, choices: tuple[str, ...]) -> str:
        value = self.optional(key) or default
        if value not in choices:
            self.problem(key, f"must be {' or '.join(choices)}", default)
            return default
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        word = "true" if default else "false"
        return self.choice(key, word, ("true", "false")) == "true"

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number, the bounds included."""
        raw = self.optional(key)
        if raw is None:
            return default
        if not re.fullmatch(r"[0-9]{1,9}", raw) or not low <= int(raw) <= high:
            self.problem(key, f"must be a whole number from {low} to {high}", str(default))
            return default
        return int(raw)

    def texts(self, key: str) -> tuple[str, ...]:
        """Words with commas between; one that is a list in the stack's file arrives as JSON."""
        raw = self.optional(key) or ""
        try:
            parts = [_scalar(each) for each in cast("list[object]", json.loads(raw))] if raw.startswith("[") else None
        except ValueError:
            parts = None
        return tuple(part.strip() for part in (raw.split(",") if parts is None else parts) if part.strip())

    def mapping(self, key: str, example: str) -> dict[str, str]:
        """A structured value (``pulumi config set --path``); it arrives as JSON. Scalars become their text."""
        raw = self.optional(key)
        try:
            found: object = json.loads(raw) if raw else {}
        except ValueError:
            found = None
        if not isinstance(found, dict):
            self.problem(key, "must be a map", f"{example}", path=True)
            return {}
        items = cast("dict[str, object]", found)
        return {name: _scalar(value) for name, value in items.items()}

    def problem(self, key: str, what: str, example: str, *, path: bool = False) -> None:
        """Note a problem with a key. ``example``: the value to write, or with ``path`` ``.name value``."""
        self._faulty.add(key)
        flag, gap = ("--path ", "") if path else ("", " ")
        command = f"pulumi config set {flag}{NAMESPACE}:{key}{gap}{example} --stack {self._stack}"
        self._problems.append(f"{NAMESPACE}:{key} {what} ({command})")

    def other(self, problem: str) -> None:
        """Note a problem that is not one key's."""
        self._problems.append(problem)

    def done(self) -> None:
        """Raises ConfigurationError if anything was wrong, or if a key was given that nobody asked for."""
        for key in sorted(set(self._values) - self._asked):
            near = difflib.get_close_matches(key, self._asked, 1)
            hint = f"did you mean {NAMESPACE}:{near[0]}? " if near else ""
            command = f"pulumi config rm {NAMESPACE}:{key} --stack {self._stack}"
            self._problems.append(f"{NAMESPACE}:{key} is not a key of this program ({hint}{command})")
        if self._problems:
            raise ConfigurationError(self._stack, self._problems)


def _scalar(value: object) -> str:
    """JSON's true and 3 as the words a person wrote; null is what YAML makes of nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.strip() if isinstance(value, str) else json.dumps(value)
