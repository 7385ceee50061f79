"""The addresses of a host, in the order in which they are tried."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

MAX_ADDRESSES: Final = 3
"""Most addresses of a host that are tried, one after the other."""

type Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The IP addresses of a host, for a port. Raises OSError."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """By the system's name service; IPv4 first, because Cloud Run has no way out by IPv6."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = dict.fromkeys(str(address[0]) for _, _, _, _, address in found)
    return sorted(addresses, key=lambda address: ":" in address)
