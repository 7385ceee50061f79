"""``signed_request``: the form, the signature and the payload of Meta's compliance callbacks.

An input is the payload before it is encoded and signed. It is posted genuinely signed, and under forged signatures.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import zlib
from collections.abc import Callable, Sequence
from typing import Final, Self
from urllib.parse import quote

from hypothesis import strategies as st

from dm_core.durations import DAY_MS
from dm_core.erasing.eraser import Eraser
from dm_core.http import Request, Response
from dm_core.store.port import ThreadEvents
from dm_sandbox.fuzzing.campaign import Broken
from dm_sandbox.fuzzing.inputs import changed, changed_bytes, written
from dm_sandbox.fuzzing.seeds import ACCOUNT, NOW
from dm_sandbox.fuzzing.webhook import SECRETS, WebhookTarget
from dm_sandbox.memory_database import MemoryDatabase

BYSTANDER: Final = "7777"
_PAYLOADS: Final[tuple[dict[str, object], ...]] = (
    {"algorithm": "HMAC-SHA256", "issued_at": 1790000000, "user_id": "9001"},
    {"algorithm": "hmac-sha256", "user_id": 9001, "expires": 0},
    {"algorithm": "HMAC-SHA256", "user_id": "9001", "user": {"country": "no"}},
)


def _url64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _mac(encoded: str, secret: str) -> bytes:
    return hmac.digest(secret.encode(), encoded.encode(), hashlib.sha256)


FORGERIES: Final[tuple[Callable[[str, bytes], str], ...]] = (
    lambda encoded, _: f".{encoded}",
    lambda encoded, _: encoded,
    lambda encoded, _: f"{_url64(_mac(encoded, ''))}.{encoded}",
    lambda encoded, _: f"{_url64(_mac(encoded, SECRETS[0])[:16])}.{encoded}",
    lambda encoded, _: f"{_url64(_mac(encoded, SECRETS[0]) + b'x')}.{encoded}",
    lambda encoded, _: f"{_mac(encoded, SECRETS[0]).hex()}.{encoded}",
    lambda encoded, payload: f"{_url64(hmac.digest(SECRETS[0].encode(), payload, hashlib.sha256))}.{encoded}",
    lambda encoded, _: f"{_url64(hmac.digest(SECRETS[0].encode(), encoded.encode(), hashlib.sha1))}.{encoded}",
    lambda encoded, _: f"{_url64(_mac(encoded, SECRETS[0]))}.{encoded}A",
    lambda encoded, _: f"{_url64(_mac(encoded, SECRETS[0]))}..{encoded}",
)


class SignedRequestTarget(WebhookTarget):
    """Both callbacks of the webhook's app, with a bystander whose thread only a genuine request for them may erase."""

    name = "signed_request"

    def __init__(self) -> None:
        super().__init__()
        self.seeds: Sequence[bytes] = tuple(json.dumps(payload).encode() for payload in _PAYLOADS)

    async def __aenter__(self) -> Self:
        return self

    @property
    def inputs(self) -> st.SearchStrategy[bytes]:
        """Payloads, and bytes that may be none."""
        payload = changed(_PAYLOADS, st.just(BYSTANDER)).map(written)
        return st.one_of(payload, payload, changed_bytes(self.seeds)).map(lambda data: data[:20_000])

    async def check(self, data: bytes) -> str:
        """Forged: refused, nothing erased. Genuine: answered, and only the person it names is erased."""
        mark = zlib.crc32(data)
        self.store.database = MemoryDatabase()
        await self.store.record(ThreadEvents(f"{ACCOUNT}_{BYSTANDER}", ACCOUNT, BYSTANDER, NOW, ()))
        encoded = _url64(data)
        await self._forged(FORGERIES[mark % len(FORGERIES)](encoded, data))
        await self._raw_form(data)
        signed = f"{_url64(_mac(encoded, SECRETS[mark % 2]))}.{encoded}"
        answer = await self._callback("/data-deletion", f"signed_request={quote(signed)}".encode())
        await self._callback("/deauthorize", f"signed_request={quote(signed)}".encode())
        if answer.status not in (200, 400, 401):
            raise Broken(f"a genuine request was answered {answer.status}")
        if answer.status == 200:
            await self._status_page(answer)
        named = BYSTANDER in data.decode("latin-1") or ACCOUNT in data.decode("latin-1")
        if not named and not self.store.database.threads:
            raise Broken("a person was erased who was not named")
        return str(answer.status)

    async def _forged(self, value: str) -> None:
        for path in ("/data-deletion", "/deauthorize"):
            answer = await self._callback(path, f"signed_request={quote(value)}".encode())
            if answer.status not in (400, 401):
                raise Broken(f"a forged request was answered {answer.status}")
        if self.store.database.deletions:
            raise Broken("a forged request left a trace")

    async def _raw_form(self, data: bytes) -> None:
        answer = await self._callback("/data-deletion", data)
        if answer.status not in (400, 401):
            raise Broken(f"a form of anything was answered {answer.status}")

    async def _callback(self, path: str, form: bytes) -> Response:
        await asyncio.sleep(0)
        return await self.app.handle(Request("POST", path, body=form, base_url="https://hook.example"))

    async def _status_page(self, answer: Response) -> None:
        code = str(json.loads(answer.body)["confirmation_code"])
        page = await self.app.handle(Request("GET", f"/data-deletion/{code}"))
        if page.status != 200 or "in progress" not in page.body:
            raise Broken("a deletion has no page that says it goes on")
        await Eraser(self.store, lambda: NOW, DAY_MS).go_on()
        page = await self.app.handle(Request("GET", f"/data-deletion/{code}"))
        if page.status != 200 or "completed" not in page.body:
            raise Broken("a deletion has no page that says it is done")
