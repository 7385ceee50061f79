"""A live run that was stopped: by Ctrl-C, killed, in the middle of a line; and what may not be gone on with."""

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from dm_evals.live.command import FOLDER as RUNS
from dm_evals.live.journal import Journal, Settings
from dm_evals.observation import Observation
from dm_evals.reading import Unusable
from dm_evals.reports import json_file
from dm_evals.results import Outcome, TrialResult
from tests.evals.live.conftest import FOLDER, Typed
from tests.evals.live.served_back import KEY, ServedBack

NETS = str(FOLDER / "asks_for_nets.yaml")
TRIALS = 12
"""Many more than are over when the signal comes, however late a busy machine sends it."""
SETTINGS = Settings(4, ("gemini-3.8-flash",), (), "off", (), ())


def trial(name: str, number: int, outcome: Outcome = Outcome.PASS, text: str = "") -> TrialResult:
    return TrialResult(name, number, ("sessions",), outcome, (), Observation(name, number, replies=(text,)))


async def stopped_by(number: signal.Signals, server: ServedBack, folder: Path) -> str:
    """A run of its own process, sent this signal after its second trial; what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dm_evals", "live", "--trials", str(TRIALS), "--concurrency", "1",
        "--json", "report.json", "--scenario", "injury_at_training",
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "GEMINI_API_KEY": KEY, "GOOGLE_GEMINI_BASE_URL": server.base_url},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )  # fmt: skip
    assert process.stdout is not None
    read = ""
    while " t2" not in read:
        line = await process.stdout.readline()
        assert line, read
        read += line.decode()
    process.send_signal(number)
    rest, _ = await process.communicate()
    return read + rest.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_a_stopped_run_goes_on_where_it_was(live: Typed, tmp_path: Path, number: signal.Signals) -> None:
    async with ServedBack() as server:
        told = await stopped_by(number, server, tmp_path)
        written = next((tmp_path / RUNS).iterdir()).read_text()
        done, before = written.count('{"variant"'), server.counts["answered"]
        ended = await live(server, "--resume", "last", "--gate", "gate.yaml", "--json", "report.json")

    assert 2 <= done < TRIALS
    assert server.counts["answered"] - before == 2 + 3 * (TRIALS - done), "preflight, and what was left"
    assert {r.outcome for r in json_file.load(Path("report.json")).results} == {Outcome.PASS}
    assert ended.code == 0
    if number is not signal.SIGKILL:
        assert "the run was stopped; to go on: RESUME=" in " ".join(told.split())
        assert "Traceback" not in told


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--trials", "3"), "K was 2, now 3"),
        (("--model", "gemini-3.7-flash"), "MODEL was gemini-3.8-flash, now gemini-3.7-flash"),
        (("--judge", "gemini-3.7-flash"), "JUDGE was off, now gemini-3.7-flash"),
        (("--tags", "sessions"), "TAGS was none, now sessions"),
        (("--user", "gemini-3.7-flash"), "--user was gemini-3.8-flash, now gemini-3.7-flash"),
    ],
)
async def test_with_other_settings_it_is_another_run(live: Typed, options: tuple[str, ...], words: str) -> None:
    async with ServedBack() as server:
        await live(server, "--trials", "2", "--judge", "off", NETS)
        before = server.counts["answered"]
        ended = await live(server, "--resume", "last", *options, NETS)

    assert ended.code == 2
    assert words in ended.error and ended.error.count("\n") == 1
    assert server.counts["answered"] == before


async def test_other_scenarios_or_another_prompt_are_another_run_too() -> None:
    before = Settings(4, ("m",), (), "off", (), (), {"m": "1"}, {"a": "1", "b": "1"})
    now = Settings(4, ("m",), (), "off", (), (), {"m": "2"}, {"a": "1", "b": "2", "c": "1"})

    assert before.difference(now) == "the prompt of m changed; scenarios changed: b, c"
    assert before.difference(before) == ""
    assert before.difference(replace(before, code="other")) == "the agent's code or the checks changed"


def test_what_was_judged_is_not_run_again_and_what_was_not_is(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "run.jsonl", SETTINGS)
    journal.write("m", trial("a", 1), 0.1)
    journal.write("m", trial("a", 2, Outcome.ERRORED), 0.2)
    journal.write("m", trial("a", 3, Outcome.FAIL, "half an emoji: \ud83d"), 0.3)
    journal.close(0.35)

    again = Journal.resume(tmp_path / "run.jsonl")

    assert again.settings == SETTINGS
    assert again.judged("m") == {("a", 1), ("a", 3)}
    assert again.spent == 0.35
    assert len(again.of("m")) == 3


def test_a_line_that_a_crash_cut_short_is_dropped_and_written_over(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    journal = Journal(path, SETTINGS)
    journal.write("m", trial("a", 1), 0.1)
    journal.write("m", trial("a", 2), 0.2)
    path.write_bytes(path.read_bytes()[:-20])

    again = Journal.resume(path)
    again.write("m", trial("a", 2), 0.2)

    assert Journal.resume(path).judged("m") == {("a", 1), ("a", 2)}


@contextmanager
def a_full_disk(size: int) -> Generator[None]:
    """No file grows beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_a_full_disk_cut_short_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    journal = Journal(path, SETTINGS)
    journal.write("m", trial("a", 1), 0.1)
    with a_full_disk(path.stat().st_size + 40), pytest.raises(OSError):
        journal.write("m", trial("a", 2), 0.2)
    assert path.read_bytes()[-1:] != b"\n", "a part of it is on the disk"
    journal.write("m", trial("a", 3), 0.3)

    assert Journal.resume(path).judged("m") == {("a", 1), ("a", 3)}


