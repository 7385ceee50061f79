"""Every order of the calls of two deliveries of one thread, one event that arrives, and one crash.

Here no time passes between the calls and none has a latency: whenever everybody waits, one of the waiting calls is
made, and which one is the only thing that is open. All ways to choose are tried, one simulation each, with at most a
given number of context switches (a switch away from somebody who could have gone on); then everything runs on to rest,
without further choices, and the same invariants are checked as after a random schedule.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from dm_core.queue.port import WakeUp
from dm_core.queue.wakeup import plan_outbox
from dm_sandbox.simulation.acts import Acts
from dm_sandbox.simulation.instances import limits_of
from dm_sandbox.simulation.invariants import judge
from dm_sandbox.simulation.journal import Journal, Violation
from dm_sandbox.simulation.loop import VirtualLoop
from dm_sandbox.simulation.manager_invariants import judge_reply
from dm_sandbox.simulation.monitor import Execution, current_execution
from dm_sandbox.simulation.network import InstanceDied, Line, Process
from dm_sandbox.simulation.play import Outcome, observed
from dm_sandbox.simulation.schedule import ActKind, Fault, Manner, Schedule
from dm_sandbox.simulation.world import BOUND, World

ACTORS: Final = 3
FUNCTION_TIMEOUT: Final = 30.0
LEASE_SECONDS: Final = 40.0
"""Shorter than in production: a crash is over sooner, the order of calls is the same."""
UNNOTICED: Final = (
    "processor.model.generate",
    "instagram.indicate",
    "instagram.profile",
    "processor.store.documents",
)
"""Calls that neither see nor change what the others see; the documents are switches that nobody moves here."""
READS: Final = (*UNNOTICED, "processor.store.open", "processor.store.history", "webhook.store.echo_view")
"""Calls that change nothing."""
When = Literal["goes on", "dies before", "dies after"]


Event = Literal["a DM", "an edit", "an unsend", "a human's reply", "an operator's reply"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is explored. ``tasks``: names of the two deliveries; ``switches``: at most so many; ``crashes``: 0 or 1."""

    name: str
    tasks: tuple[str, str] = ("task-1", "task-2")
    switches: int = 1
    crashes: int = 1
    manner: Manner = Manner.REPLY
    event: Event = "a DM"


SCENARIOS: Final = (
    Scenario("two tasks, a DM", switches=3, crashes=0),
    Scenario("two tasks, a DM, a crash"),
    Scenario("one task twice, a DM, a crash", tasks=("task-1", "task-1")),
    Scenario("two tasks, a human's reply, a crash", event="a human's reply"),
    Scenario("two tasks, an operator's reply, a crash", event="an operator's reply"),
    Scenario("two tasks, an unsend, a crash", event="an unsend"),
    Scenario("two tasks, an edit, a crash", event="an edit"),
    Scenario("two actions, two tasks, a DM, a crash", manner=Manner.TWO_REPLIES),
    Scenario(
        "a reply and an alert, two tasks, a human", manner=Manner.REPLY_AND_NOTIFY, crashes=0, event="a human's reply"
    ),
)


@dataclass(slots=True)
class Waiting:
    """A call that is about to be made."""

    actor: Execution
    process: Process
    site: str
    granted: asyncio.Future[bool]


@dataclass(slots=True)
class Result:
    """One scenario explored. ``failures``: the choices of a run, and what it broke."""

    scenario: Scenario
    runs: int = 0
    failures: list[tuple[tuple[int, ...], Violation]] = field(default_factory=list[tuple[tuple[int, ...], Violation]])

    def __str__(self) -> str:
        first = f"; first: {self.failures[0][1]} (choices {self.failures[0][0]})" if self.failures else ""
        bound = f"at most {self.scenario.switches} switches"
        return f"{self.scenario.name}: {self.runs} interleavings ({bound}), {len(self.failures)} failed{first}"


