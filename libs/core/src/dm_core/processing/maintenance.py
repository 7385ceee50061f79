"""What the scheduler asks for besides sweeping: a fresh Instagram token, and a look at what ends silently.

Meta stops delivering without a word: an Instagram Login token dies after 60 days, an hour of failing webhooks may
unsubscribe the account (facts/meta.md sections 2.3 and 5).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dm_core.clients.port import Instagram, TokenVault
from dm_core.clock import Clock
from dm_core.errors import DmAgentError, PlatformError
from dm_core.messages import DAY_MS
from dm_core.settings import Flavor
from dm_core.store.port import DocumentStore
from dm_core.telemetry import emit

NEEDED_FIELDS = frozenset({"messages"})
TOKEN_WARNING_DAYS = 20


@dataclass(slots=True)
class Maintenance:
    """Token and watchdog of one account. ``protect`` is told of every token that comes into use."""

    instagram: Instagram
    vault: TokenVault
    documents: DocumentStore
    clock: Clock
    flavor: Flavor
    protect: Callable[[str], None]
    loaded: bool = False

    async def load_token(self) -> None:
        """Use the newest kept token, once an instance; without one the configured token stays in use."""
        if self.loaded:
            return
        self.loaded = True
        try:
            token = await self.vault.load()
        except DmAgentError as error:
            self.loaded = False
            emit("token_load_failed", "ERROR", error=type(error).__name__)
            return
        if token:
            self._use(token)

    async def refresh_token(self) -> dict[str, object]:
        """Exchange the token, keep the new one, then use it. Raises PlatformError, Misconfigured, StoreUnavailable."""
        if self.flavor == "page":
            return {"status": "not_needed", "reason": "page tokens are not refreshed"}
        now = self.clock()
        token = await self.instagram.refresh_token(now)
        await self.vault.save(token)
        self._use(token.value)
        await self.documents.put_document("maintenance", "token", {"refreshedAt": now, "expiresAt": token.expires_at})
        emit("token_refreshed", expiresInDays=(token.expires_at - now) // DAY_MS)
        return {"status": "refreshed", "expiresAt": token.expires_at}

    async def check(self) -> dict[str, object]:
        """Subscribed fields, the last webhook seen, the token's age; ``problems`` says what a person should mend."""
        now = self.clock()
        problems: list[str] = []
        fields = await self._fields(problems)
        last = await self.documents.last_inbound_at()
        token = await self.documents.get_document("maintenance", "token")
        expires_at = _expiry(token)
        if expires_at is not None and expires_at - now < TOKEN_WARNING_DAYS * DAY_MS:
            problems.append(f"the Instagram token ends in {max(0, expires_at - now) // DAY_MS} days")
        emit("checked", "ERROR" if problems else "INFO", problems=problems)
        return {
            "status": "problems" if problems else "ok",
            "problems": problems,
            "subscribedFields": list(fields) if fields is not None else None,
            "lastInboundAt": last,
            "tokenExpiresAt": expires_at,
        }

    def _use(self, token: str) -> None:
        self.protect(token)
        self.instagram.use_token(token)

    async def _fields(self, problems: list[str]) -> tuple[str, ...] | None:
        try:
            fields = await self.instagram.subscribed_fields()
        except PlatformError as error:
            problems.append(f"the subscription could not be read ({type(error).__name__} {error.code})")
            return None
        missing = NEEDED_FIELDS - set(fields)
        if missing:
            problems.append(f"the account is not subscribed to: {', '.join(sorted(missing))}")
        return fields


def _expiry(token: Mapping[str, object] | None) -> int | None:
    value = token.get("expiresAt") if token else None
    return value if isinstance(value, int) else None
