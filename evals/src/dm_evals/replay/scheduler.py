"""Plays a scenario: what happens, in order of the scenario's time, until nothing is left to happen.

    events ─────●──────●──────────●──▶
    wake-ups ──────────────●────────────▶     the earliest is next; of one moment: event, wake-up or tick, sweep
    ticks ────────────────────●─────────▶     (an alert that is due)
    sweep ────────────────────────────●──▶    (when a thread is overdue)
                           └ run ─ turn n is asked ─ events of ``during: n`` ─ answered ─ …

A task that is answered with other than 200 comes again after the queue's back-off. Nothing is waited for in real time.
"""

import asyncio
import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from dm_core.durations import MINUTE_MS
from dm_core.processing.sweeper import GRACE_MS
from dm_evals.asking import NoAnswer
from dm_evals.observation import Author, Bubble
from dm_evals.reading import Unusable
from dm_evals.replay.events import NotWrittenYet, ScenarioEvents, shown
from dm_evals.replay.trial_environment import TrialEnvironment
from dm_evals.scenarios.clock import milliseconds
from dm_evals.scenarios.scenario import Event, EventKind
from dm_evals.user import UserModel
from dm_sandbox.platforms.mailbox import SentMessage
from dm_sandbox.platforms.meta import envelope

MAX_TASKS: Final = 60
"""Wake-ups and sweeps of one trial; a usual one needs one to three."""
MAX_TICKS: Final = 600
"""Ticks of one trial; a usual alert needs one. One that WhatsApp throttles is tried every five minutes for a day."""
BACKOFF_MS: Final = 10_000
LONGEST_BACKOFF_MS: Final = 300_000
"""The queue's waits before a task comes again: doubled with each failure, up to the longest."""
SWEEP_EVERY_MS: Final = MINUTE_MS
USER_PAUSE_MS: Final = 30_000
"""How long a simulated user takes to write."""
BY_THE_CLUB: Final = (EventKind.HUMAN, EventKind.AUTOMATIC)
MAX_DELIVERIES: Final = 20
"""How often the queue delivers one task; then the sweep has to find the thread."""


class CantBePlayed(Exception):
    """The trial can't be played to its end; the message says why."""


@dataclass(order=True, slots=True)
class _Task:
    """A wake-up on its way, or a tick; ``number`` keeps those of one moment in the order they were made.

    ``name`` is the wake-up's name, or the alert that the tick was made for.
    """

    at: int
    number: int
    name: str = field(compare=False)
    thread_id: str = field(default="", compare=False)
    """Of a wake-up; a tick has none."""
    deliveries: int = field(default=0, compare=False)


