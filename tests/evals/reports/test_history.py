"""The history of deployments: a line each, drawn in the page; a file that can't be used is one line."""

from dataclasses import replace
from pathlib import Path

import pytest

from dm_evals.cli.main import main
from dm_evals.reading import Unusable
from dm_evals.reports import json_file
from dm_evals.reports.history import entry, points, read
from dm_evals.reports.html import to_html
from tests.evals.reports.report_samples import passing, sample


def noted(tmp_path: Path, made: str) -> Path:
    path = tmp_path / "report.json"
    path.write_text(json_file.to_json(sample() if made == "mixed" else passing(4)))
    history = tmp_path / "history.jsonl"
    assert main(["history", "--report", str(path), "--commit", made, "--history", str(history)]) == 0
    return history


def test_each_deployment_is_a_line(tmp_path: Path) -> None:
    noted(tmp_path, "good")
    history = noted(tmp_path, "mixed")

    first, second = read(history)

    assert (first.commit, first.passed, first.trials, first.rate) == ("good", 4, 4, 1.0)
    assert (second.commit, second.passed, second.trials) == ("mixed", 1, 4)  # a skipped trial is in no rate
    assert history.read_text().count("\n") == 2
    assert points((first, second)) == "0.0,0.0 300.0,45.0"


def test_the_page_draws_it() -> None:
    entries = (entry(passing(4), "a" * 40), entry(sample(), "b" * 40))

    page = to_html(passing(1), None, history=entries)

    assert 'points="0.0,0.0 300.0,45.0"' in page
    assert "1 of 4 passed" in page
    assert "Deployments" not in to_html(passing(1), None)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"version":1', '"version":2', "history.jsonl:1: is of a newer version: update this checkout"),
        ('"trials":4', '"trials":"four"', "history.jsonl:1: Input should be a valid integer"),
        ("{", "", "history.jsonl:1: Invalid JSON"),
    ],
)
def test_a_line_that_cant_be_read_is_told_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, told: str
) -> None:
    history = noted(tmp_path, "good")
    text = history.read_text().replace(old, new)
    history.write_text(text)

    with pytest.raises(Unusable) as caught:
        read(history)
    exited = main(["history", "--report", str(tmp_path / "report.json"), "--commit", "c", "--history", str(history)])

    assert str(caught.value).startswith(told)
    assert (exited, history.read_text()) == (2, text)
    assert told in capsys.readouterr().err


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    history = noted(tmp_path, "a\u2028b\x85c")

    assert [each.commit for each in read(history)] == ["a\u2028b\x85c"]

    history.write_bytes(b"\n\xe9")
    with pytest.raises(Unusable, match="is not UTF-8"):
        read(history)


def test_an_unfinished_report_is_no_line(tmp_path: Path) -> None:
    assert entry(replace(passing(1), results=()), "c").rate == 0.0
