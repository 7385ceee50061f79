"""The agent's share: CPU of a conversation in which the model looks something up, answers, and is done.

Ours beside google-adk, pydantic-ai and google-genai alone (``rivals/agents``), each in a process and an environment of
its own on the test core, with the same instructions, tools and scripted model over HTTP. Ours carries nine tools and
the guards, the others two tools and nothing. They ask the model a third time to hear that it is done, which ours knows
from what was done: so the figure is CPU a model call, and the note has it a conversation.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

from benchmarks.harness import cores
from benchmarks.harness.figures import Figure, median, spread
from benchmarks.harness.stage import RIVALS, TEXT
from benchmarks.harness.uv import UvMissing, uv
from benchmarks.harness.world import REPLY
from dm_core.agent.profile import load_profile
from dm_core.agent.prompt import system_prompt
from dm_sandbox.platforms.answers import call
from dm_sandbox.platforms.gemini import Gemini
from dm_sandbox.platforms.model_request import ModelRequest, Part, parts_of

ROOT = Path(__file__).parents[1]
AGENTS = RIVALS / "agents"
OURS, RIVAL_NAMES = "ours", ("google_adk", "pydantic_ai", "google_genai")
PROCESSOR = ROOT / "functions" / "processor"
WARM_UP = 20
START_SECONDS = 300.0
"""The first time an environment is installed."""


def looks_up_then_answers(request: ModelRequest) -> list[Part]:
    """A look-up, a reply, and a last word for those who ask once more."""
    answered = sum("functionResponse" in part for content in request.contents for part in parts_of(content))
    if answered == 0:
        return [call("get_net_session_dates", days_ahead=14)]
    return [call("send_instagram_message", text=REPLY)] if answered == 1 else [{"text": "Done."}]


class _Agent:
    """A running program of ``rivals/agents``."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.cpu: list[float] = []
        self.calls = 0.0
        self.memory = 0.0

    async def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()

    async def converse(self, count: int, gemini: Gemini) -> float:
        """CPU ms a model call. Raises UvMissing."""
        assert self._process.stdout is not None
        before = len(gemini.requests)
        await self.tell(str(count))
        async with asyncio.timeout(START_SECONDS):
            line = await self._process.stdout.readline()
        if not line:
            raise UvMissing(f"an agent ended with {await self._process.wait()}: is the package index reachable?")
        told, calls = json.loads(line), len(gemini.requests) - before
        self.calls, self.memory = calls / count, told["memory"] / 2**20
        return told["cpu"] / calls * 1_000


async def measure(runs: int, conversations: int) -> list[Figure]:
    """Each rival's CPU a model call over ours."""
    names = (OURS, *RIVAL_NAMES)
    async with Gemini() as gemini, contextlib.AsyncExitStack() as stack:
        gemini.model = looks_up_then_answers
        agents = {name: await stack.enter_async_context(_started(name, gemini)) for name in names}
        for agent in agents.values():
            await agent.converse(WARM_UP, gemini)
        for number in range(runs):
            for name in names if number % 2 else reversed(names):
                agents[name].cpu.append(await agents[name].converse(conversations, gemini))
    return [_figure(name, agents[name], agents[OURS]) for name in RIVAL_NAMES]


def _figure(name: str, rival: _Agent, ours: _Agent) -> Figure:
    ratios = [theirs / own for theirs, own in zip(rival.cpu, ours.cpu, strict=True)]
    a_call, own = median(rival.cpu), median(ours.cpu)
    note = f"{a_call:.2f} against {own:.2f} ms; {spread(ratios)}; a conversation {a_call * rival.calls:.1f} against "
    note += f"{own * ours.calls:.1f} ms in {rival.calls:.0f} and {ours.calls:.0f} calls; "
    note += f"memory {rival.memory:.0f} against {ours.memory:.0f} MiB"
    return Figure(f"agent, CPU a model call, {name.replace('_', '-')} / ours", median(ratios), "×", note=note)


@contextlib.asynccontextmanager
async def _started(name: str, gemini: Gemini) -> AsyncGenerator[_Agent]:
    program = str(AGENTS / f"with_{name}.py")
    command = [sys.executable, program] if name == OURS else [uv(), "run", "--quiet", "--script", program]
    with cores.starting_on(cores.TEST_CORE):
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=_environment()
        )
    agent = _Agent(process)
    try:
        job = {"base_url": gemini.base_url, "api_key": gemini.api_key, "model": "gemini-3.8-flash"}
        await agent.tell(json.dumps({**job, "system": _instructions(), "text": TEXT}))
        yield agent
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()


def _instructions() -> str:
    """Those of our agent, for all."""
    system_md = (PROCESSOR / "prompts" / "system.md").read_text(encoding="utf-8")
    return system_prompt(system_md, load_profile(PROCESSOR / "profile")).text


def _environment() -> dict[str, str]:
    """Without what would point a library elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("GOOGLE_", "GEMINI_", "HTTP"))}
