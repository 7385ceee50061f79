"""What the sandbox's commands do not understand is one line."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dm_sandbox.__main__ import COMMANDS
from dm_sandbox.chaos.__main__ import main as chaos
from dm_sandbox.cloud_tasks.__main__ import main as cloud_tasks
from dm_sandbox.fuzzing.__main__ import main as fuzz


@pytest.mark.parametrize(
    ("main", "words", "says"),
    [
        (fuzz, "--runs x", "fuzzing: argument --runs: 'x' is no whole number from 1"),
        (fuzz, "--runs 0", "fuzzing: argument --runs: '0' is no whole number from 1"),
        (fuzz, "--seconds -1", "fuzzing: argument --seconds: '-1' is no number of seconds over 0"),
        (fuzz, "--target nope", "fuzzing: argument --target: invalid choice: 'nope'"),
        (chaos, "--kills -1", "chaos: argument --kills: '-1' is no whole number from 0"),
        (chaos, "--seconds nan", "chaos: argument --seconds: 'nan' is no number of seconds over 0"),
        (chaos, "--people 0", "chaos: argument --people: '0' is no whole number from 1"),
        (cloud_tasks, "--min-backoff inf", "dm_sandbox.cloud_tasks: argument --min-backoff: 'inf' is no number"),
    ],
)
def test_a_bad_value_is_one_line(
    main: Callable[[], object],
    words: str,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["command", *words.split()])

    with pytest.raises(SystemExit) as ended:
        main()

    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith(says)
    assert said.count("\n") == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_a_ctrl_c_while_a_command_is_imported_is_one_line(command: str, tmp_path: Path) -> None:
    (tmp_path / "httpx.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    process = subprocess.Popen(  # noqa: S603 - this Python
        [sys.executable, "-m", "dm_sandbox", command],
        env={"PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    begun = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)

    assert (begun, said, process.returncode) == ("importing\n", "stopped\n", 130)


def test_a_command_that_there_is_not_is_one_line_with_those_that_there_are() -> None:
    ended = subprocess.run([sys.executable, "-m", "dm_sandbox", "chta"], capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"dm_sandbox: 'chta' is no command; there are: {', '.join(COMMANDS)}\n"
