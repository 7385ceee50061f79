"""The webhook's bytes: hostile items between known good DMs, under good and bad signatures.

An input is lines: the shape of the payload, then one hostile fragment a line. Good DMs are planted before, between and
after the fragments, in a thread of their own and in the hostile person's thread.

    messaging            body = {"entry":[{"messaging":[good, FRAGMENT, good, …]}]}, likewise for the other shapes
    {"sender":…}         raw: the fragments are the whole body
"""

import hashlib
import hmac
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final, Self

from hypothesis import strategies as st

from dm_core.bootstrap.webhook import compose
from dm_core.errors import QueueUnavailable
from dm_core.http import Request, Response
from dm_core.messages import MAX_TEXT_CHARS, EventKind, Status, message_id
from dm_core.queue.port import WakeUp
from dm_core.settings import WebhookSettings
from dm_sandbox.fuzzing.campaign import Broken
from dm_sandbox.fuzzing.inputs import changed, changed_bytes, is_json, written
from dm_sandbox.fuzzing.seeds import ACCOUNT, ITEMS, NOW, PERSON
from dm_sandbox.memory_database import MemoryDatabase
from dm_sandbox.memory_store import MemoryStore

SECRETS: Final = ("first-secret", "second-secret")
ENVIRONMENT: Final = {
    "INSTAGRAM_PAGE_ID": ACCOUNT,
    "INSTAGRAM_VERIFY_TOKEN": "open sésame",
    "INSTAGRAM_APP_SECRET": ",".join(SECRETS),
    "GOOGLE_CLOUD_PROJECT": "test",
    "CLOUD_TASKS_LOCATION": "europe-north1",
    "TASKS_INVOKER_EMAIL": "invoker@test.example",
    "PROCESS_MESSAGE_URL": "https://processor.test.example/",
}
SHAPES: Final[dict[bytes, tuple[bytes, bytes, bytes]]] = {
    b"messaging": (
        b'{"object":"instagram","entry":[{"id":"178414","time":1790000000500,"messaging":[%s]}]}',
        b"%s",
        b"",
    ),
    b"standby": (
        b'{"object":"instagram","entry":[{"id":"178414","time":1790000000500,"standby":[%s],"messaging":[%s]}]}',
        b"%s",
        b"apart",
    ),
    b"changes": (
        b'{"object":"instagram","entry":[{"id":"178414","time":1790000000,"changes":[%s]}]}',
        b'{"field":"messages","value":%s}',
        b"",
    ),
    b"flat": (
        b'{"object":"instagram","entry":[%s]}',
        b'{"id":"178414","time":1790000000,"field":"messages","value":%s}',
        b"",
    ),
    b"entry": (b'{"object":"instagram","entry":[%s]}', b"%s", b"entry"),
    b"envelope": (b"[%s]", b"%s", b"envelope"),
}
"""Shape: the body around the items, what is around one item, and where good DMs stand when not as items."""

_ENTRY: Final = b'{"id":"178414","time":1790000000500,"messaging":[%s]}'
_ENVELOPE: Final = b'{"object":"instagram","entry":[%s]}'
MAX_PARTS: Final = 400
"""Most parts of a message: ten attachments of some thirty texts each, and its own."""
MAX_PART_CHARS: Final = 2_048
"""Longest part of a message but its text: a link."""


@dataclass(slots=True)
class Queue:
    """Keeps the threads it was given; ``down`` makes it fail."""

    threads: set[str] = field(default_factory=set[str])
    down: bool = False

    async def schedule(self, wake_up: WakeUp) -> bool:
        if self.down:
            raise QueueUnavailable("switched off")
        self.threads.add(wake_up.thread_id)
        return True

    async def close(self) -> None: ...


@dataclass(slots=True)
class AlertQueue:
    """Keeps the alerts it was given."""

    alerts: set[str] = field(default_factory=set[str])

    async def schedule(self, alert_id: str, not_before: int) -> bool:  # noqa: ARG002
        self.alerts.add(alert_id)
        return True

    async def close(self) -> None: ...


