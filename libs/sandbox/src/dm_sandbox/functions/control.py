"""What the studio switches in a running function: a small file that both sides know (``CONTROL_FILE``).

The studio writes it whole; a function looks at it before each use of a port. Without the variable nothing is switched.
"""

import json
import os
import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, cast

from dm_core.clock import system_clock

CONTROL_FILE: Final = "DM_SANDBOX_CONTROL"


@dataclass(frozen=True, slots=True)
class Switched:
    """``clock_offset_ms`` is added to every clock. ``store_down`` and ``queue_down``: no call of it is answered.
    ``kill``: the number of the instance's death that is ordered for the next checkpoint, 0 for none."""

    clock_offset_ms: int = 0
    store_down: bool = False
    queue_down: bool = False
    kill: int = 0

    def write(self, path: Path) -> None:
        """Replace the file at once, so that nobody reads half of it."""
        new = path.with_suffix(".new")
        new.write_text(json.dumps(asdict(self)), encoding="utf-8")
        new.replace(path)


class Control:
    """The function's side."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._seen: int = 0
        self._switched = Switched()

    @classmethod
    def of(cls, env: Mapping[str, str]) -> "Control":
        return cls(Path(env[CONTROL_FILE]) if env.get(CONTROL_FILE) else None)

    @property
    def now(self) -> Switched:
        """What is switched at the moment."""
        if self._path is None:
            return self._switched
        try:
            changed = self._path.stat().st_mtime_ns
            if changed != self._seen:
                fields = cast("dict[str, int]", json.loads(self._path.read_text(encoding="utf-8")))
                self._switched, self._seen = Switched(**fields), changed  # pyright: ignore[reportArgumentType]
        except (OSError, ValueError, TypeError):
            return self._switched
        return self._switched

    def clock(self) -> int:
        """Now, in ms since 1970, as switched."""
        return system_clock() + self.now.clock_offset_ms

    def die_if_ordered(self) -> None:
        """End this instance as a crash would, once for each order, however many instances there are."""
        order = self.now.kill
        if not order or self._path is None:
            return
        try:
            self._path.with_suffix(f".killed-{order}").touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)
