"""Recordings are read strictly: a line that can't be used is named, and none with a secret is written or read."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dm_evals.reading import Unusable
from dm_evals.replay.recordings import Recording, load_recordings, note_digests, read_recording, secret_in

Changed = Callable[..., Path]


def test_what_is_written_is_read(recording: Recording, tmp_path: Path) -> None:
    path = recording.write(tmp_path)

    assert path == tmp_path / "say_hi" / "t1.jsonl"
    assert read_recording(path) == recording
    assert [each.name for each in path.parent.iterdir()] == ["t1.jsonl"]


def test_the_keys_are_in_the_order_of_the_format(recording: Recording) -> None:
    keys = list(json.loads(recording.turns[0].line()))

    assert " ".join(keys) == "scenario trial turn origin model date latency_ms usage request response"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"raw": "{"}, ":2: not valid JSON"),
        ({"raw": ""}, ":2: an empty line"),
        ({"raw": "[]"}, ":2: must be a mapping"),
        ({"raw": '{"turn": 1, "turn": 2}'}, ":2: a key is given twice"),
        ({"orign": "authored", "origin": "GONE"}, ':2: orign: unknown key "orign", did you mean "origin"?'),
        ({"response": "GONE"}, ":2: response: Field required"),
        ({"turn": 3}, ":2: turn is 3, but its place says 2"),
        ({"trial": 2}, ":2: trial is 2, but its place says 1"),
        ({"scenario": "say_ho"}, ":2: scenario is 'say_ho', but its place says 'say_hi'"),
        ({"origin": "dreamt"}, ':2: origin: unknown origin "dreamt"'),
        ({"usage": {"promptTokenCount": 5}}, ":2: an authored turn has no usage"),
        ({"latency_ms": True}, ":2: latency_ms: Input should be a valid integer"),
        ({"response": "text"}, ":2: response: Input should be a valid dictionary"),
        ({"request": {"contents": []}}, ":2: request.contents and the digests in digests.json are not of one length"),
        ({"request": {"contents": [{"role": "user"}]}}, ":2: request.contents.0.text: Field required"),
    ],
)
def test_a_broken_line_is_named_with_its_place(changed_line: Changed, changes: dict[str, object], told: str) -> None:
    path = changed_line(2, **changes)

    with pytest.raises(Unusable) as caught:
        read_recording(path)

    assert f"say_hi/t1.jsonl{told}" in "\n".join(map(str, caught.value.args))


@pytest.mark.parametrize(
    ("secret", "kind"),
    [
        ("AIza" + "x" * 35, "an API key"),
        ("Bearer abcdefgh12345", "a bearer token"),
        ("EAAG" + "x" * 30, "an access token"),
        ("see generativelanguage.googleapis.com", "a host"),
        ("http://127.0.0.1:4711/v1beta", "a host"),
        ("x-goog-api-key", "an API key"),
    ],
)
def test_a_secret_is_neither_written_nor_read(
    recording: Recording, changed_line: Changed, tmp_path: Path, secret: str, kind: str
) -> None:
    response = {"candidates": [{"content": {"parts": [{"text": f"so {secret} then"}]}}]}
    leaking = replace(recording, turns=(recording.turns[0].model_copy(update={"response": response}),))

    with pytest.raises(Unusable, match=f"holds {kind}, and is not written"):
        leaking.write(tmp_path / "written")
    with pytest.raises(Unusable, match=f"t1.jsonl:1: holds {kind}"):
        read_recording(changed_line(1, response=response))

    assert not (tmp_path / "written").exists()


def test_a_secret_in_a_keys_name_is_found_and_signatures_are_not_searched() -> None:
    assert secret_in({"headers": [{"x-goog-api-key": "1"}]}) == "an API key"
    assert secret_in({"thoughtSignature": "AIza" + "x" * 40}) is None


async def test_a_trial_is_never_answered_by_another_trials_recording(
    recording: Recording, record: Callable[..., Awaitable[Recording]], tmp_path: Path
) -> None:
    recording.write(tmp_path)
    (await record(3)).write(tmp_path)

    loaded = load_recordings(tmp_path, ["say_hi"])

    assert loaded.trials("say_hi") == (1, 3)
    assert loaded.find("say_hi", 2) is None


def test_a_recording_copied_to_another_trial_is_refused(recording: Recording, tmp_path: Path) -> None:
    path = recording.write(tmp_path)
    note_digests(tmp_path, (replace(recording, trial=2),))
    (path.parent / "t2.jsonl").write_bytes(path.read_bytes())

    loaded = load_recordings(tmp_path, ["say_hi"])

    assert loaded.trials("say_hi") == (1,)
    assert "t2.jsonl:1: trial is 1, but its place says 2" in loaded.problems[0]
    assert loaded.broken == {"say_hi"}


def test_nothing_in_the_folder_is_skipped_silently(recording: Recording, tmp_path: Path) -> None:
    recording.write(tmp_path)
    (tmp_path / "say_hi" / "t01.jsonl").write_text("")
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "say_high").mkdir()

    problems = "\n".join(load_recordings(tmp_path, ["say_hi"]).problems)

    assert "t01.jsonl: a recording is a file named t<trial>.jsonl" in problems
    assert "notes.txt: not a folder" in problems
    assert 'say_high: no scenario has this name, did you mean "say_hi"?' in problems


def test_an_empty_file_is_a_recording_of_no_turn(tmp_path: Path) -> None:
    Recording("say_hi", 1, ()).write(tmp_path)

    assert read_recording(tmp_path / "say_hi" / "t1.jsonl").turns == ()
