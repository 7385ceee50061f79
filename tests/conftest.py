"""What every test stands on: nothing but this machine can be reached, and one Firestore emulator a session."""

import ipaddress
import os
import socket
from collections.abc import Callable, Iterator
from typing import NoReturn, cast

import pytest
from hypothesis import settings

from dm_sandbox.firestore_emulator import EmulatorUnavailable, find_emulator, firestore_emulator

settings.register_profile("suite", deadline=None)  # no test is a measure of this machine's speed
settings.load_profile("suite")


def _is_local(address: object) -> bool:
    """A path of a Unix socket, or a loopback host."""
    if not isinstance(address, tuple):
        return True
    host = str(cast("tuple[object, ...]", address)[0])
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Refuse every connection and look-up that leaves this machine, and hide the developer's own credentials."""
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def check(address: object) -> None:
        if not _is_local(address):
            pytest.fail(f"a test tried to reach the network: {address!r}")

    def guarded_connect(self: socket.socket, address: "socket._Address") -> None:  # pyright: ignore[reportPrivateUsage]
        check(address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: "socket._Address") -> int:  # pyright: ignore[reportPrivateUsage]
        check(address)
        return connect_ex(self, address)

    def guarded_getaddrinfo(
        host: bytes | str | None, port: bytes | str | int | None, *rest: int, **named: int
    ) -> object:
        check((host.decode() if isinstance(host, bytes) else host or "",))
        return getaddrinfo(host, port, *rest, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
        # gRPC opens its sockets itself, so Google's clients are kept at home by having no way to sign in.
        patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent/credentials.json")
        patch.setenv("NO_GCE_CHECK", "true")
        for name in ("no_proxy", "NO_PROXY"):  # a developer's proxy can't reach this machine
            patch.setenv(name, "localhost,127.0.0.1")
        yield


@pytest.fixture(scope="session")
def missing() -> Callable[[str], NoReturn]:
    """``missing(hint)`` ends a test that needs what is not installed: fails it where ``CI`` is set, else skips it."""

    def end(hint: str) -> NoReturn:
        if os.environ.get("CI"):
            pytest.fail(hint)
        pytest.skip(hint)

    return end


@pytest.fixture(scope="session")
def emulator_installed(missing: Callable[[str], NoReturn]) -> None:
    """Google's Firestore emulator can be started."""
    try:
        find_emulator()
    except EmulatorUnavailable as error:
        missing(str(error))


@pytest.fixture(scope="session")
def firestore_host(no_network: None, emulator_installed: None) -> Iterator[str]:
    """``host:port`` of Google's Firestore emulator; each test uses a project id of its own."""
    with firestore_emulator() as host:
        yield host
