"""What the sandbox's commands do not understand is one line."""

import sys
from collections.abc import Callable

import pytest

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
