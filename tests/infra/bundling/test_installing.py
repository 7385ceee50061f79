"""From the zip alone: installed as Google's builder does it, by pip and by uv, then served, then used.

Wheels come from the package index the first time and from the installers' caches after that.
"""

import json
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import cast

import httpx
import pytest

from bundling import Bundle
from dm_core.messages import Status
from dm_core.store.sqlite import SqliteStore
from dm_sandbox.cloud_tasks import CloudTasksEmulator
from tests.infra.bundling.installing import Installation, Installer, install, served, signature

SECRET = "app-secret"
WEBHOOK = {
    "INSTAGRAM_PAGE_ID": "178414",
    "INSTAGRAM_VERIFY_TOKEN": "verify-me",
    "INSTAGRAM_APP_SECRET": SECRET,
    "GOOGLE_CLOUD_PROJECT": "test-project",
    "CLOUD_TASKS_LOCATION": "europe-north1",
    "TASKS_INVOKER_EMAIL": "invoker@test.example",
    "PROCESS_MESSAGE_URL": "http://127.0.0.1:9/",
}
PROCESSOR = WEBHOOK | {
    "INSTAGRAM_ACCESS_TOKEN": "a-token",
    "WHATSAPP_ACCESS_TOKEN": "another-token",
    "WHATSAPP_PHONE_NUMBER_ID": "1234",
    "MANAGER_WHATSAPP_NUMBER": "+44 7700 900123",
    "GEMINI_API_KEY": "a-key",
}
LOADED = """
import importlib.util, json, sys
import main
import dm_core
print(json.dumps({
    "core": dm_core.__file__,
    "loaded": sorted(sys.modules),
    "installed": [name for name in ("httpx2", "pydantic", "google.genai") if importlib.util.find_spec(name)],
}))
"""


@pytest.fixture
async def tasks() -> AsyncIterator[CloudTasksEmulator]:
    emulator = CloudTasksEmulator()
    await emulator.start()
    yield emulator
    await emulator.stop()


def _dm(person: str) -> bytes:
    message = {"mid": "m_1", "text": "Når er trening? 🏏"}
    at = time.time_ns() // 1_000_000
    item = {"sender": {"id": person}, "recipient": {"id": "178414"}, "timestamp": at, "message": message}
    return json.dumps({"object": "instagram", "entry": [{"id": "178414", "messaging": [item]}]}).encode()


def _imported(made: Installation, variables: Mapping[str, str]) -> dict[str, object]:
    """What importing ``main`` brings in."""
    return cast("dict[str, object]", json.loads(made.python("-c", LOADED, variables=variables).splitlines()[-1]))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("installer", ["pip", "uv"])
async def test_the_webhook_from_its_zip_alone_accepts_a_signed_dm(
    bundles: Mapping[str, Bundle], tasks: CloudTasksEmulator, tmp_path: Path, installer: Installer
) -> None:
    made = install(bundles["webhook"], installer, tmp_path)
    database = tmp_path / "store.sqlite3"
    places = {"STORE_URL": f"sqlite:///{database}", "CLOUD_TASKS_EMULATOR_HOST": tasks.address}

    imported = _imported(made, WEBHOOK | places)
    body = _dm("9001")
    async with served(made, "webhook", WEBHOOK | places) as url, httpx.AsyncClient(timeout=30) as client:
        answer = await client.post(f"{url}/", content=body, headers={"X-Hub-Signature-256": signature(body, SECRET)})

    assert (answer.status_code, answer.text) == (200, "EVENT_RECEIVED")
    assert tasks.counters.created == 1
    store = SqliteStore(str(database))
    snapshot = await store.open("178414_9001")
    await store.close()
    assert snapshot is not None
    assert [message.status for message in snapshot.unprocessed] == [Status.PENDING]
    assert str(imported["core"]).startswith(str(made.environment))
    assert imported["installed"] == []


@pytest.mark.timeout(300)
async def test_the_processor_from_its_zip_alone_starts_with_its_profile_and_prompts(
    bundles: Mapping[str, Bundle], tasks: CloudTasksEmulator, tmp_path: Path
) -> None:
    made = install(bundles["processor"], "uv", tmp_path)
    places = {"STORE_URL": f"sqlite:///{tmp_path / 's.sqlite3'}", "CLOUD_TASKS_EMULATOR_HOST": tasks.address}

    async with served(made, "processor", PROCESSOR | places) as url, httpx.AsyncClient(timeout=30) as client:
        answer = await client.post(f"{url}/", json={"threadId": "178414_9001"})

    assert answer.status_code == 200
    assert answer.json()["status"] == "nothing_to_do"
