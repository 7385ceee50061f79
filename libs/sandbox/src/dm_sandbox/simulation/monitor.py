"""Invariants that must hold at every moment, checked where it happens: at each write, before and after each effect.

::

    commit applied ──▶ the thread still makes sense · what it announces may be announced
    about to act   ──▶ announced before · by the run that holds the lease
    effect         ──▶ once per announced action · in the thread it is about

For alerts see ``outbox``, which this watches too.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from dm_core.alerts import HANDOVER_REMINDER
from dm_core.durations import HOUR_MS, MINUTE_MS
from dm_core.errors import AccountStopped, PlatformError, RetryLater, Service
from dm_core.messages import Direction, Message, Status
from dm_core.outbox import OutboxItem
from dm_core.processing.switches import parse as parse_switches
from dm_core.queue.port import WakeUp
from dm_core.runs import Action, ActionKind, DraftState, ModelTurn, Run, Turn
from dm_core.steering import Mode, Steering, Switches
from dm_core.store.document_values import from_json, to_json
from dm_core.store.port import UNSET, Conflict, Recorded, ThreadChange, ThreadEvents, Version
from dm_core.store.run_documents import run_document
from dm_core.store.transactional import Transaction
from dm_core.store.transactional.threads import commit
from dm_core.threads import Lease, Thread
from dm_sandbox.memory_database import MemoryDatabase
from dm_sandbox.simulation.journal import Journal
from dm_sandbox.simulation.model import TOKEN, Asked, answer_number
from dm_sandbox.simulation.outbox import Outbox
from dm_sandbox.simulation.people import Ledger
from dm_sandbox.simulation.platforms import Effect
from dm_sandbox.simulation.schedule import START, FaultKind

MAX_DOCUMENT_BYTES = 1_048_576
"""Firestore's limit of one document."""
SKEW_MS = 2_500
"""Clocks of instances differ by up to 2 s from each other; a decision by one of them may be that far off."""
MAX_RESTARTS = 3
"""How often new DMs may make a run start over; later ones are left to its follow-up."""
LONGEST_TOLD_MS = HOUR_MS
"""The longest wait that a service can ask for."""
DELAY_MS = MINUTE_MS
"""How long after a service's answer the commit may come that stores the wait for it (look-ups, a slow store)."""
KNOWN_AFTER = 90.0
"""Seconds after which every instance knows of a switch: half a minute, and as long as a slow commit takes."""
_SLEEPS = (FaultKind.FREEZE_BEFORE, FaultKind.FREEZE_AFTER)
MAX_AGE_MS = 120_000
"""How old an answer of the model may be when the first of it goes out."""


type _Mark = tuple[str, str]
"""A person, and what they see."""


@dataclass(slots=True, eq=False)
class Execution:
    """One delivery of one task: who runs it, and the lease it took.

    ``begun``: turns of which it started an action; ``asks``: alerts that the model asked it for and no commit has
    stored yet; ``failure``: what its last call of the model or send failed with, at ``failed_at`` (s from the start, as
    ``began_at``).
    """

    process: str
    thread_id: str
    outbox_id: str = ""
    lease: Lease | None = None
    has_asked: bool = False
    begun: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    asks: list[str] = field(default_factory=list[str])
    failure: PlatformError | None = None
    failed_at: float = 0.0
    began_at: float = 0.0
    is_over: bool = False


_EXECUTION: ContextVar[Execution] = ContextVar("execution")
_NOBODY = Execution("", "")


def current_execution() -> Execution:
    return _EXECUTION.get(_NOBODY)


def begin_execution(execution: Execution) -> None:
    _EXECUTION.set(execution)


@contextmanager
def noting_failure(execution: Execution) -> Generator[None]:
    """Keep what a call failed with; one that succeeds forgets it."""
    execution.failure = None
    try:
        yield
    except PlatformError as error:
        execution.failure, execution.failed_at = error, asyncio.get_running_loop().time()
        raise


