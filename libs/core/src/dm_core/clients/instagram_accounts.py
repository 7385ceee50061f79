"""The Instagram accounts of a deployment: one client each, over the same connections."""

from collections.abc import Mapping

from dm_core.clients.http import HttpClient
from dm_core.clients.instagram import InstagramClient
from dm_core.clock import Clock
from dm_core.errors import AccountStopped
from dm_core.settings import InstagramSettings
from dm_core.telemetry import emit


class InstagramClients:
    """Keeps ``clients.port.InstagramAccounts``."""

    def __init__(self, settings: InstagramSettings, clock: Clock, *, http: HttpClient | None = None) -> None:
        self._http = http or HttpClient(clock=clock)
        self._clients = {each: InstagramClient(one, self._http) for each, one in settings.of_each().items()}
        self._for_all = None if settings.names_accounts else self._clients[settings.node]

    def of(self, account_id: str) -> InstagramClient:
        """The client of this account. Raises AccountStopped when INSTAGRAM_ACCESS_TOKEN names others only."""
        client = self._for_all or self._clients.get(account_id)
        if client is None:
            emit("account_without_token", "ERROR", accountId=account_id)
            raise AccountStopped("Instagram: INSTAGRAM_ACCESS_TOKEN has no token for the account that was written to")
        return client

    def each(self) -> Mapping[str, InstagramClient]:
        """Every client, by its account's id; that of a plain token by INSTAGRAM_PAGE_ID."""
        return self._clients

    async def close(self) -> None:
        """Release connections."""
        await self._http.close()
