"""``python -m benchmarks [names]``: measure, print the table, list the budgets missed.

Each benchmark stands alone; without names all are run. Exit 0: everything was measured; 2: something could not be; with
``--strict`` 1: a budget is missed.
"""

import argparse
import asyncio
import contextlib
import io
import os
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks import (
    agents,
    cold_start,
    contention,
    deployables,
    long_thread,
    many_conversations,
    outage,
    own_share,
    remote_calls,
    steady_load,
    webhook_throughput,
)
from benchmarks.harness import cores
from benchmarks.harness.figures import Figure, table, write_json
from benchmarks.harness.node import NodeMissing
from benchmarks.harness.uv import UvMissing
from dm_sandbox.firestore_emulator import EmulatorUnavailable, firestore_emulator

RESULTS = Path(__file__).parent / "results.json"

type Benchmark = Callable[[], Awaitable[list[Figure]]]
type OnEmulator = Callable[[str], Awaitable[list[Figure]]]


def benchmarks(quick: bool) -> dict[str, Benchmark]:
    """By name. ``quick``: one short round of each, to see that it runs; its figures mean nothing."""

    def on_emulator(measure: OnEmulator) -> Benchmark:
        async def run() -> list[Figure]:
            async with firestore_emulator() as host:
                return await measure(host)

        return run

    return {
        "calls": on_emulator(remote_calls.measure),
        "limit": lambda: webhook_throughput.against_the_limit(1 if quick else 7, 300 if quick else 2_000),
        "textbook": lambda: webhook_throughput.against_the_textbook(1 if quick else 5, 200 if quick else 500),
        "node": lambda: webhook_throughput.against_node(1 if quick else 5, 300 if quick else 1_000),
        "contention": lambda: contention.measure(1 if quick else 5),
        "claims": lambda: contention.many_threads(1 if quick else 3, 50 if quick else 1_000),
        "cold": lambda: cold_start.measure(1 if quick else 7),
        "many": lambda: many_conversations.measure(1 if quick else 5),
        "processors": lambda: many_conversations.beside_node(1 if quick else 5, 20 if quick else 100),
        "model": lambda: steady_load.measure(50 if quick else 600),
        "own": on_emulator(lambda host: own_share.measure(host, 30 if quick else 300)),
        "agents": lambda: agents.measure(1 if quick else 5, 3 if quick else 40),
        "size": lambda: deployables.measure(1 if quick else 3),
        "outage": lambda: outage.measure(20 if quick else 1_000),
        "long": on_emulator(lambda host: long_thread.measure(host, 5 if quick else 40)),
    }


async def run(names: list[str], *, quick: bool) -> tuple[list[Figure], list[str]]:
    """All figures, and the names of what could not be measured."""
    figures: list[Figure] = []
    failed: list[str] = []
    chosen = benchmarks(quick)
    for name in names or chosen:
        _say(f"measuring {name} …")
        begun = time.monotonic()
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said):
                measured = await chosen[name]()
        except (EmulatorUnavailable, NodeMissing, UvMissing) as error:
            failed.append(name)
            _say(f"  {error}")
        except Exception:
            failed.append(name)
            _say("".join([said.getvalue()[-2_000:], traceback.format_exc()]))
        else:
            figures += measured
            _say(table(measured))
        _say(f"  {time.monotonic() - begun:.0f} s")
    return figures, failed


def main() -> int:
    """The exit code: 0 everything was measured, 2 something could not be, 1 if ``--strict`` and a budget is missed."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="The budgets (docs/promises.md#budgets), measured.")
    parser.add_argument("names", nargs="*", choices=[[], *benchmarks(quick=True)], help="only these; default all")
    parser.add_argument("--quick", action="store_true", help="only see that each runs")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a budget is missed")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the figures go as JSON")
    options = parser.parse_args()
    cores.stay(cores.WORLD_CORE)
    busy = os.getloadavg()[0]
    if busy > 0.5:
        _say(f"this machine is doing something else (load {busy:.1f}): the times below will be off")
    if not cores.PINNED:
        _say("cores can't be chosen here: functions and simulators share them, and the times below will be off")
    speed = cores.calibration()
    figures, failed = asyncio.run(run(options.names, quick=options.quick))
    write_json(options.json, figures, failed, speed)
    _say(f"\n{table(figures)}")
    if failed:
        _say(f"not measured: {', '.join(failed)}")
        return 2
    missed = [figure.what.strip() for figure in figures if not figure.ok]
    if missed:
        _say(f"missed: {'; '.join(missed)}")
    return 1 if missed and options.strict else 0


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
