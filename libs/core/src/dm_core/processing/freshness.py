"""Is what the model decided still true? One rule for a fresh run, a resumed one, and after a wait. Pure.

The commit that starts a turn's first action (for a silence: the finish) asks it. A thread's ``revision`` says whether
anything came since the model was shown the thread; the age of its answer says whether the world may have moved on.
"""

import hashlib
from collections.abc import Iterable
from enum import Enum

from dm_core.messages import Message
from dm_core.processing.leased_thread import LeasedThread
from dm_core.runs import DraftState
from dm_core.settings import RunLimits

MAX_RESTARTS = 3
"""How often new DMs make a run start over, not counting the first time after a wait; later ones are left to the
follow-up."""


class Stale(Enum):
    """Why an answer no longer holds."""

    NEW = "new DMs came"
    CHANGED = "what was shown is not what is there"
    OLD = "the answer is too old"


def shown(messages: Iterable[Message]) -> str:
    """A digest of the DMs a run answers, as they stand: an edit or an unsend changes it."""
    standing = sorted((m.id, repr(m.content)) for m in messages if m.unsent_at is None)
    return hashlib.sha256(repr(standing).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def came(leased: LeasedThread) -> Stale | None:
    """What came since the run's turns were made, as far as the thread was read; None for nothing it must heed."""
    run = leased.run
    if run.asked is None:  # stored by a revision that did not keep it
        return Stale.OLD
    if leased.thread.revision == run.asked.revision:
        return None
    if shown(leased.own) != run.shown or not leased.others:
        return Stale.CHANGED
    return Stale.NEW if run.restarts < MAX_RESTARTS or leased.resumed else None


def stale(leased: LeasedThread, now: int, limits: RunLimits) -> Stale | None:
    """Why nothing of the newest turn may be started any more, or None: go ahead. ``now`` in ms since 1970.

    What the manager released has no age, and the manager's own words hold whatever came.
    """
    draft = leased.run.newest_draft
    if draft is not None and draft.state is DraftState.EDIT:
        return None
    if (why := came(leased)) is not None or draft is not None:
        return why
    at = leased.run.asked.at if leased.run.asked else 0
    return Stale.OLD if limits.is_old(at, now) else None


def taken_over(leased: LeasedThread) -> bool:
    """A human answers a DM of this run."""
    return any(leased.thread.taken_over(message) for message in leased.own)
