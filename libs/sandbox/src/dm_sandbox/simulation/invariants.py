"""What must be true of threads in the end, held against what the platforms themselves recorded."""

from collections import Counter
from collections.abc import Callable
from math import inf
from typing import Final

from dm_core.alerts import MODEL
from dm_core.messages import WINDOW_MS, Direction, Disposition, EventKind, Message, Status, message_id
from dm_core.runs import Action, ActionKind, ActionState, Run
from dm_core.steering import Mode
from dm_sandbox.simulation.alert_invariants import judge_alerts
from dm_sandbox.simulation.instances import deployment
from dm_sandbox.simulation.manager_invariants import judge_manager
from dm_sandbox.simulation.model import SECRET, TOKEN
from dm_sandbox.simulation.monitor import SKEW_MS, Announced, Basis
from dm_sandbox.simulation.people import Person, Written
from dm_sandbox.simulation.schedule import START, STOP, FaultKind
from dm_sandbox.simulation.schedule import FaultKind as D
from dm_sandbox.simulation.world import World

MAX_SENDS: Final = 3
MAX_ASKED: Final = 1
"""Alerts that the model may ask for in one run."""
_MAY_HAVE_HAPPENED: Final = (ActionState.DONE, ActionState.UNCERTAIN)


def judge(world: World) -> None:
    """Check a finished simulation; what is wrong goes into its journal."""
    for person in world.ledger.people:
        judgement = Judgement(world, person)
        judgement.rest()
        for written in person.texts:
            judgement.text(written)
        judgement.runs()
        judgement.history()
    _leaks(world)
    _answered_once(world)
    judge_alerts(world)
    judge_manager(world)
    _calls_in_vain(world)
    if world.is_calm:
        _calm(world)


