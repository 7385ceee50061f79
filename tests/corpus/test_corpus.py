"""Every kind of event, as it really comes: what is stored, what the model is shown, who is woken (README.md)."""

import hashlib
import hmac
import json
import sqlite3
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dm_core.agent.render import data_line, message_fields
from dm_core.bootstrap.webhook import compose
from dm_core.errors import StoreUnavailable
from dm_core.http import serve
from dm_core.messages import Message
from dm_core.queue.port import WakeUp
from dm_core.settings import WebhookSettings
from dm_core.store.firestore import FirestoreStore
from dm_core.store.sqlite import SqliteStore
from dm_sandbox.corpus import ACCOUNT, NOW, PERSON, Case, cases
from dm_sandbox.platforms.meta import wire_bytes

SECRET = "app-secret"
ENVIRONMENT = {
    "INSTAGRAM_PAGE_ID": ACCOUNT,
    "INSTAGRAM_VERIFY_TOKEN": "verify-me",
    "INSTAGRAM_APP_SECRET": SECRET,
    "GOOGLE_CLOUD_PROJECT": "test",
    "CLOUD_TASKS_LOCATION": "europe-north1",
    "TASKS_INVOKER_EMAIL": "invoker@test.example",
    "PROCESS_MESSAGE_URL": "https://processor.test.example/",
}

type AnyStore = FirestoreStore | SqliteStore


class Woken:
    """Notes the threads that are woken."""

    def __init__(self) -> None:
        self.threads: set[str] = set()

    async def schedule(self, wake_up: WakeUp) -> bool:
        self.threads.add(wake_up.thread_id)
        return True

    async def close(self) -> None: ...


class NoAlerts:
    """No alert comes of any of these."""

    async def schedule(self, alert_id: str, not_before: int) -> bool:
        raise AssertionError(alert_id, not_before)

    async def close(self) -> None: ...


@pytest.fixture(params=["sqlite", "firestore"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AnyStore]:
    opened: AnyStore
    if request.param == "sqlite":
        opened = SqliteStore(str(tmp_path / "store.db"), lambda: NOW)
    else:
        host = str(request.getfixturevalue("firestore_host"))
        opened = FirestoreStore(f"test-{uuid.uuid4().hex[:20]}", "(default)", lambda: NOW, host)
        await _warm(opened)
    yield opened
    await opened.close()


async def _warm(store: FirestoreStore) -> None:
    """An emulator's first write can take longer than a call may."""
    for _ in range(6):
        with suppress(StoreUnavailable):
            await store.put_document("maintenance", "warm-up", {})
            return


async def deliver(store: AnyStore, body: object) -> tuple[int, Woken]:
    """POST a body as Meta signs it; the status, and who was woken."""
    settings, woken = WebhookSettings.load(ENVIRONMENT), Woken()
    app = compose(settings, store, woken, NoAlerts(), lambda: NOW)

    async def answer(request: Request) -> Response:
        return await serve(request, app.handle)

    web = Starlette(routes=[Route("/", answer, methods=["POST"])])
    raw = wire_bytes(body)
    signature = "sha256=" + hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(web), base_url="https://hook.test") as client:
        response = await client.post("/", content=raw, headers={"x-hub-signature-256": signature})
    return response.status_code, woken


def shown(messages: Sequence[Message]) -> str:
    """The lines the model is given."""
    return "\n".join(data_line(message_fields(message, {}, ZoneInfo("Europe/London"))) for message in messages)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
async def test_what_becomes_of_it(store: AnyStore, case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    expect = case.expect
    thread_id = str(expect.get("thread", f"{ACCOUNT}_{PERSON}"))

    status, woken = await deliver(store, case.body)

    assert status == 200
    messages = await store.history(thread_id, 20)
    assert len(messages) == expect["messages"]
    assert (thread_id in woken.threads) == expect["answered"]
    assert woken.threads <= {thread_id}
    if not expect.get("mixed"):
        for field in ("direction", "status", "disposition"):
            values = {getattr(message, field) for message in messages}
            assert not values or field not in expect or values == {expect[field]}
    lines = shown(messages)
    assert [words for words in _texts(expect, "shown") if words not in lines] == []
    assert [words for words in _texts(expect, "hidden") if words in lines] == []
    snapshot = await store.open(thread_id)
    if "paused" in expect:
        assert snapshot is not None
        assert (snapshot.thread.paused_until is not None) == expect["paused"]
    log = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert ("item_quarantined" in {line["message"] for line in log}) == ("quarantined" in expect)


@pytest.mark.parametrize("case", [case for case in cases() if "quarantined" in case.expect], ids=lambda case: case.name)
async def test_what_is_quarantined_is_kept_with_its_words_and_its_people(tmp_path: Path, case: Case) -> None:
    store = SqliteStore(str(tmp_path / "store.db"), lambda: NOW)
    await deliver(store, case.body)
    await store.close()

    with closing(sqlite3.connect(tmp_path / "store.db")) as database:
        rows = database.execute("SELECT doc FROM documents WHERE collection = 'quarantine'").fetchall()
    (kept,) = (json.loads(row[0]) for row in rows)
    assert kept["userIds"] == case.expect["quarantined"]
    assert kept["userId"] == kept["userIds"][0]
    assert json.loads(kept["raw"]) is not None


def test_the_corpus_is_as_large_as_it_says() -> None:
    folders = Counter(case.name.partition("/")[0] for case in cases())

    assert sum(folders.values()) >= 120
    assert min(folders.values()) >= 4
    assert len({json.dumps(case.body, sort_keys=True) for case in cases()}) == len(cases())


def _texts(expect: Mapping[str, object], key: str) -> list[str]:
    """The texts as they stand in a JSON line."""
    values = cast("list[str]", expect.get(key, []))
    return [json.dumps(value, ensure_ascii=False)[1:-1] for value in values]
