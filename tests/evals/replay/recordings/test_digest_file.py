"""Digests are kept apart from answers: an edited prompt is a line of one file, a sentence more makes nothing stale."""

import json
import shutil
from dataclasses import replace
from difflib import ndiff
from functools import partial
from pathlib import Path

import pytest

from dm_evals.checks.outcome import judge_trial
from dm_evals.judge import RecordedJudge
from dm_evals.reading import Unusable
from dm_evals.replay.digest_file import NAME
from dm_evals.replay.digests import load_prompt
from dm_evals.replay.recordings import Recording, load_recordings, note_digests
from dm_evals.replay.refresh import follow_files
from dm_evals.replay.runner import run
from dm_evals.replay.trial_environment import PROCESSOR_FOLDER
from dm_evals.results import Outcome, Report
from dm_evals.scenarios.loading import load

EVALS = Path(__file__).parents[4] / "evals"
NAMES = ("price_student", "no_reply_to_a_lone_emoji", "canary_is_refused")


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """A copy of some recordings of the repository."""
    for name in NAMES:
        shutil.copytree(EVALS / "recordings" / name, tmp_path / "recordings" / name)
    scenarios = dict.fromkeys(NAMES, 1)
    note_digests(
        tmp_path / "recordings", load_recordings(EVALS / "recordings", scenarios, scenarios).by_address.values()
    )
    return tmp_path / "recordings"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the prompt and the profile."""
    for part in ("prompts", "profile"):
        shutil.copytree(PROCESSOR_FOLDER / part, tmp_path / "processor" / part)
    return tmp_path / "processor"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


async def replayed(folder: Path, recordings: Path) -> Report:
    scenarios = load([EVALS / "scenarios" / f"{name}.yaml" for name in NAMES]).scenarios
    judging = partial(judge_trial, judge=RecordedJudge.read(sorted((EVALS / "rulings").glob("*.jsonl"))))
    return await run(scenarios, load_recordings(recordings, NAMES), judging, folder=folder, concurrency=1)


def outcomes(report: Report) -> dict[str, Outcome]:
    return {result.scenario: result.outcome for result in report.results}


def texts(folder: Path) -> dict[Path, str]:
    return {path: path.read_text() for path in folder.rglob("*") if path.is_file()}


def changed_lines(before: str, after: str) -> int:
    return sum(line[0] == "+" for line in ndiff(before.splitlines(), after.splitlines()))


async def test_a_sentence_more_is_one_note_and_its_refresh_one_line(folder: Path, recordings: Path) -> None:
    edit(folder / "profile" / "knowledge.md", "Dogs on a lead are welcome.", "Dogs on a lead are welcome. Cats too.")
    before = texts(recordings)

    report = await replayed(folder, recordings)
    updated = follow_files(
        tuple(load_recordings(recordings, NAMES).by_address.values()),
        frozenset({"knowledge"}),
        recordings,
        load_prompt(folder),
    )

    assert set(outcomes(report).values()) == {Outcome.PASS}
    assert [note.partition(" recordings")[0] for note in report.notes] == ["the knowledge or a fact changed since 3"]
    after = texts(recordings)
    assert updated == 3
    assert [path.name for path in after if after[path] != before[path]] == [NAME]
    assert changed_lines(before[recordings / NAME], after[recordings / NAME]) == 2  # all of it, and that paragraph
    assert (await replayed(folder, recordings)).notes == ()


async def test_a_raised_price_fails_where_the_old_one_is_said_and_nowhere_else(folder: Path, recordings: Path) -> None:
    edit(folder / "profile" / "facts.toml", 'student = "60 pounds"', 'student = "65 pounds"')

    report = await replayed(folder, recordings)

    assert outcomes(report) == {**dict.fromkeys(NAMES, Outcome.PASS), "price_student": Outcome.FAIL}
    (failed,) = (result for result in report.results if result.outcome is Outcome.FAIL)
    assert [(check.name, check.expected) for check in failed.broken] == [
        ("reply.must", "fact membership.student, which is 65 pounds")
    ]
    assert "60 pounds" in failed.broken[0].observed


async def test_another_value_of_a_fact_that_the_persona_names_makes_nothing_stale(
    folder: Path, recordings: Path
) -> None:
    assert "{{fees.first_session}}" in (folder / "profile" / "persona.md").read_text("utf-8")
    edit(folder / "profile" / "facts.toml", 'first_session = "free"', 'first_session = "2 pounds"')

    report = await replayed(folder, recordings)

    assert Outcome.STALE not in outcomes(report).values()


async def test_a_changed_paragraph_is_stale_where_its_fact_is_named(folder: Path, recordings: Path) -> None:
    edit(folder / "profile" / "knowledge.md", "Student or under 21", "Student or under 25")

    report = await replayed(folder, recordings)

    assert outcomes(report) == {**dict.fromkeys(NAMES, Outcome.PASS), "price_student": Outcome.STALE}
    assert [each.reason for each in report.results if each.reason] == ["turn 1 is stale: changed knowledge"]


async def test_a_prompt_stands_there_once_and_another_beside_it(recording: Recording, tmp_path: Path) -> None:
    def digests(**changes: str) -> Recording:
        turns = (
            turn.asked_by(replace(turn.request, digests=replace(turn.request.digests, **changes)))
            for turn in recording.turns
        )
        return replace(recording, turns=tuple(turns))

    trials = [replace(each, trial=number) for number, each in enumerate([recording] * 3 + [digests(system="0")], 1)]
    note_digests(tmp_path, trials)
    mixed = json.loads((tmp_path / NAME).read_text())
    note_digests(tmp_path, [replace(digests(system="0"), trial=number) for number in (1, 2, 3)])
    moved = json.loads((tmp_path / NAME).read_text())

    assert [prompt["system"] == "0" for prompt in mixed["prompts"]] == [False, True]
    assert [entry.get("prompt", 0) for entry in mixed["recordings"].values()] == [0, 0, 0, 1]
    assert [prompt["system"] for prompt in moved["prompts"]] == ["0"]
    assert [entry.get("prompt", 0) for entry in moved["recordings"].values()] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"version": 1', '"version": 2', "is of a newer version: update this checkout"),
        ('"recordings"', "recordings", "can't be read"),
        ('"tools"', '"tolls"', "prompts.0.tools: Field required"),
        ('"contents": [[', '"prompt": 7, "contents": [[', "can't be read (IndexError)"),
        ("price_student/t1", "price_studend/t1", "price_student/t1.jsonl: 1 turns, but"),
        ("price_student/t1", "price_student/t2", "no recording price_student/t2"),
    ],
    ids=["newer", "cut", "key", "prompt", "missing", "lost"],
)
def test_a_file_that_cant_be_used_is_one_line_that_says_what_to_do(
    recordings: Path, old: str, new: str, told: str
) -> None:
    edit(recordings / NAME, old, new)

    problems = load_recordings(recordings, NAMES).problems

    assert told in "\n".join(problems)
    assert all("\n" not in problem for problem in problems)


def test_a_recording_is_not_written_over_a_file_that_cant_be_read(recordings: Path, recording: Recording) -> None:
    (recordings / NAME).write_text("{")

    with pytest.raises(Unusable, match="can't be read"):
        recording.write(recordings)

    assert (recordings / NAME).read_text() == "{"