class SteppedNetwork:
    """Makes one call at a time: the chosen one while there is a choice, then in the order they came.

    ``choices`` says which of the options to take, step by step (0 beyond its end); ``options`` is how many there were.
    """

    def __init__(self, journal: Journal, scenario: Scenario, choices: tuple[int, ...]) -> None:
        self._journal = journal
        self._scenario = scenario
        self._choices = choices
        self._waiting: list[Waiting] = []
        self._last: Execution | None = None
        self._switches = 0
        self._crashes = 0
        self.main: list[Execution] = []
        self.options: list[int] = []
        self.under_way = 0

    def strike(self, site: str) -> Fault | None:  # noqa: ARG002 - nothing but the crash goes wrong here
        return None

    def quieten(self) -> None: ...

    async def call[T](self, process: Process, site: str, line: Line, effect: Callable[[Fault | None], T]) -> T:  # noqa: ARG002
        if not process.alive:
            raise InstanceDied(process.name)
        granted = asyncio.get_running_loop().create_future()
        waiting = Waiting(current_execution(), process, site, granted)
        self._waiting.append(waiting)
        try:
            survives = await granted
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
        self._journal.note(process.name, f"{site} →")
        result = effect(None)
        if not survives:
            self._die(process)
        return result

    def _die(self, process: Process) -> None:
        self._journal.note(process.name, "† dies")
        process.die()
        raise InstanceDied(process.name)

    def step(self) -> bool:
        """Everybody waits: make one call. False if nobody has one to make."""
        if not self._waiting:
            return False
        chosen = [waiting for waiting in self._waiting if waiting.actor in self.main]
        if not chosen:
            self._grant(self._waiting[0], "goes on")
            return True
        options = list(self._options(chosen))
        number = self._choices[len(self.options)] if len(self.options) < len(self._choices) else 0
        self.options.append(len(options))
        self._grant(*options[number])
        return True

    def _options(self, waiting: list[Waiting]) -> Iterator[tuple[Waiting, When]]:
        """Going on with the same actor comes first. What makes no difference is left out:

        a switch away from a call that nobody else can notice (it comes as well before the call after it), a death after
        a call that changed nothing (it is the death before the next call), a death before a call others come before.
        """
        same = [call for call in waiting if call.actor is self._last]
        others = [call for call in waiting if call.actor is not self._last]
        unnoticed = any(call.site in UNNOTICED for call in same)
        may_switch = not same or (self._switches < self._scenario.switches and not unnoticed)
        may_crash = self._crashes < self._scenario.crashes
        for call in (*same, *(others if may_switch else ())):
            yield call, "goes on"
            if may_crash and call.site not in READS:
                yield call, "dies after"
            if may_crash and call in same:
                yield call, "dies before"

    def _grant(self, waiting: Waiting, when: When) -> None:
        if any(call.actor is self._last for call in self._waiting) and waiting.actor is not self._last:
            self._switches += 1
        self._last = waiting.actor
        self._waiting.remove(waiting)
        self._crashes += when != "goes on"
        if when == "dies before":
            self._journal.note(waiting.process.name, f"† dies before {waiting.site}")
            waiting.process.die()
        else:
            waiting.granted.set_result(when == "goes on")


def explore(scenario: Scenario) -> Result:
    """Every run of a scenario, depth first."""
    result = Result(scenario)
    choices: tuple[int, ...] | None = ()
    while choices is not None:
        outcome, options = run_once(scenario, choices)
        result.runs += 1
        taken = (*choices, *(0 for _ in options[len(choices) :]))
        if outcome.violations:
            result.failures.append((taken, outcome.violations[0]))
        choices = _next(taken, options)
    return result


def _next(taken: tuple[int, ...], options: list[int]) -> tuple[int, ...] | None:
    """The next way to choose: the last step that has an untried option takes it."""
    for step in range(len(options) - 1, -1, -1):
        if taken[step] + 1 < options[step]:
            return (*taken[:step], taken[step] + 1)
    return None


def run_once(scenario: Scenario, choices: tuple[int, ...], *, traced: bool = False) -> tuple[Outcome, list[int]]:
    """One way to choose, and how many options there were at each step."""
    schedule = Schedule(seed=1, threads=1, acts=(), faults=(), quiet_at=0.0)
    stepped: list[SteppedNetwork] = []

    def network(journal: Journal) -> SteppedNetwork:
        stepped.append(SteppedNetwork(journal, scenario, choices))
        return stepped[0]

    loop = VirtualLoop(lambda: stepped[0].step())
    limits = replace(limits_of(schedule), function_timeout=FUNCTION_TIMEOUT, lease_seconds=LEASE_SECONDS)
    world = World(schedule, loop, traced=traced, network=network, limits=limits)
    world.instances.apart = True
    world.is_calm = not scenario.crashes
    world.shared.torn_reads = 0.0
    world.shared.model.always = scenario.manner
    return observed(world, _play(world, scenario, stepped[0]), loop), stepped[0].options


async def _play(world: World, scenario: Scenario, network: SteppedNetwork) -> None:
    """A thread with one DM; then everything at once; then rest."""
    person, acts = world.ledger.people[0], Acts(world)
    first = acts.write(person, ActKind.SAY)
    world.meta.deliver_now([acts.item(person, first)], first.token)
    await asyncio.sleep(1)
    world.instances.begun = network.main.append
    for name in scenario.tasks:
        world.queue.deliver_now(WakeUp(person.thread_id, name, world.clock()))
    match scenario.event:
        case "a DM":
            second = acts.write(person, ActKind.SAY)
            world.meta.deliver_now([acts.item(person, second)], second.token)
        case "an edit":
            world.meta.deliver_now([acts.edit(person, first)], "edit")
        case "an unsend":
            world.meta.deliver_now([acts.unsend(person, first)], "unsend")
        case "a human's reply":
            item, acknowledged = acts.human(person)
            world.meta.deliver_now([item], "human", acknowledged)
        case "an operator's reply":
            world.queue.deliver_now(plan_outbox(acts.operator(person).id, world.clock()))
    while len(network.main) < ACTORS:  # noqa: ASYNC110 - they begin within a turn or two of the loop
        await asyncio.sleep(0)
    world.instances.begun, world.instances.apart = None, False
    await world.settle(1, BOUND)
    judge(world)
    for item in world.monitor.items.values():
        judge_reply(world, item.text, item)


def explore_all(switches: int | None = None) -> Iterator[Result]:
    """All scenarios, one after the other; ``switches`` in place of their own bounds."""
    chosen = SCENARIOS if switches is None else tuple(replace(one, switches=switches) for one in SCENARIOS)
    return map(explore, chosen)
