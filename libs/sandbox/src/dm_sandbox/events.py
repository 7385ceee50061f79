"""The event log: what the platforms saw, what the queue did and what the functions said, in one readable order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dm_core.clock import Clock
from dm_sandbox.cloud_tasks import QueueEvent
from dm_sandbox.environment import ALERTS_QUEUE
from dm_sandbox.platforms.record import Record
from dm_sandbox.platforms.server import as_list, as_object
from dm_sandbox.processes import OutputLine

Level = Literal["info", "good", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log. ``at`` in ms since 1970; ``source`` is the part it comes from."""

    number: int
    at: int
    source: str
    words: str
    level: Level = "info"

    def __str__(self) -> str:
        return f"{clock_time(self.at)} {self.source:<9} {self.words}"


def clock_time(at: int) -> str:
    """A moment (ms since 1970) on this machine's clock."""
    return datetime.fromtimestamp(at / 1000).astimezone().strftime("%H:%M:%S")


Listener = Callable[[Entry], None]


class EventLog:
    """Keeps every entry, in the order they came in, and tells whoever listens."""

    def __init__(self, clock: Clock) -> None:
        self.entries: list[Entry] = []
        self.lines: list[tuple[str, OutputLine]] = []
        self._clock = clock
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def add(self, source: str, words: str, level: Level = "info", at: int | None = None) -> None:
        entry = Entry(len(self.entries) + 1, self._clock() if at is None else at, source, words, level)
        self.entries.append(entry)
        for listener in self._listeners:
            listener(entry)

    def platform(self, record: Record) -> None:
        """A request to a simulator."""
        level: Level = "info" if record.ok else "warning"
        if record.operation in ("send", "react", "template") and record.ok:
            level = "good"
        self.add(record.platform, _platform_words(record), level, record.at)

    def queue(self, event: QueueEvent) -> None:
        """Something the Cloud Tasks emulator did."""
        failed = event.kind in ("failed", "given_up", "throttled")
        what = "tick" if event.queue.endswith(f"/{ALERTS_QUEUE}") else "wake-up"
        self.add("queue", _queue_words(event, what), "warning" if failed else "info", event.at)

    def function(self, name: str, line: OutputLine) -> None:
        """A line a function wrote: an event of ours as words, anything else as it is."""
        self.lines.append((name, line))
        if line.event is not None and "message" in line.event:
            if line.event["message"] == "task_answered" and line.event.get("status") == "processed":
                return  # its run_finished said it already
            level = SEVERITIES.get(str(line.event.get("severity")), "info")
            self.add(name, _function_words(line.event), level)
        elif line.text.strip() and not _is_chatter(line.text):
            self.add(name, line.text, "error" if "Error" in line.text or "cannot start" in line.text else "info")


SEVERITIES: Mapping[str, Level] = {"CRITICAL": "error", "ERROR": "error", "WARNING": "warning"}


def _is_chatter(line: str) -> bool:
    """Lines of the web servers that say nothing about a DM."""
    return any(word in line for word in ("[INFO]", "INFO:", "HTTP/1.1", "Started server", "Waiting for application"))


PLATFORM_WORDS: Mapping[str, str] = {
    "send": "reply sent",
    "react": "reaction set",
    "unreact": "reaction taken back",
    "typing_on": "typing…",
    "typing_off": "typing ended",
    "mark_seen": "marked as seen",
    "conversations": "conversation read",
    "profile": "profile read",
    "subscribed_apps": "subscription read",
    "refresh_access_token": "token refreshed",
    "media": "file of a message fetched",
    "login": "logged in",
    "sponds": "calendar read",
    "groups": "groups read",
    "generateContent": "model asked",
}


def _platform_words(record: Record) -> str:
    facts = record.facts
    words = PLATFORM_WORDS.get(record.operation, record.operation)
    if record.platform == "whatsapp" and record.operation in ("send", "template"):
        words = "manager alerted" + (" by template" if record.operation == "template" else "")
    if not record.ok:
        failed = f"{words}: refused" if record.status else f"{words}: connection cut"
        done = " (but it was processed)" if record.processed and "fault" in facts else ""
        return f"{failed} {facts.get('error', '')}".rstrip() + done
    for name in ("text", "reaction", "answer", "events"):
        if facts.get(name):
            suffix = " sessions" if name == "events" else ""
            return f"{words}: {_short(facts[name])}{suffix}"
    return words


def _queue_words(event: QueueEvent, what: str) -> str:
    detail = event.detail
    if event.kind == "created":
        at = detail.get("fire_at")
        ahead = f" for t+{max(0, at - event.at) / 1000:.1f} s" if isinstance(at, int) else ""
        return f"{what} scheduled{ahead}"
    words = {
        "deduplicated": f"{what} joined the one already scheduled",
        "dispatched": f"{what} fired",
        "succeeded": f"{what} done",
        "failed": f"{what} failed, it will be retried",
        "given_up": f"{what} given up",
    }.get(event.kind, event.kind)
    facts = [f"{name} {detail[name]}" for name in ("attempt", "status", "ms", "reason") if detail.get(name)]
    return f"{words} ({', '.join(facts)})" if facts else words


FUNCTION_WORDS: Mapping[str, str] = {
    "webhook_received": "request stored",
    "webhook_not_stored": "not stored, Meta will deliver again",
    "webhook_rejected": "request rejected",
    "run_claimed": "run started",
    "run_finished": "run finished",
    "run_failed": "run failed",
    "task_answered": "task answered",
    "task_failed": "task failed",
    "human_took_over": "a human took over",
    "send_looked_up": "uncertain reply looked up",
    "tick_answered": "tick answered",
    "media_looked_at": "file shown to the model",
    "media_not_shown": "file not shown to the model",
    "media_withheld": "files left out",
    "alert_tried": "alert attempted",
    "digest_made": "alerts joined in a digest",
    "alert_undelivered": "ALARM: an alert did not reach the manager",
    "whatsapp_received": "WhatsApp's statuses stored",
}


def _function_words(fields: Mapping[str, object]) -> str:
    event = str(fields.get("message", ""))
    words = FUNCTION_WORDS.get(event, event.replace("_", " "))
    shown = [f"{name} {_value(value)}" for name, value in fields.items() if name not in _HIDDEN and value]
    return f"{words} ({', '.join(shown)})" if shown else words


_HIDDEN = frozenset(("severity", "message", "time", "thread", "threads", "run_id", "runId", "secret", "code")) | {
    "promptHash",
    "timings",
    "inputTokens",
    "cachedTokens",
    "outputTokens",
}


def _value(value: object) -> str:
    counts = as_object(value)
    if counts:
        return " ".join(f"{name} {number}" for name, number in counts.items() if number)
    return _short(", ".join(str(each) for each in as_list(value)) or str(value))


def _short(text: str, most: int = 110) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"
