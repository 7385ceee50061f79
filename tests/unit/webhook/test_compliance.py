"""A person's right to be forgotten, as Meta asks for it."""

import json

import pytest
from webhook_stage import ACCOUNT, NOW, PERSON, SECRETS, Stage, dm, inbound, signed_request

from dm_core.errors import StoreUnavailable
from dm_core.store.port import Deletion, ThreadChange
from dm_core.threads import Note
from dm_core.webhook.compliance import complete_open_deletions

_CLAIM = {"algorithm": "HMAC-SHA256", "issued_at": 1_790_000_000, "user_id": PERSON}


async def _ask(stage: Stage, **change: object) -> tuple[str, str]:
    """Code and URL of an accepted request."""
    answer = await stage.callback("/data-deletion", signed_request=signed_request(_CLAIM | change))
    assert (answer.status, answer.content_type) == (200, "application/json")
    told = json.loads(answer.body)
    assert set(told) == {"url", "confirmation_code"}
    return told["confirmation_code"], told["url"]


async def test_deletion_erases_the_person_and_nobody_else(stage: Stage) -> None:
    await stage.deliver(dm("m1", "my secret"), dm("m2", "other", person="9002"))
    snapshot = await stage.snapshot()
    note = Note("likes tea", NOW)
    await stage.store.commit(ThreadChange(snapshot.thread.id, snapshot.version, "t", NOW, notes=(note,)))

    await _ask(stage)

    assert await stage.store.open(f"{ACCOUNT}_{PERSON}") is None
    assert await stage.store.history(f"{ACCOUNT}_{PERSON}", 10) == ()
    assert (await stage.message(f"{ACCOUNT}_9002")).content.text == "other"


async def test_history_without_an_answer_is_erased_too(stage: Stage) -> None:
    await stage.deliver(dm("old", at=NOW - 10 * 86_400_000))

    await _ask(stage)

    assert await stage.store.history(f"{ACCOUNT}_{PERSON}", 10) == ()


async def test_the_code_stays_readable_for_a_person(stage: Stage) -> None:
    await stage.deliver(dm("m1"))

    code, url = await _ask(stage)

    assert url == f"https://hook.example/data-deletion/{code}"
    answer = await stage.get(f"/data-deletion/{code}")
    assert (answer.status, answer.content_type.split(";")[0]) == (200, "text/plain")
    assert "completed" in answer.body
    assert "erased: 1" in answer.body
    assert PERSON not in answer.body


async def test_a_retry_gets_the_same_code_and_a_replay_erases_nothing_new(stage: Stage) -> None:
    first, _ = await _ask(stage)
    await stage.deliver(dm("later"))

    again, _ = await _ask(stage)
    other, _ = await _ask(stage, issued_at=1_790_000_999)

    assert first == again != other
    assert await stage.store.open(f"{ACCOUNT}_{PERSON}") is None, "a new request erases again"


async def test_a_replay_alone_leaves_later_conversations(stage: Stage) -> None:
    await _ask(stage)
    await stage.deliver(dm("later"))
    await _ask(stage)

    assert (await stage.message()).mid == "later"


@pytest.mark.parametrize("code", ["0" * 32, "", "x", "..", "A" * 32, "0" * 31 + "\n", "<script>"])
async def test_an_unknown_code_is_404(stage: Stage, code: str) -> None:
    assert (await stage.get(f"/data-deletion/{code}")).status == 404


@pytest.mark.parametrize("path", ["/deauthorize", "/data-deletion"])
async def test_every_secret_signs_callbacks_and_strangers_get_nowhere(stage: Stage, path: str) -> None:
    for secret in SECRETS:
        assert (await stage.callback(path, signed_request=signed_request(_CLAIM, secret))).status == 200
    assert (await stage.callback(path, signed_request=signed_request(_CLAIM, "guess"))).status == 401
    assert (await stage.callback(path)).status == 400
    assert (await stage.callback(path, signed_request="")).status == 400
    assert (await stage.callback(path, signed_request="no-dot")).status == 400
    assert (await stage.callback(path, signed_request="ä.ö")).status == 400
    assert (await stage.callback(path, signed_request="x" * 40_000)).status == 400


async def test_a_forged_request_erases_nothing(stage: Stage) -> None:
    await stage.deliver(dm("m1"))

    await stage.callback("/data-deletion", signed_request=signed_request(_CLAIM, "guess"))

    assert (await stage.message()).mid == "m1"


async def test_a_failure_half_way_leaves_an_open_record_that_is_completed_later(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.deliver(dm("m1"), inbound(postback={"mid": "p", "title": "Join", "payload": "JOIN"}))

    async def fails(user_id: str) -> int:
        raise StoreUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(stage.store, "erase_person", fails)
        answer = await stage.callback("/data-deletion", signed_request=signed_request(_CLAIM))
    assert answer.status == 500
    (open_record,) = await stage.store.open_deletions(10)
    assert open_record == Deletion(open_record.code, PERSON, NOW)
    assert "in progress" in (await stage.get(f"/data-deletion/{open_record.code}")).body

    assert await complete_open_deletions(stage.store, stage.clock) == 1

    assert await stage.store.open(f"{ACCOUNT}_{PERSON}") is None
    assert await stage.store.open_deletions(10) == ()
    assert "completed" in (await stage.get(f"/data-deletion/{open_record.code}")).body
    assert await complete_open_deletions(stage.store, stage.clock) == 0
