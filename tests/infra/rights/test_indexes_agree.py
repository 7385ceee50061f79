"""One source of truth: the store's queries and documents, and the indexes, exemptions and TTL that are declared."""

from typing import cast

from components.indexes import EXPIRING, UNINDEXED
from dm_core.alerts import Alert
from dm_core.messages import Content, Direction, EventKind, Message, Status
from dm_core.outbox import AuditLine, OutboxItem
from dm_core.runs import Run
from dm_core.store.alert_documents import alert_document
from dm_core.store.message_documents import message_document
from dm_core.store.outbox_documents import audit_document, outbox_document
from dm_core.store.port import UNKNOWN_VERSION, Deletion, ThreadChange, ThreadEvents
from dm_core.store.record_documents import (
    allowance_document,
    deletion_document,
    json_document,
    quarantine_document,
)
from dm_core.store.run_documents import archive_document
from dm_core.store.selections import EVERYWHERE, Query
from dm_core.store.thread_documents import erasing_document, merged_fields, thread_fields, tombstone_document
from dm_core.threads import Allowance, Profile
from tests.infra.recording import prod_graph

DIRECTIONS = {"asc": "ASCENDING", "desc": "DESCENDING"}


def declared_indexes() -> set[tuple[object, ...]]:
    found: set[tuple[object, ...]] = set()
    for index in prod_graph().of("gcp:firestore/index:Index"):
        fields = cast("list[dict[str, str]]", index.inputs["fields"])
        assert index.inputs["queryScope"] == "COLLECTION"
        found.add((index.inputs["collection"], *((field["fieldPath"], field["order"]) for field in fields)))
    return found


def test_each_query_over_several_fields_has_its_index_and_there_is_no_other() -> None:
    needed = {
        (query.value[0], *((field, DIRECTIONS[direction]) for field, direction in query.value[1]))
        for query in Query
        if len(query.value[1]) > 1
    }

    assert needed
    assert declared_indexes() == needed


def test_each_query_below_every_thread_has_its_index_and_there_is_no_other() -> None:
    declared = {
        (str(one.inputs["collection"]), str(one.inputs["field"]))
        for one in prod_graph().of("gcp:firestore/field:Field")
        if one.inputs["indexConfig"] == {"indexes": [{"order": "ASCENDING", "queryScope": "COLLECTION_GROUP"}]}
    }

    assert declared == {(query.value[0], query.value[1][0][0]) for query in EVERYWHERE}
    assert all(query.value[1] == ((query.value[1][0][0], "asc"),) for query in EVERYWHERE)


def test_no_field_that_a_query_asks_is_exempt() -> None:
    """An exemption of a map holds for every field inside it."""
    asked = {(query.value[0], field) for query in Query if query not in EVERYWHERE for field, _ in query.value[1]}
    exempt = [
        (str(one.inputs["collection"]), str(one.inputs["field"]))
        for one in prod_graph().of("gcp:firestore/field:Field")
    ]

    assert [one for one in asked for exemption in exempt if exemption == (one[0], one[1].split(".")[0])] == []
    assert not asked & set(exempt)


def message() -> Message:
    return Message(
        id="m",
        thread_id="1_2",
        mid="mid",
        direction=Direction.INBOUND,
        status=Status.PENDING,
        content=Content(kind=EventKind.MESSAGE, text="hello"),
        sent_at=1,
        created_at=1,
        updated_at=1,
        expire_at=2,
    )


def alert() -> Alert:
    return Alert("a", "1_2", "normal", "model", "hello", created_at=1, first_due_at=1, due_at=1, expire_at=2)


def commit() -> ThreadChange:
    """One that writes every field of a thread that a run writes and that is large."""
    profile = Profile("Mia", "mia", 1)
    return ThreadChange("1_2", UNKNOWN_VERSION, "t", 1, run=None, notes=(), unconfirmed=(), profile=profile)


def stored() -> dict[str, set[str]]:
    """The fields of each collection's documents, as the code writes them."""
    events = ThreadEvents(thread_id="1_2", account_id="1", user_id="2", now=1, messages=(message(),))
    run = Run(id="r", task_name="t", started_at=1, message_ids=("m",), prompt_hash="p")
    deletion = Deletion(code="c", user_id="2", requested_at=1)
    erased = set(erasing_document("1", "2", 1)) | set(tombstone_document(1))
    return {
        "conversations": set(merged_fields(events)) | set(thread_fields(commit())) | erased,
        "messages": set(message_document(message())),
        "runs": set(archive_document(run, "1_2", 1, 2)),
        "quarantine": set(quarantine_document("raw", "reason", 1, 2, ("9",))),
        "limits": set(allowance_document(Allowance(), 1)),
        "deletions": set(deletion_document(deletion)),
        "alerts": set(alert_document(alert())),
        "outbox": set(outbox_document(OutboxItem("o", "tom", "hello", 1, 2))),
        "audit": set(audit_document(AuditLine("a", 1, "tom", "pause", 2))),
        "schedule": set(json_document({}, 2, updatedAt=1)),
        "automatic": set(json_document({}, 2)),
        "maintenance": {"json", "updatedAt"},
    }


def test_ttl_is_declared_for_each_collection_whose_documents_expire() -> None:
    expiring = {collection for collection, fields in stored().items() if "expireAt" in fields}

    assert set(EXPIRING) == expiring


def test_a_ttl_field_has_no_index_of_its_own() -> None:
    fields = [one for one in prod_graph().of("gcp:firestore/field:Field") if one.inputs["field"] == "expireAt"]

    assert {str(one.inputs["collection"]) for one in fields} == set(EXPIRING)
    for one in fields:
        assert one.inputs["ttlConfig"] == {}
        assert one.inputs["indexConfig"] == {"indexes": []}


def test_every_exempt_field_exists() -> None:
    fields = stored()

    assert [(collection, field) for collection, field in UNINDEXED if field not in fields[collection]] == []
