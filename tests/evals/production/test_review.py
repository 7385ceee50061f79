"""What a person says of a queued thread is kept as ``scenarios-reviewed`` reads it."""

import asyncio
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from dm_core.store.sqlite import SqliteStore
from dm_evals.cli.main import main
from dm_evals.judge.agreement import read_labels
from dm_evals.production.review import OVERALL
from dm_evals.scenarios.loading import load
from dm_sandbox.inprocess import InProcess, MovableClock
from dm_sandbox.platforms.answers import call, turn

SAID = "Juniors are free. I'm the club's automated assistant."
BETTER = "Juniors pay 70 pounds a year. I'm the club's automated assistant."


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One thread waits: a question, and an answer that is wrong."""
    return _sampled(tmp_path_factory.mktemp("sampled"), "send_instagram_message", text=SAID)


def _sampled(folder: Path, tool: str, **arguments: str) -> Path:
    asyncio.run(_lived(folder / "threads.sqlite3", dict(turn(call(tool, **arguments)))))
    store, queue = f"sqlite:///{folder}/threads.sqlite3", folder / "queue"
    assert main(["scenarios-from", "--since=2020-01-01", "--store-url", store, "--queue", str(queue)]) == 0
    return queue


async def _lived(path: Path, answer: dict[str, object]) -> None:
    clock = MovableClock()
    store = SqliteStore(str(path), clock)
    async with InProcess(store, clock=clock) as system:
        person = system.person("5550011223344", "Sam Joneson", "sam.joneson")
        await person.says("what do juniors pay?")
        system.gemini.script([answer])
        assert (await system.task(person.thread_id, "one"))[0] == 200
    await store.close()


@pytest.fixture
def queue(sampled: Path, tmp_path: Path) -> Path:
    return shutil.copytree(sampled, tmp_path / "queue")


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command with this on standard input; its exit code, and what it printed."""

    def run(command: str, queue: Path, given: object = None, *more: str) -> tuple[int, str, str]:
        data = given if isinstance(given, str) else json.dumps(given)
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data.encode())))
        capsys.readouterr()
        code = main([command, "--queue", str(queue), *more])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def waiting(typed: Any, queue: Path) -> dict[str, Any]:
    code, told, _ = typed("scenarios-queue", queue)
    assert code == 0
    return json.loads(told)


def moved(typed: Any, queue: Path, tmp_path: Path) -> tuple[str, list[tuple[str, str]]]:
    """What ``scenarios-reviewed`` says, and the labels it wrote: verdict and words."""
    _, told, _ = typed("scenarios-reviewed", queue, None, "--evals", str(tmp_path / "evals"))
    path = tmp_path / "evals" / "agreement" / "production.jsonl"
    labels = read_labels([path] if path.exists() else [])
    assert {label.statement for label in labels} <= {OVERALL}
    return told, [(label.verdict, label.evidence.sections["thread"]) for label in labels]


def test_what_waits_is_shown_with_its_conversation_its_replies_and_what_would_be_expected(
    queue: Path, typed: Any
) -> None:
    shown = waiting(typed, queue)

    (thread,) = shown["waiting"]
    assert [line["text"] for line in thread["thread"]] == ["what do juniors pay?", SAID]
    assert thread["replies"] == [{"turn": 1, "index": 0, "text": SAID}]
    assert "send_instagram_message" in thread["expected"]
    assert (thread["recorded"], shown["reviewed"], shown["problems"]) == (True, 0, [])


def test_nothing_waits_where_nothing_was_queued(tmp_path: Path, typed: Any) -> None:
    assert waiting(typed, tmp_path / "nothing") == {"waiting": [], "reviewed": 0, "problems": []}


def test_right_becomes_a_scenario_and_a_label(queue: Path, typed: Any, tmp_path: Path) -> None:
    (thread,) = waiting(typed, queue)["waiting"]

    assert typed("scenario-review", queue, {"name": thread["name"], "verdict": "right"}) == (0, "", "")

    assert waiting(typed, queue)["waiting"] == []
    told, labels = moved(typed, queue, tmp_path)
    assert "1 became scenarios, 1 labels" in told
    assert [(verdict, SAID in words) for verdict, words in labels] == [("held", True)]
    (scenario,) = load([tmp_path / "evals" / "scenarios"]).scenarios
    assert scenario.reviewed


