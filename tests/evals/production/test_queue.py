"""A sample of stored threads is anonymised together and queued; what was reviewed becomes scenarios and labels."""

import asyncio
import json
from pathlib import Path

import pytest

from dm_evals.cli.main import main
from dm_evals.judge.agreement import read_labels
from dm_evals.scenarios.loading import load
from dm_sandbox.inprocess import InProcess
from dm_sandbox.platforms.answers import call, turn

PRIVATE = ("Joneson", "sam.joneson", "Banerjee", "07911 123456")


async def written(system: InProcess) -> None:
    """Two threads; the second person writes about the first one."""
    people = (
        ("5550011223344", "Sam Joneson", "sam.joneson", "hi, call me on 07911 123456 please"),
        ("5550011223355", "Ravi Banerjee", "ravi.banerjee", "did Sam Joneson get his kit?"),
    )
    for number, (user_id, name, username, text) in enumerate(people):
        person = system.person(user_id, name, username)
        await person.says(text)
        words = f"Hi {name.split()[0]}, I can't say. I'm the club's automated assistant."
        system.gemini.script([dict(turn(call("send_instagram_message", text=words)))])
        assert (await system.task(person.thread_id, f"task {number}"))[0] == 200


def sampled(tmp_path: Path, *more: str) -> int:
    store = f"sqlite:///{tmp_path}/threads.sqlite3"
    since = "--since=2020-01-01"
    return main(["scenarios-from", since, "--store-url", store, "--queue", str(tmp_path / "queue"), *more])


async def test_sampled_threads_are_queued_once_and_one_person_is_one_other_in_all(
    system: InProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await written(system)

    assert await asyncio.to_thread(sampled, tmp_path, "--sample", "1") == 0
    assert await asyncio.to_thread(sampled, tmp_path) == 0
    assert await asyncio.to_thread(sampled, tmp_path) == 2

    told = capsys.readouterr().out
    assert "2 threads since 2020-01-01: 1 queued for review" in told
    assert "2 threads since 2020-01-01: 0 queued for review" in told
    files = sorted(path for path in (tmp_path / "queue").rglob("*.*") if path.is_file())
    assert [path for path in files for word in PRIVATE if word in path.read_text()] == []
    scenarios = load([tmp_path / "queue" / "scenarios"]).scenarios
    assert [each.reviewed for each in scenarios] == [False, False]


async def test_people_who_are_sampled_together_are_told_apart_and_recognised(system: InProcess, tmp_path: Path) -> None:
    await written(system)

    assert await asyncio.to_thread(sampled, tmp_path) == 0

    scenarios = load([tmp_path / "queue" / "scenarios"]).scenarios
    named = {each.person.name for each in scenarios}
    (about,) = (each.events[0].text for each in scenarios if "kit" in each.events[0].text)
    assert len(named) == 2
    assert any(f"did {name} get his kit?" == about for name in named)


async def test_what_was_reviewed_becomes_a_scenario_and_labels(
    system: InProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await written(system)
    await asyncio.to_thread(sampled, tmp_path)
    queued = sorted((tmp_path / "queue" / "scenarios").glob("*.yaml"))
    queued[0].write_text(queued[0].read_text().replace("reviewed: false", "reviewed: true"))
    labels = tmp_path / "queue" / "labels" / queued[0].name
    labels.write_text("- {item: general.kind, verdict: yes, why: It is.}\n- {item: It answers., verdict: no}\n")
    move = ["scenarios-reviewed", "--queue", str(tmp_path / "queue"), "--evals", str(tmp_path / "evals")]

    assert await asyncio.to_thread(main, move) == 0

    assert "1 became scenarios, 2 labels for the judge; 1 are still to be reviewed" in capsys.readouterr().out
    found = read_labels([tmp_path / "evals" / "agreement" / "production.jsonl"])
    assert [label.verdict for label in found] == ["held", "broken"]
    assert found[0].evidence.holds("I'm the club's automated assistant.")
    name = queued[0].stem
    folders = [
        "--scenarios",
        str(tmp_path / "evals" / "scenarios"),
        "--recordings",
        str(tmp_path / "evals" / "recordings"),
    ]
    assert await asyncio.to_thread(main, ["run", "--no-gate", "--scenario", name, *folders]) == 0
    assert json.loads((tmp_path / "evals" / "recordings" / "digests.json").read_text())["recordings"].keys() == {
        f"{name}/t1"
    }
    assert not (tmp_path / "queue" / "recordings" / name).exists()
    assert await asyncio.to_thread(main, move) == 2


async def test_labels_that_can_not_be_used_move_nothing(
    system: InProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await written(system)
    await asyncio.to_thread(sampled, tmp_path)
    for path in (tmp_path / "queue" / "scenarios").glob("*.yaml"):
        path.write_text(path.read_text().replace("reviewed: false", "reviewed: true"))
        (tmp_path / "queue" / "labels" / path.name).write_text("- {item: general.kind, verdict: perhaps}\n")

    code = await asyncio.to_thread(
        main, ["scenarios-reviewed", "--queue", str(tmp_path / "queue"), "--evals", str(tmp_path / "evals")]
    )

    assert code == 2
    assert '.yaml:1: verdict: unknown verdict "perhaps"' in capsys.readouterr().err
    assert not (tmp_path / "evals").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--since", "lately"], "'lately' is no time: write a date such as 2026-11-22, or how long ago, such as 7d"),
        (["--since", "2026-13-40"], "'2026-13-40' is no time"),
        (["--sample", "0"], "--sample is how many threads: at least 1"),
        (["--store-url", "sqlite:///nowhere"], "there is no file nowhere"),
        (["--store-url", "mysql:"], "'mysql:' is no store"),
    ],
)
def test_what_is_typed_wrong_is_told_in_a_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["scenarios-from", "--queue", str(tmp_path), *arguments]) == 2

    assert message in capsys.readouterr().err
