"""Invariants that must hold at every moment, checked where it happens: at each write, before and after each effect.

::

    commit applied ──▶ the thread still makes sense · what it announces may be announced
    about to act   ──▶ announced before · by the run that holds the lease
    effect         ──▶ once per announced action · in the thread it is about
"""

from collections import Counter
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field

from dm_core.messages import Message, Status
from dm_core.runs import Action, ActionKind, ActionState, ModelTurn, Phase, Run, Turn
from dm_core.store.plain import to_json
from dm_core.store.port import UNSET, Conflict, Recorded, ThreadChange, ThreadEvents, Version
from dm_core.store.run_documents import run_document
from dm_core.threads import Lease, Thread
from dm_sandbox.memory_database import MemoryDatabase
from dm_sandbox.simulation.journal import Journal
from dm_sandbox.simulation.model import TOKEN, Asked
from dm_sandbox.simulation.people import Ledger
from dm_sandbox.simulation.platforms import Effect

MAX_DOCUMENT_BYTES = 1_048_576
"""Firestore's limit of one document."""
SKEW_MS = 2_500
"""Clocks of instances differ by up to 2 s from each other; a decision by one of them may be that far off."""


@dataclass(slots=True, eq=False)
class Execution:
    """One delivery of one task: who runs it, and the lease it took."""

    process: str
    thread_id: str
    lease: Lease | None = None
    has_asked: bool = False


_EXECUTION: ContextVar[Execution] = ContextVar("execution")
_NOBODY = Execution("", "")


def current_execution() -> Execution:
    return _EXECUTION.get(_NOBODY)


def begin_execution(execution: Execution) -> None:
    _EXECUTION.set(execution)


@dataclass(slots=True)
class Announced:
    """Keys under which an effect was announced in the store, by which runs, and when last (s from the start)."""

    keys: set[str] = field(default_factory=set[str])
    runs: set[str] = field(default_factory=set[str])
    at: float = 0.0
    happened: int = 0


