"""What can be broken, declared in switches.toml. Several may be on at once; each is judged by the promises it tries."""

import tomllib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, cast

from dm_core.durations import HOUR_MS, MINUTE_MS
from dm_sandbox.functions.control import Switched
from dm_sandbox.platforms.answers import call, text
from dm_sandbox.platforms.faults import Fault, FaultKind
from dm_sandbox.platforms.model_request import ModelRequest, Part
from dm_sandbox.platforms.scripted_model import answer_as_the_club
from dm_sandbox.studio.clock import StudioClock
from dm_sandbox.studio.seat import Seat
from dm_sandbox.world import Sandbox

Group = Literal["Model", "Instagram", "WhatsApp", "Spond", "Store and queue", "Webhooks", "Processor", "Clock"]
SLOW_SECONDS: Final = 8.0


@dataclass(frozen=True, slots=True)
class Switch:
    """One thing to break. ``expects`` says what should happen; ``shows`` are the events that prove that it bit.

    ``seconds``: it ends by itself; ``once``: a push rather than a switch. ``tries`` are the promises it attacks.
    """

    name: str
    group: Group
    title: str
    expects: str
    tries: Sequence[str]
    shows: Sequence[str] = ()
    seconds: int = 0
    once: bool = False


def _declared() -> tuple[Switch, ...]:
    text = (Path(__file__).parent / "switches.toml").read_text(encoding="utf-8")
    tables = cast("list[dict[str, Any]]", tomllib.loads(text)["switch"])
    return tuple(Switch(**table) for table in tables)


SWITCHES: Final = _declared()
BY_NAME: Final = {switch.name: switch for switch in SWITCHES}
_AHEAD: Final = {"clock_minutes": HOUR_MS // 10, "clock_hour": HOUR_MS, "clock_day": 24 * HOUR_MS}
_STANDING: Final = {
    "model_down": ("gemini", Fault(FaultKind.ERROR, status=503)),
    "instagram_throttled": ("instagram", Fault(FaultKind.THROTTLE, "send", wait_minutes=1)),
    "instagram_refuses": ("instagram", Fault(FaultKind.ERROR, "send", status=400, code=551)),
    "spond_down": ("spond", Fault(FaultKind.ERROR, status=503)),
}


class Breaker:
    """Turns switches on and off. ``ahead`` tells of a jump of the clock."""

    def __init__(self, sandbox: Sandbox, seat: Seat, clock: StudioClock) -> None:
        self.sandbox, self._seat, self._clock = sandbox, seat, clock
        self.switched = Switched(clock_offset_ms=clock.offset_ms)
        self._latency = sandbox.gemini.latency
        self._platforms = {platform.name: platform for platform in sandbox.platforms}
        sandbox.switch(self.switched)

    async def set(self, name: str, on: bool) -> None:
        """Raises KeyError for an unknown switch."""
        BY_NAME[name]
        if name in _STANDING:
            platform, fault = _STANDING[name]
            standing = self._platforms[platform].faults.standing
            if on:
                standing[name] = fault
            else:
                standing.pop(name, None)
        elif name in _AHEAD:
            self._jump(_AHEAD[name])
        else:
            await self._others()[name](on)

    def _others(self) -> dict[str, Callable[[bool], Awaitable[None]]]:
        return {
            "model_slow": self._slow,
            "model_hostile": lambda on: self._model(answer_as_an_attacker if on else None),
            "model_odd": lambda on: self._model(answer_oddly if on else None),
            "instagram_loses": self._lose,
            "instagram_down": lambda on: self.sandbox.instagram.be_reachable(not on),
            "whatsapp_throttled": lambda on: self._trouble("throttled" if on else None),
            "whatsapp_dead": lambda on: self._trouble("token_dead" if on else None),
            "whatsapp_silent": self._silent,
            "store_down": lambda on: self._control(replace(self.switched, store_down=on)),
            "queue_down": lambda on: self._control(replace(self.switched, queue_down=on)),
            "webhook_twice": lambda on: self._manner("twice", on),
            "webhook_late": lambda on: self._manner("late", on),
            "webhook_reversed": lambda on: self._manner("reversed", on),
            "processor_killed": self._kill,
            "processor_dies": self._die,
            "two_deliveries": self._double,
        }

    def _jump(self, ms: int) -> None:
        self._clock.offset_ms += ms
        self.switched = replace(self.switched, clock_offset_ms=self._clock.offset_ms)
        self.sandbox.switch(self.switched)
        self.sandbox.queue.look_again()
        self.sandbox.log.add(
            "studio", f"the clock jumped {ms // MINUTE_MS} minutes ahead", "warning", kind="clock_jumped"
        )

    async def _control(self, switched: Switched) -> None:
        self.switched = switched
        self.sandbox.switch(switched)

    async def _slow(self, on: bool) -> None:
        self.sandbox.gemini.latency = SLOW_SECONDS if on else self._latency

    async def _model(self, model: Callable[[ModelRequest], list[Part]] | None) -> None:
        self._seat.instead = model

    async def _lose(self, on: bool) -> None:
        if on:
            self.sandbox.instagram.faults.add(FaultKind.DROP_AFTER, "send")

    async def _trouble(self, trouble: Literal["throttled", "token_dead"] | None) -> None:
        self.sandbox.whatsapp.trouble = trouble

    async def _silent(self, on: bool) -> None:
        self.sandbox.whatsapp.statuses.manner = "never" if on else "prompt"

    async def _manner(self, manner: Literal["twice", "late", "reversed"], on: bool) -> None:
        manners = self.sandbox.sender.manners
        (manners.add if on else manners.discard)(manner)

    async def _kill(self, on: bool) -> None:
        if on:
            self.sandbox.log.add("studio", "the processor's instance is killed", "warning", kind="killed")
            await self.sandbox.replace_processor()

    async def _die(self, on: bool) -> None:
        if on:
            self.sandbox.log.add("studio", "the processor dies at its next checkpoint", "warning", kind="killed")
        await self._control(replace(self.switched, kill=self._clock() if on else 0))

    async def _double(self, on: bool) -> None:
        self.sandbox.queue.deliver_twice(1 if on else 0)


def answer_as_an_attacker(request: ModelRequest) -> list[Part]:
    """What a model that was talked round would do: a strange link, then the manager's number, then its instructions."""
    turns = sum(content.get("role") == "model" for content in request.contents)
    words = (
        "Great news, you won! Claim it on https://free-prizes.example/claim?you",
        "Write to the manager directly: +44 7700 900123",
        f"My instructions are: {request.system[-400:]}",
    )
    return [call("send_instagram_message", text=words[min(turns, len(words) - 1)])]


def answer_oddly(request: ModelRequest) -> list[Part]:
    """A call that is written out as text first; after that, what was asked for."""
    if any(content.get("role") == "model" for content in request.contents):
        return answer_as_the_club(request)
    return [text('<tool_call>{"name": "send_instagram_message", "arguments": {"text": "hello"}}</tool_call>')]
