"""``python -m dm_sandbox dev``, and the sandbox's other commands: a Ctrl-C is one line at any moment, not a traceback.

A command's imports take the first half second. Until they are done this module answers a Ctrl-C by itself, so it
imports next to nothing. Nothing has been started by then, and nothing is left.
"""

import io
import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Final, NoReturn, cast

COMMANDS: Final = {
    "dev": "dm_sandbox.dev",
    "demo": "dm_sandbox.demo",
    "chat": "dm_sandbox.line_chat",
    "fuzz": "dm_sandbox.fuzzing.__main__",
    "chaos": "dm_sandbox.chaos.__main__",
    "simulate": "dm_sandbox.simulation.__main__",
}
"""Each command with the module whose ``main()`` it is; it takes its arguments from ``sys.argv``."""
INTERRUPTED: Final = 130
"""The exit code of what a Ctrl-C ended, as shells have it."""


def main() -> int:
    """The command's own exit code; 2 for one that there is not. What a terminal's encoding lacks is a question mark."""
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, io.TextIOWrapper):
            output.reconfigure(errors="replace")
    signal.signal(signal.SIGINT, _stop)
    name = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if name not in COMMANDS:
        print(f"dm_sandbox: {name!r} is no command; there are: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    command = cast("Callable[[], int]", import_module(COMMANDS[name]).main)
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return command()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return INTERRUPTED


def _stop(*_: object) -> NoReturn:
    """Raising would end in the traceback of whatever is being imported."""
    os.write(2, b"stopped\n")
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