@dataclass(slots=True)
class Monitor:
    """Watches one simulation.

    ``announced`` is by person (empty for the manager) and mark. ``attempts`` counts, for each DM, the deliveries that
    asked the model about it; ``postponed`` those that ended because a platform asked for a wait. ``shown``: from which
    turn on a run's model has seen a DM. ``marks``: what each action key happened as.
    """

    database: MemoryDatabase
    ledger: Ledger
    journal: Journal
    epoch_ms: int
    announced: dict[tuple[str, str], Announced] = field(default_factory=dict[tuple[str, str], Announced])
    postponed: Counter[str] = field(default_factory=Counter[str])
    attempts: Counter[str] = field(default_factory=Counter[str])
    model_calls: Counter[str] = field(default_factory=Counter[str])
    shown: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    marks: dict[str, str] = field(default_factory=dict[str, str])
    erased_at: dict[str, float] = field(default_factory=dict[str, float])
    largest: int = 0

    @property
    def now_ms(self) -> int:
        return self.epoch_ms + round(self.journal.now() * 1000)

    # -- writes ---------------------------------------------------------------------------------------------

    def commit(self, execution: Execution, change: ThreadChange) -> Version | Conflict:
        """Apply a conditional commit and look at what it did."""
        stored = self.database.threads.get(change.thread_id)
        before = stored.thread if stored else None
        outcome = self.database.commit(change)
        if isinstance(outcome, Conflict) or before is None:
            self.journal.states["commit:conflict"] += 1
            self.journal.note("store", f"commit of {execution.process} ✗ conflict")
            return outcome
        self.journal.note("store", f"commit of {execution.process} ✓ {_described(change)}")
        if isinstance(change.lease, Lease):
            self._claimed(execution, before, change)
        if isinstance(change.run, Run):
            self._checkpointed(before, change.run)
        for message in change.messages:
            if message.status is Status.PENDING and message.attempts is not UNSET:
                self.postponed[message.id] += 1
        self.look_at(change.thread_id)
        return outcome

    def record(self, events: ThreadEvents) -> Recorded:
        recorded = self.database.record(events)
        self.look_at(events.thread_id)
        return recorded

    def erase(self, user_id: str, limit: int | None, code: str) -> int:
        for thread_id, stored in self.database.threads.items():
            if user_id in (stored.thread.user_id, stored.thread.account_id):
                self.erased_at[thread_id] = self.journal.now()
        self.journal.note("store", "person erased")
        return self.database.erase_person(user_id, limit, code, self.now_ms)

    def quarantined(self, item_id: str, reason: str) -> None:
        self.journal.wrong("quarantine", f"an ordinary item was not understood: {reason}")
        self.database.quarantined[item_id] = ("", reason)

    def look_at(self, thread_id: str) -> None:
        """What must be true of a thread whenever somebody looks."""
        stored = self.database.threads.get(thread_id)
        if stored is None:
            return
        thread, messages = stored.thread, self.database.messages.get(thread_id, {}).values()
        open_ = [message for message in messages if message.is_unprocessed]
        if not open_:
            return
        if thread.due_at is None:
            self.journal.wrong("due", f"{len(open_)} DMs are open and nobody will look at {thread_id}")
        if thread.pending_count < len(open_):
            self.journal.wrong("count", f"{len(open_)} DMs are open, pending_count is {thread.pending_count}")

    def _claimed(self, execution: Execution, before: Thread, change: ThreadChange) -> None:
        assert isinstance(change.lease, Lease)  # noqa: S101 - by the caller
        execution.lease = change.lease
        lease = before.lease
        if lease is not None and lease.expires_at > self.now_ms + SKEW_MS:
            late = (lease.expires_at - self.now_ms) / 1000
            self.journal.wrong(
                "lease", f"{execution.process} took a lease that {lease.run_id} holds for {late:.1f} s more"
            )

    def _checkpointed(self, before: Thread, run: Run) -> None:
        self._measure(run)
        known = {action.key: action for action in before.run.actions} if before.run is not None else {}
        for action in run.actions:
            previous = known.get(action.key)
            fresh = previous is None or previous.started_at is None or previous.text != action.text
            if action.in_doubt and fresh:
                self._announce(before, run, action)

    def _announce(self, thread: Thread, run: Run, action: Action) -> None:
        """An action is about to go out: whatever the store knew before this commit counts."""
        self.journal.states[f"announced:{action.kind}"] += 1
        entry = self.announced.setdefault(_place(thread, action), Announced())
        entry.keys.add(action.key)
        entry.runs.add(run.id)
        entry.at = self.journal.now()
        if action.kind is ActionKind.NOTIFY or run.phase is Phase.CLOSING:
            return
        if thread.paused_until is not None and thread.paused_until > self.now_ms + SKEW_MS:
            self.journal.wrong("takeover", f"{action.key} was begun although a human had taken {thread.id} over")
        if not any(other.went_out for other in run.actions if other.key != action.key):
            self._check_unsent(thread.id, action)

    def _check_unsent(self, thread_id: str, action: Action) -> None:
        messages = self.database.messages.get(thread_id, {})
        for message in self._answered(thread_id, action):
            stored = messages.get(message)
            if stored is not None and stored.unsent_at is not None:
                self.journal.wrong(
                    "unsent", f"{action.key} answers {self._named(stored)}, which had been unsent before"
                )

    def _answered(self, thread_id: str, action: Action) -> list[str]:
        """Document ids of the DMs an action is about."""
        if action.kind is ActionKind.REACT:
            return [w.id for w in self.ledger.person_of(thread_id).texts if w.mid == action.target]
        found = (self.ledger.by_token.get(token) for token in TOKEN.findall(action.text))
        return [written.id for written in found if written is not None]

    def _measure(self, run: Run) -> None:
        """Only runs that may be large: measuring costs more than all the rest."""
        if len(run.turns) < 4 and all(len(turn.content) < 10_000 for turn in run.model_turns):
            return
        size = len(to_json(run_document(run)))
        self.largest = max(self.largest, size)
        if size > MAX_DOCUMENT_BYTES:
            self.journal.wrong("size", f"the live run takes {size} bytes, a document may have {MAX_DOCUMENT_BYTES}")

    # -- the model and effects ------------------------------------------------------------------------------

    def asked(self, execution: Execution, turns: Sequence[Turn]) -> None:
        """The model is asked: whose texts it sees."""
        run_id = execution.lease.run_id if execution.lease else ""
        self.model_calls[run_id] += 1
        first, execution.has_asked = not execution.has_asked, True
        turn = sum(isinstance(turn, ModelTurn) for turn in turns)
        for token in Asked.of(turns).tokens:
            written = self.ledger.by_token.get(token)
            if written is None or written.thread_id != execution.thread_id:
                self.journal.wrong("foreign", f"the model was shown {token} in {execution.thread_id}")
            else:
                place = run_id, written.id
                self.shown[place] = min(turn, self.shown.get(place, turn))  # a run that starts over counts anew
                self.attempts[written.id] += first

    def about_to(self, execution: Execution, kind: ActionKind, user_id: str, mark: str) -> None:
        """A run calls a platform: it must have said so before, and the thread must be its own."""
        entry = self.announced.get((user_id, mark))
        if entry is None:
            self.journal.wrong("announced", f"{kind} {mark[:60]!r} goes out, and no checkpoint says so")
            return
        stored = self.database.threads.get(execution.thread_id)
        if stored is not None and stored.thread.lease == execution.lease is not None:
            return
        if self.erased_at.get(execution.thread_id, -1.0) < entry.at:
            holder = stored.thread.lease.run_id if stored and stored.thread.lease else "nobody"
            self.journal.wrong("overlap", f"{execution.process} sends {mark[:60]!r} while {holder} holds the lease")

    def happened(self, effect: Effect) -> None:
        """The outside has seen an effect."""
        self.journal.note("world", f"{effect.kind} {effect.mark[:70]!r} ◀")
        entry = self.announced.setdefault((effect.user_id, effect.mark), Announced())
        entry.happened += 1
        if entry.happened > max(1, len(entry.keys)):
            self.journal.wrong("twice", f"{effect.kind} {effect.mark[:60]!r} happened {entry.happened} times")
        self._check_key(effect, entry)
        if effect.kind is ActionKind.REACT and not self._is_of(effect.user_id, effect.mid):
            self.journal.wrong("person", f"{effect.user_id} saw a reaction to a message that is not theirs")
        for token in TOKEN.findall(effect.text) if effect.user_id else ():
            written = self.ledger.by_token.get(token)
            if written is None or written.user_id != effect.user_id:
                self.journal.wrong("person", f"a text about {token} went to {effect.user_id}")

    def _check_key(self, effect: Effect, entry: Announced) -> None:
        """One action key stands for one effect, whatever text it was given."""
        if len(entry.keys) != 1:
            return  # the same text under several keys: counted above
        (key,) = entry.keys
        mark = self.marks.setdefault(key, effect.mark)
        if mark != effect.mark:
            self.journal.wrong("twice", f"{key} happened as {mark[:40]!r} and as {effect.mark[:40]!r}")

    def _is_of(self, user_id: str, mid: str) -> bool:
        return any(w.mid == mid for person in self.ledger.people if person.user_id == user_id for w in person.texts)

    def _named(self, message: Message) -> str:
        written = self.ledger.by_id.get(message.id)
        return written.token if written else message.id[:8]


def _place(thread: Thread, action: Action) -> tuple[str, str]:
    """Under which name the platform's record will show this action."""
    match action.kind:
        case ActionKind.SEND:
            return thread.user_id, action.text
        case ActionKind.REACT:
            return thread.user_id, f"{action.target} {action.text}"
        case ActionKind.NOTIFY:
            return "", action.key


def _described(change: ThreadChange) -> str:
    """A commit in a few words."""
    words = list[str]()
    if isinstance(change.lease, Lease):
        words.append(f"claim {change.lease.run_id}")
    if isinstance(change.run, Run):
        actions = " ".join(f"{a.key.rpartition('/')[2]}:{_state(a)}" for a in change.run.actions)
        words.append(f"turns={len(change.run.turns)} {change.run.phase}" + (f" [{actions}]" if actions else ""))
    if change.lease is None:
        words.append("free")
    if change.archive is not None:
        words.append(f"finish {change.archive.ending}")
    words += [f"{message.id[:6]}→{message.status}" for message in change.messages]
    return " ".join(words)


def _state(action: Action) -> str:
    return "started" if action.in_doubt and action.state is ActionState.PLANNED else str(action.state)
