"""The sandbox's platforms, made deterministic: nothing waits in real time, echoes come in a fixed order.

An echo comes back when the platform is next asked for anything, when the model is next asked, or when the task is over,
whichever is first: after the answer to the send, as on the real platform, and always at the same place.
"""

from collections.abc import Awaitable, Callable

from dm_evals.scenarios.clock import ScenarioClock
from dm_sandbox.platforms.instagram import Instagram
from dm_sandbox.platforms.mailbox import SentMessage
from dm_sandbox.platforms.server import Call, Platform, Reply
from dm_sandbox.platforms.spond import Spond
from dm_sandbox.platforms.whatsapp import WhatsApp

Echo = Callable[[SentMessage], Awaitable[None]]


class InScenarioTime(Platform):
    """A platform that waits by the scenario's clock."""

    clock: ScenarioClock

    async def pause(self, seconds: float) -> None:
        await self.clock.sleep(seconds)


class Ticking(InScenarioTime):
    """Each request takes a moment."""

    async def process(self, operation: str, call: Call) -> Reply:
        self.clock.tick()
        return await super().process(operation, call)


class TrialWhatsApp(Ticking, WhatsApp):
    pass


class TrialSpond(InScenarioTime, Spond):
    pass


class TrialInstagram(Ticking, Instagram):
    """``on_echo`` is called with each message the API sent, once; None drops them."""

    def __init__(self, clock: ScenarioClock) -> None:
        super().__init__(clock=clock)
        self.on_echo: Echo | None = None
        self._echoed = 0

    async def process(self, operation: str, call: Call) -> Reply:
        await self.flush()
        return await super().process(operation, call)

    async def flush(self) -> None:
        """Deliver the echoes that are due."""
        sent = self.sent
        while self._echoed < len(sent):
            message = sent[self._echoed]
            self._echoed += 1
            if self.on_echo is not None:
                await self.on_echo(message)
