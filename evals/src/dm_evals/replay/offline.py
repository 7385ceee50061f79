"""Replays touch no network: any connection or name look-up that is not 127.0.0.1 raises, wherever it comes from.

An audit hook sees every connection Python makes, whichever library makes it; it can't be taken out again, so it is put
in once and only acts while a replay runs.
"""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, cast

_HOME: Final = "127.0.0.1"
_CONNECTS: Final = frozenset(("socket.connect", "socket.sendto", "socket.sendmsg"))
_LOOKS_UP: Final = frozenset(("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"))
_state = {"installed": False, "replays": False}


class NetworkUsed(OSError):
    """A replay tried to leave this machine."""


@contextmanager
def offline() -> Generator[None]:
    """Until it is left, nothing but 127.0.0.1 is reached, in the whole process."""
    if not _state["installed"]:
        sys.addaudithook(_check)
        _state["installed"] = True
    before, _state["replays"] = _state["replays"], True
    try:
        yield
    finally:
        _state["replays"] = before


def _check(event: str, arguments: tuple[object, ...]) -> None:
    if not _state["replays"] or not event.startswith("socket."):
        return
    if event in _CONNECTS:
        host = _host(arguments[1] if len(arguments) > 1 else None)
        if host is not None and host != _HOME:
            raise NetworkUsed(f"a replay must not connect to {host}")
    elif event in _LOOKS_UP and arguments and arguments[0] not in (_HOME, None):
        raise NetworkUsed(f"a replay must not look up {arguments[0]}")


def _host(address: object) -> object:
    """Of an internet address its host; of any other kind (a path) the address."""
    if isinstance(address, tuple):
        return next(iter(cast("tuple[object, ...]", address)), None)
    return address
