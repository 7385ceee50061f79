"""The accounts' tokens in use: read from the vault once an instance, and once more when the platform takes one no more.

ensure ──▶ loaded? ──▶ one read that all wait for ──▶ used by the clients
                         └ fails: RetryLater of the vault; the next request reads again
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal

from dm_core.clients.owners import DEAD_TOKEN
from dm_core.clients.port import AccessToken, Instagram, InstagramAccounts, PlatformMessage, TokenStore
from dm_core.errors import AccountStopped, PlatformError, RetryLater, Service, described
from dm_core.instagram_tokens import format_tokens, parse_tokens
from dm_core.settings import InstagramSettings
from dm_core.telemetry import emit
from dm_core.threads import Profile

LOAD_SECONDS: Final = 15.0
"""Longest that one read of the vault may take."""

_TOKEN: Final = re.compile(r"[\x21-\x7e]+")


class InstagramTokens:
    """Each account's token: the newest that was kept, else that of the settings. ``protect`` is told of each in use."""

    def __init__(self, accounts: InstagramAccounts, token_store: TokenStore, settings: InstagramSettings) -> None:
        self._accounts = accounts
        self._token_store = token_store
        self._settings = settings
        self._used = dict(settings.tokens)
        self._loaded = False
        self._reading: asyncio.Task[None] | None = None
        self.protect: Callable[[str], None] = lambda _: None

    async def ensure(self) -> None:
        """Have the kept tokens in use before anything is claimed or sent.

        All that wait share one read. Raises RetryLater when the vault can't be read, AccountStopped when it holds no
        tokens but something else, or may not be read; the next call tries again.
        """
        if not self._loaded:
            await self._read_once()

    def used(self, account_id: str) -> str | None:
        """The token that calls for this account are made with now."""
        return self._used.get(self._key(account_id))

    async def is_replaced(self, account_id: str, refused: str | None) -> bool:
        """Whether another token than the one the platform refused is in use, after another look into the vault.

        Raises as ``ensure`` does.
        """
        if self.used(account_id) == refused:
            await self._read_once()
        return self.used(account_id) != refused

    async def keep(self, new: Mapping[str, str]) -> None:
        """Keep these tokens beside the other accounts', then use them. Raises as the vault and ``ensure`` do."""
        others = self._accounts.each().keys() - new.keys()
        old = {**self._settings.tokens, **await self._kept()} if others else {}
        await self._token_store.save(format_tokens({**old, **new}))
        self._use(new)

    async def _read_once(self) -> None:
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(self._read_done)
        await asyncio.shield(self._reading)  # who waits may give up; the others go on

    def _read_done(self, done: asyncio.Task[None]) -> None:
        self._reading = None
        if not done.cancelled() and (error := done.exception()) is not None:
            emit("token_load_failed", "ERROR", error=described(error))

    async def _read(self) -> None:
        self._use(await self._kept())
        self._loaded = True

    async def _kept(self) -> dict[str, str]:
        """The kept tokens by account."""
        try:
            async with asyncio.timeout(LOAD_SECONDS):
                text = await self._token_store.load()
        except AccountStopped:
            raise
        except Exception as error:  # whatever the vault's SDK makes of it: nothing was read
            raise RetryLater(f"the tokens can't be read ({type(error).__name__})", service=Service.VAULT) from error
        try:
            tokens = parse_tokens(text, self._settings.node) if text else {}
        except ValueError:
            tokens = {"": ""}
        if not all(_TOKEN.fullmatch(token) for token in tokens.values()):
            raise AccountStopped("what is kept are no tokens", service=Service.VAULT) from None
        return tokens

    def _use(self, tokens: Mapping[str, str]) -> None:
        accounts = self._accounts.each()
        for account_id, token in tokens.items():
            if account_id in accounts:
                self.protect(token)
                accounts[account_id].use_token(token)
                self._used[account_id] = token

    def _key(self, account_id: str) -> str:
        return account_id if account_id in self._used else self._settings.node


class RenewedAccounts:
    """Accounts whose calls are repeated once with the vault's token when theirs is dead.

    Keeps ``clients.port.InstagramAccounts``.
    """

    def __init__(self, accounts: InstagramAccounts, tokens: InstagramTokens) -> None:
        self._accounts = accounts
        self._tokens = tokens

    def of(self, account_id: str) -> Instagram:
        """The API of this account. Raises AccountStopped when there is no token for it."""
        return RenewedInstagram(self._accounts.of(account_id), self._tokens, account_id)

    def each(self) -> Mapping[str, Instagram]:
        """The API of every account that has a token of its own, by the account's id."""
        each = self._accounts.each()
        return {account_id: RenewedInstagram(one, self._tokens, account_id) for account_id, one in each.items()}

    async def close(self) -> None:
        """Release connections."""
        await self._accounts.close()


class RenewedInstagram:
    """Keeps ``clients.port.Instagram``; a call that a dead token stopped certainly did nothing."""

    def __init__(self, account: Instagram, tokens: InstagramTokens, account_id: str) -> None:
        self._account = account
        self._tokens = tokens
        self._account_id = account_id

    async def send_text(self, user_id: str, text: str) -> str:
        return await self._renewed(lambda: self._account.send_text(user_id, text))

    async def react(self, user_id: str, mid: str, reaction: str) -> None:
        await self._renewed(lambda: self._account.react(user_id, mid, reaction))

    async def indicate(self, user_id: str, action: Literal["mark_seen", "typing_on", "typing_off"]) -> None:
        await self._renewed(lambda: self._account.indicate(user_id, action))

    async def recent_messages(self, user_id: str, limit: int = 20) -> tuple[PlatformMessage, ...]:
        return await self._renewed(lambda: self._account.recent_messages(user_id, limit))

    async def profile(self, user_id: str, now: int) -> Profile | None:
        return await self._renewed(lambda: self._account.profile(user_id, now))

    async def refresh_token(self, now: int) -> AccessToken:
        return await self._renewed(lambda: self._account.refresh_token(now))

    async def subscribed_fields(self) -> tuple[str, ...]:
        return await self._renewed(self._account.subscribed_fields)

    def use_token(self, token: str) -> None:
        self._account.use_token(token)

    async def _renewed[T](self, call: Callable[[], Awaitable[T]]) -> T:
        token = self._tokens.used(self._account_id)
        try:
            return await call()
        except PlatformError as error:
            if error.code != DEAD_TOKEN or not await self._tokens.is_replaced(self._account_id, token):
                raise
        return await call()
