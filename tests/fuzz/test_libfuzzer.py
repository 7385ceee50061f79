"""The engine that libFuzzer steers, and inputs that were kept. Two tests need atheris, in no default group: skipped
without it, in CI too."""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from dm_sandbox.fuzzing import __main__ as command
from dm_sandbox.fuzzing.campaign import Campaign
from dm_sandbox.fuzzing.libfuzzer import HOW_TO_INSTALL, installed, steered
from dm_sandbox.fuzzing.targets import TARGETS

needs_atheris = pytest.mark.skipif(not installed(), reason=HOW_TO_INSTALL)

GUARD = 'as_list(generic.get("elements")) or ()\n    first = as_object(elements[0]) if elements else None'
WITHOUT = 'as_list(generic.get("elements"))\n    first = as_object(elements[0]) if elements is not None else None'


def _main(monkeypatch: pytest.MonkeyPatch, *given: str) -> int:
    monkeypatch.setattr(sys, "argv", ["fuzzing", *given])
    return command.main()


def test_without_atheris_one_line_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "atheris", None)

    code = _main(monkeypatch, "--engine", "atheris")

    assert code == 2
    assert capsys.readouterr().err == f"fuzzing: {HOW_TO_INSTALL}\n"


@pytest.mark.parametrize(("name", "words"), [("nowhere", "no file"), ("odd-12", "which with --target")])
def test_a_file_that_can_not_be_checked_again_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, words: str
) -> None:
    (tmp_path / "odd-12").write_bytes(b"x")

    code = _main(monkeypatch, "--reproduce", str(tmp_path / name))

    told = capsys.readouterr().err
    assert (code, told.count("\n")) == (2, 1)
    assert words in told


def test_a_kept_input_is_checked_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kept = tmp_path / "webhook_parse-0123456789ab"
    kept.write_bytes(b'messaging\n{"odd": 1}')

    assert _main(monkeypatch, "--reproduce", str(kept)) == 0

    assert "1 inputs" in (told := capsys.readouterr().out)
    assert "sorted 1" in told


def test_a_parser_that_only_its_net_saves_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(_: object) -> None:
        raise IndexError

    monkeypatch.setattr("dm_core.webhook.content._story", raising)
    data = b'messaging\n{"sender":{"id":"9001"},"recipient":{"id":"178414"},"message":{"mid":"a","text":"b"}}'

    with Campaign(TARGETS["webhook_parse"]()) as campaign:
        report = campaign.run_only(data)

    assert any("IndexError" in what for what in report.findings), report.told()


@needs_atheris
def test_it_runs_the_asked_number_and_keeps_what_reached_new_branches(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert steered("webhook_parse", 1_500, 60, 1, tmp_path)

    assert "stat::number_of_executed_units: 1500" in capfd.readouterr().err
    assert list((tmp_path / "webhook_parse" / "corpus").iterdir()), "nothing reached a new branch"


@needs_atheris
def test_a_planted_defect_is_found_and_had_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    core = find_spec("dm_core")
    assert core is not None
    assert core.submodule_search_locations is not None
    shutil.copytree(core.submodule_search_locations[0], tmp_path / "planted" / "dm_core")
    content = tmp_path / "planted" / "dm_core" / "webhook" / "content.py"
    assert GUARD in content.read_text("utf-8")
    content.write_text(content.read_text("utf-8").replace(GUARD, WITHOUT), "utf-8")
    monkeypatch.setenv("PYTHONPATH", ":".join((str(tmp_path / "planted"), *sys.path)))

    held = steered("webhook_parse", 60_000, 75, 1, tmp_path)

    told = capfd.readouterr().err
    assert not held
    assert "IndexError" in told, told[-2_000:]
    assert "--reproduce" in told
