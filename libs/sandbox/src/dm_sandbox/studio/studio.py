"""The studio as a whole: everything the page shows and does, over one sandbox."""

import asyncio
import contextlib
import secrets
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from dm_core.agent.prompt import SystemPrompt, system_prompt
from dm_core.agent.rules import Rules
from dm_core.bootstrap.files import load_files
from dm_core.bootstrap.parts import open_store
from dm_core.clock import random_ids
from dm_core.durations import DAY_MS, HOUR_MS, MINUTE_MS
from dm_core.errors import Misconfigured
from dm_core.messages import Message
from dm_core.outbox import OutboxItem
from dm_core.processing.outbox.commands import Command
from dm_core.processing.outbox.steps import Steps
from dm_core.processing.switches import SwitchReader
from dm_core.runs import Run
from dm_core.settings import ProcessorSettings
from dm_sandbox.chat import Chat
from dm_sandbox.events import Entry
from dm_sandbox.platforms.server import as_object
from dm_sandbox.profile_files import PROCESSOR_FOLDER
from dm_sandbox.studio import kept
from dm_sandbox.studio.acts import Acts
from dm_sandbox.studio.again import Again
from dm_sandbox.studio.bubbles import Phone
from dm_sandbox.studio.clock import StudioClock
from dm_sandbox.studio.inspector import YEAR_MS, Inspector
from dm_sandbox.studio.manager import ManagerPhone
from dm_sandbox.studio.phones import Phones
from dm_sandbox.studio.promises import Evidence, PromiseStatus, promise_statuses
from dm_sandbox.studio.review import ReviewQueue
from dm_sandbox.studio.seat import Seat
from dm_sandbox.studio.switches import BY_NAME, SWITCHES, Breaker, Switch
from dm_sandbox.studio.tour import Tour
from dm_sandbox.world import Sandbox

SAVE_SECONDS: Final = 0.5
THINKING_SECONDS: Final = 1.0
"""How long the script thinks: long enough for "seen" and "typing" to show, as with a real model."""
RESUMING: Final = ("resume", "done", "on")
"""What a manager writes, or taps, to give a conversation back to the bot."""
PERSISTENCE: Final = 500
"""How often the simulated Meta tries to deliver before it gives up: about 40 minutes."""


@dataclass(slots=True)
class Used:
    """A switch that was used: since when, after which event, and whether it is still on."""

    switch: Switch
    since: int
    number: int
    on: bool


