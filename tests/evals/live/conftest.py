"""A live run as it is typed, against a model server of this machine."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from dm_evals.cli.main import main
from dm_sandbox.platforms.gemini import Gemini
from dm_sandbox.platforms.server import Platform
from tests.evals.live.served_back import KEY

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    error: str


Typed = Callable[..., Awaitable[Ended]]


@pytest.fixture
def live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Awaitable[Ended]]:
    """``await live(server, "--trials", "2", key=…)``; in ``tmp_path``, where ``gate.yaml`` wants all to pass."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gate.yaml").write_text("replay: [{tag: '*', must: all}]\nlive: [{tag: '*', must: all}]\n")

    async def typed(server: Platform | None, *options: str, key: str = KEY) -> Ended:
        environment = {"GEMINI_API_KEY": key, "GOOGLE_GEMINI_BASE_URL": server.base_url if server else ""}
        for name, value in environment.items():
            monkeypatch.setitem(os.environ, name, value)
        code = await asyncio.to_thread(main, ["live", *options])
        read = capsys.readouterr()
        return Ended(code, read.out, read.err)

    return typed


@pytest.fixture(autouse=True)
def no_disclosure() -> None:
    """In a live run it stays: the repository's scenarios are played, which expect it."""


@pytest.fixture
async def gemini() -> AsyncGenerator[Gemini]:
    """The sandbox's simulator, with a model that can go wrong by chance."""
    async with Gemini(KEY) as server:
        yield server
