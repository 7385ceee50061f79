"""The one event stream: what the platforms saw, what the queue did, what the functions logged, in the order it came."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, cast

from dm_core.clock import Clock
from dm_core.telemetry import hashed
from dm_sandbox.cloud_tasks import QueueEvent
from dm_sandbox.environment import ALERTS_QUEUE
from dm_sandbox.platforms.meta import Delivery
from dm_sandbox.platforms.record import Record
from dm_sandbox.platforms.server import as_list, as_object
from dm_sandbox.processes import OutputLine

Level = Literal["info", "good", "warning", "error"]

KEPT_ENTRIES: Final = 20_000
"""How many entries are kept in memory, and read back from a file."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event. ``at`` in ms since 1970; ``source`` is the part it comes from, ``kind`` that part's word for it.

    ``person`` is the user id of the thread it belongs to and ``run`` the run, where that is known; ``record`` is all
    that the source said.
    """

    number: int
    at: int
    source: str
    words: str
    level: Level = "info"
    kind: str = ""
    person: str = ""
    run: str = ""
    record: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)

    def __str__(self) -> str:
        return f"{clock_time(self.at)} {self.source:<9} {self.words}"

    @property
    def row(self) -> dict[str, object]:
        """Everything but the record."""
        names = ("number", "at", "source", "words", "level", "kind", "person", "run")
        return {name: getattr(self, name) for name in names}


def clock_time(at: int) -> str:
    """A moment (ms since 1970) on this machine's clock."""
    return datetime.fromtimestamp(at / 1000).astimezone().strftime("%H:%M:%S")


Listener = Callable[[Entry], None]


