"""What a function under test stands on: its environment, its process on a core of its own, and what it has used."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

from benchmarks.harness import cores
from benchmarks.harness.load import http_post
from dm_sandbox.environment import APP_SECRET, Addresses, Pace, Platforms, function_environment, model_variables
from dm_sandbox.launcher import FunctionName, FunctionProcess
from dm_sandbox.platforms.instagram import Instagram
from dm_sandbox.platforms.meta import Mids, envelope, signature, wire_bytes
from dm_sandbox.platforms.spond import Spond
from dm_sandbox.platforms.whatsapp import WhatsApp
from dm_sandbox.processes import OutputLine

RIVALS = Path(__file__).parents[1] / "rivals"
PATIENT = Pace(debounce_min=5, debounce_max=15)
TEXT = "Hello! When are the next nets, and what should I bring along? Ærlig talt 🏏"


def webhook_environment(google: str, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of a webhook whose Firestore and Cloud Tasks are both at ``google`` (host:port)."""
    platforms = Platforms(Instagram(), WhatsApp(), Spond())
    addresses = Addresses("http://127.0.0.1:9", google, "firestore:", firestore=google)
    return function_environment(platforms, addresses, PATIENT, model_variables({}), extra or {})


def signed_dms(count: int, first: int = 0, *, now: int, account_id: str | None = None) -> list[bytes]:
    """Whole POST requests as Meta would send them, one DM each, every one of another person."""
    account, mids = account_id or Instagram().account_id, Mids()
    return [_signed_dm(account, str(819_898_670_000_000 + first + number), mids, now) for number in range(count)]


def _signed_dm(account: str, person: str, mids: Mids, now: int) -> bytes:
    item = {
        "sender": {"id": person},
        "recipient": {"id": account},
        "timestamp": now,
        "message": {"mid": mids.next(account, person), "text": TEXT},
    }
    body = wire_bytes(envelope(account, [item], now))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "facebookexternalua",
        "X-Hub-Signature-256": signature(body, APP_SECRET),
    }
    return http_post("127.0.0.1", "/", body, headers)


class TestedFunction(FunctionProcess):
    """A function that remembers the errors and warnings it logged."""

    __test__ = False

    def __init__(self, name: FunctionName, env: Mapping[str, str], source: Path | None) -> None:
        self.problems: list[str] = []
        super().__init__(name, env, source=source, log=self._note)

    def _note(self, line: OutputLine) -> None:
        if line.event and line.event.get("severity") in ("ERROR", "WARNING"):
            self.problems.append(line.text[:500])

    @property
    def last_problems(self) -> str:
        """The last few, one a line."""
        return "\n".join(self.problems[-10:])


@contextlib.asynccontextmanager
async def function_on_test_core(
    env: Mapping[str, str], name: FunctionName = "webhook", source: str | None = None
) -> AsyncGenerator[TestedFunction]:
    """A function alone on the test core: the product's own, or the one in ``rivals/{source}``."""
    async with on_test_core(TestedFunction(name, env, RIVALS / source / "main.py" if source else None)) as function:
        yield function


@contextlib.asynccontextmanager
async def on_test_core(function: TestedFunction) -> AsyncGenerator[TestedFunction]:
    """A function started alone on the test core, and stopped in the end."""
    with cores.starting_on(cores.TEST_CORE):
        await function.start()
    try:
        yield function
    finally:
        await asyncio.shield(function.stop())
