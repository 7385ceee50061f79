"""Erasing a person, with a certificate, and handing out everything that is kept of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dm_admin.desk import Desk, Plan
from dm_core.erasing.eraser import Eraser
from dm_core.store.document_values import Document, maps
from dm_core.store.port import Deletion

type Documents = Mapping[str, Sequence[Document]]


@dataclass(frozen=True, slots=True)
class Certificate:
    """That a person was erased: by whom, when (ms since 1970), and how many documents were there and are left.

    ``code``: under which the record of the erasure is kept, and Meta's status page finds it.
    """

    code: str
    operator: str
    requested_at: int
    completed_at: int
    threads: int
    erased: Mapping[str, int]
    left: Mapping[str, int]


def counts(documents: Documents) -> dict[str, int]:
    """How many there are of each kind; notes stand in their threads."""
    found = {collection: len(listed) for collection, listed in documents.items()}
    return found | {"notes": sum(len(maps(thread, "notes")) for thread in documents["conversations"])}


def told(found: Mapping[str, int]) -> str:
    """The counts in words."""
    return ", ".join(f"{count} {name}" for name, count in found.items())


async def export(desk: Desk, reference: str) -> Mapping[str, object]:
    """Everything of a person as JSON values. Raises Refused, StoreUnavailable."""
    user_id = await desk.person(reference)
    documents = await desk.reads.everything_of(user_id)
    return {"userId": user_id, "exportedAt": desk.clock(), "counts": counts(documents), "documents": documents}


async def erase(desk: Desk, reference: str, why: str) -> tuple[Plan, "Erasure"]:
    """Erase a person: first what there is, then all of it. Raises Refused, StoreUnavailable."""
    user_id = await desk.person(reference)
    documents = await desk.reads.everything_of(user_id)
    threads = tuple(str(thread["id"]) for thread in documents["conversations"])
    erasure = Erasure(desk, user_id, threads, counts(documents), why)

    async def act() -> str:
        certificate = await erasure.carry_out()
        ended = datetime.fromtimestamp(certificate.completed_at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        counted = f"{told(certificate.erased)}; left: {told(certificate.left)}"
        return f"erased {user_id} at {ended}, by {desk.operator}: {counted}; record {certificate.code}"

    return Plan(f"erase {user_id}: {told(erasure.found)}", act), erasure


@dataclass(frozen=True, slots=True)
class Erasure:
    """What there is of a person, and its end."""

    desk: Desk
    user_id: str
    thread_ids: tuple[str, ...]
    found: Mapping[str, int]
    why: str

    async def carry_out(self) -> Certificate:
        """The request, with its line of the audit, in one commit; then the erasing. One that dies is gone on with by
        the sweep. The line does not name the person: it outlives them."""
        desk = self.desk
        deletion = Deletion(desk.ids(), self.user_id, desk.clock())
        await desk.store.create_deletion(deletion, (desk.line(f"erase {deletion.code}", self.why),))
        done = await Eraser(desk.store, desk.clock, desk.settings.retention_ms).carry_out(deletion)
        left = counts(await desk.reads.everything_of(self.user_id, self.thread_ids))
        completed_at = done.completed_at or desk.clock()
        return Certificate(done.code, desk.operator, done.requested_at, completed_at, done.threads, self.found, left)
