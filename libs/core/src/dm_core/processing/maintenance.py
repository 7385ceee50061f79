"""What the scheduler asks for besides sweeping: a fresh Instagram token, and a look at what ends silently.

Meta stops delivering without a word: an Instagram Login token dies after 60 days
(docs/platforms/instagram.md#tokens-and-subscription), an hour of failing webhooks may unsubscribe the account
(docs/platforms/instagram.md#delivery).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dm_core.alerts import ManagerContact
from dm_core.clients.port import AccessToken, Instagram, InstagramAccounts, WhatsApp
from dm_core.clients.token_renewal import InstagramTokens
from dm_core.clock import Clock
from dm_core.durations import DAY_MS
from dm_core.errors import PlatformError, described
from dm_core.settings import InstagramSettings
from dm_core.store.port import AlertStore, DocumentStore
from dm_core.telemetry import emit

NEEDED_FIELDS = frozenset({"messages"})
TAPS = "messaging_postbacks"
TOKEN_WARNING_DAYS = 20


@dataclass(slots=True)
class Maintenance:
    """Tokens and watchdog of the accounts."""

    instagram: InstagramAccounts
    tokens: InstagramTokens
    documents: DocumentStore
    clock: Clock
    settings: InstagramSettings
    whatsapp: WhatsApp
    alerts: AlertStore

    async def refresh_token(self) -> dict[str, object]:
        """Exchange each account's token, keep the new ones, then use them.

        One that fails stops no other; the first failure is raised in the end. Raises PlatformError, Misconfigured,
        Unavailable.
        """
        if self.settings.flavor == "page":
            return {"status": "not_needed", "reason": "page tokens are not refreshed"}
        await self.tokens.ensure()
        now, accounts = self.clock(), self.instagram.each()
        tokens, failures = await self._refreshed(accounts, now)
        if tokens:
            await self.tokens.keep({account_id: token.value for account_id, token in tokens.items()})
        for account_id, token in tokens.items():
            record = {"refreshedAt": now, "expiresAt": token.expires_at}
            await self.documents.put_document("maintenance", self._record(account_id), record)
            emit("token_refreshed", accountId=account_id, expiresInDays=(token.expires_at - now) // DAY_MS)
        if failures:
            raise failures[0]
        return {"status": "refreshed", "expiresAt": min(token.expires_at for token in tokens.values())}

    async def check(self) -> dict[str, object]:
        """Subscribed fields, the last webhook seen, the tokens' age, and whether the manager can be reached;
        ``problems`` says what a person should mend.

        Of several accounts: the fields that all are subscribed to, the token that ends first, and problems by account.
        """
        await self.tokens.ensure()
        checked = [await self._checked(account_id, account) for account_id, account in self.instagram.each().items()]
        last = await self.documents.last_inbound_at()
        problems = [problem for each in checked for problem in each.problems]
        manager = await manager_problems(self.whatsapp)
        contact = await self.alerts.manager_contact()
        problems += manager
        warnings = [*(warning for each in checked for warning in each.warnings), *_warnings(self.whatsapp, contact)]
        severity = "ERROR" if problems else "WARNING" if warnings else "INFO"
        emit("checked", severity, problems=problems, warnings=warnings)
        return {
            "status": "problems" if problems else "ok",
            "problems": problems,
            "warnings": warnings,
            "subscribedFields": _common([each.fields for each in checked]),
            "lastInboundAt": last,
            "managerReachable": not manager,
            "lastStatusAt": contact.status_seen_at,
            "tokenExpiresAt": min((each.ends_at for each in checked if each.ends_at is not None), default=None),
        }

    async def _refreshed(
        self, accounts: Mapping[str, Instagram], now: int
    ) -> tuple[dict[str, AccessToken], list[PlatformError]]:
        """The new tokens by account, and why there are not more."""
        tokens: dict[str, AccessToken] = {}
        failures: list[PlatformError] = []
        for account_id, account in accounts.items():
            try:
                tokens[account_id] = await account.refresh_token(now)
            except PlatformError as error:
                emit("token_not_refreshed", "ERROR", accountId=account_id, error=described(error))
                failures.append(error)
        return tokens, failures

    def _record(self, account_id: str) -> str:
        """The id of the document that says when the account's token ends."""
        return f"token-{account_id}" if self.settings.names_accounts else "token"

    async def _checked(self, account_id: str, account: Instagram) -> "_Checked":
        problems: list[str] = []
        fields, ends_at = await _subscribed(account, problems), await self._ends_at(account_id)
        left = ends_at - self.clock() if ends_at is not None else None
        if left is not None and left < TOKEN_WARNING_DAYS * DAY_MS:
            problems.append(f"the Instagram token ends in {max(0, left) // DAY_MS} days")
        name = f"account {account_id}: " if self.settings.names_accounts else ""
        warnings = (
            [] if fields is None or TAPS in fields else [f"{name}taps do not arrive: {TAPS} is not subscribed to"]
        )
        return _Checked(fields, ends_at, [name + problem for problem in problems], warnings)

    async def _ends_at(self, account_id: str) -> int | None:
        """When the account's token ends, in ms since 1970, if that was ever told."""
        record = await self.documents.get_document("maintenance", self._record(account_id))
        value = record.get("expiresAt") if record else None
        return value if isinstance(value, int) else None


@dataclass(frozen=True, slots=True)
class _Checked:
    """One account; ``fields`` None when they could not be read."""

    fields: tuple[str, ...] | None
    ends_at: int | None
    problems: list[str]
    warnings: list[str]


async def _subscribed(account: Instagram, problems: list[str]) -> tuple[str, ...] | None:
    try:
        fields = await account.subscribed_fields()
    except PlatformError as error:
        problems.append(f"the subscription could not be read ({described(error)})")
        return None
    missing = NEEDED_FIELDS - set(fields)
    if missing:
        problems.append(f"the account is not subscribed to: {', '.join(sorted(missing))}")
    return fields


async def manager_problems(whatsapp: WhatsApp) -> list[str]:
    """What keeps alerts from the manager's phone, asked without sending anything."""
    try:
        health = await whatsapp.health()
    except PlatformError as error:
        return [f"WhatsApp could not be asked whether it can send ({described(error)})"]
    problems = [f"WhatsApp can't send: {each} is blocked" for each in health.blocked]
    if health.can_send == "BLOCKED" and not problems:
        problems.append("WhatsApp can't send: blocked")
    if health.template not in (None, "APPROVED"):
        problems.append(f"the WhatsApp template can't be used ({health.template})")
    return problems


def _warnings(whatsapp: WhatsApp, contact: ManagerContact) -> list[str]:
    """What may keep an alert from arriving, or from being known to arrive."""
    warnings: list[str] = []
    if whatsapp.template_room is None:
        warnings.append("WHATSAPP_TEMPLATE is not set: outside the manager's 24 hours no alert arrives")
    if contact.status_seen_at is None:
        warnings.append("no status of an alert was ever seen: the WhatsApp webhook is not subscribed")
    return warnings


def _common(subscribed: list[tuple[str, ...] | None]) -> list[str] | None:
    """The fields in all of them; None when one could not be read."""
    known = [fields for fields in subscribed if fields is not None]
    if len(known) < len(subscribed) or not known:
        return None
    return [field for field in known[0] if all(field in fields for fields in known)]
