"""The event stream: whose an event is, which run it belongs to, and that it survives a restart."""

import json
import resource
from pathlib import Path

from dm_core.clock import system_clock
from dm_core.telemetry import hashed
from dm_sandbox.events import EventLog
from dm_sandbox.processes import OutputLine

THREAD, SAM = "1784_819", "819"


def line(message: str, **fields: object) -> OutputLine:
    event = {"severity": "INFO", "message": message, "thread": hashed(THREAD), **fields}
    return OutputLine.parse(json.dumps(event).encode())


def test_events_of_a_known_thread_belong_to_its_person_and_to_the_live_run() -> None:
    log = EventLog(system_clock)
    log.know(THREAD, SAM)

    log.function("processor", line("run_claimed", run_id="r1"))
    log.function("processor", line("model_called", ms=3))
    log.function("processor", line("run_finished", run_id="r1"))
    log.function("processor", line("thread_waits"))
    log.function("webhook", OutputLine("Traceback: SomeError"))

    assert [(entry.person, entry.run) for entry in log.entries] == [(SAM, "r1")] * 3 + [(SAM, ""), ("", "")]
    assert log.entries[-1].level == "error"
    assert [entry.kind for entry in log.of_run("r1")] == ["run_claimed", "model_called", "run_finished"]


def test_events_survive_a_restart_and_a_cut_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    before = EventLog(system_clock, path)
    before.add("studio", "one", record={"a": 1})
    before.add("studio", "two")
    before.close()
    with path.open("a") as file:
        file.write('{"number": 3, "at"')

    after = EventLog(system_clock, path)
    third = after.add("studio", "three")
    after.close()

    assert [entry.words for entry in after.entries] == ["one", "two", "three"]
    assert third.number == 3
    assert after.find(1) is not None
    assert [entry.words for entry in after.since(2)] == ["three"]


def test_a_full_disk_is_said_once_and_stops_no_event(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(system_clock, path)
    log.add("studio", "before")

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 9, limits[1]))
    try:
        log.add("studio", "one")
        log.add("studio", "two")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    log.add("studio", "after")
    log.close()

    said = "events are not kept over a restart: the disk is full"
    assert [entry.words for entry in log.entries] == ["before", "one", said, "two", "after"]
    kept = EventLog(system_clock, path)
    kept.close()
    assert [entry.words for entry in kept.entries] == ["before", "after"]


def test_a_line_for_a_terminal_holds_nothing_that_it_obeys_or_that_can_not_be_printed() -> None:
    entry = EventLog(system_clock).add("studio", "a\x1b[2Jb\ud800c\nd 👩")

    assert str(entry).endswith("a\ufffd[2Jb\ufffdc\nd 👩")
    assert str(entry).encode()
