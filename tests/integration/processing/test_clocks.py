"""Webhook, processor and queue by clocks that differ: no DM waits longer than the sweep takes to find it."""

from dataclasses import dataclass, field

import pytest

from dm_core.messages import Status
from dm_core.processing.app import ProcessorApp
from dm_sandbox.environment import MANAGER_NUMBER
from dm_sandbox.inprocess import InProcess
from dm_sandbox.person import Person
from dm_sandbox.platforms.answers import call, turn

SWEEP_SECONDS = 60
DEBOUNCE_SECONDS = 15


@dataclass(slots=True)
class Deliveries:
    """A queue by the system's own clock: each name once, when it is due. ``waited``: seconds a DM was pending."""

    system: InProcess
    app: ProcessorApp
    delivered: set[str] = field(default_factory=set[str])
    seconds: int = 0
    since: dict[str, int] = field(default_factory=dict[str, int])
    waited: dict[str, int] = field(default_factory=dict[str, int])

    async def pass_seconds(self, person: Person, seconds: int) -> None:
        for _ in range(seconds):
            self.system.clock.forward(1)
            self.seconds += 1
            if self.seconds % SWEEP_SECONDS == 0:
                await self.app.sweeper.sweep()
            for name, wake_up in list(self.system.queue.wake_ups.items()):
                if name not in self.delivered and wake_up.fire_at <= self.system.clock():
                    self.delivered.add(name)
                    await self.system.task(wake_up.thread_id, name, self.app)
            await self.look(person)

    async def look(self, person: Person) -> None:
        for message in await self.system.store.history(person.thread_id, 20):
            if message.status is Status.PENDING:
                self.since.setdefault(message.id, self.seconds)
            elif message.id in self.since:
                self.waited.setdefault(message.id, self.seconds - self.since[message.id])


async def longest_wait(system: InProcess, webhook: int, processor: int) -> int:
    """The longest wait of four DMs, the first two of which are of one bucket."""
    system.webhook_skew_ms = webhook * 1_000
    app = system.instance(clock=lambda: system.clock() + processor * 1_000)
    system.gemini.script([turn(call("send_instagram_message", text=f"answer {n}")) for n in range(20)])
    ana, deliveries = system.person(), Deliveries(system, app)
    for pause in (2, 150, 2, 150):
        await ana.says(f"after {pause}")
        await deliveries.look(ana)
        await deliveries.pass_seconds(ana, pause)
    assert len(deliveries.waited) == 4
    return max(deliveries.waited.values())


@pytest.mark.parametrize("skew", [-120, -30, -6, 6, 30, 120])
async def test_a_webhook_whose_clock_is_wrong_makes_nobody_wait(system: InProcess, skew: int) -> None:
    """An instance's first DM may wait 2 s more: by so much it is not worth a second task."""
    assert await longest_wait(system, webhook=skew, processor=0) <= DEBOUNCE_SECONDS + 2 + 1


@pytest.mark.parametrize("skew", [-120, -10, 10, 120])
async def test_a_processor_whose_clock_is_wrong_makes_nobody_wait_longer_than_the_sweep(
    system: InProcess, skew: int
) -> None:
    assert await longest_wait(system, webhook=0, processor=skew) <= DEBOUNCE_SECONDS + 2 * SWEEP_SECONDS


@pytest.mark.parametrize("skew", [-120, -5, 5, 120])
async def test_a_wait_by_a_clock_that_is_wrong_ends_with_the_sweep_that_follows_it(
    system: InProcess, skew: int
) -> None:
    """After two tries in vain: of 15 s and of 30 s, each until the next bucket's wake-up at most."""
    system.gemini.faults.add("error", "*", times=2, status=503)
    waits = 15 + 30 + 2 * DEBOUNCE_SECONDS

    assert await longest_wait(system, 0, skew) <= DEBOUNCE_SECONDS + waits + 2 * 2 * SWEEP_SECONDS


async def test_what_the_manager_writes_waits_for_no_clock(system: InProcess) -> None:
    system.webhook_skew_ms = 120_000

    system.tell_statuses()

    await system.whatsapp.says(MANAGER_NUMBER, "list")

    [task] = system.queue.wake_ups.values()
    assert task.fire_at <= system.clock()
