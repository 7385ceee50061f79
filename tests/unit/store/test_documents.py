"""Values and documents: what is written can be read again, whatever is in it, however old it is."""

import dataclasses
import json
from enum import StrEnum
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dm_core.durations import DAY_MS
from dm_core.messages import Attachment, Content, Direction, Disposition, EventKind, Message, Status
from dm_core.runs import (
    Action,
    ActionState,
    Asked,
    Finish,
    ModelTurn,
    Run,
    ToolCall,
    ToolResult,
    ToolTurn,
    Usage,
    UserTurn,
)
from dm_core.store.document_values import LAST_MS, Document, clean_text, document, from_json, is_document_id, to_json
from dm_core.store.firestore import protobuf, writes
from dm_core.store.message_documents import message_document, parse_message
from dm_core.store.port import ThreadChange, Version
from dm_core.store.record_documents import day_runs_fields, day_runs_id, parse_day_runs, quarantine_document
from dm_core.store.run_documents import archive_document, parse_run, run_document
from dm_core.store.thread_documents import parse_thread, thread_fields
from dm_core.threads import Lease, Note, Profile, Thread, Unconfirmed
from dm_core.usage import DayRuns, Spent, day_of
from dm_sandbox.examples import NOW, THREAD, full_message, full_run

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ANY_TEXT = st.text(st.characters(), max_size=20)
WHOLE = st.integers(-(2**63) + 1, 2**63 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=3)
MAYBE_TEXT = st.none() | TEXT
MAYBE_WHOLE = st.none() | WHOLE


def tuples[T](items: st.SearchStrategy[T]) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(items, max_size=3).map(tuple)


CONTENTS = st.builds(
    Content,
    kind=st.sampled_from(EventKind),
    text=MAYBE_TEXT,
    attachments=tuples(st.builds(Attachment, TEXT, MAYBE_TEXT, MAYBE_TEXT)),
    quick_reply=MAYBE_TEXT,
    postback=MAYBE_TEXT,
    referral=MAYBE_TEXT,
    reply_to_mid=MAYBE_TEXT,
    reply_to_story=MAYBE_TEXT,
    unsupported=st.booleans(),
)
MESSAGES = st.builds(
    Message,
    id=TEXT,
    thread_id=TEXT,
    mid=TEXT,
    direction=st.sampled_from(Direction),
    status=st.sampled_from(Status),
    content=CONTENTS,
    sent_at=st.integers(0, LAST_MS),
    created_at=st.integers(0, LAST_MS),
    updated_at=WHOLE,
    processed_at=MAYBE_WHOLE,
    error=MAYBE_TEXT,
    disposition=st.none() | st.sampled_from(Disposition),
    attempts=WHOLE,
    run_id=MAYBE_TEXT,
    unsent_at=MAYBE_WHOLE,
    edited_at=MAYBE_WHOLE,
    expire_at=st.integers(0, LAST_MS),
)
MODEL_TURNS = st.builds(
    ModelTurn,
    content=TEXT,
    text=TEXT,
    calls=tuples(st.builds(ToolCall, TEXT, OBJECTS, MAYBE_TEXT)),
    finish=st.sampled_from(Finish),
    usage=st.builds(Usage, MAYBE_WHOLE, MAYBE_WHOLE, MAYBE_WHOLE, MAYBE_WHOLE),
    model_version=TEXT,
    detail=TEXT,
    latency_ms=WHOLE,
)
TOOL_TURNS = st.builds(ToolTurn, tuples(st.builds(ToolResult, TEXT, MAYBE_TEXT, OBJECTS, MAYBE_TEXT)))
COUNT = st.integers(0, 2**53)
SPENT = st.builds(Spent, COUNT, COUNT, COUNT, COUNT, COUNT, usd=st.none() | st.floats(0, 1e9))
RUNS = st.builds(
    Run,
    id=TEXT,
    task_name=TEXT,
    started_at=WHOLE,
    message_ids=tuples(TEXT),
    prompt_hash=TEXT,
    handles=st.dictionaries(TEXT, TEXT, max_size=3),
    turns=tuples(st.builds(UserTurn, TEXT) | MODEL_TURNS | TOOL_TURNS),
    actions=tuples(st.from_type(Action)).map(lambda actions: tuple(clean_action(action) for action in actions)),
    guards=tuples(TEXT),
    notes=tuples(TEXT),
    asked=st.none() | st.builds(Asked, WHOLE, WHOLE),
    shown=TEXT,
    restarts=WHOLE,
    repairs=WHOLE,
    dropped_turns=WHOLE,
    fresh_from=WHOLE,
    ending=MAYBE_TEXT,
    error=MAYBE_TEXT,
    model_calls=WHOLE,
    spent=SPENT,
    timings=st.dictionaries(TEXT, WHOLE, max_size=3),
)