class Studio:
    """Needs a sandbox that runs, made with ``studio``. ``boot`` tells one start of it from another."""

    def __init__(self, sandbox: Sandbox, clock: StudioClock, remembered: Mapping[str, object]) -> None:
        self.boot = secrets.token_hex(4)
        self.sandbox = sandbox
        settings = ProcessorSettings.load(sandbox.environment)
        self.store = open_store(settings.store, clock)
        self.phones, self.manager = _phones_of(sandbox, remembered)
        self.acts = Acts(self.phones)
        self.chat = Chat(sandbox, self.phones, self.acts)
        self.seat = Seat(sandbox.gemini)
        self.seat.sitter = "you" if remembered.get("seat") == "you" else "scripted"
        sandbox.gemini.latency = THINKING_SECONDS
        self.breaker = Breaker(sandbox, self.seat, clock)
        self.inspector = Inspector(sandbox, self.phones, self.store)
        self.review = ReviewQueue()
        self.again = Again(sandbox.log, settings.model)
        self.tour = Tour(self.phones, self.acts, self.breaker, self.manager, self.resume, self.changed)
        self.used: dict[str, Used] = {}
        self._resumed: list[tuple[str, int]] = []
        self._prompt: SystemPrompt | None = None
        self._settings, self._clock = settings, clock
        self._listeners: set[asyncio.Queue[Entry | None]] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._saving: asyncio.TimerHandle | None = None
        self._unkept = False
        self._tasks: set[asyncio.Task[None]] = set()
        sandbox.sender.persistence = PERSISTENCE
        sandbox.log.listen(self._heard)
        self.seat.on_change = self.changed

    async def close(self) -> None:
        """Stop what plays, keep what is to be kept."""
        await self.tour.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for timer in (*self._timers.values(), self._saving):
            if timer is not None:
                timer.cancel()
        self.save()
        await self.again.close()
        await self.store.close()

    def listen(self) -> asyncio.Queue[Entry | None]:
        """Every event from now on; None stands for a change of the studio itself. Ended by ``leave``."""
        queue: asyncio.Queue[Entry | None] = asyncio.Queue()
        self._listeners.add(queue)
        return queue

    def leave(self, queue: asyncio.Queue[Entry | None]) -> None:
        self._listeners.discard(queue)

    def changed(self) -> None:
        """Something that is not an event: the seat, a switch, the tour."""
        for queue in self._listeners:
            queue.put_nowait(None)
        self._save_soon()

    def state(self) -> dict[str, object]:
        """What the page's head shows."""
        question = self.seat.question
        return {
            "boot": self.boot,
            "model": self._model_kind(),
            "store": self.sandbox.status()["store"],
            "clockOffsetMs": self._clock.offset_ms,
            "question": question.shown() if question else None,
            "tour": self.tour.shown(),
            "on": [name for name, used in self.used.items() if used.on],
        }

    def _model_kind(self) -> str:
        kind = self.sandbox.gemini.kind
        return "gemini" if self.sandbox.real_model else kind if kind != "scripted" else self.seat.sitter

    def act(self, phone: Phone, act: str, fields: Mapping[str, object]) -> None:
        """Begin what a button says. Raises CannotDo."""
        self.begin(self.acts.do(phone, act, fields))
        self.changed()

    def begin(self, work: Coroutine[None, None, None]) -> None:
        """It goes on by itself: a webhook may not be acknowledged for minutes, and a browser that waits for six of them
        asks nothing else. Raises what it raises before its first wait."""
        begun = self.spawn(work)
        if begun.done():
            begun.result()

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Go on in the background, until the studio closes; up to its first wait, at once."""
        task = asyncio.eager_task_factory(asyncio.get_running_loop(), work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def resume(self, phone: Phone) -> None:
        """The human is done: the bot answers again what comes from now on. Raises StoreUnavailable."""
        now, retention = self._clock(), self._settings.store.retention_days * DAY_MS
        rules = Rules.of(load_files(PROCESSOR_FOLDER).profile, self._settings.disclosure_days, self._settings.handover)
        steps = Steps(self.store, SwitchReader(self.store, self._clock), rules, self._clock, random_ids, retention)
        for command in (Command.RESUME, Command.DONE):
            thread_id = self.inspector.thread_id(phone)
            item = OutboxItem(
                random_ids(), "studio", command.value, now, now + retention, origin="studio", thread_id=thread_id
            )
            await steps.in_thread(command, item)
        self._resumed.append((phone.user_id, now))
        self.sandbox.log.add("studio", f"resumed: the bot answers {phone.name} again", "good", person=phone.user_id)
        self.changed()

    async def set_switch(self, name: str, on: bool) -> None:
        """Raises KeyError for an unknown switch."""
        switch = BY_NAME[name]
        if on:
            last = self.sandbox.log.entries[-1].number if self.sandbox.log.entries else 0
            self.used[name] = Used(switch, self._clock(), last, on=not switch.once)
        elif name in self.used:
            self.used[name].on = False
        await self.breaker.set(name, on)
        if timer := self._timers.pop(name, None):
            timer.cancel()
        if on and switch.seconds:
            end = lambda: self.spawn(self.set_switch(name, on=False))  # noqa: E731
            self._timers[name] = asyncio.get_running_loop().call_later(switch.seconds, end)
        word = "used" if switch.once else "on" if on else "off"
        self.sandbox.log.add("studio", f"{switch.group}: {switch.title} ({word})", "warning" if on else "good")
        self.changed()

    async def clear(self) -> None:
        """Everything works again, but for what is broken meanwhile; the clock stays where it is."""
        for platform in self.sandbox.platforms:
            platform.faults.clear()
        for name, used in list(self.used.items()):
            if (used.on or used.switch.once) and used.switch.group != "Clock":
                await self.set_switch(name, on=False)
            if self.used.get(name) is used:
                del self.used[name]
        self.changed()

    async def switches(self) -> list[dict[str, object]]:
        """Every switch, and the verdict of each that was used. Raises StoreUnavailable."""
        evidence = await self._evidence() if self.used else None
        return [self._shown(switch, evidence) for switch in SWITCHES]

    async def _evidence(self) -> Evidence:
        """Of all that happened since the first of the switches that were used."""
        since, now = min(used.since for used in self.used.values()), self._clock()
        messages: dict[str, Message] = {}
        runs: dict[str, Run] = {}
        for phone in list(self.phones.phones.values()):
            messages |= await self.inspector.messages(phone)
            runs |= await self.inspector.runs(phone, since - HOUR_MS)
        alerts = [stored.alert for stored in await self.store.due_alerts(now + YEAR_MS, 100)]
        with contextlib.suppress(Misconfigured):  # then that of before is in use
            files = load_files(PROCESSOR_FOLDER)
            self._prompt = system_prompt(files.system_md, files.profile)
        bubbles = {user_id: phone.bubbles for user_id, phone in self.phones.phones.items()}
        return Evidence(
            since,
            self._clock(),
            bubbles,
            messages,
            self.sandbox.log.entries,
            alerts,
            paused_ms=round(self._settings.takeover_minutes * MINUTE_MS),
            resumed=[*self._resumed, *self._resumed_by_manager()],
            runs=runs,
            prompt=self._prompt,
        )

    def _resumed_by_manager(self) -> list[tuple[str, int]]:
        """On WhatsApp: of whom, the words alone don't say, so it may have been anybody."""
        words = [each for each in self.manager.messages if each.mine and each.text.strip().lower() in RESUMING]
        return [(user_id, message.at) for message in words for user_id in self.phones.phones]

    def _shown(self, switch: Switch, evidence: Evidence | None) -> dict[str, object]:
        names = ("name", "group", "title", "expects", "once", "seconds")
        fields: dict[str, object] = {name: getattr(switch, name) for name in names}
        used = self.used.get(switch.name)
        if used is None or evidence is None:
            return fields
        entries = self.sandbox.log.since(used.number)
        own = replace(evidence, since=used.since, entries=entries)
        return fields | {"on": used.on} | _judged(switch, entries, promise_statuses(own))

    def snapshot(self) -> dict[str, object]:
        """What survives a restart."""
        own = {"seat": self.seat.sitter, "clockOffsetMs": self._clock.offset_ms}
        return {**self.phones.snapshot(), **self.manager.snapshot(), **own}

    def save(self) -> None:
        """Keep the state, if there is a folder for it. A disk that takes nothing is told of once."""
        self._saving = None
        folder: Path | None = self.sandbox.folder
        if folder is None:
            return
        already, self._unkept = self._unkept, False
        try:
            kept.save(folder, self.snapshot())
        except OSError as error:
            self._unkept = True
            if not already:
                words = f"people and phones are not kept over a restart: {error.strerror}"
                self.sandbox.log.add("studio", words, "error", kind="not_kept")

    def _heard(self, entry: Entry) -> None:
        for queue in self._listeners:
            queue.put_nowait(entry)
        self._save_soon()

    def _save_soon(self) -> None:
        if self._saving is None and self.sandbox.folder is not None:
            self._saving = asyncio.get_running_loop().call_later(SAVE_SECONDS, self.save)


def _phones_of(sandbox: Sandbox, remembered: Mapping[str, object]) -> tuple[Phones, ManagerPhone]:
    """As an earlier start left them. Raises Damaged for what another version wrote."""
    try:
        return Phones(sandbox, remembered), ManagerPhone(sandbox, remembered)
    except (TypeError, ValueError, KeyError) as error:
        raise kept.Damaged((sandbox.folder or Path()) / kept.STATE_FILE, error) from None


def _judged(switch: Switch, entries: list[Entry], found: tuple[PromiseStatus, ...]) -> dict[str, object]:
    """How a switch's promises stand, and whether it has bitten yet."""
    own = [each for each in found if each.promise in switch.tries]
    bitten = not switch.shows or any(entry.kind in switch.shows for entry in entries)
    states = {each.state for each in own}
    overall = "broken" if "broken" in states else "open" if "open" in states else "kept"
    verdict = overall if bitten or overall != "kept" else "idle"
    return {"verdict": verdict, "met": bitten, "promises": [each.shown for each in own]}


def clock_of(remembered: Mapping[str, object]) -> StudioClock:
    """The clock as far ahead as it was."""
    offset = as_object(remembered).get("clockOffsetMs")
    return StudioClock(offset if isinstance(offset, int) else 0)
