"""The engine that libFuzzer steers. Two tests need atheris, in no default group: skipped without it, in CI too."""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from random import Random

import pytest

from dm_sandbox.fuzzing import __main__ as command
from dm_sandbox.fuzzing.coverage_again import once_more, target_of
from dm_sandbox.fuzzing.coverage_guided import HOW_TO_INSTALL, Coverage, coverage_of, guided, installed, sow
from dm_sandbox.fuzzing.coverage_mutation import guided_mutation
from dm_sandbox.fuzzing.coverage_words import PARTS, compared_words
from dm_sandbox.fuzzing.targets import GUIDED

needs_atheris = pytest.mark.skipif(not installed(), reason=HOW_TO_INSTALL)

LOG = """INFO: Seed: 1
#2	INITED cov: 279 ft: 700 corp: 71/19Kb exec/s: 0 rss: 94Mb
#90	NEW    cov: 291 ft: 802 corp: 72/20Kb lim: 16384 exec/s: 45 rss: 94Mb L: 437/3947 MS: 1 Custom-
#128	pulse  cov: 291 ft: 803 corp: 73/20Kb lim: 16384 exec/s: 64 rss: 94Mb
"""
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
def test_a_file_that_can_not_be_checked_again_is_told_in_one_line(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "odd-12").write_bytes(b"x")

    with pytest.raises(ValueError, match=words):
        target_of(tmp_path / name, "all", frozenset(GUIDED))


def test_a_kept_input_is_checked_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kept = tmp_path / "webhook_parse-0123456789ab"
    kept.write_bytes(b'messaging\n{"odd": 1}')

    assert _main(monkeypatch, "--reproduce", str(kept)) == 0

    assert capsys.readouterr().out == "webhook_parse: holds, sorted (20 bytes)\n"


async def test_a_parser_that_only_its_net_saves_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(_: object) -> None:
        raise IndexError

    monkeypatch.setattr("dm_core.webhook.content._story", raising)
    data = b'messaging\n{"sender":{"id":"9001"},"recipient":{"id":"178414"},"message":{"mid":"a","text":"b"}}'

    async with GUIDED["webhook_parse"]() as target:
        told = await once_more(target, data)

    assert "FOUND" in told, told


def test_figures_are_read_from_the_status_lines() -> None:
    assert coverage_of(LOG) == Coverage(seeded=279, edges=291, features=803, corpus=73)
    assert coverage_of("nothing of it") == Coverage()


@pytest.mark.parametrize("name", GUIDED)
async def test_every_target_has_a_first_corpus_and_words(tmp_path: Path, name: str) -> None:
    target = GUIDED[name]()

    await sow(target, tmp_path, seed=1)

    kept = {path.read_bytes() for path in (tmp_path / "corpus").iterdir()}
    assert len(kept) > len(set(target.seeds) & kept) > 0, "no input was made of the seeds"
    assert name in PARTS
    assert compared_words(name)


def test_a_text_is_changed_with_the_json_around_it_whole() -> None:
    target = GUIDED["webhook_parse"]()
    made = [
        guided_mutation(target, b'messaging\n{"a":{"b":"text"}}', 4_000, seed, lambda data, _: data + b"!", ["WORD"])
        for seed in range(200)
    ]

    assert b'messaging\n{"a": {"b": "WORDtext"}}' in made
    assert b'messaging\n{"a": {"b": "text!"}}' in made
    assert b'messaging\n{"a":{"b":"text"}}!' in made
    assert b'messaging\n{"a": {}}' in made


def test_no_input_is_longer_than_asked_for() -> None:
    target, random = GUIDED["platform"](), Random(1)

    for seed in range(100):
        data = random.choice(list(target.seeds))
        made = guided_mutation(target, data, 100, seed, lambda given, most: given[:most], ["x" * 200])
        assert len(made) <= 100


@needs_atheris
def test_it_runs_the_asked_number_and_tells_the_edges(tmp_path: Path) -> None:
    report = guided(GUIDED["webhook_parse"](), 400, 60, 1, tmp_path)

    assert report.clean, report.told()
    assert report.runs == 400
    assert report.coverage.edges >= 200


@needs_atheris
def test_a_planted_defect_is_found_and_had_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    core = find_spec("dm_core")
    assert core is not None
    assert core.submodule_search_locations is not None
    shutil.copytree(core.submodule_search_locations[0], tmp_path / "planted" / "dm_core")
    content = tmp_path / "planted" / "dm_core" / "webhook" / "content.py"
    assert GUARD in content.read_text("utf-8")
    content.write_text(content.read_text("utf-8").replace(GUARD, WITHOUT), "utf-8")
    monkeypatch.setenv("PYTHONPATH", ":".join((str(tmp_path / "planted"), *sys.path)))

    report = guided(GUIDED["webhook_parse"](), 60_000, 75, 1, tmp_path, until_found=True)

    assert any("IndexError" in what for what, _ in report.findings), report.told()
    print(report.told())
    assert f"--reproduce {report.findings[0][1]}" in report.told()
    assert report.findings[0][1].is_file()
