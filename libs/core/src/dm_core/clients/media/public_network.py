"""Connections to public IP addresses only, and to the very address that was checked.

A name can lead to one address when it is checked and to another when it is connected to
(https://github.com/seangalliher/ProbOS/issues/1285), and guards take ``::ffff:127.0.0.1`` or ``2002:7f00:1::`` for
public (https://github.com/qhkm/zeptoclaw/pull/105).
"""

import asyncio
import ssl
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, cast

import httpcore2

from dm_core.clients.addresses import MAX_ADDRESSES, Resolve, resolve

_ROUTED_V6: Final = IPv6Network("2000::/3")
"""All of IPv6 that is routed to the public today; what translates to IPv4 is elsewhere, or refused below."""


def is_public(address: str) -> bool:
    """Whether an IP address is a host's on the public internet: neither private, local, multicast or reserved, nor one
    that stands for an IPv4 address in IPv6."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    match ip:
        case IPv4Address():
            return ip.is_global and not ip.is_multicast and not ip.is_reserved
        case IPv6Address():
            embeds = ip.ipv4_mapped or ip.sixtofour or ip.teredo
            return not embeds and ip in _ROUTED_V6 and ip.is_global and ip.scope_id is None


class NotPublic(OSError):
    """A host has an address that is not public."""


class PublicBackend(httpcore2.AsyncNetworkBackend):
    """Connects to the address that was checked. The pool above still speaks to the host by its name: TLS checks the
    certificate for it, and ``Host`` says it."""

    def __init__(self, resolver: Resolve = resolve, sockets: httpcore2.AsyncNetworkBackend | None = None) -> None:
        self._resolve = resolver
        self._sockets = sockets or cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Raises NotPublic if one of the host's addresses is not public, httpcore2.ConnectError, ConnectTimeout."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
        except TimeoutError:
            raise httpcore2.ConnectTimeout("the name was not resolved in time") from None
        except OSError as error:
            raise httpcore2.ConnectError("the name was not resolved") from error
        if not addresses or not all(map(is_public, addresses)):
            raise NotPublic("the host's address is not public")
        *others, last = addresses[:MAX_ADDRESSES]
        for address in others:
            with suppress(httpcore2.ConnectError, httpcore2.ConnectTimeout):
                return await self._sockets.connect_tcp(address, port, timeout, local_address, socket_options)
        return await self._sockets.connect_tcp(last, port, timeout, local_address, socket_options)


def connections(
    backend: httpcore2.AsyncNetworkBackend | None, context: ssl.SSLContext | None
) -> httpcore2.AsyncConnectionPool:
    """A pool for media: few connections, none kept for long, and nothing taken from the environment (no proxy)."""
    return httpcore2.AsyncConnectionPool(
        ssl_context=context,
        max_connections=16,
        max_keepalive_connections=4,
        keepalive_expiry=15,
        network_backend=backend,
    )
