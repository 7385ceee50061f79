"""JSON holds all of a report, and says when it can't be read."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dm_evals.reading import Unusable
from dm_evals.reports.json_file import from_json, load, to_json
from dm_evals.results import Report
from tests.evals.reports.report_samples import bubbles, many, observed, passing, report, result, sample


@pytest.mark.parametrize("made", [sample(), many(), passing(0), replace(passing(), mode="live", origins={})])
def test_what_is_written_is_read_back_equal(made: Report) -> None:
    assert from_json(to_json(made)) == made


def test_a_file_is_read_back_equal(tmp_path: Path) -> None:
    path = tmp_path / "report.json"

    path.write_text(to_json(sample()))

    assert load(path) == sample()


def test_the_same_report_gives_the_same_text() -> None:
    assert to_json(sample()) == to_json(sample())


def test_programs_find_version_and_counts_without_reading_trials() -> None:
    document = json.loads(to_json(sample()))

    assert (document["format"], document["version"]) == ("dm-evals report", 1)
    assert document["counts"] == {"pass": 1, "fail": 1, "errored": 1, "stale": 1, "skipped": 1}


def test_half_an_emoji_becomes_a_replacement_character_in_place_of_a_crash() -> None:
    made = report([result("half", observation=observed("half", 1, bubbles(("person", "hi \ud83d"))))])

    read = from_json(to_json(made))

    assert read.results[0].observation.bubbles[0].text == "hi \ufffd\ufffd\ufffd"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ('"version": 1', '"version": 2'),
        ('"format": "dm-evals report"', '"format": "other"'),
        ('"outcome": "pass"', '"outcome": "passed"'),
        ('"mode": "replay"', '"mood": "replay"'),
        ('"turn": 1', '"turn": "first"'),
    ],
)
def test_what_is_no_such_report_is_refused(change: str, said: str) -> None:
    text = to_json(passing(1)).replace(change, said)
    assert text != to_json(passing(1))

    with pytest.raises(Unusable):
        from_json(text)


@pytest.mark.parametrize("text", ["", "[]", "{", '"x"'])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(Unusable):
        from_json(text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"nothing\.json"):
        load(tmp_path / "nothing.json")