def clean_action(action: Action) -> Action:
    """The action held to what a store keeps: valid text, 64 bits."""
    values: dict[str, object] = {}
    for field in dataclasses.fields(action):
        value: object = getattr(action, field.name)
        if isinstance(value, str) and not isinstance(value, StrEnum):
            values[field.name] = clean_text(value)
        elif isinstance(value, int):
            values[field.name] = max(-(2**63) + 1, min(value, 2**63 - 1))
    return dataclasses.replace(action, **cast("dict[str, str]", values))


def through_firestore(fields: Document) -> Document:
    """A document as Firestore gives it back: through the protocol's bytes."""
    encoded = protobuf.encode(fields)
    again = cast("Any", type(encoded)).FromString(encoded.SerializeToString())
    return cast("Document", protobuf.decode(again))


@given(MESSAGES)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    assert parse_message(through_firestore(message_document(message))) == message


@given(RUNS)
def test_a_run_comes_back_as_it_was(run: Run) -> None:
    assert parse_run(through_firestore(run_document(run))) == run


@given(ANY_TEXT)
def test_any_text_can_be_stored(text: str) -> None:
    message = dataclasses.replace(full_message(), content=Content(text=text), error=text)

    stored = parse_message(through_firestore(message_document(message)))

    assert stored.content.text == clean_text(text)
    assert len(clean_text(text)) == len(text)


def test_a_thread_comes_back_as_it_was() -> None:
    change = ThreadChange(
        THREAD,
        Version(1),
        "token",
        NOW,
        lease=Lease("r1", "task", NOW + 5),
        run=full_run(),
        due_at=NOW + 1,
        paused_until=NOW + 2,
        pending_count=3,
        profile=Profile("Ann", "ann", NOW),
        notes=(Note("a", 1),),
        unconfirmed=(Unconfirmed("b", 2),),
        spent=Spent(2, 10, 4, 3, 2, usd=None),
    )

    thread = parse_thread(THREAD, through_firestore(thread_fields(change)))

    assert thread == Thread(
        id=THREAD,
        account_id="17840000000000001",
        user_id="5550001",
        pending_count=3,
        due_at=NOW + 1,
        lease=Lease("r1", "task", NOW + 5),
        run=full_run(),
        paused_until=NOW + 2,
        profile=Profile("Ann", "ann", NOW),
        notes=(Note("a", 1),),
        unconfirmed=(Unconfirmed("b", 2),),
        spent=Spent(2, 10, 4, 3, 2, usd=None),
        commit_token="token",
    )


def test_a_change_names_only_what_it_sets() -> None:
    assert thread_fields(ThreadChange(THREAD, Version(1), "t", NOW)) == {"commitToken": "t", "updatedAt": NOW}


def test_the_archive_keeps_the_answers_and_not_the_persons_words() -> None:
    archive = archive_document(full_run(), THREAD, NOW, NOW + 9)

    assert "what the person wrote" not in to_json(archive)
    assert "c2lnbmF0dXJl" in to_json(archive)
    assert archive["tokens"] == {"input": 2_010, "cached": 4, "output": 503, "thought": 2}
    assert archive["cost"] == {"modelCalls": 3, "usd": 0.0034}
    assert archive["expireAt"] == NOW + 9
    kept = parse_run(archive)
    assert kept.turns == (UserTurn(""), *full_run().turns[1:4], UserTurn(""))
    assert dataclasses.replace(kept, turns=()) == dataclasses.replace(full_run(), turns=())


