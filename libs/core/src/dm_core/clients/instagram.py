"""Instagram's messaging API, both flavours: Instagram Login and Page (docs/platforms/instagram.md#two-flavours).

They differ by host, node and kind of token, which all come from the settings, and by ``messaging_type``, which only the
Page flavour wants. There is no idempotency key: a send is posted once, and repeated only when it was surely rejected.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, Literal

from dm_core.clients.graph_errors import bare_root, classify, graph_root, unproven
from dm_core.clients.http import ATTEMPTS, Call, HttpClient, Judge
from dm_core.clients.http_response import Response, fields, items, string
from dm_core.clients.owners import TOO_MUCH_ASKED, Operation
from dm_core.clients.port import AccessToken, PlatformMessage
from dm_core.errors import PlatformError, Refused, RetryLater, Service, Uncertain, Unreachable
from dm_core.settings import InstagramSettings
from dm_core.threads import Profile

MAX_TEXT_BYTES: Final = 1_000
"""Longest text of one message, in UTF-8 bytes (docs/platforms/instagram.md#sending)."""
MAX_MESSAGES: Final = 20
"""The Conversations API gives details of no more than these (docs/platforms/instagram.md#conversations-api)."""
FEW_MESSAGES: Final = 5
"""Asked for where the platform says that those were too much (docs/platforms/instagram.md#conversations-api)."""
TOKEN_LIFE_SECONDS: Final = 60 * 86_400
"""Life of a refreshed token when the answer doesn't say (docs/platforms/instagram.md#tokens-and-subscription)."""

_PLATFORM: Final = "Instagram"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class InstagramClient:
    """One account's messaging API over HTTP; keeps ``clients.port.Instagram``. Errors as that port says.

    ``settings`` hold one plain token.
    """

    def __init__(self, settings: InstagramSettings, http: HttpClient) -> None:
        self._http = http
        self._flavor = settings.flavor
        self._root = graph_root(settings.base_url, settings.version)
        self._bare_root = bare_root(settings.base_url)
        self._node = settings.node
        self._token = settings.access_token

    async def send_text(self, user_id: str, text: str) -> str:
        """Send one text of at most 1,000 UTF-8 bytes; the platform's message id, the only proof of acceptance."""
        if not text.strip() or len(text.encode("utf-8", "replace")) > MAX_TEXT_BYTES:
            raise Refused(f"{_PLATFORM}: a text must have 1 to {MAX_TEXT_BYTES} bytes")
        body: dict[str, object] = {"recipient": {"id": user_id}, "message": {"text": text}}
        if self._flavor == "page":
            body["messaging_type"] = "RESPONSE"
        return _message_id(await self._post(body, _judge_send))

    async def react(self, user_id: str, mid: str, reaction: str) -> None:
        """React to a message of this person. Known to fail with code 2 on the Page flavour: best effort."""
        payload = {"message_id": mid, "reaction": reaction}
        await self._post({"recipient": {"id": user_id}, "sender_action": "react", "payload": payload}, _judge_reaction)

    async def indicate(self, user_id: str, action: Literal["mark_seen", "typing_on", "typing_off"]) -> None:
        """Show seen or typing: one attempt of at most 3 s. Raises RetryLater while Instagram is down: nothing is lost
        by it, so no answer to it is in doubt."""
        body = {"recipient": {"id": user_id}, "sender_action": action}
        await self._post(body, _judge_indication, attempts=1, quick=True)

    async def recent_messages(self, user_id: str, limit: int = MAX_MESSAGES) -> tuple[PlatformMessage, ...]:
        """The newest messages with this person, newest first, in one call, or two where the list of conversations
        comes without its messages, or where these were too much at once.

        An empty answer proves nothing: apps without review get one although messages exist
        (docs/platforms/instagram.md#conversations-api).
        """
        count = max(1, min(limit, MAX_MESSAGES))
        try:
            return await self._newest(user_id, count)
        except Refused as error:
            if error.code != TOO_MUCH_ASKED or count <= FEW_MESSAGES:
                raise
            return await self._newest(user_id, FEW_MESSAGES)

    async def _newest(self, user_id: str, count: int) -> tuple[PlatformMessage, ...]:
        names = f"messages.limit({count}){{id,created_time,from,to,message}}"
        query = {"platform": "instagram", "user_id": user_id, "fields": names}
        reply = await self._get(f"{self._node}/conversations", query, _judge_read)
        listed = [fields(conversation) for conversation in items(fields(reply.body).get("data"))]
        if len(listed) == 1 and "messages" not in listed[0]:
            listed = [await self._conversation(listed[0], names)]
        # One conversation is the person's, as asked for; of several, what names somebody else is not.
        found = (m for conversation in listed for m in _messages(conversation, user_id if len(listed) > 1 else None))
        return tuple(sorted(found, key=lambda message: -message.created_at)[:count])

    async def _conversation(self, listed: Mapping[str, object], names: str) -> Mapping[str, object]:
        """A conversation with its messages. Raises RetryLater where it has no id to ask for."""
        node = string(listed.get("id"), 500) or ""
        if not re.fullmatch(r"[0-9A-Za-z_=-]+", node):
            raise RetryLater(f"{_PLATFORM}: a conversation without its messages")
        return fields((await self._get(node, {"fields": names}, _judge_read)).body)

    async def profile(self, user_id: str, now: int) -> Profile | None:
        """Name and username; None where the platform has none to give. One short attempt: no reply waits for it."""
        if not re.fullmatch(r"[0-9A-Za-z-]{1,64}", user_id):
            raise Refused(f"{_PLATFORM}: no such person")
        try:
            reply = await self._get(user_id, {"fields": "name,username"}, _judge_profile, attempts=1, quick=True)
        except Unreachable:  # no consent, blocked, or gone
            return None
        person = fields(reply.body)
        return Profile(
            name=string(person.get("name"), 200), username=string(person.get("username"), 200), fetched_at=now
        )

    async def refresh_token(self, now: int) -> AccessToken:
        """Exchange the current token for one of 60 days; it must be 24 h old and not expired
        (docs/platforms/instagram.md#tokens-and-subscription).

        The new token is not used before ``use_token``. Raises Refused on the Page flavour, whose tokens don't expire.
        """
        if self._flavor == "page":
            raise Refused(f"{_PLATFORM}: page tokens are not refreshed")
        query = {"grant_type": "ig_refresh_token", "access_token": self._token}
        url = f"{self._bare_root}/refresh_access_token"
        reply = await self._http.request(
            Call(Service.INSTAGRAM, "GET", url, idempotent=True, query=query), _judge_refresh
        )
        answer = fields(reply.body)
        seconds = answer.get("expires_in")
        if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 < seconds < 10**10:
            seconds = TOKEN_LIFE_SECONDS
        return AccessToken(value=_new_token(reply), expires_at=now + seconds * 1_000)

    async def subscribed_fields(self) -> tuple[str, ...]:
        """Webhook fields the account is subscribed to, as read back, each once."""
        reply = await self._get(f"{self._node}/subscribed_apps", {}, _judge_read)
        names = (
            string(name, 100) or string(fields(name).get("name"), 100)
            for app in items(fields(reply.body).get("data"))
            for name in items(fields(app).get("subscribed_fields"))
        )
        return tuple(dict.fromkeys(name for name in names if name))

    def use_token(self, token: str) -> None:
        """Use this token from now on."""
        self._token = token

    async def _post(
        self, body: Mapping[str, object], judge: Judge, *, attempts: int = ATTEMPTS, quick: bool = False
    ) -> Response:
        call = Call(
            Service.INSTAGRAM,
            "POST",
            f"{self._root}/{self._node}/messages",
            idempotent=quick,
            token=self._token,
            body=body,
            attempts=attempts,
            quick=quick,
        )
        return await self._http.request(call, judge)

    async def _get(
        self, path: str, query: dict[str, str], judge: Judge, *, attempts: int = ATTEMPTS, quick: bool = False
    ) -> Response:
        call = Call(
            Service.INSTAGRAM,
            "GET",
            f"{self._root}/{path}",
            idempotent=True,
            token=self._token,
            query=query,
            attempts=attempts,
            quick=quick,
        )
        return await self._http.request(call, judge)


def _judge(operation: Operation) -> Judge:
    return lambda reply: classify(reply, Service.INSTAGRAM, operation)


_judge_reaction: Final = _judge(Operation.REACT)
_judge_read: Final = _judge(Operation.READ)
_judge_profile: Final = _judge(Operation.PROFILE)


def _judge_indication(reply: Response) -> PlatformError | None:
    error = classify(reply, Service.INSTAGRAM, Operation.INDICATE)
    if isinstance(error, Uncertain) and (reply.status >= 500 or error.code in (1, 2)):
        return RetryLater(str(error), code=error.code, subcode=error.subcode)
    return error


def _judge_send(reply: Response) -> PlatformError | None:
    error = classify(reply, Service.INSTAGRAM, Operation.SEND)
    return error or (None if _message_id(reply) else unproven(Service.INSTAGRAM, "a message id"))


def _judge_refresh(reply: Response) -> PlatformError | None:
    if (error := classify(reply, Service.INSTAGRAM, Operation.REFRESH)) is not None or _new_token(reply):
        return error
    return RetryLater(f"{_PLATFORM}: a refresh without a token")


def _message_id(reply: Response) -> str:
    return string(fields(reply.body).get("message_id")) or ""


def _new_token(reply: Response) -> str:
    token = string(fields(reply.body).get("access_token")) or ""
    return token if re.fullmatch(r"[\x21-\x7e]+", token) else ""


def _messages(conversation: Mapping[str, object], only: str | None) -> Iterator[PlatformMessage]:
    """Every message of a conversation that has an id and a time, and is to or from ``only``, where that is given."""
    for item in items(fields(conversation.get("messages")).get("data")):
        message = fields(item)
        mid, created_at = string(message.get("id")), _epoch_ms(message.get("created_time"))
        sender = string(fields(message.get("from")).get("id")) or ""
        receivers = [fields(each).get("id") for each in items(fields(message.get("to")).get("data"))]
        if mid is not None and created_at is not None and (only is None or only in (sender, *receivers)):
            yield PlatformMessage(mid, sender, string(message.get("message")) or "", created_at)


def _epoch_ms(value: object) -> int | None:
    """``2026-11-22T18:00:00+0000`` in ms since 1970."""
    try:
        moment = datetime.fromisoformat(string(value, 40) or "")
    except ValueError:
        return None
    if not 1970 < moment.year < 9999:  # no time, and no zone of ours could show it
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int((moment - _EPOCH).total_seconds()) * 1_000
