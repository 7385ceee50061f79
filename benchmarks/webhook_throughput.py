"""The webhook beside the limit, the textbook way and the design on Node.

The same signed requests, over the same number of kept-open connections, to one function after the other, each alone on
one core; Firestore and Cloud Tasks are stand-ins on the other core that answer at once (or 15 ms a hop), because the
real emulator would be the bottleneck before any of these functions is. ``busy`` in the note says how much of its core
the function used: near 100 % it was the bottleneck, below that the figure says less.
"""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from benchmarks.harness import cores
from benchmarks.harness.figures import Figure, median, quantile, spread
from benchmarks.harness.google import FastGoogle
from benchmarks.harness.load import drive
from benchmarks.harness.node import node_on_test_core
from benchmarks.harness.stage import function_on_test_core, signed_dms, webhook_environment
from dm_core.clock import system_clock
from dm_sandbox.launcher import FunctionProcess

CONNECTIONS = 64
WARM_UP = 300
HOP_SECONDS = 0.015


@dataclass(frozen=True, slots=True)
class Round:
    """One run of one function: answers a second, CPU ms an answer, share of its core, seconds each answer took."""

    rate: float
    cpu_ms: float
    busy: float
    latencies: list[float]


async def against_the_limit(runs: int, requests: int) -> list[Figure]:
    """The product and the limit, behind stand-ins that answer at once."""
    rounds = await _compare(("product", "limit"), FastGoogle(), runs, requests)
    ours, limit = rounds["product"], rounds["limit"]
    ratios = [a.rate / b.rate for a, b in zip(ours, limit, strict=True)]
    cpu = [b.cpu_ms / a.cpu_ms for a, b in zip(ours, limit, strict=True)]
    rates = f"{_rate(ours)} of {_rate(limit)}; ratios {spread(ratios)}; {_busy(ours)}, {_busy(limit)}"
    return [
        Figure("webhook throughput / limit", median(ratios), "×", 0.85, "at least", rates),
        Figure("  the same by CPU an answer", median(cpu), "×", note=f"{_cpu(limit)} of {_cpu(ours)}; {spread(cpu)}"),
    ]


async def against_node(runs: int, requests: int) -> list[Figure]:
    """The product and the design on Node, at once and with 15 ms a hop."""
    figures: list[Figure] = []
    for hop, connections in ((0.0, 1), (0.0, 32), (0.0, 256), (HOP_SECONDS, 32)):
        rounds = await _compare(("product", "node"), FastGoogle(hop), runs, requests, connections)
        ours, node = rounds["product"], rounds["node"]
        where = f"{connections} connection{'s' if connections > 1 else ''}, {hop * 1_000:.0f} ms a hop"
        cpu = [b.cpu_ms / a.cpu_ms for a, b in zip(ours, node, strict=True)]
        rate = [a.rate / b.rate for a, b in zip(ours, node, strict=True)]
        figures += [
            Figure(f"webhook, Node's CPU / ours, {where}", median(cpu), "×", 1, "at least",
                   f"{_cpu(node)} against {_cpu(ours)}; {spread(cpu)}"),
            Figure("  answers a second, ours / Node's", median(rate), "×", note=f"{_rate(ours)} against {_rate(node)}"),
            Figure("  acknowledged after, p50", _taken(ours, 0.5), "ms", note=_quantiles(ours, node)),
        ]  # fmt: skip
    return figures


async def against_the_textbook(runs: int, requests: int) -> list[Figure]:
    """The product and the textbook way, 15 ms a hop."""
    rounds = await _compare(("product", "textbook"), FastGoogle(HOP_SECONDS), runs, requests)
    ours, theirs = rounds["product"], rounds["textbook"]
    ratios = [a.rate / b.rate for a, b in zip(ours, theirs, strict=True)]
    note = f"{_rate(ours)} against {_rate(theirs)}; {spread(ratios, 1)}"
    return [Figure("webhook throughput / textbook way, 15 ms a hop", median(ratios), "×", 4, "at least", note)]


async def _compare(
    names: tuple[str, ...], google: FastGoogle, runs: int, requests: int, connections: int = CONNECTIONS
) -> dict[str, list[Round]]:
    """Some runs of each, alternating, the order turned round each time."""
    rounds: dict[str, list[Round]] = {name: [] for name in names}
    async with AsyncExitStack() as stack:
        env = webhook_environment(await stack.enter_async_context(google))
        functions = {name: await stack.enter_async_context(_started(name, env)) for name in names}
        for function in functions.values():
            await drive(function.port, signed_dms(WARM_UP, now=system_clock()), connections)
        for number in range(runs):
            for name in names if number % 2 else reversed(names):
                rounds[name].append(await _round(functions[name], requests, number, connections))
    return rounds


@asynccontextmanager
async def _started(name: str, env: dict[str, str]) -> AsyncGenerator[FunctionProcess]:
    started = node_on_test_core(env, "webhook") if name == "node" else function_on_test_core(env, source=_source(name))
    async with started as function:
        yield function


def _source(name: str) -> str | None:
    return None if name == "product" else name


async def _round(function: FunctionProcess, requests: int, number: int, connections: int) -> Round:
    load = signed_dms(requests, 10_000 * (number + 1), now=system_clock())
    before = cores.usage(function.pid).cpu
    done = await drive(function.port, load, connections)
    cpu = cores.usage(function.pid).cpu - before
    return Round(done.rate, cpu / requests * 1_000, cpu / done.seconds, done.latencies)


def _rate(rounds: list[Round]) -> str:
    return f"{median([each.rate for each in rounds]):.0f}/s"


def _cpu(rounds: list[Round]) -> str:
    return f"{median([each.cpu_ms for each in rounds]):.2f} ms CPU"


def _busy(rounds: list[Round]) -> str:
    return f"busy {median([each.busy for each in rounds]):.0%}"


def _taken(rounds: list[Round], share: float) -> float:
    """The median of the rounds' quantiles, in ms."""
    return median([quantile(each.latencies, share) for each in rounds]) * 1_000


def _quantiles(ours: list[Round], node: list[Round]) -> str:
    """p50, p99 and p99.9 of both, in ms."""
    return " against Node's ".join(
        " / ".join(f"{_taken(rounds, share):.1f}" for share in (0.5, 0.99, 0.999)) for rounds in (ours, node)
    )
