"""The command line, from its arguments to its exit code; and no way to the network in a replay."""

import io
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dm_core.clients.instagram import InstagramClient
from dm_core.errors import Misconfigured
from dm_evals.cli.main import main
from dm_evals.replay.offline import NetworkUsed, offline

SCENARIO = """
name: say_hi
tags: [sessions]
about: Somebody asks about nets.
now: "2026-11-24T18:05:00+00:00"
events: [{text: "Hi, are there nets?"}]
expect:
  calls: {required: [{tool: send_instagram_message}]}
  state: {replies: 1}
"""
GATE = "replay: [{tag: '*', must: all}]\nlive: [{tag: '*', must: all}]\n"
GOOD = "- calls: [{send_instagram_message: {text: I am the automated assistant. Nothing is listed.}}]\n"

Run = Callable[..., int]


@pytest.fixture
def evals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``evals("run", …)`` in a folder with one scenario; ``stdin`` is what is typed."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "say_hi.yaml").write_text(SCENARIO)
    (tmp_path / "gate.yaml").write_text(GATE)

    def call(command: str, *args: str, stdin: str = "") -> int:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        folders = ["--scenarios", str(tmp_path / "scenarios"), "--recordings", str(tmp_path / "recordings")]
        gate = ["--gate", str(tmp_path / "gate.yaml"), "--baseline", str(tmp_path / "b.json")]
        return main([command, *args, *folders, *(gate if command == "run" else [])])

    return call


