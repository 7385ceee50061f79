"""The deployed function end to end on this machine: real framework, real store, a real queue's protocol."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import pytest

from dm_core.http import MAX_BODY_BYTES
from dm_core.messages import Status
from dm_core.store.sqlite import SqliteStore
from dm_sandbox.cloud_tasks import CloudTasksEmulator
from tests.integration.webhook.webhook_function import ENVIRONMENT, SOURCE, Events, WebhookFunction, command


def _dm(mid: str, person: str = "9001", text: str = "Når er trening? 🏏") -> dict[str, object]:
    at = time.time_ns() // 1_000_000
    message = {"mid": mid, "text": text}
    return {"sender": {"id": person}, "recipient": {"id": "178414"}, "timestamp": at, "message": message}


def _body(*items: object) -> bytes:
    return json.dumps({"object": "instagram", "entry": [{"id": "178414", "messaging": items}]}).encode()


def _run(words: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run to its end in the function's folder."""
    return subprocess.run(  # noqa: S603
        words, cwd=SOURCE.parent, env=environment, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize("source", ["main.py", str(SOURCE)])
async def test_a_signed_dm_is_stored_and_woken_before_its_200(
    function: WebhookFunction, events: Events, tmp_path: Path, source: str
) -> None:
    await function.start(source)

    answer = await function.post(_body(_dm("m1"), _dm("m2")))

    assert (answer.status_code, answer.text) == (200, "EVENT_RECEIVED")
    (created,) = [event for event in events if event.kind == "created"]
    store = SqliteStore(str(tmp_path / "store.db"), lambda: 0)
    snapshot = await store.open("178414_9001")
    await store.close()
    assert snapshot is not None
    assert [(message.mid, message.status) for message in snapshot.recent] == [
        ("m1", Status.PENDING),
        ("m2", Status.PENDING),
    ]
    assert snapshot.recent[0].content.text == "Når er trening? 🏏"
    assert snapshot.thread.due_at is not None
    assert created.at + 4_000 < snapshot.thread.due_at < created.at + 16_000


async def test_a_second_delivery_makes_no_second_dm_and_no_second_task(
    function: WebhookFunction, tasks: CloudTasksEmulator, tmp_path: Path
) -> None:
    function.environment |= {"DEBOUNCE_MIN_SECONDS": "600", "DEBOUNCE_MAX_SECONDS": "3600"}
    await function.start()
    body = _body(_dm("m1"))

    answers = [await function.post(body) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {200}
    assert tasks.pending == 1
    store = SqliteStore(str(tmp_path / "store.db"), lambda: 0)
    assert len(await store.history("178414_9001", 10)) == 1
    await store.close()


async def test_every_other_request_gets_its_answer(function: WebhookFunction) -> None:
    await function.start()

    challenge = await function.get("/?hub.mode=subscribe&hub.verify_token=verify-me&hub.challenge=1158201444")
    assert (challenge.status_code, challenge.text) == (200, "1158201444")
    assert challenge.headers["content-type"].startswith("text/plain")
    assert (await function.get("/?hub.mode=subscribe&hub.verify_token=x&hub.challenge=1")).status_code == 403
    for typed in ("/whatsapp/", "//whatsapp"):
        path = f"{typed}?hub.mode=subscribe&hub.verify_token=verify-me&hub.challenge=7"
        assert (await function.get(path)).text == "7"
    assert (await function.get("/nowhere")).status_code == 404
    assert (await function.post(_body(_dm("m")), "guess")).status_code == 401
    assert (await function.post(b"no json")).status_code == 400
    assert (await function.post(b" " * (MAX_BODY_BYTES + 1))).status_code == 413
    async with httpx.AsyncClient() as client:
        refused = await client.put(f"{function.url}/")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, POST")
        assert (await client.post(f"{function.url}/data-deletion", data={"x": "y"})).status_code == 400


async def test_words_and_ids_stay_out_of_the_log(function: WebhookFunction) -> None:
    """As deployed: the framework writes each line of a request anew, with the request's id."""
    function.environment |= {"LOG_EXECUTION_ID": "true"}
    await function.start()
    await function.post(_body(_dm("m1", text="private words"), {"novelty": "private words"}))
    await function.post(_body(_dm("m1", text="private words")), "guess")

    logged = function.stop()

    assert [(line["message"], line["severity"]) for line in logged] == [
        ("item_quarantined", "ERROR"),
        ("webhook_received", "INFO"),
        ("webhook_rejected", "WARNING"),
    ]
    assert all("execution_id" in str(line["logging.googleapis.com/labels"]) for line in logged)
    assert "private" not in json.dumps(logged)
    assert "9001" not in json.dumps([{**line, "time": 0} for line in logged])


async def test_a_thousand_dms_in_one_request_are_stored_and_woken_in_time(
    tasks: CloudTasksEmulator, events: Events, firestore_host: str
) -> None:
    later = {"DEBOUNCE_MIN_SECONDS": "600", "DEBOUNCE_MAX_SECONDS": "3600"}  # no wake-up fires while we look
    function = WebhookFunction(tasks.address, FIRESTORE_EMULATOR_HOST=firestore_host, **later)
    try:
        await function.start()
        assert (await function.post(_body(_dm("warm", "1")))).status_code == 200
        memory, cpu = function.memory_mib, function.cpu_seconds

        answer = await function.post(_body(*(_dm(f"m{n}", str(10_000 + n)) for n in range(1_000))))

        assert answer.status_code == 200
        created = [event for event in events if event.kind == "created"]
        assert len({event.task.partition("-")[0] for event in created}) == 1_001
        # The processor's time, not the clock's: this machine may be doing a lot beside.
        assert function.cpu_seconds - cpu < 5
        assert function.memory_mib < memory + 100
    finally:
        function.stop()


async def test_an_instance_that_slept_answers_what_wakes_it(function: WebhookFunction) -> None:
    """As deployed: the platform says how long a request may take, an idle instance sleeps for longer, and what wakes it
    comes by a connection that was open before."""
    function.environment |= {"CLOUD_RUN_TIMEOUT_SECONDS": "1"}
    await function.start()
    before, kept = function.pids, httpx.Limits(keepalive_expiry=60)

    async with httpx.AsyncClient(base_url=function.url, limits=kept, timeout=30) as client:
        await client.get("/health")
        asleep = asyncio.create_task(function.freeze(3))
        await asyncio.sleep(2.8)
        assert (await client.post("/", content=_body())).status_code == 401
        await asleep

    await asyncio.sleep(1.5)  # the server looks after its workers once a second
    assert function.pids == before


def test_a_wrong_deployment_stops_at_start_with_one_line() -> None:
    environment = {"PATH": "/usr/bin", **ENVIRONMENT, "PROCESS_MESSAGE_URL": "nowhere"}
    del environment["INSTAGRAM_APP_SECRET"]

    ended = subprocess.run(  # noqa: S603
        command("main.py", 1),
        cwd=SOURCE.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode != 0
    (line,) = ended.stderr.strip().splitlines()
    assert "INSTAGRAM_APP_SECRET" in line
    assert "PROCESS_MESSAGE_URL" in line


@pytest.mark.parametrize("store_url", ["firestore:", "sqlite:///{}/store.db"])
def test_the_webhook_never_loads_what_only_the_processor_needs(tmp_path: Path, store_url: str) -> None:
    script = (
        "import sys, main\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('httpx', 'httpx2', 'pydantic') or 'genai' in m])\n"
    )
    environment = {"PATH": "/usr/bin", **ENVIRONMENT, "STORE_URL": store_url.format(tmp_path)}
    environment |= {"FIRESTORE_EMULATOR_HOST": "127.0.0.1:9", "CLOUD_TASKS_EMULATOR_HOST": "127.0.0.1:9"}

    ended = _run((sys.executable, "-c", script), environment)

    assert (ended.stdout.strip(), ended.stderr, ended.returncode) == ("[]", "", 0)
