"""A person's right to be forgotten, as Meta asks for it."""

import base64
import contextlib
import hashlib
import hmac
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from dm_core.durations import DAY_MS
from dm_core.erasing.eraser import Eraser, Progress
from dm_core.errors import StoreUnavailable
from dm_core.store.port import Deletion, ThreadChange
from dm_core.threads import Note
from tests.unit.webhook.webhook_stage import (
    ACCOUNT,
    NOW,
    PERSON,
    SECRETS,
    THREAD,
    Stage,
    dm,
    echo,
    inbound,
    signed_request,
)

_CLAIM = {"algorithm": "HMAC-SHA256", "issued_at": 1_790_000_000, "user_id": PERSON}
RETENTION_MS = 90 * DAY_MS
SHOWN = "Nets?"


async def _ask(stage: Stage, **change: object) -> tuple[str, str]:
    """Code and URL of an accepted request."""
    answer = await stage.callback("/data-deletion", signed_request=signed_request(_CLAIM | change))
    assert (answer.status, answer.content_type) == (200, "application/json")
    told = json.loads(answer.body)
    assert set(told) == {"url", "confirmation_code"}
    return told["confirmation_code"], told["url"]


async def _sweep(stage: Stage) -> Progress:
    return await Eraser(stage.store, stage.clock, RETENTION_MS).go_on()


async def test_deletion_erases_the_person_and_nobody_else(stage: Stage) -> None:
    await stage.deliver(dm("m1", "my secret"), dm("m2", "other", person="9002"))
    snapshot = await stage.snapshot()
    note = Note("likes tea", NOW)
    await stage.store.commit(ThreadChange(snapshot.thread.id, snapshot.version, "t", NOW, notes=(note,)))

    await _ask(stage)
    await _sweep(stage)

    assert await stage.store.open(f"{ACCOUNT}_{PERSON}") is None
    assert await stage.store.history(f"{ACCOUNT}_{PERSON}", 10) == ()
    assert (await stage.message(f"{ACCOUNT}_9002")).content.text == "other"


async def test_history_without_an_answer_is_erased_too(stage: Stage) -> None:
    await stage.deliver(dm("old", at=NOW - 10 * 86_400_000))

    await _ask(stage)
    await _sweep(stage)

    assert await stage.store.history(f"{ACCOUNT}_{PERSON}", 10) == ()


async def test_the_callback_answers_before_anything_is_erased_and_the_sweep_does_it(stage: Stage) -> None:
    await stage.deliver(dm("m1"))

    code, url = await _ask(stage)

    assert url == f"https://hook.example/data-deletion/{code}"
    assert (await stage.message()).mid == "m1"
    waiting = await stage.get(f"/data-deletion/{code}")
    assert "in progress" in waiting.body
    assert await _sweep(stage) == Progress(threads=1, completed=1)
    answer = await stage.get(f"/data-deletion/{code}")
    assert (answer.status, answer.content_type.split(";")[0]) == (200, "text/plain")
    assert "completed" in answer.body
    assert "erased: 1" in answer.body
    assert PERSON not in answer.body


async def test_whoever_is_not_found_is_told_what_to_do(stage: Stage) -> None:
    """The id in a request is the app's for whoever authorised it, not the one a DM comes from."""
    code, _ = await _ask(stage, user_id="10158000000000000")

    await _sweep(stage)

    page = await stage.get(f"/data-deletion/{code}")
    assert "erased: 0" in page.body
    assert "send it a message" in page.body


async def test_a_retry_gets_the_same_code_and_a_replay_erases_nothing_new(stage: Stage) -> None:
    first, _ = await _ask(stage)
    await _sweep(stage)
    await stage.deliver(dm("later"))

    again, _ = await _ask(stage)
    await _sweep(stage)

    assert first == again
    assert (await stage.message()).mid == "later"
    other, _ = await _ask(stage, issued_at=1_790_000_009)
    await _sweep(stage)
    assert other != first
    assert await stage.store.open(THREAD) is None, "a new request erases again"