@dataclass(slots=True)
class Announced:
    """Keys under which an effect was announced in the store, by which runs, and when last (s from the start)."""

    keys: set[str] = field(default_factory=set[str])
    runs: set[str] = field(default_factory=set[str])
    at: float = 0.0
    happened: int = 0
    happened_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Basis:
    """What an answer of the model rests on: the DMs it was shown, by token, in which words; when it arrived (ms)."""

    words: Mapping[str, str]
    at: int
    omits: bool = False

    def covers(self, token: str) -> bool:
        """It rests on this DM, or on so many that the oldest were only counted."""
        return self.omits or token in self.words


@dataclass(slots=True)
class Monitor:
    """Watches one simulation.

    ``announced`` is by person and mark. ``attempts`` counts, for each DM, the deliveries that asked the model about it;
    ``given_back`` those whose attempt was given back; ``claims`` how often it was claimed. ``answers``: numbers of the
    model's answers by run; ``bases`` are by that number, ``rests_on`` by action key (and by run id for a silence).
    ``marks``: what each action key happened as. ``troubles`` counts, by thread, what went wrong in its executions and
    was no outage. ``told``: DMs that were ended badly by a commit that had an alert for the manager. ``archives``: runs
    as they were archived, before an unsend took words out of them. ``echoed_at``: when a message of the account's was
    stored; ``looked_at``: when the platform's list of a person's messages could be read (s from the start);
    ``repeats``: how often a send in doubt may be repeated, ``doubts``: those of a run or of a human's message;
    ``waits_since``: when the wait of a thread was stored. ``holders``: the executions that took each lease.
    ``wakes`` says whether a task will wake a thread at that time (ms) or later.
    """

    database: MemoryDatabase
    ledger: Ledger
    journal: Journal
    epoch_ms: int
    outbox: Outbox
    announced: dict[tuple[str, str], Announced] = field(default_factory=dict[tuple[str, str], Announced])
    given_back: Counter[str] = field(default_factory=Counter[str])
    attempts: Counter[str] = field(default_factory=Counter[str])
    claims: Counter[str] = field(default_factory=Counter[str])
    model_calls: Counter[str] = field(default_factory=Counter[str])
    answers: dict[str, list[int]] = field(default_factory=lambda: defaultdict[str, list[int]](list))
    bases: dict[int, Basis] = field(default_factory=dict[int, Basis])
    rests_on: dict[str, Basis] = field(default_factory=dict[str, Basis])
    marks: dict[str, str] = field(default_factory=dict[str, str])
    troubles: Counter[str] = field(default_factory=Counter[str])
    told: set[str] = field(default_factory=set[str])
    erased_at: dict[str, float] = field(default_factory=dict[str, float])
    archives: dict[str, Run] = field(default_factory=dict[str, Run])
    echoed_at: dict[str, float] = field(default_factory=dict[str, float])
    looked_at: dict[str, list[float]] = field(default_factory=lambda: defaultdict[str, list[float]](list))
    waits_since: dict[str, float] = field(default_factory=dict[str, float])
    holders: dict[Lease, Execution] = field(default_factory=dict[Lease, Execution])
    wakes: Callable[[str, int], bool] = lambda _, __: True
    largest: int = 0
    released: Callable[[str], bool] = lambda _: False
    items: dict[str, OutboxItem] = field(default_factory=dict[str, OutboxItem])
    handovers: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict[str, dict[str, int]](dict))
    repeats: int = 0
    doubts: dict[str, list[_Mark]] = field(default_factory=lambda: defaultdict[str, list[_Mark]](list))
    switched: list[tuple[float, Switches]] = field(default_factory=list[tuple[float, Switches]])

    @property
    def now_ms(self) -> int:
        return self.epoch_ms + round(self.journal.now() * 1000)

    # -- writes ---------------------------------------------------------------------------------------------

    def write[T](self, operation: str, work: Callable[[Transaction], T]) -> T:
        """Apply a write, and look at the threads and alerts it wrote."""
        outcome = self.database.transact(work)
        for thread_id in dict.fromkeys(key for place, key in self.database.written if place[0] == "conversations"):
            if thread_id in self.database.threads:
                self.look_at(thread_id)
            else:
                self.erased_at[thread_id] = self.journal.now()
                self.journal.note("store", f"{thread_id} erased")
        written = (self.database.alerts.get(key) for place, key in self.database.written if place[0] == "alerts")
        alerts = [stored.alert for stored in written if stored is not None]
        if operation == "create_alert":
            self.outbox.created(alerts)
        elif operation == "save_alerts":
            self.outbox.saved(alerts, self.now_ms)
        elif operation == "record_status":
            self.outbox.told(alerts)
        elif operation == "save_outbox":
            self._saved_items([key for place, key in self.database.written if place[0] == "outbox"])
        elif (("maintenance", ""), "switches") in self.database.written:
            self._switched()
        return outcome

    def commit(self, tx: Transaction, execution: Execution, change: ThreadChange) -> Version | Conflict:
        """Apply a conditional commit and look at what it did."""
        before = self.database.threads.get(change.thread_id)
        messages = dict(self.database.messages.get(change.thread_id, {}))
        outcome = commit(tx, change)
        if isinstance(outcome, Conflict) or before is None:
            self.journal.states["commit:conflict"] += 1
            self.journal.note("store", f"commit of {execution.process} ✗ conflict")
            return outcome
        self.journal.note("store", f"commit of {execution.process} ✓ {_described(change)}")
        self.outbox.created(change.alerts)
        handover = change.steering.handover if isinstance(change.steering, Steering) else None
        if handover is not None:
            self.handovers[change.thread_id].setdefault(handover.key, handover.since)
        if isinstance(change.lease, Lease):
            self._claimed(execution, before, change)
        elif execution.lease is not None and before.lease != execution.lease:
            holder = before.lease.run_id if before.lease else "nobody"
            self.journal.wrong("lease", f"{execution.process} writes into {before.id}, whose lease {holder} holds")
        if isinstance(change.run, Run):
            self._checkpointed(execution, before, change.run)
        if change.archive is not None:
            self.archives[change.archive.id] = change.archive
            self._finished(before, change.archive)
        self._check_asks(execution, change)
        if isinstance(change.not_before, int):
            self.waits_since[change.thread_id] = self.journal.now()
            self._check_wait(execution, change.thread_id, change.not_before)
        self._count(change, messages)
        return outcome

    def recorded(self, events: ThreadEvents, recorded: Recorded) -> Recorded:
        """Look at what a request of the webhook did."""
        for message in events.messages:
            if message.direction is Direction.OUTBOUND:
                self.echoed_at.setdefault(message.content.text or "", self.journal.now())
        return recorded

    def _saved_items(self, ids: Sequence[str]) -> None:
        """What a human wrote is about to go out: announced as a run's actions are."""
        for item in (self.database.outbox[id_] for id_ in ids if id_ in self.database.outbox):
            before = self.items.get(item.id)
            known = {action.key: action for action in before.actions} if before is not None else {}
            for action in item.actions:
                previous = known.get(action.key)
                if action.in_doubt and (previous is None or previous.started_at is None):
                    person = item.thread_id.partition("_")[2]
                    entry = self.announced.setdefault((person, action.text), Announced())
                    entry.keys.add(action.key)
                    entry.runs.add(item.id)
                    entry.at = self.journal.now()
            self.items[item.id] = item
            self.journal.note("store", f"item {item.id[:6]} {item.state} {item.answer[:40]}")

    def _switched(self) -> None:
        stored = self.database.places["maintenance", ""].get("switches")
        if stored is not None:
            self.switched.append((self.journal.now(), parse_switches(from_json(str(stored.doc.get("json"))))))

    def quarantined(self, reason: str) -> None:
        self.journal.wrong("quarantine", f"an ordinary item was not understood: {reason}")

    def schedules(self, execution: Execution, wake_up: WakeUp) -> None:
        """The sweep (which serves no thread, nor a human's words) lets threads alone that waited before it looked."""
        thread = self.database.threads.get(wake_up.thread_id)
        serves = execution.thread_id or execution.outbox_id
        if serves or not execution.process.startswith("p") or thread is None:
            return
        waits_until = thread.not_before
        waited = self.waits_since.get(wake_up.thread_id, 0.0) < execution.began_at
        if waited and waits_until is not None and waits_until > max(self.now_ms, wake_up.fire_at) + SKEW_MS:
            self.journal.wrong("early", f"the sweep wakes {wake_up.thread_id}, which waits")

    def look_at(self, thread_id: str) -> None:
        """What must be true of a thread whenever somebody looks."""
        thread = self.database.threads.get(thread_id)
        if thread is None:
            return
        messages = self.database.messages.get(thread_id, {}).values()
        open_ = [message for message in messages if message.is_unprocessed]
        if not open_:
            return
        if thread.due_at is None:
            self.journal.wrong("due", f"{len(open_)} DMs are open and nobody will look at {thread_id}")
        elif thread.not_before is not None and thread.due_at < thread.not_before:
            self.journal.wrong("due", f"{thread_id} is due before its wait is over")
        if thread.pending_count < len(open_):
            self.journal.wrong("count", f"{len(open_)} DMs are open, pending_count is {thread.pending_count}")

    def _claimed(self, execution: Execution, before: Thread, change: ThreadChange) -> None:
        assert isinstance(change.lease, Lease)  # noqa: S101 - by the caller
        execution.lease = change.lease
        self.holders[change.lease] = execution
        lease = before.lease
        holder = self.holders.get(lease) if lease is not None else None
        # It could not give the lease back, and knows that nobody runs the thread.
        is_own = holder is not None and holder.is_over and holder.process == execution.process
        if lease is not None and lease.expires_at > self.now_ms + SKEW_MS and not is_own:
            late = (lease.expires_at - self.now_ms) / 1000
            self.journal.wrong(
                "lease", f"{execution.process} took a lease that {lease.run_id} holds for {late:.1f} s more"
            )
        if before.not_before is not None and before.not_before > self.now_ms + SKEW_MS:
            early = (before.not_before - self.now_ms) / 1000
            self.journal.wrong("early", f"{execution.process} claims {before.id}, which waits for {early:.1f} s more")
        fresh = isinstance(change.run, Run) and change.run.script is not None
        if before.run is not None and before.run.acted and change.allowance is not UNSET and not fresh:
            self.journal.wrong("allowance", f"{before.id} pays twice for one run")

    def _count(self, change: ThreadChange, before: Mapping[str, Message]) -> None:
        """Attempts taken and given back; who was told when a DM ends badly."""
        run = change.run if isinstance(change.run, Run) else change.archive
        if run is not None:
            self.outbox.noted(run)
        alerts = (*change.alerts, *(run.alerts if run is not None else ()))
        has_alert = any(alert.cause != HANDOVER_REMINDER for alert in alerts)  # what is told only later does not count
        for message in change.messages:
            attempts = message.attempts
            known = before.get(message.id)
            if attempts is not UNSET and known is not None:
                self.claims[message.id] += attempts > known.attempts
                self.given_back[message.id] += attempts < known.attempts
            if has_alert and message.status not in (Status.PENDING, Status.PROCESSING):
                self.told.add(message.id)

    def _check_asks(self, execution: Execution, change: ThreadChange) -> None:
        """What the model asked to be told is stored by the next commit, whatever becomes of the turn."""
        if not execution.asks or not (isinstance(change.run, Run) or change.archive is not None):
            return
        known = [alert for alert in self.outbox.alerts.values() if alert.thread_id == execution.thread_id]
        for ask in execution.asks:
            if not any(alert.text == ask for alert in known):
                self.journal.wrong("asked", f"{ask!r} was asked for, and a commit has not stored it")
        execution.asks.clear()

    def _check_wait(self, execution: Execution, thread_id: str, not_before: int) -> None:
        """A wait has a wake-up of its own, is as long as the service asked, and the manager knows a cause to mend."""
        late = self.now_ms >= not_before  # a slow commit: the task itself wakes the thread again (``World``)
        if not late and not self.wakes(thread_id, not_before - SKEW_MS):
            self.journal.wrong("wake_up", f"{thread_id} waits, and nothing will wake it then")
        failure = execution.failure
        if isinstance(failure, RetryLater) and failure.wait_seconds is not None:
            since = (asyncio.get_running_loop().time() - execution.failed_at) * 1000  # the process may have slept
            least = min(failure.wait_seconds * 1000, LONGEST_TOLD_MS) - SKEW_MS - DELAY_MS - since
            if not_before - self.now_ms < least:
                self.journal.wrong("told_wait", f"{thread_id} waits for less than the {failure.service} asked")
        if isinstance(failure, AccountStopped) and failure.service is not Service.VAULT:
            cause = f"{failure.service}/{failure.code}"
            if not any(alert.cause == cause for alert in self.outbox.alerts.values()):
                self.journal.wrong("cause", f"{thread_id} waits for somebody to mend {cause}, and nobody was told")

    def _checkpointed(self, execution: Execution, before: Thread, run: Run) -> None:
        self._measure(run)
        known = {action.key: action for action in before.run.actions} if before.run is not None else {}
        for action in run.actions:
            previous = known.get(action.key)
            fresh = previous is None or previous.started_at is None or previous.text != action.text
            if action.in_doubt and fresh:
                self._announce(execution, before, run, action)

    def _announce(self, execution: Execution, thread: Thread, run: Run, action: Action) -> None:
        """An action is about to go out: whatever the store knew before this commit counts."""
        self.journal.states[f"announced:{action.kind}"] += 1
        entry = self.announced.setdefault(_place(thread, action), Announced())
        entry.keys.add(action.key)
        entry.runs.add(run.id)
        entry.at = self.journal.now()
        basis = self._basis(run)
        if basis is not None:
            self.rests_on[action.key] = basis
        self._check_steering(thread, run, action)
        if thread.paused_until is not None and thread.paused_until > self.now_ms + SKEW_MS:
            self.journal.wrong("takeover", f"{action.key} was begun although a human had taken {thread.id} over")
        turn = run.id, action.turn
        if turn in execution.begun:
            return
        execution.begun.add(turn)
        self._check_draft(thread, run, action)
        if run.script is not None:
            return
        self._check_basis(thread, run, action.key, basis, action.started_at or 0)
        messages = self.database.messages.get(thread.id, {})
        self._check_taken_over(thread, action.key, [messages[id_] for id_ in run.message_ids if id_ in messages])

    def _check_steering(self, thread: Thread, run: Run, action: Action) -> None:
        """Nothing goes out in a thread that is left to humans, switched off or stopped by its person."""
        steering = thread.steering
        if steering.pause is not None or steering.mode is Mode.OFF:
            self.journal.wrong("steered", f"{action.key} was begun although {thread.id} is paused or off")
        own = [m for m in self.database.messages.get(thread.id, {}).values() if m.id in run.message_ids]
        starts = run.script is not None or any(message.content.text == START for message in own)
        if steering.stopped_at is not None and not starts:
            self.journal.wrong("steered", f"{action.key} was begun although its person said stop")
        switches = self._switches_for_long()
        if switches is not None and run.script is None:
            humans = any(switches.leaves_to_humans(message.created_at) for message in own)
            if switches.mode is Mode.OFF or humans:
                self.journal.wrong("steered", f"{action.key} was begun although everything is paused or off")

    def _switches_for_long(self) -> Switches | None:
        """The deployment's switches, if they have held long enough for every instance to know; None: not sure."""
        slept = any(self.journal.faults[kind] for kind in _SLEEPS)
        if slept or not self.switched or self.journal.now() - self.switched[-1][0] < KNOWN_AFTER:
            return None
        return self.switched[-1][1]

    def _check_draft(self, thread: Thread, run: Run, action: Action) -> None:
        """In draft mode only what the manager released is begun, and a draft never otherwise."""
        draft = run.draft if run.draft is not None and run.draft.turn == action.turn else None
        if draft is None:
            switches = self._switches_for_long()
            if switches is not None and switches.mode_of(thread.steering) is Mode.DRAFT and run.script is None:
                self.journal.wrong("undecided", f"{action.key} was begun in draft mode, and is no draft")
        elif not draft.is_released or not self.released(draft.alert_id):
            self.journal.wrong("undecided", f"{action.key} was begun, and the manager has not released it")
        else:
            self.journal.states[f"released:{draft.state}"] += 1

    def _finished(self, before: Thread, archive: Run) -> None:
        """A silence must rest on what is there, as an answer must."""
        basis = self._basis(archive)
        if basis is not None:
            self.rests_on[archive.id] = basis
        if archive.ending == "no_reply":
            self._check_basis(before, archive, f"the silence of {archive.id}", basis, None)

    def _basis(self, run: Run) -> Basis | None:
        return self.bases.get(answer_number(run.model_turns[-1])) if run.model_turns else None

    def _check_basis(self, thread: Thread, run: Run, what: str, basis: Basis | None, started_at: int | None) -> None:
        """Nothing came since the model was asked, and its answer is young."""
        draft = run.draft if run.draft is not None and run.draft.turn == run.next_turn - 1 else None
        if draft is not None and draft.state is DraftState.EDIT:
            return
        if basis is None:
            self.journal.wrong("basis", f"{what} rests on no answer of the model")
            return
        if draft is None and started_at is not None and started_at - basis.at > MAX_AGE_MS + SKEW_MS:
            self.journal.wrong("old", f"{what} goes out {(started_at - basis.at) // 1000} s after it was decided")
        for message in self.database.messages.get(thread.id, {}).values():
            written = self.ledger.by_id.get(message.id)
            if written is None or written.is_word or message.direction is not Direction.INBOUND:
                continue
            shown = basis.words.get(written.token)
            left_out = run.restarts >= MAX_RESTARTS and message.id not in run.message_ids
            own = message.is_unprocessed or message.id in run.message_ids
            if message.unsent_at is not None:
                if shown is not None:
                    self.journal.wrong("unsent", f"{what} answers {written.token}, which had been unsent before")
            elif shown is None and basis.omits:
                continue
            elif own and shown != _version(message) and not left_out and self._was_open(message):
                self.journal.wrong("ignored", f"{what} rests on {shown} of {written.token}, not {_version(message)}")

    def _was_open(self, message: Message) -> bool:
        """It was to be answered when the commit was made (a finish has ended its own by now)."""
        return message.is_unprocessed or message.processed_at is None or message.processed_at >= self.now_ms - MINUTE_MS

    def _check_taken_over(self, thread: Thread, what: str, messages: Sequence[Message]) -> None:
        if thread.paused_until is None:
            return
        for message in messages:
            if message.created_at < thread.paused_until and message.unsent_at is None:
                self.journal.wrong("takeover", f"{what} answers {self._named(message)}, which a human answers")

    def _measure(self, run: Run) -> None:
        """Only runs that may be large: measuring costs more than all the rest."""
        if len(run.turns) < 4 and all(len(turn.content) < 10_000 for turn in run.model_turns):
            return
        size = len(to_json(run_document(run)))
        self.largest = max(self.largest, size)
        if size > MAX_DOCUMENT_BYTES:
            self.journal.wrong("size", f"the live run takes {size} bytes, a document may have {MAX_DOCUMENT_BYTES}")

    # -- the model and effects ------------------------------------------------------------------------------

    def asked(self, execution: Execution, turns: Sequence[Turn]) -> Asked:
        """The model is asked: whose texts it sees, in which words."""
        run_id = execution.lease.run_id if execution.lease else ""
        self.model_calls[run_id] += 1
        first, execution.has_asked = not execution.has_asked, True
        asked = Asked.of(turns)
        for token in asked.words:
            written = self.ledger.by_token.get(token)
            if written is None or written.thread_id != execution.thread_id:
                self.journal.wrong("foreign", f"the model was shown {token} in {execution.thread_id}")
            else:
                self.attempts[written.id] += first
        return asked

    def answered(self, execution: Execution, turn: ModelTurn, asked: Asked) -> None:
        """The model's answer has arrived at the run that asked."""
        self.answers[execution.lease.run_id if execution.lease else ""].append(answer_number(turn))
        self.bases[answer_number(turn)] = Basis(asked.words, self.now_ms, asked.omits)
        execution.asks += self.outbox.asked(turn, execution.lease.run_id if execution.lease else "")

    def troubled(self, thread_id: str, *, outage: bool = False) -> None:
        """Something goes wrong in a task of this thread."""
        self.troubles[thread_id] += not outage

    def calls_manager(self, execution: Execution, reference: str) -> None:
        """WhatsApp is called."""
        if execution.thread_id:
            self.journal.wrong("waits", f"a run of {execution.thread_id} waits for WhatsApp")
        self.outbox.calls(reference)

    def looks(self, user_id: str) -> None:
        """The platform's list of this person's messages was read."""
        self.looked_at[user_id].append(self.journal.now())

    def about_to(self, execution: Execution, kind: ActionKind, user_id: str, mark: str) -> None:
        """A run calls a platform: it must have said so before, and the thread must be its own."""
        entry = self.announced.get((user_id, mark))
        if entry is None:
            self.journal.wrong("announced", f"{kind} {mark[:60]!r} goes out, and no checkpoint says so")
            return
        if kind is ActionKind.SEND:
            self._check_repeated(execution, mark)
        if execution.outbox_id:
            self._check_held(execution.outbox_id, mark)
            return
        thread = self.database.threads.get(execution.thread_id)
        if thread is not None and thread.lease == execution.lease is not None:
            return
        if self.erased_at.get(execution.thread_id, -1.0) < entry.at:
            holder = thread.lease.run_id if thread and thread.lease else "nobody"
            self.journal.wrong("overlap", f"{execution.process} sends {mark[:60]!r} while {holder} holds the lease")

    def ended_in_doubt(self, execution: Execution, user_id: str, mark: str) -> None:
        """A send was made whose fate its caller can't tell."""
        self.doubts[_worker(execution)].append((user_id, mark))

    def _check_repeated(self, execution: Execution, mark: str) -> None:
        """Nothing is sent after a send in doubt that was not found, but for the one repetition that is allowed."""
        lost = [
            key
            for key in self.doubts[_worker(execution)]
            if key not in self.announced or not self.announced[key].happened
        ]
        if len(lost) > self.repeats:
            self.journal.wrong("resent", f"{mark[:60]!r} goes out after {len(lost)} sends that were not found")

    def _check_held(self, item_id: str, mark: str) -> None:
        """Whoever sends a human's words holds their item."""
        item = self.database.outbox.get(item_id)
        if item is not None and (item.claim_until is None or item.claim_until < self.now_ms - SKEW_MS):
            self.journal.wrong("overlap", f"{mark[:60]!r} is sent, and nobody holds its item")

    def happened(self, effect: Effect) -> None:
        """The outside has seen an effect."""
        self.journal.note("world", f"{effect.kind} {effect.mark[:70]!r} ◀")
        entry = self.announced.setdefault((effect.user_id, effect.mark), Announced())
        entry.happened += 1
        entry.happened_at = self.journal.now()
        if entry.happened > max(1, len(entry.keys)):
            self.journal.wrong("twice", f"{effect.kind} {effect.mark[:60]!r} happened {entry.happened} times")
        self._check_key(effect, entry)
        if effect.kind is ActionKind.REACT and not self._is_of(effect.user_id, effect.mid):
            self.journal.wrong("person", f"{effect.user_id} saw a reaction to a message that is not theirs")
        for token in TOKEN.findall(effect.text):
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


