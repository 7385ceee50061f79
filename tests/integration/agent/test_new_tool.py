"""A new tool is one file and one line: tried in a copy of the core, from the DM to the reply."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest

import dm_core

WEATHER = '''"""The weather at the ground."""

from collections.abc import Mapping
from dataclasses import dataclass

from dm_core.agent.sources import LookUp
from dm_core.agent.tools.arguments import whole_argument
from dm_core.agent.tools.declare import DataTool, Example


@dataclass(frozen=True, slots=True)
class GetWeather:
    """Look up the weather at the ground."""

    days_ahead: int = whole_argument("How many days ahead.", minimum=0, maximum=7, default=0)


async def read(arguments: GetWeather, look_up: LookUp) -> Mapping[str, object]:
    zone = look_up.sources.zone.key
    return {"forecast": f"drizzle in {arguments.days_ahead} days ({zone})"}


def say(output: Mapping[str, object]) -> str:
    return f"The forecast says {output['forecast']}."


TOOL = DataTool(
    name="get_weather",
    arguments=GetWeather,
    read=read,
    prompt="- For the weather call `get_weather`.",
    examples=(Example(r"\\bweather\\b", {"days_ahead": 2}, say),),
)
'''

WAVE = '''"""Wave at the person."""

from collections.abc import Mapping
from dataclasses import dataclass

from dm_core.agent.guards import Refusal
from dm_core.agent.plan import PlannedCall
from dm_core.agent.tools.arguments import text_argument
from dm_core.agent.tools.declare import Example, Kind, PlannedTool
from dm_core.runs import ActionKind


@dataclass(frozen=True, slots=True)
class Wave:
    """Wave at the person."""

    hand: str = text_argument("Which hand: an emoji.", max_chars=10)


def plan(arguments: Wave, call: PlannedCall) -> Refusal | None:
    call.act(ActionKind.SEND, f"{arguments.hand} from the pavilion")
    return None


TOOL = PlannedTool(
    name="wave", kind=Kind.ACTION, arguments=Wave, plan=plan, examples=(Example(r"\\bwave\\b", {"hand": "👋"}),)
)
'''

CONVERSATION = """
import asyncio, json, sys
from pathlib import Path
from dm_core.clock import system_clock
from dm_core.store.sqlite import SqliteStore
from dm_sandbox.inprocess import InProcess
from dm_sandbox.platforms.model_request import ModelRequest, parts_of

async def main(words, folder):
    async with InProcess(SqliteStore(f"{folder}/threads.db", system_clock)) as system:
        ana = system.person()
        await ana.says(words)
        status, result = await system.task(ana.thread_id)
        requests = system.gemini.requests
        shown = {
            "result": result,
            "declared": [list(request.tools) for request in requests],
            "systems": [request.system for request in requests],
            "answers": [ModelRequest.results(request.contents) for request in requests],
            "asked": [[part["functionCall"] for content in request.contents for part in parts_of(content)
                       if "functionCall" in part] for request in requests],
            "sent": [message.text for message in system.instagram.sent],
        }
        print(json.dumps(shown))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def core(tmp_path: Path) -> Path:
    """A copy of the core, which a process finds first."""
    copy = tmp_path / "tree" / "dm_core"
    shutil.copytree(Path(dm_core.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def add(core: Path, name: str, source: str) -> None:
    """The two things that make a tool: its file, and its line."""
    (core / "agent/tools" / f"{name}.py").write_text(source)
    registry = core / "agent/tools/registry.py"
    before = registry.read_text()
    registry.write_text(before.replace('    "no_reply",\n', f'    "no_reply",\n    "{name}",\n'))
    assert len(registry.read_text().splitlines()) == len(before.splitlines()) + 1


def python(core: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(core.parent)}
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=100, check=False
    )


def converse(core: Path, words: str) -> Mapping[str, object]:
    ended = python(core, "-c", CONVERSATION, words, str(core.parent))
    assert ended.returncode == 0, ended.stderr
    return cast("Mapping[str, object]", json.loads(ended.stdout.splitlines()[-1]))


def test_a_tool_that_looks_up_is_declared_called_answered_and_said(core: Path) -> None:
    add(core, "get_weather", WEATHER)

    seen = converse(core, "What will the weather be?")

    declared, systems, asked, answers = (
        cast("list[object]", seen[key]) for key in ("declared", "systems", "asked", "answers")
    )
    assert ["get_weather" in cast("list[str]", names) for names in declared] == [True, True]
    assert all("\n- For the weather call `get_weather`.\n- If a tool returns an error" in str(s) for s in systems)
    assert asked[0] == []
    assert [(c["name"], c["args"]) for c in cast("list[dict[str, object]]", asked[1])] == [
        ("get_weather", {"days_ahead": 2})
    ]
    assert answers[1] == {"get_weather": {"output": {"forecast": "drizzle in 2 days (Europe/London)"}}}
    assert seen["sent"] == ["The forecast says drizzle in 2 days (Europe/London)."]


def test_a_tool_that_acts_does_what_its_file_says(core: Path) -> None:
    add(core, "wave", WAVE)

    seen = converse(core, "Please wave at me")

    assert "👋 from the pavilion" in cast("list[str]", seen["sent"])
    assert cast("Mapping[str, object]", seen["result"])["status"] == "processed"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (WEATHER.replace("    read=read,\n", ""), "missing 1 required keyword-only argument: 'read'"),
        (WAVE.replace("plan=plan, ", ""), "missing 1 required keyword-only argument: 'plan'"),
        (WEATHER.replace("TOOL = ", "OTHER = "), "dm_core/agent/tools/sample.py must declare TOOL"),
        (WEATHER, "dm_core/agent/tools/sample.py must declare TOOL, a tool named sample"),
        (
            WEATHER.replace("= DataTool(", "= Tool(kind=Kind.DATA,")
            .replace("    read=read,\n", "")
            .replace("import DataTool,", "import Kind, Tool,"),
            "Can't instantiate abstract class Tool",
        ),
    ],
)
def test_a_tool_that_is_not_whole_does_not_start(core: Path, source: str, problem: str) -> None:
    add(core, "sample", source)

    ended = python(core, "-c", "import dm_core.bootstrap.processor")

    assert ended.returncode != 0
    assert problem in ended.stderr.splitlines()[-1]
