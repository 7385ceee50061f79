"""What the functions logged while one trial was played, kept from the terminal.

The functions write one JSON object a line on stdout. For the tasks of one trial (and only for them: a progress bar in
another thread goes on) stdout is a list. From these lines a defect is known that the retries would hide.
"""

import json
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TextIO, cast

from dm_core.errors import DmAgentError
from dm_sandbox.platforms.server import as_object

_KEPT: ContextVar[list[str] | None] = ContextVar("kept", default=None)
_FAILURES: Final = frozenset(
    ("task_failed", "run_stopped", "run_not_archived", "tick_failed", "job_failed", "request_failed")
)


class _Routed:
    """stdout for everybody else, a list for the tasks of a trial."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        kept = _KEPT.get()
        if kept is None:
            return self._stream.write(text)
        kept.append(text)
        return len(text)

    def flush(self) -> None:
        if _KEPT.get() is None:
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


_users = 0
_before: list[TextIO] = []


@contextmanager
def captured() -> Generator[list[str]]:
    """What is written to stdout by this task, and by every task and server started from here on."""
    global _users
    lines: list[str] = []
    if _users == 0:
        _before.append(sys.stdout)
        sys.stdout = cast("TextIO", _Routed(sys.stdout))
    _users += 1
    token = _KEPT.set(lines)
    try:
        yield lines
    finally:
        _KEPT.reset(token)
        _users -= 1
        if _users == 0:
            mine = isinstance(sys.stdout, _Routed)
            stream = _before.pop()
            if mine:  # somebody else's is left alone
                sys.stdout = stream


def defects(lines: list[str]) -> tuple[str, ...]:
    """Errors in these lines that nobody raised on purpose: a defect of ours, even if a retry mended it."""
    expected = _names(DmAgentError)
    found: list[str] = []
    for line in "".join(lines).splitlines():
        event = _event(line)
        error = str(event.get("error", ""))
        if event.get("message") in _FAILURES and error.partition(" ")[0].partition(":")[0] not in expected:
            found.append(f"{event.get('message')}: {error}")
    return tuple(dict.fromkeys(found))


def _event(line: str) -> Mapping[str, object]:
    try:
        return as_object(json.loads(line))
    except ValueError:
        return {}


def _names(kind: type[BaseException]) -> frozenset[str]:
    return frozenset({kind.__name__}.union(*(_names(below) for below in kind.__subclasses__())))
