"""A thread as a value: one account and one person, and everything that decides who may run."""

from dataclasses import dataclass, field

from dm_core.alerts import AlertCount
from dm_core.messages import WINDOW_MS, Message
from dm_core.runs import Run
from dm_core.steering import UNSTEERED, Handover, Steering
from dm_core.usage import Spent


@dataclass(frozen=True, slots=True)
class Lease:
    """Who runs a thread, and until when (ms since 1970). Longer than the function's timeout."""

    run_id: str
    task_name: str
    expires_at: int

    def is_live(self, now: int) -> bool:
        return now < self.expires_at

    def is_of(self, task_name: str) -> bool:
        """Taken by the task of this name; a call by hand has none and is never taken for the holder."""
        return bool(task_name) and self.task_name == task_name


@dataclass(frozen=True, slots=True)
class Profile:
    """What the platform tells of a person. Untrusted text; ``fetched_at`` in ms since 1970."""

    name: str | None
    username: str | None
    fetched_at: int


@dataclass(frozen=True, slots=True)
class Note:
    """One thing to remember about a person, written by the agent in the run ``run_id`` (empty: not known)."""

    text: str
    created_at: int
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A text that may have gone out in an ended run: an echo of it is ours, not a human's."""

    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """Runs a person has caused in the current hour and day. Starts in ms since 1970."""

    hour_start: int = 0
    hour_runs: int = 0
    day_start: int = 0
    day_runs: int = 0


@dataclass(frozen=True, slots=True)
class Thread:
    """The document that decides. Times in ms since 1970.

    ``due_at``: by when somebody must look at this thread, or None. ``not_before``: nothing of it is tried earlier;
    ``wait_count`` waits have passed since it last came to an end. ``revision`` is counted up by everything that comes
    from outside, never by our own commits. ``pending_count`` is never below the number of unprocessed messages (an
    unsend may leave it above): a read that finds fewer looks further. ``spent``: what its ended runs cost; that of the
    live run is in ``run``. ``human_at``: when a human last answered, in the app or by us.
    """

    id: str
    account_id: str
    user_id: str
    created_at: int = 0
    last_inbound_at: int = 0
    pending_count: int = 0
    due_at: int | None = None
    not_before: int | None = None
    wait_count: int = 0
    revision: int = 0
    lease: Lease | None = None
    run: Run | None = None
    paused_until: int | None = None
    profile: Profile | None = None
    notes: tuple[Note, ...] = ()
    unconfirmed: tuple[Unconfirmed, ...] = ()
    alert_count: AlertCount = field(default_factory=AlertCount)
    spent: Spent = field(default_factory=Spent)
    commit_token: str | None = None
    steering: Steering = UNSTEERED
    human_at: int | None = None

    def taken_over(self, message: Message) -> bool:
        """A human answers this DM: it arrived before the end of a takeover, whenever somebody looks."""
        if self.steering.pause is not None:
            return True
        return self.paused_until is not None and message.created_at < self.paused_until

    def is_left_to_humans(self, now: int) -> bool:
        """A DM that came now would be a human's."""
        return self.steering.pause is not None or (self.paused_until is not None and self.paused_until > now)

    def handed_over(self, now: int, release_ms: int) -> Handover | None:
        """The handover that still holds: no human has answered since, nobody released it, its time is not over."""
        handover = self.steering.handover
        if handover is None or now - handover.since >= release_ms or self.human_at_least(handover.since):
            return None
        return handover

    def human_at_least(self, since: int) -> bool:
        """A human has answered in the app since then."""
        return self.human_at is not None and self.human_at >= since

    def window_open(self, now: int) -> bool:
        """The platform still lets us write to this person."""
        return now - self.last_inbound_at < WINDOW_MS


def thread_id(account_id: str, user_id: str) -> str:
    """``{accountId}_{userId}``; the account holds no underscore (checked where events are parsed)."""
    return f"{account_id}_{user_id}"


def thread_owner(thread_id: str) -> tuple[str, str]:
    """The account and the person that a thread's id names."""
    account_id, _, user_id = thread_id.partition("_")
    return account_id, user_id
