"""The one event stream: what the platforms saw, what the queue did, what the functions logged, in the order it came."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Literal, cast

from dm_core.clock import Clock
from dm_core.telemetry import hashed
from dm_sandbox.chat_lines import clock_time, harmless
from dm_sandbox.cloud_tasks import QueueEvent
from dm_sandbox.environment import ALERTS_QUEUE
from dm_sandbox.event_words import function_words, platform_words, queue_words
from dm_sandbox.kept_lines import KeptLines
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
        return f"{clock_time(self.at)} {self.source:<9} {harmless(self.words)}"

    @property
    def row(self) -> dict[str, object]:
        """Everything but the record."""
        names = ("number", "at", "source", "words", "level", "kind", "person", "run")
        return {name: getattr(self, name) for name in names}


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
            self._file = KeptLines(path)

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
        if self._file is not None and (why := self._file.append(json.dumps(asdict(entry), default=repr))):
            self.add("studio", f"events are not kept over a restart: {why}", "error", kind="not_kept")
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
            platform_words(record),
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
        words = queue_words(event, what)
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
        self.add(name, function_words(fields), level, kind=kind, person=person, run=run, record=fields)
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
