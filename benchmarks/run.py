"""``python -m benchmarks [names]``: measure, print the table, exit 1 if a budget is broken.

Each benchmark stands alone; without names all are run. Exit 2: something could not be measured.
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
    cold_start,
    contention,
    long_thread,
    many_conversations,
    own_share,
    remote_calls,
    webhook_throughput,
)
from benchmarks.harness import cores
from benchmarks.harness.figures import Figure, table, write_json
from dm_sandbox.firestore_emulator import EmulatorUnavailable, firestore_emulator

RESULTS = Path(__file__).parent / "results.json"

type Benchmark = Callable[[], Awaitable[list[Figure]]]
type OnEmulator = Callable[[str], Awaitable[list[Figure]]]


def benchmarks(quick: bool) -> dict[str, Benchmark]:
    """By name. ``quick``: fewer and shorter runs, for a look in passing; the medians are then weak."""

    def on_emulator(measure: OnEmulator) -> Benchmark:
        async def run() -> list[Figure]:
            async with firestore_emulator() as host:
                return await measure(host)

        return run

    return {
        "calls": on_emulator(remote_calls.measure),
        "bare": lambda: webhook_throughput.against_the_bare_limit(3 if quick else 7, 600 if quick else 2_000),
        "textbook": lambda: webhook_throughput.against_the_textbook(1 if quick else 3, 400 if quick else 1_000),
        "contention": lambda: contention.measure(3 if quick else 5),
        "cold": lambda: cold_start.measure(3 if quick else 7),
        "many": lambda: many_conversations.measure(2 if quick else 3),
        "own": on_emulator(lambda host: own_share.measure(host, 100 if quick else 300)),
        "long": on_emulator(lambda host: long_thread.measure(host, 10 if quick else 40)),
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
                figures += await chosen[name]()
        except EmulatorUnavailable as error:
            failed.append(name)
            _say(f"  {error}")
        except Exception:
            failed.append(name)
            _say("".join([said.getvalue()[-2_000:], traceback.format_exc()]))
        _say(f"  {time.monotonic() - begun:.0f} s")
    return figures, failed


def main() -> int:
    """The exit code: 0 all within budget, 1 a budget is broken, 2 something could not be measured."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="The budgets (docs/promises.md#budgets), measured.")
    parser.add_argument("names", nargs="*", choices=[[], *benchmarks(quick=True)], help="only these; default all")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs")
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
    return 0 if all(figure.ok for figure in figures) else 1


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