def test_an_authored_recording_is_replayed_and_holds_the_gate(evals: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert evals("author", "say_hi", stdin=GOOD) == 0
    assert "t1.jsonl: 1 turns" in capsys.readouterr().out
    assert evals("run") == 0
    assert evals("run", "--no-gate") == 0


def test_a_failed_check_breaks_the_gate(evals: Run) -> None:
    evals("author", "say_hi", stdin="- calls: [{no_reply: {reason: none}}]\n")

    assert evals("run") == 1
    assert evals("run", "--no-gate") == 1


def test_what_can_not_be_judged_is_exit_code_2(evals: Run, tmp_path: Path) -> None:
    missing = evals("run")
    evals("author", "say_hi", stdin=GOOD)
    file = tmp_path / "scenarios" / "say_hi.yaml"
    file.write_text(SCENARIO.replace("are there nets", "is there cake"))

    assert missing == 2
    assert evals("run") == 2
    assert evals("run", "--allow-stale") == 2
    assert evals("run", "--allow-stale", "--no-gate") == 2


def test_refresh_refuses_what_was_not_named(evals: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evals("author", "say_hi", stdin=GOOD)
    file = tmp_path / "scenarios" / "say_hi.yaml"
    file.write_text(SCENARIO.replace("are there nets", "is there cake"))

    assert evals("refresh", "--parts", "system,tools") == 1
    assert "refused  say_hi t1: turn 1: contents[0] changed too" in capsys.readouterr().out
    assert evals("refresh", "--parts", "contents[0]") == 0
    assert evals("run") == 0


def test_a_broken_scenario_file_is_never_passed_over(evals: Run, tmp_path: Path) -> None:
    evals("author", "say_hi", stdin=GOOD)
    (tmp_path / "scenarios" / "other.yaml").write_text("name: other\n")

    assert evals("run") == 2
    assert evals("run", "--no-gate") == 2


def test_one_named_scenario_is_judged_alone(evals: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evals("author", "say_hi", stdin=GOOD)
    other = SCENARIO.replace("say_hi", "say_bye").replace("are there nets", "is it over")
    (tmp_path / "scenarios" / "say_bye.yaml").write_text(other)
    evals("author", "say_bye", stdin="- calls: [{no_reply: {reason: none}}]\n")
    known = '{"n": 1, "passes": 1, "tags": []}'
    (tmp_path / "b.json").write_text(f'{{"replay": {{"say_hi": {known}, "say_bye": {known}, "gone_now": {known}}}}}')
    (tmp_path / "scenarios" / "rubbish.yaml").write_text("name: rubbish\n")
    capsys.readouterr()

    assert evals("run", "--scenario", "say_hi") == 0
    out = capsys.readouterr()
    assert [name for name in ("say_bye", "gone_now", "rubbish") if name in out.out + out.err] == []
    assert evals("run", "--scenario", "say_bye") == 1
    assert evals("run") == 1


def test_a_text_that_left_otherwise_than_recorded_fails_the_run(evals: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    evals("author", "say_hi", stdin=GOOD)
    send = InstagramClient.send_text

    async def cut(client: InstagramClient, user_id: str, text: str) -> str:
        return await send(client, user_id, text[:-4])

    assert evals("run") == 0
    monkeypatch.setattr(InstagramClient, "send_text", cut)
    assert evals("run") == 1


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["run", "--scenario", "say_hey"], 'there is no scenario "say_hey", did you mean "say_hi"?'),
        (["run", "--tags", "sesions"], 'no scenario has the tag "sesions", did you mean "sessions"?'),
        (["refresh", "--parts", "sytem"], 'unknown part "sytem", did you mean "system"?'),
        (["run", "--update-baseline", "--allow-stale"], "--update-baseline takes the whole run"),
        (["author", "say_hi"], "nobody asked for turn 2"),
    ],
)
def test_a_mistake_is_answered_in_one_line(
    evals: Run, capsys: pytest.CaptureFixture[str], args: list[str], told: str
) -> None:
    code = evals(*args, stdin=GOOD + GOOD)

    lines = capsys.readouterr().err.splitlines()
    assert code == 2
    assert len(lines) == 1
    assert told in lines[0]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["rnu"], 'there is no command "rnu", did you mean "run"?'),
        (["run", "--alow-stale"], 'unknown option --alow-stale, did you mean "--allow-stale"?'),
        (["run", "--allow"], "unknown option --allow"),
    ],
)
def test_an_unknown_word_is_answered_with_the_nearest(
    capsys: pytest.CaptureFixture[str], args: list[str], told: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(args)

    assert caught.value.code == 2
    assert told in capsys.readouterr().err


def test_recording_needs_a_key_or_another_server(
    evals: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)

    assert evals("record") == 2
    assert "set GEMINI_API_KEY" in capsys.readouterr().err


def test_a_replay_reaches_nothing_but_this_machine() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    with listening, offline():
        with socket.create_connection(listening.getsockname()):
            pass
        with pytest.raises(NetworkUsed, match=r"must not look up example\.org"):
            sys.audit("socket.getaddrinfo", "example.org", 443, 0, 0, 0)  # as the look-up itself raises it
        with pytest.raises(NetworkUsed, match=r"must not look up localhost"):
            socket.gethostbyname("localhost")
        with socket.socket() as tried, pytest.raises(NetworkUsed, match=r"must not connect to 192\.0\.2\.1"):
            sys.audit("socket.connect", tried, ("192.0.2.1", 80))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tried, pytest.raises(NetworkUsed):
            tried.sendto(b"x", ("192.0.2.1", 53))

    assert socket.getaddrinfo("localhost", 80)


def test_from_its_first_line_on_a_command_withstands_any_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="ascii"))

    with pytest.raises(SystemExit):
        main(["rnu"])
    print("fail ⤷ half a sentence …", flush=True)

    assert written.getvalue() == b"fail ? half a sentence ?\n"


@pytest.mark.parametrize("into", ["/dev/full", "a folder"])
def test_what_cant_be_written_is_one_line_and_no_verdict(tmp_path: Path, into: str) -> None:
    command = [sys.executable, "-m", "dm_evals", "run", "--scenario", "unsend_before_run", "--no-gate"]
    with Path(into if into == "/dev/full" else os.devnull).open("w") as out:
        html = [] if into == "/dev/full" else ["--html", str(tmp_path)]
        done = subprocess.run([*command, *html], stdout=out, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603

    assert done.returncode == 2
    assert "can't be read or written (" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_reader_that_went_away_gets_no_verdict() -> None:
    command = [sys.executable, "-m", "dm_evals", "run", "--scenario", "unsend_before_run", "--no-gate"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603
    os.close(writing)

    assert (done.returncode, done.stderr) == (2, "")


def test_a_profile_that_cant_be_used_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def of_no_fact(_: object) -> int:
        raise Misconfigured("profile/knowledge.md: {{membership.student}} is no fact")

    monkeypatch.setattr("dm_evals.cli.run.run_command", of_no_fact)

    assert main(["run"]) == 2
    assert capsys.readouterr().err == "profile/knowledge.md: {{membership.student}} is no fact\n"