class Judgement:
    """One person's thread in the end."""

    def __init__(self, world: World, person: Person) -> None:
        self._world, self._person = world, person
        self._wrong = world.journal.wrong
        self._states = world.journal.states
        self._thread = world.database.threads.get(person.thread_id)
        self._messages = world.database.messages.get(person.thread_id, {})
        archives, kept = world.monitor.archives, world.database.runs.get(person.thread_id, {})
        self._runs = {run_id: archives.get(run_id, run) for run_id, run in kept.items()}
        self._erased = world.monitor.erased_at.get(person.thread_id)

    def rest(self) -> None:
        """No lease, no run, nothing due, nothing pending."""
        thread = self._thread
        if thread is None:
            return
        left = [
            name
            for name, value in (
                ("a lease", thread.lease),
                ("a run", thread.run),
                ("due_at", thread.due_at),
                ("pending_count", thread.pending_count or None),
            )
            if value is not None
        ]
        if left:
            self._wrong("rest", f"{' and '.join(left)} left in {thread.id} at {self._world.loop.time():.0f} s")
        resumed = any(each.text.strip().lower() == "resume" for each in self._world.manager.wrote)
        paused = thread.paused_until is not None and not resumed  # "resume" leaves what came before it to humans
        if paused and not self._person.human_at and self._erased is None:
            self._wrong("echo", f"{thread.id} is paused, and no human ever wrote there")

    # -- each text ------------------------------------------------------------------------------------------

    def text(self, written: Written) -> None:
        """It ended, and in a way that what happened explains."""
        stored = self._messages.get(written.id)
        if (
            stored is not None
            and stored.status is Status.PROCESSED
            and stored.disposition in (None, Disposition.NO_REPLY)
            and self._said_stop_before(written)
        ):
            self._wrong("stopped", f"{written.token} was answered although its person had said stop")
        if stored is None:
            if written.acknowledged_at is not None and self._erased is None:
                self._wrong("lost", f"{written.token} is gone")
            return
        self._states[f"dm:{stored.disposition or stored.status}"] += 1
        if stored.is_unprocessed:
            self._wrong("ended", f"{written.token} is still {stored.status}")
        elif stored.status is Status.FAILED:
            self._failed(written, stored)
        else:
            self._explained(written, stored)
        monitor, limit = self._world.monitor, self._world.schedule.max_attempts
        allowed = limit + monitor.given_back[written.id]
        if (attempts := monitor.attempts[written.id]) > allowed and self._erased is None:
            self._wrong("attempts", f"the model was asked about {written.token} in {attempts} attempts of {allowed}")
        if stored.attempts > limit + 1:
            self._wrong("attempts", f"{written.token} counts {stored.attempts} attempts of {limit}")

    def _failed(self, written: Written, stored: Message) -> None:
        """Only after as many attempts of its own, none of which an outage spoiled; and the manager was told."""
        monitor, limit = self._world.monitor, self._world.schedule.max_attempts
        used = monitor.claims[written.id] - monitor.given_back[written.id]
        if used < limit:
            self._wrong("failed", f"{written.token} failed after {used} attempts of its own: {stored.error}")
        if (troubles := monitor.troubles[written.thread_id]) < limit:
            self._wrong("failed", f"{written.token} failed although only {troubles} things went wrong there")
        self._check_told(written)

    def _check_told(self, written: Written) -> bool:
        if written.id not in self._world.monitor.told and self._erased is None:
            self._wrong("told", f"{written.token} ended badly and the manager was never told")
        return True

    def _explained(self, written: Written, stored: Message) -> None:
        disposition = stored.disposition
        run = self._run(written, stored) if disposition in _BY_A_RUN else None
        explained: dict[Disposition | None, Callable[[], bool]] = {
            None: lambda: run is not None and self._was_answered(run, written),
            Disposition.NO_REPLY: lambda: run is not None and _declined(run) and self._was_shown(run, written),
            Disposition.HUMAN: lambda: (
                bool(self._person.human_at) or self._erased is not None or self._left_to_humans()
            ),
            Disposition.OFF: lambda: self._said("off"),
            Disposition.STOPPED: lambda: any(each.text == STOP for each in self._person.texts),
            Disposition.UNSENT: lambda: written.unsent_at is not None,
            Disposition.EXPIRED: lambda: (
                written.stale or self._found_closed(stored) or self._waited(written) or self._undecided(written, stored)
            ),
            Disposition.UNCERTAIN: lambda: (
                run is not None and _has(run, ActionState.UNCERTAIN) and self._check_told(written)
            ),
            Disposition.HANDED_OVER: lambda: run is not None and self._gave_up(run) and self._check_told(written),
            Disposition.REFUSED: lambda: run is not None and _has(run, ActionState.REFUSED) and self._had(D.BLOCKED),
        }
        if not explained.get(disposition, lambda: False)():
            self._wrong("explained", f"{written.token} ended as {disposition or 'answered'}, and nothing explains it")
        if stored.unsent_at is not None and not stored.content.is_empty:
            self._wrong("kept", f"{written.token} was unsent and its words are still there")

    def _said(self, *words: str) -> bool:
        """The manager has said one of these words."""
        return any(each.text.strip().lower() in words for each in self._world.manager.wrote)

    def _said_stop_before(self, written: Written) -> bool:
        """The stop word itself, or a text that came when it had been read, of a person who never said start."""
        texts, stored = self._person.texts, self._messages[written.id]
        read = [
            m.processed_at for each in texts if each.text == STOP and (m := self._messages.get(each.id)) is not None
        ]
        late = any(at is not None and at + SKEW_MS < stored.created_at for at in read)
        return (written.text == STOP or late) and not any(each.text == START for each in texts)

    def _left_to_humans(self) -> bool:
        return self._said("pause", "drop")

    def _undecided(self, written: Written, stored: Message) -> bool:
        """A draft waited for the manager until shortly before the person's window ended, and the manager was told."""
        end = (self._thread.last_inbound_at if self._thread is not None else 0) + WINDOW_MS
        left = end - (stored.processed_at or end)
        return self._world.schedule.mode is Mode.DRAFT and left >= LEAST_LEFT_MS and self._check_told(written)

    def _found_closed(self, stored: Message) -> bool:
        """The platform said that the person's window is closed; nobody need be told of that."""
        run = self._runs.get(stored.run_id or "")
        return run is not None and _has(run, ActionState.REFUSED) and self._had(D.WINDOW)

    def _waited(self, written: Written) -> bool:
        """An outage lasted as long as anybody waits, and the manager was told."""
        return any(o.seconds >= LONGEST_WAIT for o in self._world.schedule.outages) and self._check_told(written)

    def _gave_up(self, run: Run) -> bool:
        """The model's own answers, or what the platform refused, were the reason; a call in vain is none."""
        answers = len(self._world.monitor.answers[run.id])
        odd = any(fault.kind is D.ODD for fault in self._world.schedule.faults)
        return odd or run.repairs > 0 or answers >= deployment().processor.limits.max_model_turns

    def _had(self, kind: FaultKind) -> bool:
        return bool(self._world.journal.faults[kind])

    def _run(self, written: Written, stored: Message) -> Run | None:
        run = self._runs.get(stored.run_id or "")
        if run is None:
            self._wrong("archive", f"{written.token} was ended by run {stored.run_id}, which is not archived")
        return run

    def _was_answered(self, run: Run, written: Written) -> bool:
        """Something went out that rests on this text, or the model had seen it and wanted nothing more to go out.

        One that was unsent in time is not shown.
        """
        if (written.unsent_at is not None and run.acted) or written.is_word:
            return True
        bases = [self._rests_on(action.key) for action in run.actions if action.went_out]
        covered = any(basis is not None and basis.covers(written.token) for basis in bases)
        return covered or (_declined(run) and self._was_shown(run, written))

    def _was_shown(self, run: Run, written: Written) -> bool:
        """The run's last answer rests on this text."""
        basis = self._rests_on(run.id)
        return written.is_word or (basis is not None and basis.covers(written.token))

    def _rests_on(self, key: str) -> Basis | None:
        return self._world.monitor.rests_on.get(key)

    # -- runs and history -----------------------------------------------------------------------------------

    def runs(self) -> None:
        """What is written of each action is what the outside saw; limits were kept."""
        for run in self._runs.values():
            self._states[f"run:{run.ending}"] += 1
            for action in run.actions:
                self._states[f"action:{action.kind}:{action.state}"] += 1
                self._recorded(action)
            sends = {(a.turn, a.call_index) for a in run.actions if _is(a, ActionKind.SEND)}
            asked = [alert for alert in run.alerts if alert.cause == MODEL]
            if len(sends) > MAX_SENDS or len(asked) > MAX_ASKED:
                self._wrong("limits", f"run {run.id} sent {len(sends)} messages and asked for {len(asked)} alerts")
            if run.ending == "uncertain":
                self._looked_up(run)
            begun = (run.started_at - self._world.epoch_ms) / 1000
            if self._erased is not None and begun < self._erased - SKEW_MS / 1000:
                self._wrong("erased", f"run {run.id} of an erased thread is still there")

    def _looked_up(self, run: Run) -> None:
        """A reply is only given up as uncertain after two look-ups that worked, a minute apart."""
        times = self._world.monitor.looked_at[self._person.user_id]
        doubtful = (a for a in run.actions if a.kind is ActionKind.SEND and a.state is ActionState.UNCERTAIN)
        for action in doubtful:
            begun = ((action.started_at or 0) - self._world.epoch_ms - SKEW_MS) / 1000
            after = [at for at in times if at >= begun]
            if not after or after[-1] - after[0] < LOOKS_APART:
                self._wrong("looked", f"{action.key} is uncertain, and was not looked for twice")

    def _recorded(self, action: Action) -> None:
        entry = self._entry(action)
        if action.state is ActionState.DONE and not entry.happened:
            self._wrong("done", f"{action.key} is done, and nobody saw it")
        if action.state is ActionState.REFUSED and self._had(D.DENIED):
            if (self._world.monitor.echoed_at.get(action.text) or inf) < entry.happened_at + AT_ONCE:
                self._wrong("denied", f"{action.key} is refused, and its echo had said that it went out")
            return
        if action.state in (ActionState.REFUSED, ActionState.DROPPED, ActionState.PLANNED):
            others = sum(
                self._entry(other) is entry and other.state in _MAY_HAVE_HAPPENED
                for run in self._runs.values()
                for other in run.actions
            )
            if entry.happened > others:
                self._wrong("denied", f"{action.key} is {action.state}, and it happened")

    def _entry(self, action: Action) -> Announced:
        mark = f"{action.target} {action.text}" if action.kind is ActionKind.REACT else action.text
        return self._world.monitor.announced.get((self._person.user_id, mark), _NEVER)

    def _edits(self) -> set[str]:
        """Texts of the manager's that went out in a draft's place: ours, in other words."""
        return {item.text for item in self._world.database.outbox.values() if item.button.startswith("text:")}

    def history(self) -> None:
        """Our words are stored as ours, a human's as a human's."""
        for message in self._messages.values():
            text = message.content.text
            if message.direction is Direction.HUMAN and text not in self._person.human_texts and self._erased is None:
                self._wrong("echo", f"{text!r} was taken for a human's")
            if message.direction is Direction.OUTBOUND and text in self._person.human_texts - self._edits():
                self._wrong("echo", f"a human's {text!r} was taken for ours")
        if self._erased is not None or self._had(D.LOST) or self._had(D.DENIED):
            return
        for effect in self._world.platforms.effects:
            ours = effect.kind is ActionKind.SEND and effect.user_id == self._person.user_id
            if ours and message_id(EventKind.MESSAGE, effect.mid) not in self._messages:
                self._wrong("history", f"{effect.text[:40]!r} went out and is not in the thread")