@cache
def good_dm(number: int) -> tuple[str, str, bytes]:
    """A DM that must be stored: its thread, its mid and its item."""
    person = PERSON if number % 2 else "7777"
    mid = f"aWdGOOD{number}"
    message = {"mid": mid, "text": f"good {number}"}
    item = {"sender": {"id": person}, "recipient": {"id": ACCOUNT}, "timestamp": NOW - 1_000, "message": message}
    return f"{ACCOUNT}_{person}", mid, json.dumps(item).encode()


def body_of(data: bytes) -> tuple[bytes, int]:
    """The body an input stands for, and how many good DMs must survive in it."""
    shape, *fragments = data.split(b"\n")
    if shape not in SHAPES or not fragments:
        return b"\n".join(fragments), 0
    frame, around, place = SHAPES[shape]
    goods = [good_dm(number)[2] for number in range(len(fragments) + 1)]
    if place == b"apart":
        return frame % (b",".join(fragments), b",".join(goods)), _survivors(fragments)
    if place:
        goods = [_ENTRY % good for good in goods]
        goods = [_ENVELOPE % good for good in goods] if place == b"envelope" else goods
    items = [goods[0]]
    for fragment, good in zip(fragments, goods[1:], strict=True):
        items += [fragment, good]
    return frame % b",".join(around % item for item in items), _survivors(fragments)


def _survivors(fragments: Sequence[bytes]) -> int:
    return len(fragments) + 1 if all(map(is_json, fragments)) else 0


def sign(body: bytes, secret: str = SECRETS[1]) -> str:
    return "sha256=" + hmac.digest(secret.encode(), body, hashlib.sha256).hex()


def forged(body: bytes, kind: int) -> str | None:
    """A signature that is none, one of ``FORGERIES``."""
    return FORGERIES[kind % len(FORGERIES)](body)


FORGERIES: Final[tuple[Callable[[bytes], str | None], ...]] = (
    lambda _: None,
    lambda _: "",
    lambda body: sign(body)[:-1],
    lambda body: sign(body)[: len("sha256=") + 8],
    lambda body: sign(body) + "0",
    lambda body: sign(body).removeprefix("sha256="),
    lambda body: sign(body).replace("sha256=", "sha1="),
    lambda body: sign(body + b" "),
    lambda body: sign(body, ""),
    lambda body: sign(body, SECRETS[0][:-1]),
    lambda body: sign(body, ",".join(SECRETS)),
    lambda body: f"sha256={hashlib.sha256(body).hexdigest()}",
    lambda body: f" {sign(body)}",
    lambda body: f"{sign(body)}\n",
    lambda body: sign(body).translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")),
    lambda _: "sha256=" + "0" * 64,
)


