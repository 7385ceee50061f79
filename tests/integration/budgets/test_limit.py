"""The limit the webhook is held against stores what the webhook stores (benchmarks/README.md)."""

from collections.abc import Iterator
from typing import Any, cast

from google.cloud.firestore_v1 import types
from google.cloud.tasks_v2 import CreateTaskRequest

from benchmarks.harness.google import FastGoogle
from benchmarks.harness.load import drive
from benchmarks.harness.stage import function_on_test_core, signed_dms, webhook_environment
from dm_core.clock import system_clock

type Fields = set[tuple[str, str]]


async def test_the_limit_writes_the_same_fields_and_makes_the_same_task() -> None:
    different = [limit ^ ours for limit, ours in zip(await _asked("limit"), await _asked(None), strict=True)]

    assert different == [set[tuple[str, str]]()] * 3


async def test_a_plain_dm_is_two_writes_one_task_and_one_log_line() -> None:
    google = FastGoogle()
    async with google as address, function_on_test_core(webhook_environment(address)) as function:
        await drive(function.port, signed_dms(3, now=system_clock()), 1)

        assert [line.event["message"] for line in function.output if line.event] == ["webhook_received"] * 3
    assert google.calls == {"Commit": 3, "CreateTask": 3}


async def _asked(source: str | None) -> list[Fields]:
    google = FastGoogle()
    async with google as address, function_on_test_core(webhook_environment(address), source=source) as function:
        await drive(function.port, signed_dms(1, now=system_clock()), 1)
    commit = cast("Any", types.CommitRequest).pb().FromString(google.last["Commit"])
    task = cast("Any", CreateTaskRequest).pb().FromString(google.last["CreateTask"])
    return [*(set(_fields(write)) for write in commit.writes), set(_fields(task))]


def _fields(message: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every field that is set, by its path and kind; entries of maps by their key, list items alike."""
    for field, value in message.ListFields():
        place = f"{path}.{field.name}"
        if field.name == "nanos":  # left out where it happens to be 0
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            for key in value:
                yield from _fields(value[key], f"{place}.{key}") if hasattr(value[key], "ListFields") else ()
                yield f"{place}.{key}", "entry"
        elif field.message_type is None:
            yield place, field.name
        else:
            for each in value if hasattr(value, "append") else (value,):
                yield from _fields(each, place)
                yield place, field.message_type.name