def _worker(execution: Execution) -> str:
    """The run or the human's message on whose behalf something is sent."""
    return execution.outbox_id or (execution.lease.run_id if execution.lease else "")


def _version(message: Message) -> str:
    """Which words of a text are stored: its second word (``q0-3 v2 edited``)."""
    words = (message.content.text or message.content.postback or "").split()
    return words[1] if len(words) > 1 else ""


def _place(thread: Thread, action: Action) -> tuple[str, str]:
    """Under which name the platform's record will show this action."""
    mark = f"{action.target} {action.text}" if action.kind is ActionKind.REACT else action.text
    return thread.user_id, mark


def _described(change: ThreadChange) -> str:
    """A commit in a few words."""
    words = list[str]()
    if isinstance(change.lease, Lease):
        words.append(f"claim {change.lease.run_id}")
    if isinstance(change.run, Run):
        actions = " ".join(f"{a.key.rpartition('/')[2]}:{_state(a)}" for a in change.run.actions)
        words.append(f"turns={len(change.run.turns)}" + (f" [{actions}]" if actions else ""))
    if change.lease is None:
        words.append("free")
    if change.not_before not in (None, UNSET):
        words.append("wait")
    if change.archive is not None:
        words.append(f"finish {change.archive.ending}")
    words += [f"alert {alert.id[:6]}" for alert in change.alerts]
    words += [f"{message.id[:6]}→{message.status}" for message in change.messages]
    return " ".join(words)


def _state(action: Action) -> str:
    return "started" if action.in_doubt else str(action.state)