@pytest.mark.parametrize("odd", [{}, {"unknown": 1}, {"run": 3, "lease": [], "notes": "x", "pendingCount": True}])
def test_an_older_or_newer_thread_can_be_read(odd: Document) -> None:
    assert parse_thread(THREAD, odd) == Thread(THREAD, "17840000000000001", "5550001")


def test_a_live_run_of_an_older_revision_counts_what_its_turns_tell_and_no_price() -> None:
    older = run_document(full_run())
    del older["cost"], older["tokens"]

    assert parse_run(older).spent == Spent(2, 10, 4, 3, 2, usd=None)
    assert parse_run({}).spent == Spent()


def test_the_runs_of_a_day_have_a_document_of_their_own_that_expires() -> None:
    day = day_of(NOW)

    assert day_runs_id(day) == "total-2027-01-15"
    assert day_runs_id(day) == day_runs_id(day_of(day + DAY_MS - 1)) != day_runs_id(day + DAY_MS)
    assert day_runs_fields(day) == {"dayStart": day, "expireAt": day + 2 * DAY_MS}
    assert parse_day_runs({"runs": 7}, day) == DayRuns(day, 7)


def test_words_of_a_newer_version_read_as_those_nobody_acts_on() -> None:
    message = parse_message({"status": "paused", "direction": "sideways", "disposition": "new"})
    run = parse_run({"actions": [{"state": "new"}], "turns": [{"type": "new"}]})

    assert not message.is_unprocessed
    assert message.direction is Direction.HUMAN
    assert message.disposition is None
    assert run.actions[0].state is ActionState.UNCERTAIN
    assert run.turns == (UserTurn(""),)


def test_the_fields_of_a_message_are_those_of_the_design() -> None:
    stored = message_document(full_message())

    named = "id conversationId message status createdAt updatedAt processedAt error direction disposition attempts"
    assert set(named.split()) <= set(stored)
    assert {"expireAt", "mid", "sentAt", "runId", "unsentAt", "editedAt"} <= set(stored)
    assert stored["status"] == "pending"


def test_a_number_beyond_64_bits_is_held_to_them() -> None:
    assert document(a=2**70, b=-(2**70), c=True) == {"a": 2**63 - 1, "b": -(2**63) + 1, "c": True}


def test_arguments_that_are_no_json_are_named_by_their_type() -> None:
    assert from_json(to_json({"a": {1, 2}})) == {"a": "set"}
    assert from_json("[1]") == from_json("nonsense") == {}


@pytest.mark.parametrize("bad", ["", ".", "..", "a/b", "__a__", "\ud800", "x" * 1_501])
def test_what_firestore_refuses_as_an_id_is_no_id(bad: str) -> None:
    assert not is_document_id(bad)


def test_values_that_only_other_programs_write_are_plain_json_too() -> None:
    raw = protobuf.encode({})
    raw.map_value.fields["bytes"].bytes_value = b"\xff\x00"
    raw.map_value.fields["place"].geo_point_value.latitude = 51.5
    raw.map_value.fields["at"].timestamp_value.seconds = 2
    raw.map_value.fields["to"].reference_value = "projects/p/databases/d/documents/a/b"

    assert json.loads(json.dumps(protobuf.decode(raw))) == {
        "bytes": "/wA=",
        "place": {"latitude": 51.5, "longitude": 0.0},
        "at": 2_000,
        "to": "projects/p/databases/d/documents/a/b",
    }


def test_an_expiry_beyond_the_calendar_is_the_last_day_of_it() -> None:
    writes.put("projects/p/databases/d/documents/a/b", document(expireAt=2**63))


def test_a_raw_item_is_cut() -> None:
    assert quarantine_document("x" * 300_000, "why", 1, 2, ())["raw"] == "x" * 200_000
