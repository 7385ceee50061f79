"""``python -m dm_sandbox.simulation`` as somebody at a terminal meets it."""

import pytest

from dm_sandbox.simulation.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "abc"], "'abc' is no whole number from 0"),
        (["--seeds", "0"], "'0' is no whole number from 1"),
        (["--seed", "-1"], "'-1' is no whole number"),
        (["--seed", "99999999999999"], "is no whole number"),
        (["--sedes", "3"], "--sedes"),
        (["everything"], "everything"),
        (["--seed", "3", "--only", "z9"], "schedule 3 has no part 'z9'"),
        (["--only", "a0"], "--only needs --seed"),
    ],
)
def test_what_is_not_understood_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    error = capsys.readouterr().err

    assert ended.value.code == 2
    assert message in error
    assert error.count("\n") == 1


def test_one_seed_is_told_with_its_timeline(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "3"]) == 0

    told = capsys.readouterr().out
    assert told.startswith("seed 3: ")
    assert "no invariant was broken" in told
    assert "replay: python -m dm_sandbox.simulation --seed 3" in told


def test_many_seeds_end_with_what_was_reached(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "20", "--jobs", "1"]) == 0

    told = capsys.readouterr().out
    assert "20 schedules" in told
    assert "faults: " in told
    assert "every invariant held" in told
