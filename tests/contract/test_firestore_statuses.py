"""Every status that a Firestore can answer with: no read takes it for an outcome, no write takes an outage for one."""

import uuid
from collections.abc import AsyncIterator

import grpc
import pytest

from dm_core.errors import Cause, StoreUnavailable
from dm_core.store.firestore import FirestoreStore, client
from dm_core.store.port import Conflict, ThreadChange, Version
from dm_sandbox.examples import NOW, THREAD
from dm_sandbox.grpc_relay import GrpcRelay, Lost
from tests.contract.test_dead_database import CALLS

READS = frozenset({"BatchGetDocuments", "RunQuery"})
STATUSES = tuple(status for status in grpc.StatusCode if status is not grpc.StatusCode.OK)
TOLD = {grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.NOT_FOUND}
"""What a commit is told of its documents, when it says itself that one must be there, or must not."""


class Answering:
    """A Firestore that answers every call with one status."""

    def __init__(self) -> None:
        self.lost = Lost()

    async def __call__(self, _method: str) -> None:
        raise self.lost


@pytest.fixture
async def far(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[FirestoreStore, Answering]]:
    monkeypatch.setattr(client, "FIRST_WAIT_SECONDS", 0)
    answering, relay = Answering(), GrpcRelay("127.0.0.1:9", READS)
    relay.before = answering
    async with relay as address:
        store = FirestoreStore(f"test-{uuid.uuid4().hex[:20]}", "(default)", lambda: NOW, address)
        yield store, answering
        await store.close()


@pytest.mark.parametrize("status", STATUSES, ids=lambda status: status.name)
async def test_a_status_is_never_more_than_that_the_store_is_unavailable(
    far: tuple[FirestoreStore, Answering], status: grpc.StatusCode
) -> None:
    store, answering = far
    answering.lost = Lost(status)
    wrong: dict[str, object] = {}

    for name, call in CALLS.items():
        try:
            wrong[name] = await call(store)
        except StoreUnavailable:
            continue
        except Exception as error:
            wrong[name] = error

    allowed = {"create_deletion", "record_status"} if status in TOLD else set[str]()
    assert {name: what for name, what in wrong.items() if name not in allowed or what is not False} == {}


@pytest.mark.parametrize(
    ("status", "details", "outcome"),
    [
        (grpc.StatusCode.FAILED_PRECONDITION, "the stored version does not match", Conflict.CONFLICT),
        (grpc.StatusCode.ABORTED, "Too much contention on these documents.", Conflict.CONFLICT),
        (grpc.StatusCode.NOT_FOUND, "No document to update: projects/p/databases/d/documents/a/b", Conflict.CONFLICT),
        (grpc.StatusCode.NOT_FOUND, "The database d does not exist for project p", StoreUnavailable),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded", StoreUnavailable),
        (grpc.StatusCode.UNAVAILABLE, "Received http2 header with status: 502", StoreUnavailable),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "Quota exceeded.", StoreUnavailable),
        (grpc.StatusCode.INVALID_ARGUMENT, "Document too large", StoreUnavailable),
    ],
)
async def test_a_claim_is_lost_only_where_surely_nothing_was_applied(
    far: tuple[FirestoreStore, Answering], status: grpc.StatusCode, details: str, outcome: object
) -> None:
    store, answering = far
    answering.lost = Lost(status, details)

    try:
        came: object = await store.commit(ThreadChange(THREAD, Version((1, 1)), "t", NOW))
    except StoreUnavailable:
        came = StoreUnavailable

    assert came is outcome


@pytest.mark.parametrize(
    ("status", "details", "cause"),
    [
        (
            grpc.StatusCode.FAILED_PRECONDITION,
            "The query requires an index. You can create it here: https://console",
            Cause.NO_INDEX,
        ),
        (
            grpc.StatusCode.FAILED_PRECONDITION,
            "The query requires a COLLECTION_GROUP_ASC index for collection messages. That index is not ready yet",
            Cause.NO_INDEX,
        ),
        (grpc.StatusCode.NOT_FOUND, "The database dm-agent does not exist for project club", Cause.NO_DATABASE),
        (
            grpc.StatusCode.PERMISSION_DENIED,
            "Cloud Firestore API has not been used in project 1 before or it is disabled.",
            Cause.API_OFF,
        ),
        (
            grpc.StatusCode.UNAVAILABLE,
            "Getting metadata from plugin failed with error: ('invalid_grant: Bad Request', {})",
            Cause.NO_ACCESS_TOKEN,
        ),
        (grpc.StatusCode.PERMISSION_DENIED, "Missing or insufficient permissions.", "PERMISSION_DENIED"),
    ],
)
async def test_what_a_person_must_mend_is_said_without_quoting_google(
    far: tuple[FirestoreStore, Answering], status: grpc.StatusCode, details: str, cause: str
) -> None:
    store, answering = far
    answering.lost = Lost(status, details)

    with pytest.raises(StoreUnavailable) as raised:
        await store.open(THREAD)

    assert f"{status.name}" in str(raised.value)
    assert cause in str(raised.value)
    assert details not in str(raised.value)
