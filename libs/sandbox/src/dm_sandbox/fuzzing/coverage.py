"""Which lines of the core an input reached for the first time; costs nothing for lines that were seen before.

Built on ``sys.monitoring``: each line reports once and is then switched off by the interpreter itself.
"""

import sys
from types import CodeType
from typing import Self

TOOL_ID = 4
"""One of the two numbers that belong to no kind of tool."""


class NewLines:
    """Counts lines of one package. ``seen`` only grows; use as a context manager."""

    def __init__(self, package: str = "dm_core") -> None:
        self.seen = 0
        self._mark = f"/{package}/"

    def __enter__(self) -> Self:
        monitoring = sys.monitoring
        monitoring.use_tool_id(TOOL_ID, "dm-fuzzing")
        monitoring.register_callback(TOOL_ID, monitoring.events.LINE, self._line)
        monitoring.set_events(TOOL_ID, monitoring.events.LINE)
        monitoring.restart_events()
        return self

    def __exit__(self, *_: object) -> None:
        monitoring = sys.monitoring
        monitoring.set_events(TOOL_ID, 0)
        monitoring.register_callback(TOOL_ID, monitoring.events.LINE, None)
        monitoring.free_tool_id(TOOL_ID)

    def _line(self, code: CodeType, _line: int) -> object:
        if self._mark in code.co_filename:
            self.seen += 1
        return sys.monitoring.DISABLE