class Scheduler:
    """Plays one scenario on a environment that is set up. ``bubbles``: what people wrote, in order."""

    def __init__(
        self,
        environment: TrialEnvironment,
        user: UserModel | None = None,
        trial: int = 1,
    ) -> None:
        self.environment = environment
        self.bubbles: list[Bubble] = []
        self._events = ScenarioEvents(environment.people)
        self.whose: dict[int, str] = {}
        """In whose thread each turn was asked for."""
        self._thread = ""
        self.said: list[str] = []
        """What the simulated user wrote."""
        self._user, self._trial = user, trial
        self._tasks: list[_Task] = []
        self._numbers = count(1)
        self._no_sweep_before = 0
        self._during: defaultdict[int, list[tuple[int, Event]]] = defaultdict(list)
        timed: list[tuple[int, int, Event]] = []
        for number, event in enumerate(environment.scenario.events):
            if event.during is None:
                timed.append((environment.now + milliseconds(event.at), number, event))
            else:
                self._during[event.during].append((number, event))
        self._timed = sorted(timed, key=lambda entry: entry[:2])

    async def play(self) -> None:
        """To the end. Raises CantBePlayed."""
        self.environment.instagram.on_echo = self._echo
        made: Counter[str] = Counter()
        while (step := await self._next()) is not None or await self._writes_on():
            if step is None:
                continue
            await self._step(*step)
            made["task" if step[0] == "sweep" else step[0]] += 1
            if made["task"] > MAX_TASKS:
                raise CantBePlayed(f"no end after {MAX_TASKS} tasks: the thread is woken again and again")
            if made["tick"] > MAX_TICKS:
                raise CantBePlayed(f"no end after {MAX_TICKS} ticks: an alert is looked at again and again")
        if self._during:
            turn, asked = min(self._during), len(self.environment.runtime.gateway.turns)
            number = self._during[turn][0][0] + 1
            raise CantBePlayed(f"event {number} happens during turn {turn}, but only {asked} were asked for")

    async def _writes_on(self) -> bool:
        """All is quiet: the simulated user, where there is one, writes the next message, or stops."""
        scenario = self.environment.scenario
        if self._user is None or scenario.user is None or len(self.said) >= scenario.user.patience:
            return False
        before = [f"{past.by}: {past.text}" for past in scenario.world.history]
        thread = [*before, *(f"{bubble.author}: {bubble.text}" for bubble in self.bubbles)]
        try:
            said = await asyncio.to_thread(self._user.next, scenario, self._trial, thread)
        except (Unusable, NoAnswer) as error:
            raise CantBePlayed(str(error)) from error
        if said.stop:
            return False
        self.said.append(said.text)
        number = len(scenario.events) + len(self.said)
        self._timed.append((self.environment.clock() + USER_PAUSE_MS, number, Event(text=said.text)))
        return True

    async def on_turn(self, turn: int) -> None:
        """The model is asked for this turn; its answer waits for what happens now."""
        self.whose[turn] = self._thread
        await self.environment.flush_echoes()
        for number, event in self._during.pop(turn, ()):
            await self._happen(number, event)

    @property
    def mids(self) -> Mapping[str, str]:
        """The platform's ids of the messages that have a name in the scenario."""
        return self._events.mids

    # -- what is next ---------------------------------------------------------------------------------------

    async def _next(self) -> tuple[str, int] | None:
        """Event, task, tick or sweep, and when; None when nothing is left."""
        for wake_up in self.environment.queue.waiting:
            heapq.heappush(self._tasks, _Task(wake_up.fire_at, next(self._numbers), wake_up.name, wake_up.thread_id))
        self.environment.queue.waiting.clear()
        for alert_id, not_before in self.environment.alert_queue.waiting:
            heapq.heappush(self._tasks, _Task(not_before, next(self._numbers), alert_id))
        self.environment.alert_queue.waiting.clear()
        candidates: list[tuple[int, int, str]] = []
        if self._timed:
            candidates.append((self._timed[0][0], 0, "event"))
        if self._tasks:
            candidates.append((self._tasks[0].at, 1, "task" if self._tasks[0].thread_id else "tick"))
        for person in self.environment.people.values():
            snapshot = await self.environment.store.open(person.thread_id)
            if snapshot is not None and snapshot.thread.due_at is not None:
                candidates.append((max(snapshot.thread.due_at + GRACE_MS + 1, self._no_sweep_before), 2, "sweep"))
        if not candidates:
            return None
        at, _, what = min(candidates)
        return what, at

    async def _step(self, what: str, at: int) -> None:
        self.environment.clock.reach(at)
        if what == "event":
            _, number, event = self._timed.pop(0)
            await self._happen(number, event)
        elif what == "sweep":
            self._no_sweep_before = self.environment.clock() + SWEEP_EVERY_MS
            await self.environment.sweep()
        else:
            await self._deliver(heapq.heappop(self._tasks))

    async def _deliver(self, task: _Task) -> None:
        if task.thread_id:
            self._thread = self.environment.names.get(task.thread_id, task.thread_id)
            status = await self.environment.task(task.thread_id, task.name)
        else:
            status = await self.environment.tick(task.name)
        await self.environment.flush_echoes()
        if (failure := self.environment.runtime.gateway.failure) is not None:
            raise CantBePlayed(failure)
        task.deliveries += 1
        if status != 200 and task.deliveries < MAX_DELIVERIES:
            wait = min(BACKOFF_MS * 2 ** (task.deliveries - 1), LONGEST_BACKOFF_MS)
            task.at = self.environment.clock() + wait
            heapq.heappush(self._tasks, task)

    # -- what happens ---------------------------------------------------------------------------------------

    async def _happen(self, number: int, event: Event) -> None:
        """One event, at the webhook as Meta would send it."""
        self.environment.clock.tick()
        answered = len(self.environment.person.sender.deliveries)
        self._bubble("human" if event.kind in BY_THE_CLUB else "person", shown(event), event.by or "")
        try:
            await self._events.happen(event)
        except NotWrittenYet as error:
            raise CantBePlayed(f"event {number + 1}: {error}") from error
        answers = self.environment.person.sender.deliveries[answered:]
        if answers and answers[-1].status != 200:
            raise CantBePlayed(f"the webhook answered event {number + 1} with {answers[-1].status}, each time")

    async def _echo(self, message: SentMessage) -> None:
        name = self.environment.names.get(message.to_id, "")
        self._bubble("bot", message.text, name, at=message.at)
        person = self.environment.people[name]
        item = {**person.echo(message.mid, message.text), "timestamp": message.at}
        account = self.environment.instagram.account_id
        await person.sender.deliver(envelope(account, [item], self.environment.clock()))

    def _bubble(self, author: Author, text: str, other: str = "", *, at: int | None = None) -> None:
        shown = f"[{'to ' if author == 'bot' else ''}{other}] {text}" if other else text
        self.bubbles.append(Bubble(self.environment.clock() if at is None else at, author, shown))