async def test_the_last_run_is_the_last_one_of_which_something_is_known(live: Typed, tmp_path: Path) -> None:
    async with ServedBack() as server:
        await live(server, "--trials", "1", "--judge", "off", NETS)
        (tmp_path / RUNS / "20991231-235959-1.jsonl").write_text('{"format": "dm-evals li')
        ended = await live(server, "--resume", "last", "--gate", "gate.yaml", NETS)

    assert "RESUME: " not in ended.error
    assert ended.out.startswith("trials are written to ") and "20991231" not in ended.out


def test_two_runs_never_write_one_file(tmp_path: Path) -> None:
    one, other = Journal(tmp_path / "run.jsonl", SETTINGS), Journal(tmp_path / "run.jsonl", SETTINGS)

    with one.held(), pytest.raises(Unusable, match="is being written by another run"), other.held():
        raise AssertionError("both write it")
    with other.held():
        other.write("m", trial("a", 1), 0.1)
    assert [path.name for path in tmp_path.iterdir()] == ["run.jsonl"]


async def test_a_run_that_can_t_be_written_ends_after_its_first_trial_and_says_why(live: Typed, tmp_path: Path) -> None:
    (tmp_path / RUNS).parent.mkdir(parents=True)
    (tmp_path / RUNS).touch()
    async with ServedBack() as server:
        ended = await live(
            server, "--trials", "4", "--concurrency", "1", "--gate", "gate.yaml", "--scenario", "injury_at_training"
        )

    assert ended.code == 2
    assert "can't be written: " in " ".join(ended.out.split()) and "3 skipped" in ended.out


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("", "holds no whole line"),
        ('{"format": "dm-ev', "holds no whole line"),
        ("{}\n", "is not a live run: it does not begin as version 1 of a live run does"),
        ("<html>\n", "is not a live run"),
    ],
)
def test_another_file_is_refused_in_one_line(tmp_path: Path, written: str, words: str) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(written)

    with pytest.raises(Unusable, match=words) as refused:
        Journal.resume(path)
    assert "\n" not in str(refused.value)


def test_a_broken_line_within_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    Journal(path, SETTINGS).write("m", trial("a", 1), 0.1)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], json.dumps({"variant": "m", "spent": 0.1, "result": {}}), lines[1], ""]))

    with pytest.raises(Unusable, match=r"run\.jsonl:2 is not a trial"):
        Journal.resume(path)
