"""Calls written out, in every spelling reported of a model, are caught; texts that only mention such words pass."""

import json
import time
from pathlib import Path

import pytest

from dm_core.agent.tools.registry import TOOLS
from dm_core.agent.written_calls import is_written_call

DATA = Path(__file__).parent / "data"


def lines(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


WRITTEN = lines("written_calls.jsonl")
HARMLESS = [line["text"] for line in lines("no_written_calls.jsonl")]


@pytest.mark.parametrize("line", WRITTEN, ids=[line["kind"] for line in WRITTEN])
def test_a_written_call_is_seen(line: dict[str, str]) -> None:
    assert is_written_call(line["text"])


@pytest.mark.parametrize("line", WRITTEN, ids=[line["kind"] for line in WRITTEN])
def test_it_is_seen_inside_a_message_too(line: dict[str, str]) -> None:
    wholes = ("bare JSON", "a name alone", "Llama 4: a list of calls to a tool that is none")
    if not line["kind"].startswith(wholes):
        assert is_written_call(f"Hello there, nets are on Tuesday.\n\n{line['text']}\n\nSee you!")


@pytest.mark.parametrize("text", HARMLESS)
def test_a_harmless_text_passes(text: str) -> None:
    assert not is_written_call(text)
    assert not is_written_call(f"Hi Ana!\n{text}\nSee you on Tuesday.")


@pytest.mark.parametrize("name", TOOLS)
def test_every_tool_is_known_by_its_name(name: str) -> None:
    assert is_written_call(f"{name}()")
    assert is_written_call(f'I will now do it: {name}({{"a": 1}})')


def test_there_are_enough_of_both() -> None:
    assert len(WRITTEN) >= 60
    assert len(HARMLESS) >= 60


@pytest.mark.parametrize(
    "text",
    [
        *(
            "(" * 20_000,
            "a" * 20_000,
            '{"a":' * 4_000,
            "<" * 20_000,
            "x." * 10_000,
            '"name": ' * 2_500,
            "call " * 4_000,
        ),
        *("\n" * 60_000, " \n" * 30_000, "\t" * 60_000, "-\n" * 30_000, "thought\xa0" * 8_000, "[no reply " * 6_000),
    ],
)
def test_the_longest_text_takes_no_time(text: str) -> None:
    started = time.process_time()

    is_written_call(text)

    assert time.process_time() - started < 1