def test_wrong_stays_until_somebody_says_better_and_the_later_word_counts(
    queue: Path, typed: Any, tmp_path: Path
) -> None:
    (thread,) = waiting(typed, queue)["waiting"]
    wrong = {"name": thread["name"], "verdict": "wrong", "why": "Juniors are not free."}

    assert typed("scenario-review", queue, wrong)[0] == 0

    told, labels = moved(typed, queue, tmp_path)
    assert "0 became scenarios, 1 labels for the judge; 1 are still to be reviewed" in told
    assert [(verdict, SAID in words) for verdict, words in labels] == [("broken", True)]
    (again,) = waiting(typed, queue)["waiting"]
    assert again["about"] == "Wrong: Juniors are not free."
    assert typed("scenario-review", queue, wrong)[0] == 0
    assert "0 labels" in moved(typed, queue, tmp_path)[0]
    assert typed("scenario-review", queue, {"name": thread["name"], "verdict": "right"})[0] == 0
    told, labels = moved(typed, queue, tmp_path)
    assert "1 became scenarios, 1 labels" in told
    assert [verdict for verdict, _ in labels] == ["held"]


def test_what_should_have_been_said_is_what_the_scenario_replays(queue: Path, typed: Any, tmp_path: Path) -> None:
    (thread,) = waiting(typed, queue)["waiting"]
    place = {"turn": 1, "index": 0}
    review = {"name": thread["name"], "verdict": "should", "why": "They pay.", "text": BETTER, **place}

    assert typed("scenario-review", queue, review)[0] == 0

    told, labels = moved(typed, queue, tmp_path)
    assert "1 became scenarios, 2 labels for the judge; 0 are still to be reviewed" in told
    assert {(verdict, BETTER in words, SAID in words) for verdict, words in labels} == {
        ("held", True, False),
        ("broken", False, True),
    }
    folders = ["--scenarios", str(tmp_path / "evals/scenarios"), "--recordings", str(tmp_path / "evals/recordings")]
    assert main(["run", "--no-gate", *folders]) == 0


def test_a_silence_that_should_have_been_a_reply_becomes_one(typed: Any, tmp_path: Path) -> None:
    queue = _sampled(tmp_path, "no_reply", reason="small talk")
    (thread,) = waiting(typed, queue)["waiting"]
    assert thread["replies"] == []

    review = {"name": thread["name"], "verdict": "should", "why": "It is a question.", "text": BETTER}
    assert typed("scenario-review", queue, review)[0] == 0

    assert "1 became scenarios, 2 labels" in moved(typed, queue, tmp_path)[0]
    (scenario,) = load([tmp_path / "evals" / "scenarios"]).scenarios
    assert (scenario.expect.state.replies, scenario.expect.state.messages) == (1, {"processed": 1})


@pytest.mark.parametrize(
    ("review", "message"),
    [
        ("nonsense", "Invalid JSON"),
        ({"name": "NAME", "verdict": "perhaps"}, 'verdict: unknown verdict "perhaps"'),
        ({"name": "nobody", "verdict": "right"}, "nobody is not queued"),
        ({"name": "../../x", "verdict": "right"}, "../../x is not queued"),
        ({"name": "NAME", "verdict": "wrong", "why": " "}, "why: say what is wrong with it"),
        ({"name": "NAME", "verdict": "should", "why": "x", "text": "", "turn": 1}, "text: say what should"),
        ({"name": "NAME", "verdict": "should", "why": "x", "text": SAID, "turn": 1}, "text: this is what was said"),
        ({"name": "NAME", "verdict": "should", "why": "x", "text": BETTER, "turn": 2}, "turn: NAME has 1 turns"),
        ({"name": "NAME", "verdict": "should", "why": "x", "text": BETTER, "turn": 1, "index": 1}, "index: turn 1"),
        (
            {"name": "NAME", "verdict": "should", "why": "x", "text": "See https://evil.example/x", "turn": 1},
            "said like this, the thread goes another way",
        ),
    ],
)
def test_a_review_that_can_not_be_kept_changes_nothing(queue: Path, typed: Any, review: object, message: str) -> None:
    before = {path: path.read_bytes() for path in queue.rglob("*") if path.is_file()}
    name = next((queue / "scenarios").glob("*.yaml")).stem

    code, _, told = typed("scenario-review", queue, json.loads(json.dumps(review).replace("NAME", name)))

    assert (code, message.replace("NAME", name) in told) == (2, True), told
    assert {path: path.read_bytes() for path in queue.rglob("*") if path.is_file()} == before


def test_a_broken_file_is_a_line_and_holds_up_nothing_else(queue: Path, typed: Any) -> None:
    (queue / "scenarios" / "production_broken.yaml").write_text("name: production_broken\ntags: [\n")

    shown = waiting(typed, queue)

    assert len(shown["waiting"]) == 1
    (problem,) = shown["problems"]
    assert "production_broken.yaml:" in problem
    assert "\n" not in problem