def _altered_last(text: str) -> str:
    """Another last character that stands for the same bytes: its spare bits are not looked at."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spare = {2: 16, 3: 4}[len(text) % 4]
    thread_key = alphabet.index(text[-1])
    return text[:-1] + alphabet[thread_key - thread_key % spare + (thread_key + 1) % spare]


def _parts(change: Callable[[str], str], *, signature: bool = True, payload: bool = False) -> Callable[[str], str]:
    def changed(value: str) -> str:
        first, _, second = value.partition(".")
        return f"{change(first) if signature else first}.{change(second) if payload else second}"

    return changed


_PLAIN_ALPHABET = str.maketrans("-_", "+/")


_REWRITTEN: list[Callable[[str], str]] = [
    _parts(lambda part: part + "="),
    _parts(lambda part: part + "==", signature=False, payload=True),
    _parts(_altered_last),
    _parts(_altered_last, signature=False, payload=True),
    _parts(_altered_last, payload=True),
    lambda value: f"  {value}\r\n",
    lambda value: value[:30] + "\n" + value[30:],
    lambda value: value.replace(".", " . "),
    lambda value: value.translate(_PLAIN_ALPHABET),
]


@pytest.mark.parametrize("rewritten", _REWRITTEN)
async def test_a_request_written_differently_is_the_same_request(stage: Stage, rewritten: Callable[[str], str]) -> None:
    value = signed_request(_CLAIM | {"note": "\u00fb\u00ff\u00fe?>" * 7, "x": "12345"})
    assert len(value.partition(".")[2]) % 4 in (2, 3)
    told = await stage.callback("/data-deletion", signed_request=value)
    await _sweep(stage)
    await stage.deliver(dm("later"))

    again = await stage.callback("/data-deletion", signed_request=rewritten(value))

    assert rewritten(value) != value
    assert (again.status, again.body) == (200, told.body)
    assert await _sweep(stage) == Progress()
    assert (await stage.message()).mid == "later"


async def test_the_same_words_in_other_json_are_the_same_request(stage: Stage) -> None:
    def signed(payload: str) -> str:
        encoded = base64.urlsafe_b64encode(payload.encode()).rstrip(b"=")
        mac = hmac.digest(SECRETS[0].encode(), encoded, hashlib.sha256)
        return f"{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}.{encoded.decode()}"

    plain = '{"algorithm":"HMAC-SHA256","issued_at":1790000000,"user_id":"9001"}'
    spaced = '{ "user_id" : 9001,\n "issued_at": "1790000000", "algorithm": "hmac-sha256", "expires": 0 }'

    answers = [await stage.callback("/data-deletion", signed_request=signed(text)) for text in (plain, spaced)]

    assert answers[0].status == 200
    assert answers[0].body == answers[1].body


async def test_a_code_can_not_be_worked_out_from_what_is_known(stage: Stage) -> None:
    by_first, _ = await _ask(stage)
    answer = await stage.callback("/data-deletion", signed_request=signed_request(_CLAIM, SECRETS[1]))

    assert json.loads(answer.body)["confirmation_code"] != by_first


@pytest.mark.parametrize(
    ("issued_at", "status"),
    [
        (NOW // 1000, 200),
        (NOW // 1000 + 240, 200),
        (NOW // 1000 + 360, 400),
        (NOW, 400),
        (2**63, 400),
        ((NOW - RETENTION_MS) // 1000 + 60, 200),
        ((NOW - RETENTION_MS) // 1000 - 60, 400),
        (0, 400),
        (-5, 400),
        (str(NOW // 1000), 200),
        (None, 200),
        (1_790_000_000.5, 400),
        (True, 400),
        ("yesterday", 400),
        ([], 400),
    ],
)
async def test_a_request_from_the_future_or_of_old_is_refused(stage: Stage, issued_at: object, status: int) -> None:
    await stage.deliver(dm("m1"))

    answer = await stage.callback("/data-deletion", signed_request=signed_request(_CLAIM | {"issued_at": issued_at}))

    assert answer.status == status
    assert len(await stage.store.open_deletions(5)) == (status == 200)


async def test_no_replay_outlives_the_record_it_would_be_told_by(stage: Stage) -> None:
    value = signed_request(_CLAIM)
    answer = await stage.callback("/data-deletion", signed_request=value)
    await _sweep(stage)
    stage.clock.now += RETENTION_MS + 1_000
    await stage.store.purge()
    code = json.loads(answer.body)["confirmation_code"]
    assert (await stage.get(f"/data-deletion/{code}")).status == 404
    await stage.deliver(dm("later", at=stage.clock.now - 1_000))

    assert (await stage.callback("/data-deletion", signed_request=value)).status == 400

    assert await _sweep(stage) == Progress()
    assert (await stage.message()).mid == "later"


async def test_an_open_record_never_expires(stage: Stage) -> None:
    code, _ = await _ask(stage)
    stage.clock.now += 10 * RETENTION_MS

    await stage.store.purge()

    assert "in progress" in (await stage.get(f"/data-deletion/{code}")).body


async def test_our_own_echo_after_an_erasure_creates_nothing(stage: Stage) -> None:
    await stage.deliver(dm("m1", SHOWN))
    await _ask(stage)
    await _sweep(stage)

    await stage.deliver(echo("ours", "Tuesday at six."))
    await stage.deliver(inbound(message={"mid": "m1", "is_deleted": True}))
    await stage.deliver(inbound(message_edit={"mid": "m1", "text": "Nets!", "num_edit": 1}))

    assert await stage.store.open(THREAD) is None
    assert await stage.store.history(THREAD, 10) == ()


async def test_a_late_echo_of_before_is_no_human_in_a_fresh_thread(stage: Stage) -> None:
    await stage.deliver(dm("m1"))
    await _ask(stage)
    await _sweep(stage)
    sent_before = stage.clock.now - 500
    stage.clock.now += 60_000
    await stage.deliver(dm("m2", at=stage.clock.now - 1_000))

    await stage.deliver(echo("ours", "Tuesday at six.", at=sent_before))

    assert (await stage.message()).mid == "m2"
    assert (await stage.snapshot()).thread.paused_until is None
    await stage.deliver(echo("human", "Bob here.", at=stage.clock.now - 100))
    assert (await stage.snapshot()).thread.paused_until is not None


async def test_the_pauses_that_an_automatic_text_caused_go_too(stage: Stage, tmp_path: Path) -> None:
    """What is known of the text keeps who was paused by it until it is learnt."""
    for number, person in enumerate((PERSON, "9002")):
        await stage.deliver(dm(f"m{number}", person=person, at=NOW - 3_000))
        await stage.deliver(echo(f"e{number}", "We are away.", at=NOW - 1_000, person=person))
    await _ask(stage)

    await _sweep(stage)

    with contextlib.closing(sqlite3.connect(tmp_path / "store.db")) as connection:
        kept = connection.execute("SELECT id, doc FROM documents WHERE collection NOT IN ('deletions')").fetchall()
    naming = [key for key, doc in kept if PERSON in doc]
    assert naming == []
    assert any("9002" in doc for _, doc in kept)


async def test_what_was_quarantined_of_a_person_goes_too(stage: Stage, tmp_path: Path) -> None:
    await stage.deliver(inbound(novelty={"words": "my secret"}), inbound("9002", novelty={"words": "another's"}))
    assert len(stage.store.quarantined) == 2
    await _ask(stage)

    await _sweep(stage)

    with contextlib.closing(sqlite3.connect(tmp_path / "store.db")) as connection:
        left = connection.execute("SELECT doc FROM documents WHERE collection = 'quarantine'").fetchall()
    assert len(left) == 1
    assert "another's" in left[0][0]


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


async def test_a_record_that_may_not_be_stored_is_asked_for_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(deletion: Deletion) -> bool:
        raise StoreUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(stage.store, "create_deletion", fails)
        answer = await stage.callback("/data-deletion", signed_request=signed_request(_CLAIM))

    assert answer.status == 500
    assert (await stage.callback("/data-deletion", signed_request=signed_request(_CLAIM))).status == 200
