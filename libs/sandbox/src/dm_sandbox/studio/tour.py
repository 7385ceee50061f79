"""A tour of seven steps that plays by itself: what to expect is said first, what came of it is looked at afterwards."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal

from dm_core.errors import DmAgentError
from dm_sandbox.events import Entry
from dm_sandbox.launcher import FunctionDidNotStart
from dm_sandbox.studio.acts import Acts
from dm_sandbox.studio.bubbles import Phone
from dm_sandbox.studio.manager import ManagerPhone
from dm_sandbox.studio.phones import Phones
from dm_sandbox.studio.switches import Breaker
from dm_sandbox.world import Sandbox, StillWaiting

STEP_SECONDS: Final = 45.0
State = Literal["waiting", "playing", "done", "failed"]


@dataclass(slots=True)
class Step:
    """One step; ``words`` say what happens, ``result`` what came of it."""

    title: str
    words: str
    play: Callable[["Stage"], Awaitable[str]]
    state: State = "waiting"
    result: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """What the steps use; ``phone`` is a visitor of their own."""

    sandbox: Sandbox
    acts: Acts
    breaker: Breaker
    manager: ManagerPhone
    phone: Phone
    resume: Callable[[Phone], Awaitable[None]]

    async def says(self, text: str) -> int:
        """The visitor writes; the number of the newest event before that."""
        return await self.does("text", text)

    async def does(self, act: str, text: str = "") -> int:
        entries = self.sandbox.log.entries
        last = entries[-1].number if entries else 0
        await self.acts.do(self.phone, act, {"text": text})
        return last

    async def event(self, since: int, *kinds: str) -> Entry:
        """The first event of these kinds about the visitor after that one. Raises StillWaiting."""
        found: list[Entry] = []

        def seen() -> bool:
            mine = (e for e in self.sandbox.log.since(since) if e.person == self.phone.user_id and e.kind in kinds)
            found.extend(mine)
            return bool(found)

        await self.sandbox.wait_for(seen, STEP_SECONDS, " or ".join(kinds))
        return found[0]

    def replies(self, since: int) -> list[str]:
        """What reached the visitor from the bot after that event."""
        sends = (e for e in self.sandbox.log.since(since) if e.kind == "send" and e.person == self.phone.user_id)
        return [e.words for e in sends if e.record.get("processed")]


async def _question(stage: Stage) -> str:
    """A question. A visitor asks for the next sessions. The model looks them up before it answers."""
    since = await stage.says("When are the next nets?")
    ended = await stage.event(since, "run_finished")
    return f"Answered from the calendar with {ended.record.get('modelCalls')} model calls."


async def _burst(stage: Stage) -> str:
    """A burst. Three short DMs within seconds: they are read together and answered once."""
    since = await stage.does("burst", "hi!\nhow much is it to join?\nand do I need kit?")
    ended = await stage.event(since, "run_finished")
    return f"{ended.record.get('messages')} DMs, one run; the answer went out {_times(len(stage.replies(since)))}."


async def _lost_answer(stage: Stage) -> str:
    """A lost confirmation. Instagram delivers the reply, but its answer is lost on the way."""
    await stage.breaker.set("instagram_loses", on=True)
    since = await stage.says("where do I park?")
    await stage.event(since, "send_looked_up", "run_finished")
    await stage.event(since, "run_finished")
    return f"The confirmation was lost; the reply was looked up and stands there {_times(len(stage.replies(since)))}."


async def _dies(stage: Stage) -> str:
    """A crash. The instance is killed while the model thinks. Six minutes later its lease is over."""
    await stage.breaker.set("model_slow", on=True)
    try:
        since = await stage.says("do children play too?")
        await stage.event(since, "run_claimed")
        await asyncio.sleep(1)
        await stage.breaker.set("processor_killed", on=True)
    finally:
        await stage.breaker.set("model_slow", on=False)
    await stage.breaker.set("clock_minutes", on=True)
    await stage.event(since, "run_finished")
    return f"A new instance took the DM up; the reply went out {_times(len(stage.replies(since)))}."


async def _model_down(stage: Stage) -> str:
    """An outage. The model is down. Nothing fails: the DM waits."""
    await stage.breaker.set("model_down", on=True)
    try:
        since = await stage.says("what should I bring to my first session?")
        waits = await stage.event(since, "run_stopped", "thread_waits")
    finally:
        await stage.breaker.set("model_down", on=False)
    await stage.breaker.set("clock_minutes", on=True)
    await stage.event(waits.number, "run_finished")
    times = _times(len(stage.replies(since)))
    return f"The DM waited with no attempt spent, and was answered {times} when the model was back."


async def _takeover(stage: Stage) -> str:
    """A human answers. Somebody of the club writes in the app. The bot must be silent."""
    since = await stage.does("human", "Hi, this is Priya from the club. I'll answer you myself.")
    await stage.event(since, "human_took_over")
    asked = await stage.says("great, how much is it for students?")
    await stage.event(asked, "messages_closed")
    silent = not stage.replies(asked)
    await stage.resume(stage.phone)
    return "The bot said nothing, and answers again now." if silent else "The bot wrote although a human answers."


async def _manager(stage: Stage) -> str:
    """The manager's phone. A refund is not the bot's business: the manager is told on WhatsApp, and answers there."""
    known = len(stage.manager.messages)
    name = stage.phone.name
    since = await stage.says(f"can I talk to a real person about a refund? It's for {name}")
    await stage.event(since, "run_finished")
    arrived = lambda: [m for m in stage.manager.messages[known:] if not m.mine and name in m.text]  # noqa: E731
    await stage.sandbox.wait_for(arrived, STEP_SECONDS, "an alert on the manager's phone")
    await stage.manager.writes("Of course: I'll ring you tonight. Priya", quotes=arrived()[-1].id)
    await stage.sandbox.wait_for(lambda: any("ring you tonight" in w for w in stage.replies(since)), STEP_SECONDS)
    return "The manager got an alert, quoted it, and the answer is on the visitor's phone."


STEPS: Final = (_question, _burst, _lost_answer, _dies, _model_down, _takeover, _manager)


def _step(play: Callable[[Stage], Awaitable[str]]) -> Step:
    """Title and words are the first sentence and the rest of its docstring."""
    title, _, words = " ".join((play.__doc__ or "").split()).partition(". ")
    return Step(title, words, play)


class Tour:
    """Plays the steps one after the other; one tour at a time."""

    def __init__(
        self,
        phones: Phones,
        acts: Acts,
        breaker: Breaker,
        manager: ManagerPhone,
        resume: Callable[[Phone], Awaitable[None]],
        on_change: Callable[[], None],
    ) -> None:
        self._phones, self._acts, self._breaker, self._manager = phones, acts, breaker, manager
        self._resume, self._on_change = resume, on_change
        self.steps: list[Step] = []
        self.visitor = ""
        self._playing: asyncio.Task[None] | None = None

    @property
    def playing(self) -> bool:
        return self._playing is not None and not self._playing.done()

    def start(self) -> None:
        """Begin anew, with a visitor of its own; nothing if one plays already."""
        if self.playing:
            return
        self.steps = [_step(play) for play in STEPS]
        names = sum(phone.name.startswith("Visitor") for phone in self._phones.phones.values())
        phone = self._phones.meet(f"Visitor {names + 1}")
        self.visitor = phone.user_id
        stage = Stage(self._phones.sandbox, self._acts, self._breaker, self._manager, phone, self._resume)
        self._playing = asyncio.create_task(self._play(stage), name="tour")

    async def stop(self) -> None:
        if self._playing is not None:
            self._playing.cancel()
            await asyncio.gather(self._playing, return_exceptions=True)
        self._on_change()

    def shown(self) -> dict[str, object]:
        """As JSON values."""
        names = ("title", "words", "state", "result")
        steps = [{name: getattr(step, name) for name in names} for step in self.steps]
        return {"playing": self.playing, "visitor": self.visitor, "steps": steps}

    async def _play(self, stage: Stage) -> None:
        for step in self.steps:
            step.state = "playing"
            self._on_change()
            try:
                step.result = await step.play(stage)
                step.state = "done"
            except (StillWaiting, FunctionDidNotStart, DmAgentError) as error:
                step.result, step.state = str(error).partition(";")[0].partition("\n")[0], "failed"
            except asyncio.CancelledError:
                step.result, step.state = "stopped", "failed"
                raise
            finally:
                self._on_change()
            await asyncio.sleep(1.5)
        self._on_change()


def _times(count: int) -> str:
    return {0: "not at all", 1: "once"}.get(count, f"{count} times")
