"""Authentic bodies of any kind: an answer every time, and no item takes another with it."""

import asyncio
import copy
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dm_core.http import Request, Response
from dm_core.webhook.events import InboundMessage, Unknown
from dm_core.webhook.payload import NotJson, parse
from tests.unit.webhook.webhook_stage import (
    ACCOUNT,
    NOW,
    PERSON,
    Stage,
    changes,
    dm,
    echo,
    flat,
    inbound,
    messaging,
    standby,
)

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["instagram", "messages", "9001", ACCOUNT, "\ud800", "\0", "true", "1" * 5_000])
)
_WORDS = (
    "object entry messaging changes standby field value id time sender recipient timestamp message mid text "
    "attachments type payload url is_echo is_deleted is_self postback referral message_edit num_edit reaction "
    "quick_reply reply_to story read"
)
_KEYS = st.text(max_size=5) | st.sampled_from(_WORDS.split(" "))
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=5), max_leaves=25
)
_REAL = [
    dm("a1"),
    dm("a2", "Tuesday", quick_reply={"payload": "DAY_TUE"}, reply_to={"mid": "x"}),
    inbound(message={"mid": "a3", "attachments": [{"type": "image", "payload": {"url": "https://x/y"}}]}),
    inbound(message={"mid": "a1", "is_deleted": True}),
    inbound(message_edit={"mid": "a1", "text": "x", "num_edit": 1}),
    inbound(postback={"mid": "a4", "title": "Join", "payload": "JOIN"}),
    inbound(referral={"ref": "poster1"}),
    echo("a5"),
]


def _wrapped(item: object) -> object:
    return [messaging(item)]


_SHAPES: st.SearchStrategy[Callable[[object], object]] = st.sampled_from([messaging, changes, standby, flat, _wrapped])


@st.composite
def _mutated(draw: st.DrawFn) -> object:
    """A real item with some parts replaced or removed."""
    item: object = copy.deepcopy(draw(st.sampled_from(_REAL)))
    for _ in range(draw(st.integers(1, 3))):
        _mutate(draw, item)
    return item


def _mutate(draw: st.DrawFn, node: object) -> None:
    while isinstance(node, dict) and node:
        parts = cast("dict[str, object]", node)
        key = draw(st.sampled_from(sorted(parts)))
        if not isinstance(parts[key], dict) or draw(st.booleans()):
            if draw(st.booleans()):
                parts[key] = draw(_JSON)
            else:
                del parts[key]
            return
        node = parts[key]


def _deliver(body: bytes) -> tuple[Response, list[str]]:
    """The answer on a fresh stage, and the mids stored for a bystander."""

    async def run() -> tuple[Response, list[str]]:
        with tempfile.TemporaryDirectory() as folder:
            stage = Stage.build(Path(folder) / "store.db")
            try:
                answer = await stage.post(body)
                bystander = await stage.store.history(f"{ACCOUNT}_7777", 10)
                return answer, [message.mid for message in bystander]
            finally:
                await stage.store.close()

    return asyncio.run(run())


