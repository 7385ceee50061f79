"""Webhook throughput: against the bare limit, and against the textbook way.

The same signed requests, over the same number of kept-open connections, to one function after the other, each alone on
one core; Firestore and Cloud Tasks are stand-ins on the other core that answer at once (or 15 ms a hop), because the
real emulator would be the bottleneck before any of these functions is. ``busy`` in the note says how much of its core
the function used: near 100 % it was the bottleneck, below that the figure says less.
"""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from benchmarks.harness import cores
from benchmarks.harness.figures import Figure, median, spread
from benchmarks.harness.google import FastGoogle
from benchmarks.harness.load import drive
from benchmarks.harness.stage import function_on_test_core, signed_dms, webhook_environment
from dm_core.clock import system_clock
from dm_sandbox.launcher import FunctionProcess

CONNECTIONS = 64
WARM_UP = 300
HOP_SECONDS = 0.015


@dataclass(frozen=True, slots=True)
class Round:
    """One run of one function: answers a second, CPU ms an answer, share of its core."""

    rate: float
    cpu_ms: float
    busy: float


async def measure(runs: int = 5, requests: int = 1_500) -> list[Figure]:
    """Both comparisons."""
    return [*await against_the_bare_limit(runs, requests), *await against_the_textbook(runs, requests)]


async def against_the_bare_limit(runs: int, requests: int) -> list[Figure]:
    """The product, the bare limit, and the same written plainly, behind stand-ins that answer at once."""
    rounds = await _compare(("product", "bare", "plain"), FastGoogle(), runs, requests)
    ours, bare, plain = (rounds[name] for name in ("product", "bare", "plain"))
    ratios = [a.rate / b.rate for a, b in zip(ours, bare, strict=True)]
    cpu = [b.cpu_ms / a.cpu_ms for a, b in zip(ours, bare, strict=True)]
    return [
        Figure(
            "webhook throughput / bare limit",
            median(ratios),
            "×",
            0.85,
            "at least",
            f"{_rate(ours)} of {_rate(bare)}; ratios {spread(ratios)}; {_busy(ours)}, {_busy(bare)}",
        ),
        Figure("  the same by CPU an answer", median(cpu), "×", note=f"{_cpu(bare)} of {_cpu(ours)}"),
        Figure("  bare limit written plainly", median([a.rate / b.rate for a, b in zip(plain, bare, strict=True)]), "×",
               note=f"{_rate(plain)} of {_rate(bare)}; {_cpu(plain)}"),
    ]  # fmt: skip


async def against_the_textbook(runs: int, requests: int) -> list[Figure]:
    """The product and the textbook way, 15 ms a hop."""
    runs = max(1, runs // 2 + 1)
    rounds = await _compare(("product", "textbook"), FastGoogle(HOP_SECONDS), runs, requests // 2)
    ours, theirs = rounds["product"], rounds["textbook"]
    ratios = [a.rate / b.rate for a, b in zip(ours, theirs, strict=True)]
    note = f"{_rate(ours)} against {_rate(theirs)}; {spread(ratios, 1)}"
    return [Figure("webhook throughput / textbook way, 15 ms a hop", median(ratios), "×", 4, "at least", note)]


async def _compare(names: tuple[str, ...], google: FastGoogle, runs: int, requests: int) -> dict[str, list[Round]]:
    """Some runs of each, alternating, the order turned round each time."""
    rounds: dict[str, list[Round]] = {name: [] for name in names}
    async with AsyncExitStack() as stack:
        env = webhook_environment(await stack.enter_async_context(google))
        functions = {name: await stack.enter_async_context(_started(name, env)) for name in names}
        for function in functions.values():
            await drive(function.port, signed_dms(WARM_UP, now=system_clock()), CONNECTIONS)
        for number in range(runs):
            for name in names if number % 2 else reversed(names):
                rounds[name].append(await _round(functions[name], requests, number))
    return rounds


@asynccontextmanager
async def _started(name: str, env: dict[str, str]) -> AsyncGenerator[FunctionProcess]:
    async with function_on_test_core(env, source=None if name == "product" else name) as function:
        yield function


async def _round(function: FunctionProcess, requests: int, number: int) -> Round:
    load = signed_dms(requests, 10_000 * (number + 1), now=system_clock())
    before = cores.usage(function.pid).cpu
    done = await drive(function.port, load, CONNECTIONS)
    cpu = cores.usage(function.pid).cpu - before
    return Round(done.rate, cpu / requests * 1_000, cpu / done.seconds)


def _rate(rounds: list[Round]) -> str:
    return f"{median([each.rate for each in rounds]):.0f}/s"


def _cpu(rounds: list[Round]) -> str:
    return f"{median([each.cpu_ms for each in rounds]):.2f} ms CPU"


def _busy(rounds: list[Round]) -> str:
    return f"busy {median([each.busy for each in rounds]):.0%}"
