"""What a command changes: one conditional commit with its line of the audit. Answers are one line each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from dm_core.agent.rules import Rules
from dm_core.clock import Clock, Ids
from dm_core.outbox import AuditLine, OutboxItem
from dm_core.plain_text import shown
from dm_core.processing.alert_texts import who
from dm_core.processing.leased_thread import TooManyConflicts, settle
from dm_core.processing.outbox.commands import HELP, Command
from dm_core.processing.switches import SwitchReader
from dm_core.steering import Mode, Pause, Steering, Switches, still_silent
from dm_core.store.port import Conflict, Store, ThreadChange
from dm_core.threads import Thread

GONE: Final = "Nothing was changed: this conversation does not exist any more."
QUOTE_FIRST: Final = "Quote the alert that is done."
_SWITCHED: Final[Mapping[Command, str]] = {
    Command.PAUSE: "All conversations are left to humans.",
    Command.RESUME: "I answer new messages again.",
    Command.OFF: "Switched off: I answer nobody.",
    Command.ON: "Switched on: I answer new messages.",
}
_LISTED: Final = 10
_LOOKED_AT: Final = 100
_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Steps:
    """Steers one thread, or all of them."""

    store: Store
    switches: SwitchReader
    rules: Rules
    clock: Clock
    ids: Ids
    retention_ms: int

    async def everywhere(self, command: Command, item: OutboxItem) -> str:
        """Do it for all conversations; the answer. Raises StoreUnavailable."""
        match command:
            case Command.LIST:
                return await self._list()
            case Command.HELP:
                return HELP
            case Command.DONE:
                return QUOTE_FIRST
            case _:
                now, by = self.clock(), item.origin
                line = self._line(item, command.value)
                switches = await self.switches.change(lambda switches: _switched(switches, command, by, now), (line,))
        return f"{_SWITCHED[command]} It may take half a minute.{_but(command, still_silent(switches))}"

    async def in_thread(self, command: Command, item: OutboxItem) -> str:
        """Do it in the item's thread; the answer. Raises StoreUnavailable, TooManyConflicts."""
        for _ in range(_TRIES):
            snapshot = await self.store.open(item.thread_id)
            if snapshot is None:
                return GONE
            thread, now = snapshot.thread, self.clock()
            change = ThreadChange(
                thread.id, snapshot.version, self.ids(), now, audit=(self._line(item, command.value),)
            )
            steering, answer = _steered(thread.steering, command, item.origin, now)
            change = replace(change, steering=steering)
            if command is Command.RESUME and thread.is_left_to_humans(now):
                change = replace(change, paused_until=now)  # what came until now is the humans'
            if not isinstance(await settle(self.store, change), Conflict):
                but = _but(command, still_silent(await self.switches.current(), steering))
                return f"{who(thread.profile, thread.id)}: {answer}{but}"
        raise TooManyConflicts("the thread kept moving")

    async def audit(self, item: OutboxItem, what: str) -> None:
        """A line about what a human did. Raises StoreUnavailable."""
        await self.store.add_audit(self._line(item, what))

    def _line(self, item: OutboxItem, what: str) -> AuditLine:
        now = self.clock()
        by = f"{item.origin}:{item.sender}"
        return AuditLine(f"{item.id}-{what}", now, by, what, now + self.retention_ms, thread_id=item.thread_id)

    async def _list(self) -> str:
        """What waits for a human, or is silent by a human's word, the newest first."""
        threads = await self.store.newest_threads(_LOOKED_AT)
        found = [(thread, state) for thread in threads if (state := self._state(thread))]
        lines = [f"{shown(who(thread.profile, thread.id), 60)}: {state}" for thread, state in found[:_LISTED]]
        more = f" … and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        return ("; ".join(lines) + more) if lines else "No conversation waits for a human."

    def _state(self, thread: Thread) -> str:
        now, steering = self.clock(), thread.steering
        states = (
            (thread.handed_over(now, self.rules.handover.release_ms) is not None, "handed over"),
            (steering.pause is not None, "paused"),
            (steering.mode is Mode.OFF, "off"),
            (steering.stopped_at is not None, "stopped by the person"),
            (thread.run is not None and thread.run.waits_for_manager, "a draft waits"),
            (thread.not_before is not None and thread.not_before > now, "waiting"),
        )
        return ", ".join(word for holds, word in states if holds)


def _but(command: Command, silent: str) -> str:
    return f" But I stay silent, because {silent}." if silent and command in (Command.RESUME, Command.ON) else ""


def _steered(steering: Steering, command: Command, by: str, now: int) -> tuple[Steering, str]:
    match command:
        case Command.PAUSE:
            return replace(steering, pause=Pause(by, now)), "left to you until you resume."
        case Command.RESUME:
            return replace(steering, pause=None), "I answer what comes from now on."
        case Command.DONE:
            return replace(steering, handover=None), "done, I go on there."
        case Command.OFF:
            return steering.switched_off(), "switched off."
        case _:
            return steering.switched_on(), "switched on."


def _switched(switches: Switches, command: Command, by: str, now: int) -> Switches:
    match command:
        case Command.PAUSE:
            return replace(switches, pause=Pause(by, now))
        case Command.RESUME:
            return switches.resumed(now)
        case Command.OFF:
            return switches.switched_off()
        case _:
            return switches.switched_on()
