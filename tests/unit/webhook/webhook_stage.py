"""What the webhook's tests share: a stage with a real store, a queue that takes notes, and signed requests."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from dm_core.bootstrap.webhook import compose
from dm_core.errors import QueueUnavailable, StoreUnavailable
from dm_core.http import Request, Response
from dm_core.messages import Message
from dm_core.queue.port import WakeUp
from dm_core.settings import WebhookSettings
from dm_core.store.port import EchoView, Recorded, Snapshot, ThreadEvents
from dm_core.store.sqlite import SqliteStore
from dm_core.webhook.app import WebhookApp
from dm_core.webhook.automatic import NOTHING_LISTED, AutomaticTexts

NOW = 1_790_000_010_000
ACCOUNT, PERSON = "178414", "9001"
THREAD = f"{ACCOUNT}_{PERSON}"
SECRETS = ("first-secret", "second-secret")

type Json = Mapping[str, object]

ENVIRONMENT = {
    "INSTAGRAM_PAGE_ID": ACCOUNT,
    "INSTAGRAM_VERIFY_TOKEN": "open sésame",
    "INSTAGRAM_APP_SECRET": ",".join(SECRETS),
    "GOOGLE_CLOUD_PROJECT": "test",
    "CLOUD_TASKS_LOCATION": "europe-north1",
    "TASKS_INVOKER_EMAIL": "invoker@test.example",
    "PROCESS_MESSAGE_URL": "https://processor.test.example/",
}


@dataclass
class TestClock:
    """A clock that stands still until told."""

    __test__ = False

    now: int = NOW

    def __call__(self) -> int:
        return self.now


@dataclass
class NotingQueue:
    """Keeps the names it was given, as the real queue does; ``refusing`` makes it fail."""

    wake_ups: list[WakeUp] = field(default_factory=list[WakeUp])
    refusing: bool = False

    async def schedule(self, wake_up: WakeUp) -> bool:
        if self.refusing:
            raise QueueUnavailable
        known = wake_up.name in {other.name for other in self.wake_ups}
        self.wake_ups.append(wake_up)
        return not known

    async def close(self) -> None:
        pass

    @property
    def threads(self) -> set[str]:
        return {wake_up.thread_id for wake_up in self.wake_ups}


@dataclass
class NotingAlertQueue:
    """Keeps the alerts it was given; ``refusing`` makes it fail."""

    ticks: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    refusing: bool = False

    async def schedule(self, alert_id: str, not_before: int) -> bool:
        if self.refusing:
            raise QueueUnavailable
        self.ticks.append((alert_id, not_before))
        return True

    async def close(self) -> None:
        pass


class CrashingStore(SqliteStore):
    """The real store, with a crash before or after a commit of chosen threads, and notes of what was asked."""

    def __init__(self, path: str, clock: TestClock) -> None:
        super().__init__(path, clock)
        self.test_clock = clock
        self.fails_for: set[str] = set()
        self.fails_after_commit = False
        self.commit_takes_ms = 0
        self.records: list[ThreadEvents] = []
        self.quarantined: dict[str, tuple[str, str]] = {}
        self.quarantined_people: set[str] = set()
        self.refuses_quarantine = False
        self.echo_views = 0
        self.blind_views = 0

    async def record(self, events: ThreadEvents) -> Recorded:
        fails = events.thread_id in self.fails_for
        if fails and not self.fails_after_commit:
            raise StoreUnavailable("PERMISSION_DENIED (no actAs)")
        recorded = await super().record(events)
        self.test_clock.now += self.commit_takes_ms
        self.records.append(events)
        if fails:
            raise StoreUnavailable
        return recorded

    async def echo_view(self, thread_id: str, message_id: str) -> EchoView:
        """``blind_views``: so many views see what a read does that a finish falls into: nothing of ours."""
        self.echo_views += 1
        if self.blind_views:
            self.blind_views -= 1
            return EchoView(known=False, ours=(), mids=())
        return await super().echo_view(thread_id, message_id)

    async def quarantine(
        self, item_id: str, raw: str, reason: str, now: int, expire_at: int, user_ids: Sequence[str] = ()
    ) -> None:
        if self.refuses_quarantine:
            raise StoreUnavailable
        await super().quarantine(item_id, raw, reason, now, expire_at, user_ids)
        self.quarantined[item_id] = (raw, reason)
        self.quarantined_people.update(user_ids)


@dataclass
class Stage:
    """The webhook and everything around it."""

    app: WebhookApp
    store: CrashingStore
    queue: NotingQueue
    clock: TestClock
    alert_queue: NotingAlertQueue

    @classmethod
    def build(cls, path: Path, texts: AutomaticTexts = NOTHING_LISTED, **environment: str) -> "Stage":
        clock, queue, alert_queue = TestClock(), NotingQueue(), NotingAlertQueue()
        store = CrashingStore(str(path), clock)
        settings = WebhookSettings.load(ENVIRONMENT | environment)
        app = compose(settings, store, queue, alert_queue, clock, texts)
        return cls(app, store, queue, clock, alert_queue)

    async def post(self, body: bytes, secret: str = SECRETS[0], path: str = "/") -> Response:
        headers = {"x-hub-signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}
        return await self.app.handle(Request("POST", path, headers=headers, body=body))

    async def deliver(self, *items: object) -> Response:
        """One envelope with these items, and success."""
        answer = await self.post(json.dumps(messaging(*items)).encode())
        assert answer == Response(200, "EVENT_RECEIVED")
        return answer

    async def get(self, path: str, **query: str) -> Response:
        return await self.app.handle(Request("GET", path, query))

    async def callback(self, path: str, **form: str) -> Response:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        body = urlencode(form).encode()
        return await self.app.handle(Request("POST", path, headers=headers, body=body, base_url="https://hook.example"))

    async def snapshot(self, thread_id: str = THREAD) -> Snapshot:
        snapshot = await self.store.open(thread_id)
        assert snapshot is not None, f"no thread {thread_id}"
        return snapshot

    async def messages(self, thread_id: str = THREAD) -> tuple[Message, ...]:
        return (await self.snapshot(thread_id)).recent

    async def message(self, thread_id: str = THREAD) -> Message:
        """The only message of a thread."""
        (message,) = await self.messages(thread_id)
        return message


def messaging(*items: object, account: str = ACCOUNT) -> Json:
    """The envelope of real traffic."""
    return {"object": "instagram", "entry": [{"id": account, "time": NOW, "messaging": list(items)}]}


def changes(*items: object, field: str = "messages") -> Json:
    """The envelope of the dashboard's test button."""
    listed = [{"field": field, "value": item} for item in items]
    return {"object": "instagram", "entry": [{"id": ACCOUNT, "time": NOW // 1000, "changes": listed}]}


def standby(*items: object) -> Json:
    """The envelope while another app owns the thread."""
    return {"object": "instagram", "entry": [{"id": ACCOUNT, "time": NOW, "standby": list(items)}]}


def flat(item: object) -> Json:
    """Field and value on the entry itself."""
    return {"object": "instagram", "entry": [{"id": ACCOUNT, "time": NOW // 1000, "field": "messages", "value": item}]}


def inbound(person: str = PERSON, at: int = NOW - 1_000, **parts: object) -> Json:
    """An item from a person."""
    return {"sender": {"id": person}, "recipient": {"id": ACCOUNT}, "timestamp": at, **parts}


def dm(mid: str, text: str = "hello", person: str = PERSON, at: int = NOW - 1_000, **parts: object) -> Json:
    """A text."""
    return inbound(person, at, message={"mid": mid, "text": text, **parts})


def echo(mid: str, text: str = "Nets Tue 18:00", at: int = NOW - 500, person: str = PERSON, **parts: object) -> Json:
    """What the account wrote."""
    message = {"mid": mid, "text": text, "is_echo": True, **parts}
    return {"sender": {"id": ACCOUNT}, "recipient": {"id": person}, "timestamp": at, "message": message}


def signed_request(payload: object, secret: str = SECRETS[0]) -> str:
    """As Meta makes it: base64url without padding, the signature over the encoded payload."""
    encoded = base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=")
    signature = hmac.new(secret.encode(), encoded, hashlib.sha256).digest()
    return f"{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}.{encoded.decode()}"


def texts(messages: Sequence[Message]) -> list[str | None]:
    return [message.content.text for message in messages]