MOST_IN_VAIN: Final = 10
LEAST_LEFT_MS: Final = 300_000
"""Left of a person's window when a draft that nobody decided ends: ten minutes, less what a look may be late."""
LOOKS_APART: Final = 57.5
"""Seconds between two look-ups, less the error of the clocks."""
AT_ONCE: Final = 1.0
"""An echo stored so many seconds after its text went out is there before anybody may have stopped looking for it."""
LONGEST_WAIT: Final = 12 * 3_600.0
"""Seconds a DM waits at most."""
_NEVER: Final = Announced()
_BY_A_RUN: Final = (
    None,
    Disposition.NO_REPLY,
    Disposition.UNCERTAIN,
    Disposition.HANDED_OVER,
    Disposition.REFUSED,
)


def _has(run: Run, state: ActionState) -> bool:
    return any(action.state is state for action in run.actions)


def _declined(run: Run) -> bool:
    """The model's last turn said that nothing (more) needs to be said."""
    return bool(run.model_turns) and any(call.name == "no_reply" for call in run.model_turns[-1].calls)


def _is(action: Action, kind: ActionKind) -> bool:
    return action.kind is kind and action.state in _MAY_HAVE_HAPPENED


def _leaks(world: World) -> None:
    texts = [effect.text for effect in world.platforms.effects]
    texts += [text for each in world.phone.texts.values() for text in each]
    if any(SECRET in text for text in texts):
        world.journal.wrong("leak", "a secret went out")