class EventLog:
    """Keeps every entry, in the order they came in, and tells whoever listens; with ``path`` over restarts too."""

    def __init__(self, clock: Clock, path: Path | None = None) -> None:
        self.entries: list[Entry] = []
        self._clock = clock
        self._listeners: list[Listener] = []
        self._people: dict[str, str] = {}
        self._tasks: dict[str, str] = {}
        self._runs: dict[str, str] = {}
        self._file = None
        if path is not None:
            self._read(path)
            self._file = path.open("a", encoding="utf-8", buffering=1)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def know(self, thread_id: str, user_id: str) -> None:
        """Events that name this thread, whole or hashed, belong to this person."""
        self._people |= {thread_id: user_id, hashed(thread_id): user_id}

    def add(
        self,
        source: str,
        words: str,
        level: Level = "info",
        at: int | None = None,
        *,
        kind: str = "",
        person: str = "",
        run: str = "",
        record: Mapping[str, object] | None = None,
    ) -> Entry:
        at = self._clock() if at is None else at
        number = self.entries[-1].number + 1 if self.entries else 1
        entry = Entry(number, at, source, words, level, kind, person, run, record or {})
        self.entries.append(entry)
        if len(self.entries) > 2 * KEPT_ENTRIES:
            del self.entries[:KEPT_ENTRIES]
        for listener in self._listeners:
            listener(entry)
        if self._file is not None:
            self._file.write(json.dumps(asdict(entry), default=repr) + "\n")
        return entry

    def find(self, number: int) -> Entry | None:
        """The entry of this number, if it is still kept."""
        position = number - self.entries[0].number if self.entries else -1
        return self.entries[position] if 0 <= position < len(self.entries) else None

    def since(self, number: int) -> list[Entry]:
        """The entries after this number."""
        if not self.entries:
            return []
        return self.entries[max(0, number + 1 - self.entries[0].number) :]

    def of_run(self, run_id: str) -> list[Entry]:
        """Everything of one run."""
        return [entry for entry in self.entries if entry.run == run_id]

    def platform(self, record: Record) -> None:
        """A request to a simulator."""
        level: Level = "info" if record.ok else "warning"
        if record.operation in ("send", "react", "template") and record.ok:
            level = "good"
        recipient = as_object(as_object(record.body).get("recipient")).get("id")
        person = str(record.facts.get("to") or recipient or "") if record.platform == "instagram" else ""
        self.add(
            record.platform,
            _platform_words(record),
            level,
            record.at,
            kind=record.operation,
            person=person,
            run=self._runs.get(person, ""),
            record={} if record.platform == "gemini" else asdict(record),
        )

    def delivered(self, delivery: Delivery, payload: object) -> None:
        """A webhook POST and its answer."""
        answer = delivery.status or "no answer"
        words = f"{delivery.what} delivered ({answer}, {delivery.took_ms:.0f} ms)"
        record = asdict(delivery) | {"payload": payload}
        level: Level = "info" if delivery.status == 200 else "warning"
        self.add("meta", words, level, delivery.at, kind="delivered", person=delivery.person, record=record)

    def queue(self, event: QueueEvent) -> None:
        """Something the Cloud Tasks emulator did."""
        failed = event.kind in ("failed", "given_up", "throttled")
        what = "tick" if event.queue.endswith(f"/{ALERTS_QUEUE}") or event.queue == ALERTS_QUEUE else "wake-up"
        if event.kind == "created":
            self._tasks[event.task] = self._people.get(_thread_in(event.detail.get("body")), "")
        person = self._tasks.get(event.task, "")
        words = _queue_words(event, what)
        level: Level = "warning" if failed else "info"
        self.add("queue", words, level, event.at, kind=event.kind, person=person, record=asdict(event))

    def function(self, name: str, line: OutputLine) -> None:
        """A line a function wrote: an event of ours as words, anything else as it is."""
        if line.event is None or "message" not in line.event:
            if line.text.strip() and not _is_chatter(line.text):
                wrong = "Error" in line.text or "cannot start" in line.text
                self.add(name, line.text, "error" if wrong else "info", kind="output")
            return
        fields = line.event
        kind = str(fields["message"])
        level = SEVERITIES.get(str(fields.get("severity")), "info")
        named = fields.get("thread") or next(iter(as_list(fields.get("threads"))), "")
        person = self._people.get(str(named), "")
        run = self._run_of(fields, person)
        self.add(name, _function_words(fields), level, kind=kind, person=person, run=run, record=fields)
        if kind in _RUN_ENDS:
            self._runs.pop(person, None)

    def _run_of(self, fields: Mapping[str, object], person: str) -> str:
        run = str(fields.get("run_id") or fields.get("runId") or "")
        if run and person and fields["message"] == "run_claimed":
            self._runs[person] = run
        return run or (self._runs.get(person, "") if person else "")

    def _read(self, path: Path) -> None:
        """What an earlier process wrote; a line cut by its death is left out, and the file is kept short."""
        if not path.exists():
            return
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-KEPT_ENTRIES:]
        for line in lines:
            try:
                fields = cast("dict[str, object]", json.loads(line))
                self.entries.append(Entry(**fields))  # pyright: ignore[reportArgumentType]
            except (ValueError, TypeError):
                continue
        _write_short(path, lines)


_RUN_ENDS: Final = ("run_finished", "run_dropped", "task_failed", "task_answered")


def _write_short(path: Path, lines: Iterable[str]) -> None:
    new = path.with_suffix(".new")
    new.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    new.replace(path)


def _thread_in(body: object) -> str:
    """The thread that a task's body names."""
    try:
        return str(as_object(json.loads(str(body or ""))).get("threadId", ""))
    except ValueError:
        return ""


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
    "alert_tried": "alert attempted",
    "digest_made": "alerts joined in a digest",
    "model_called": "model answered",
    "prompt_shown": "prompt composed",
    "profile_changed": "profile changed: used from now on",
    "profile_broken": "profile can't be used, the old one stays",
    "thread_waits": "thread waits",
    "outbox_answered": "the manager's message was dealt with",
    "human_reply_sent": "the manager's words were sent",
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
    "turns",
    "tools",
    "system",
    "answer",
    "begunAt",
}


def _value(value: object) -> str:
    counts = as_object(value)
    if counts:
        return " ".join(f"{name} {number}" for name, number in counts.items() if number)
    return _short(", ".join(str(each) for each in as_list(value)) or str(value))


def _short(text: str, most: int = 110) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"
