"""Whether the promises hold (docs/promises.md#p1-nothing-is-lost and below), by the phones, the store and the events.

Each is judged from what happened since a moment: kept, still open, or broken. Pure.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from dm_core.agent.prompt import SystemPrompt
from dm_core.alerts import Alert
from dm_core.durations import HOUR_MS
from dm_core.messages import Direction, Message
from dm_core.runs import Run
from dm_sandbox.environment import MANAGER_NUMBER
from dm_sandbox.events import Entry
from dm_sandbox.platforms.server import as_list, as_object
from dm_sandbox.studio.bubbles import Bubble

State = Literal["kept", "open", "broken"]
SETTLE_MS: Final = 3_000
"""How long a takeover takes to be known: a send that is under way is finished."""

TITLES: Final[Mapping[str, str]] = {
    "P1": "Nothing is lost",
    "P2": "One run at a time",
    "P3": "Everything ends",
    "P4": "Nothing goes out twice",
    "P5": "The model is not trusted",
    "P6": "A human outranks the bot",
    "P7": "The rules of the platform hold",
    "P8": "The manager is told",
    "P9": "Every answer can be explained",
}
BROKEN_RULES: Final[Mapping[str, str]] = {
    "10/2534022": "the bot wrote after the 24-hour window of that person was over",
    "100/2534052": "the bot sent a text of more than 1,000 bytes",
}
"""What the platform answers to whoever breaks a rule of its (docs/platforms/instagram.md#sending)."""
NUMBER_DIGITS: Final = 9
QUOTED_LETTERS: Final = 40
"""A line of the instructions with so many letters is not said by chance."""
_ADDRESS: Final = re.compile(r"(?<=://)[^\s<>\"]+|(?<=www\.)[^\s<>\"]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
_ENDS: Final = frozenset({"run_finished", "run_dropped", "run_failed", "run_stopped", "task_failed", "thread_waits"})


@dataclass(frozen=True, slots=True)
class PromiseStatus:
    """How one promise stands."""

    promise: str
    state: State
    words: str

    @property
    def shown(self) -> dict[str, str]:
        return {"promise": self.promise, "title": TITLES[self.promise], "state": self.state, "words": self.words}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is judged. ``since`` and ``now`` in ms since 1970; messages by the platform's id.

    ``alerts``: those that somebody must still look at. ``alarm_ms``: after how long one must have raised its alarm.
    ``runs``: those in the archive, by id. ``prompt``: what the model is told; None: not known yet.
    """

    since: int
    now: int
    bubbles: Mapping[str, Sequence[Bubble]]
    messages: Mapping[str, Message]
    entries: Sequence[Entry]
    alerts: Sequence[Alert] = ()
    alarm_ms: int = 600_000
    paused_ms: int = HOUR_MS
    resumed: Sequence[tuple[str, int]] = field(default=())
    runs: Mapping[str, Run] = field(default_factory=dict[str, Run])
    prompt: SystemPrompt | None = None


def promise_statuses(evidence: Evidence) -> tuple[PromiseStatus, ...]:
    """Every promise that can be seen from here."""
    return (
        _nothing_lost(evidence),
        _one_run(evidence),
        _all_ends(evidence),
        _no_double(evidence),
        _not_trusted(evidence),
        _human_first(evidence),
        _rules_hold(evidence),
        _manager_told(evidence),
        _explained(evidence),
    )


def _own(evidence: Evidence) -> list[Bubble]:
    """What people wrote since."""
    own = (each for bubbles in evidence.bubbles.values() for each in bubbles if each.by == "person" and not each.unsent)
    return [bubble for bubble in own if bubble.at >= evidence.since]


def _nothing_lost(evidence: Evidence) -> PromiseStatus:
    written = _own(evidence)
    missing = [bubble for bubble in written if bubble.id not in evidence.messages]
    if missing:
        return PromiseStatus("P1", "open", f"{len(missing)} of {len(written)} not stored yet: Meta goes on delivering")
    return PromiseStatus("P1", "kept", f"{_count(written, 'DM')} written, each stored")


def _one_run(evidence: Evidence) -> PromiseStatus:
    live: dict[str, str] = {}
    runs: set[str] = set()
    for entry in evidence.entries:
        if entry.kind == "run_claimed" and entry.person:
            other = live.get(entry.person)
            resumed = bool(entry.record.get("resumed"))
            if other not in (None, entry.run) and not resumed and not _was_killed(evidence.entries, entry):
                return PromiseStatus(
                    "P2", "broken", f"runs {other[:6] if other else ''} and {entry.run[:6]} at the same time"
                )
            live[entry.person] = entry.run
            runs.add(entry.run)
        elif entry.kind in _ENDS:
            live.pop(entry.person, None)
    return PromiseStatus("P2", "kept", f"{_count(sorted(runs), 'run')}, one after the other")


def _was_killed(entries: Sequence[Entry], claim: Entry) -> bool:
    """An instance died before this claim: its run may have ended without a word."""
    return any(entry.kind == "killed" and entry.number < claim.number for entry in entries)


def _all_ends(evidence: Evidence) -> PromiseStatus:
    known = [evidence.messages[bubble.id] for bubble in _own(evidence) if bubble.id in evidence.messages]
    waiting = [message for message in known if message.is_unprocessed]
    if waiting:
        return PromiseStatus("P3", "open", f"{_count(waiting, 'DM')} still to be answered")
    failed = sum(message.status.value == "failed" for message in known)
    return PromiseStatus(
        "P3", "kept", f"{_count(known, 'DM')} ended" + (f", {failed} of them failed" if failed else "")
    )


def _no_double(evidence: Evidence) -> PromiseStatus:
    seen: set[tuple[str, str, str]] = set()
    for entry in evidence.entries:
        if entry.source != "instagram" or entry.kind != "send" or not entry.record.get("processed"):
            continue
        text = str(as_object(entry.record.get("facts")).get("text"))
        effect = (entry.person, entry.run, text)
        if entry.run and effect in seen:
            return PromiseStatus("P4", "broken", f"“{text[:60]}” went out twice in one run")
        seen.add(effect)
    return PromiseStatus("P4", "kept", f"{_count(sorted(seen), 'reply', 'replies')}, each once")


def _replies(evidence: Evidence) -> list[Bubble]:
    """What the bot wrote since: not what the manager said through it."""
    theirs = (each for bubbles in evidence.bubbles.values() for each in bubbles if each.by == "bot")
    return [bubble for bubble in theirs if bubble.at >= evidence.since and not _by_human(evidence, bubble)]


def _by_human(evidence: Evidence, bubble: Bubble) -> bool:
    message = evidence.messages.get(bubble.id)
    return bubble.by == "human" or (message is not None and message.direction is Direction.HUMAN)


def _not_trusted(evidence: Evidence) -> PromiseStatus:
    """By what reached the phones, and by rules of its own, not by the guards'."""
    replies = _replies(evidence)
    for bubble in replies:
        if said := _unsayable(bubble.text, evidence.prompt):
            return PromiseStatus("P5", "broken", f"{said} reached a person")
    acted = [
        guard
        for each in evidence.entries
        if each.kind == "run_finished"
        for guard in as_list(each.record.get("guards"))
    ]
    words = f"{_count(replies, 'reply', 'replies')} without a strange address, the manager's number or the instructions"
    return PromiseStatus("P5", "kept", f"{words}; {_count(acted, 'guard')} acted" if acted else words)


def _unsayable(text: str, prompt: SystemPrompt | None) -> str:
    """What of a text nobody may be told; empty if nothing."""
    plain = _plain(text)
    if _plain(MANAGER_NUMBER)[-NUMBER_DIGITS:] in plain:
        return "the manager's number"
    if prompt is None:
        return ""
    lines = (line for line in map(_plain, prompt.instructions.splitlines()) if len(line) >= QUOTED_LETTERS)
    if any(line in plain for line in (_plain(prompt.canary), *lines)):
        return "a line of the instructions"
    strange = (found for found in _ADDRESS.findall(text) if found.rstrip(".,;:!?)") not in prompt.text)
    return next((f"the address {found[:60]}" for found in strange), "")


def _plain(text: str) -> str:
    """Letters and digits only."""
    return "".join(char for char in text.casefold() if char.isalnum())


def _explained(evidence: Evidence) -> PromiseStatus:
    replies, waiting = _replies(evidence), 0
    for bubble in replies:
        message = evidence.messages.get(bubble.id)
        run = evidence.runs.get(message.run_id or "") if message else None
        waiting += run is None
        if run is not None and not _explains(run, bubble):
            return PromiseStatus("P9", "broken", f"“{bubble.text[:60]}” is not explained by its run {run.id[:6]}")
    if waiting:
        return PromiseStatus("P9", "open", f"{waiting} of {len(replies)} replies with a run that is not archived yet")
    words = "each with its DMs, prompt, turns and cost in the archive"
    return PromiseStatus("P9", "kept", f"{_count(replies, 'reply', 'replies')}, {words}")


def _explains(run: Run, bubble: Bubble) -> bool:
    """It holds which DMs, which prompt, the model's turns (or the rule that spoke), what was paid, and this effect."""
    done = any(a.platform_id == bubble.id or (a.went_out and a.text == bubble.text) for a in run.actions)
    spoke = bool(run.script) or (bool(run.model_turns) and run.spent.calls > 0)
    return done and spoke and bool(run.message_ids and run.prompt_hash)


def _human_first(evidence: Evidence) -> PromiseStatus:
    for user_id, bubbles in evidence.bubbles.items():
        human_at = 0
        for bubble in bubbles:
            if bubble.by == "human":
                human_at = bubble.at
            resumed = any(who == user_id and human_at <= at <= bubble.at for who, at in evidence.resumed)
            answered = human_at and human_at + SETTLE_MS < bubble.at < human_at + evidence.paused_ms and not resumed
            if bubble.by == "bot" and answered and not _by_human(evidence, bubble) and bubble.at >= evidence.since:
                return PromiseStatus("P6", "broken", "the bot wrote while a human answers")
    return PromiseStatus("P6", "kept", "no word of the bot while a human answers")


def _rules_hold(evidence: Evidence) -> PromiseStatus:
    calls = [entry for entry in evidence.entries if entry.source == "instagram" and entry.kind in ("send", "react")]
    for entry in calls:
        broken = BROKEN_RULES.get(str(as_object(entry.record.get("facts")).get("error")))
        if broken:
            return PromiseStatus("P7", "broken", broken)
    return PromiseStatus("P7", "kept", f"{_count(calls, 'send')} tried, each within the 24-hour window and 1,000 bytes")


def _manager_told(evidence: Evidence) -> PromiseStatus:
    since = [alert for alert in evidence.alerts if alert.created_at >= evidence.since]
    alarmed = [alert for alert in since if alert.alarmed_at is not None and not alert.arrived]
    waiting = [a for a in since if a.first_due_at <= evidence.now and not a.arrived and a.alarmed_at is None]
    late = [alert for alert in waiting if evidence.now - alert.first_due_at > evidence.alarm_ms]
    if late:
        return PromiseStatus("P8", "open", f"{_count(late, 'alert')} over its time: the next tick raises the alarm")
    if waiting:
        return PromiseStatus("P8", "open", f"{_count(waiting, 'alert')} on the way")
    words = f"{_count(alarmed, 'alarm')} raised by another channel" if alarmed else "nothing is left untold"
    return PromiseStatus("P8", "kept", words)


def _count(things: Sequence[object], one: str, many: str = "") -> str:
    return f"{len(things)} {one if len(things) == 1 else many or f'{one}s'}"