def _calls_in_vain(world: World) -> None:
    """An instance asks a service that is down less than once a second, over any ten of them."""
    for service, calls in world.vain.items():
        counts = Counter((process, int(at // 10)) for at, process in calls)
        if max(counts.values()) >= MOST_IN_VAIN:
            world.journal.wrong("vain", f"{max(counts.values())} calls of {service} in vain in ten seconds")


def _answered_once(world: World) -> None:
    """No two runs answered the same text."""
    by_token: dict[str, set[str]] = {}
    for effect in world.platforms.effects:
        if effect.kind is ActionKind.SEND:
            runs = world.monitor.announced.get((effect.user_id, effect.mark), _NEVER).runs
            for token in TOKEN.findall(effect.text):
                by_token.setdefault(token, set()).update(runs)
    for token, runs in by_token.items():
        written = world.ledger.by_token.get(token)
        if len(runs) > 1 and written is not None and written.thread_id not in world.monitor.erased_at:
            world.journal.wrong("answered", f"{token} was answered by {len(runs)} runs: {', '.join(sorted(runs))}")


def _is_steered(world: World, person: Person) -> bool:
    """Something but the model decides of this person's DMs."""
    return world.schedule.mode is not Mode.AUTO or any(each.is_word for each in person.texts)


def _calm(world: World) -> None:
    """Nothing went wrong, so nothing may look as if it had."""
    for name in ("task:error", "task:superseded", "webhook:redelivered", "task:no answer", "task:failed"):
        if world.journal.states[name] and not world.monitor.erased_at:
            world.journal.wrong("calm", f"{name} {world.journal.states[name]} times although nothing had gone wrong")
    for written in world.ledger.by_token.values():
        stored = world.database.messages.get(written.thread_id, {}).get(written.id)
        person = world.ledger.person_of(written.thread_id)
        touched = (
            world.manager.wrote
            or _is_steered(world, person)
            or written.unsent_at
            or person.human_at
            or person.asked_erasure
            or written.stale
        )
        if not touched and stored is not None and stored.disposition not in (None, Disposition.NO_REPLY):
            world.journal.wrong(
                "calm", f"{written.token} ended as {stored.disposition} although nothing had gone wrong"
            )