class WebhookTarget:
    """The whole app over a store in memory. Every input is also posted under a forged signature."""

    name = "webhook"

    def __init__(self) -> None:
        self.deep = False
        self.store = MemoryStore(clock=lambda: NOW)
        self.queue = Queue()
        self.requests = 0
        settings = WebhookSettings.load(ENVIRONMENT)
        self.app = compose(settings, self.store, self.queue, AlertQueue(), lambda: NOW)
        items = [json.dumps(item).encode() for item in ITEMS]
        entries = [_ENTRY % item for item in items[:3]]
        self.seeds: Sequence[bytes] = (
            *(b"messaging\n" + item for item in items),
            *(b"messaging\n" + item.replace(b"When", b"W" * 9_000) for item in items if b"When are nets?" in item),
            *(b"messaging\n" + item.replace(b"1788", b"8" * 9_000) for item in items if b"1788" in item),
            *(b"changes\n" + item for item in items),
            *(b"%s\n%s\n%s" % (shape, items[0], items[-1]) for shape in (b"standby", b"flat")),
            *(b"entry\n" + entry for entry in entries),
            *(b"envelope\n" + _ENVELOPE % entry for entry in entries),
            *(b"raw\n" + _ENVELOPE % entry for entry in entries),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.store.close()

    @property
    def inputs(self) -> st.SearchStrategy[bytes]:
        """One to four hostile fragments, mostly as items."""
        raw = [written(item) for item in ITEMS]
        fragment = st.one_of(changed(ITEMS).map(written), changed(ITEMS).map(written), changed_bytes(raw, b"\n"))
        entries = changed_bytes([_ENTRY % item for item in raw] + [_ENVELOPE % (_ENTRY % item) for item in raw], b"\n")
        fragments = st.lists(st.one_of(fragment, fragment, fragment, entries), min_size=1, max_size=4)
        shapes = st.sampled_from([b"messaging"] * 4 + [*SHAPES, b"raw"])
        return st.tuples(shapes, fragments.map(b"\n".join)).map(b"\n".join).map(lambda data: data[:400_000])

    async def check(self, data: bytes) -> str:
        """Answered; nothing unsigned accepted; every good DM stored and woken; what is stored is of bounded size."""
        body, survivors = body_of(data)
        mark = zlib.crc32(data)
        self.store.database, self.queue.threads = MemoryDatabase(), set()
        answer = await self._post(body, forged(body, mark))
        if answer.status != 401 or self.store.database.messages or self.store.database.quarantined:
            raise Broken("a request that was not signed was taken")
        if survivors and (self.deep or mark % 16 == 0):
            await self._without_queue(body)
        answer = await self._post(body, sign(body, SECRETS[mark % 2]))
        if answer.status not in (200, 400):
            raise Broken(f"answered {answer.status} although nothing had failed")
        if survivors:
            self._all_stored(answer, survivors)
        self._bounded()
        return str(answer.status) if survivors else f"raw {answer.status}"

    async def _without_queue(self, body: bytes) -> None:
        self.queue.down = True
        try:
            answer = await self._post(body, sign(body))
        finally:
            self.queue.down = False
        if answer.status != 500:
            raise Broken(f"answered {answer.status} although no wake-up was scheduled")

    async def _post(self, body: bytes, signature: str | None) -> Response:
        self.requests += 1
        headers = {} if signature is None else {"x-hub-signature-256": signature}
        return await self.app.handle(Request("POST", "/", headers=headers, body=body))

    def _all_stored(self, answer: Response, survivors: int) -> None:
        if answer.status != 200:
            raise Broken(f"a whole request answered {answer.status} for one item")
        for number in range(survivors):
            thread_id, mid, _ = good_dm(number)
            message = self.store.database.messages.get(thread_id, {}).get(message_id(EventKind.MESSAGE, mid))
            if message is None:
                raise Broken("a good DM beside a hostile item was not stored")
            if message.status is not Status.PENDING or message.content.text != f"good {number}":
                raise Broken("a good DM beside a hostile item was changed")
            if thread_id not in self.queue.threads:
                raise Broken("a good DM beside a hostile item has no wake-up")

    def _bounded(self) -> None:
        for messages in self.store.database.messages.values():
            for message in messages.values():
                content = message.content
                texts = [content.quick_reply, content.postback, content.referral, content.reply_to_mid, message.mid]
                texts += [
                    text for each in content.attachments for text in (each.type, each.url, each.title, *each.words)
                ]
                texts += content.words
                longest = max(len(text) for text in texts if text)
                if longest > MAX_PART_CHARS or len(content.text or "") > MAX_TEXT_CHARS or len(texts) > MAX_PARTS:
                    raise Broken("a message of unbounded size was stored")
                texts.append(content.text)
                for text in filter(None, texts):
                    text.encode()  # what can't be encoded can't be stored
        if any(len(str(item["raw"])) > 200_000 for item in self.store.database.quarantined.values()):
            raise Broken("an item of unbounded size went to quarantine")