@settings(deadline=None, max_examples=50)
@given(body=st.binary(max_size=100) | _JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_answered(body: bytes) -> None:
    answer, _ = _deliver(body)

    assert answer.status in (200, 400)


@settings(deadline=None, max_examples=50)
@given(poison=st.lists(_mutated() | _JSON, max_size=3))
def test_no_poison_makes_another_item_disappear(poison: list[object]) -> None:
    bystander = dm("innocent", person="7777")

    answer, stored = _deliver(json.dumps(messaging(*poison[:1], bystander, *poison[1:])).encode())

    assert answer.status == 200
    assert stored == ["innocent"]


@settings(deadline=None)
@given(item=_mutated(), shape=_SHAPES)
def test_every_item_of_any_shape_is_some_event(item: object, shape: Callable[[object], object]) -> None:
    assert len(list(parse(json.dumps(shape(item)).encode(), NOW))) == 1


@given(body=st.binary(max_size=200))
def test_bytes_are_events_or_not_json(body: bytes) -> None:
    try:
        list(parse(body, NOW))
    except NotJson:
        with pytest.raises(ValueError):
            json.loads(body)


_DEEP = "[" * 200_000 + "]" * 200_000
_ITEM = '{"sender":{"id":1},"recipient":{"id":"2"},"message":{"mid":"m","text":"hi"}}'
POISON = {
    "not an object": "5",
    "null": "null",
    "unknown kind": '{"sender":{"id":"1"},"recipient":{"id":"2"},"novelty":{}}',
    "message is a string": '{"sender":{"id":"1"},"recipient":{"id":"2"},"message":"hi"}',
    "text is an object": '{"sender":{"id":"1"},"recipient":{"id":"2"},"message":{"mid":"m","text":{"a":1}}}',
    "no sender": '{"recipient":{"id":"178414"},"message":{"mid":"m","text":"hi"}}',
    "sender is a list": '{"sender":["1"],"recipient":{"id":"2"},"message":{"mid":"m","text":"hi"}}',
    "account with an underscore": '{"sender":{"id":"1"},"recipient":{"id":"2_3"},"message":{"mid":"m","text":"hi"}}',
    "an id that is a path": '{"sender":{"id":".."},"recipient":{"id":"2"},"message":{"mid":"m","text":"hi"}}',
    "a reserved id": '{"sender":{"id":"__1__"},"recipient":{"id":"2"},"message":{"mid":"m","text":"hi"}}',
    "id is a float": '{"sender":{"id":1.5},"recipient":{"id":"2"},"message":{"mid":"m","text":"hi"}}',
    "id is true": '{"sender":{"id":true},"recipient":{"id":"2"},"message":{"mid":"m","text":"hi"}}',
    "huge integer": _ITEM.replace("1", "1" * 9_000),
    "no mid": '{"sender":{"id":"1"},"recipient":{"id":"2"},"message":{"text":"hi"}}',
    "mid with a surrogate": '{"sender":{"id":"1"},"recipient":{"id":"2"},"message":{"mid":"\\ud800","text":"hi"}}',
    "mid too long": '{"sender":{"id":"1"},"recipient":{"id":"2"},"message":{"mid":"%s","text":"hi"}}' % ("m" * 2_000),
    "NaN": "NaN",
    "too deep": _DEEP,
    "too deep inside": _ITEM.replace("1", _DEEP),
}


@pytest.mark.parametrize("name", POISON)
async def test_a_poison_item_goes_to_quarantine_alone(
    stage: Stage, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    innocent = json.dumps(dm("m", "innocent"))
    body = '{"object":"instagram","entry":[{"id":"178414","messaging":[' + POISON[name] + "," + innocent + "]}]}"

    answer = await stage.post(body.encode())

    assert answer.status == 200
    assert (await stage.message()).content.text == "innocent"
    ((raw, _),) = stage.store.quarantined.values()
    assert "innocent" not in raw
    logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["severity"] for line in logged if line["message"] == "item_quarantined"] == ["ERROR"]


@pytest.mark.parametrize(
    "body",
    [
        "5",
        '"text"',
        "{}",
        "null",
        '{"object":"instagram"}',
        '{"object":"instagram","entry":{}}',
        '{"object":"page","entry":[]}',
        '{"object":"instagram","entry":[7]}',
        '{"object":"instagram","entry":[{"id":"1"}]}',
        '{"object":"instagram","entry":[{"id":"1","messaging":{}}]}',
        '{"object":"instagram","entry":[{"id":"1","changes":[{"field":"novelty","value":1}]}]}',
    ],
)
async def test_json_that_is_not_understood_is_kept_whole(stage: Stage, body: str) -> None:
    answer = await stage.post(body.encode())

    assert answer == Response(200, "EVENT_RECEIVED")
    assert len(stage.store.quarantined) == 1


async def test_the_same_poison_twice_is_kept_once(stage: Stage) -> None:
    for _ in range(2):
        await stage.deliver({"novelty": 1})

    assert len(stage.store.quarantined) == 1


async def test_a_flood_of_poison_is_bounded(stage: Stage) -> None:
    answer = await stage.post(json.dumps(list(range(5_000))).encode())

    assert answer.status == 200
    assert len(stage.store.quarantined) == 1_000


async def test_a_huge_poison_item_is_cut(stage: Stage) -> None:
    await stage.deliver({"novelty": "x" * 2_000_000})

    ((raw, _),) = stage.store.quarantined.values()
    assert len(raw) == 200_000


def test_of_duplicate_keys_the_last_counts() -> None:
    item = (
        b'{"sender":{"id":"1"},"sender":{"id":"2"},"recipient":{"id":"3"},"message":{"mid":"m","text":"a","text":"b"}}'
    )

    (event,) = parse(b'{"entry":[{"id":"3","messaging":[' + item + b"]}]}", NOW)

    assert isinstance(event, InboundMessage)
    assert (event.thread_key.user_id, event.content.text) == ("2", "b")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_every_encoding_of_json_is_read(encoding: str) -> None:
    (event,) = parse(json.dumps(messaging(dm("m", "Når?")), ensure_ascii=False).encode(encoding), NOW)

    assert isinstance(event, InboundMessage)
    assert event.content.text == "Når?"


def test_reasons_never_quote_the_item() -> None:
    bodies = [text.encode() for text in POISON.values()]
    events = [event for body in bodies for event in parse(b'{"entry":[{"messaging":[' + body + b"]}]}", NOW)]

    assert all(isinstance(event, Unknown) and "hi" not in event.reason.split() for event in events)
    assert PERSON not in " ".join(event.reason for event in events if isinstance(event, Unknown))


async def test_an_answer_is_given_even_when_our_own_code_surprises_us(stage: Stage) -> None:
    stage.clock.now = "not a number"  # type: ignore[assignment]

    answer = await stage.app.handle(Request("GET", "/health"))
    broken = await stage.post(json.dumps(messaging(dm("m"))).encode())

    assert answer.status == 200
    assert broken.status in (200, 500)
