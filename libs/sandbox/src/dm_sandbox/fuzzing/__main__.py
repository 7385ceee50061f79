"""``python -m dm_sandbox.fuzzing [--target NAME] [--runs N] [--seed X] [--seconds S]``: exits 1 if anything broke.

``--engine atheris`` lets libFuzzer choose the inputs; ``--reproduce FILE`` checks one input that a campaign kept.
"""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Final

from dm_sandbox.fuzzing.coverage_again import once_more, target_of
from dm_sandbox.fuzzing.coverage_guided import HOW_TO_INSTALL, guided, installed
from dm_sandbox.fuzzing.engine import Campaign
from dm_sandbox.fuzzing.targets import GUIDED, TARGETS

RUNS: Final = 1_000_000_000


async def fuzz(names: list[str], runs: int, seconds: float, seed: int) -> bool:
    """Each target in turn, its figures on one line; whether everything held."""
    clean = True
    for name in names:
        async with TARGETS[name]() as target:
            report = await Campaign(target, seed).run(runs, seconds)
        print(report.told(), flush=True)
        clean = clean and not report.findings
    return clean


def fuzz_guided(names: list[str], runs: int, seconds: float, seed: int) -> bool:
    """As ``fuzz``, with atheris, each target in a process of its own."""
    clean = True
    for name in names:
        report = guided(GUIDED[name](), runs, seconds, seed)
        print(report.told(), flush=True)
        clean = clean and report.clean
    return clean


async def reproduce(data: bytes, name: str) -> bool:
    """One kept input against its target; whether everything held."""
    async with GUIDED[name]() as target:
        told = await once_more(target, data)
    print(told)
    return "FOUND" not in told


def refused(why: str) -> int:
    """One line, and the exit code of a command that can't be done."""
    print(f"fuzzing: {why}", file=sys.stderr)
    return 2


def main() -> int:
    """``seconds`` are for each target; with neither runs nor seconds each has 60 s."""
    parser = argparse.ArgumentParser(prog="python -m dm_sandbox.fuzzing", description=__doc__)
    parser.add_argument("--target", choices=[*TARGETS, "all"], default="all")
    parser.add_argument("--runs", type=int, help="inputs for each target")
    parser.add_argument("--seconds", type=float, help="longest time for each target")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same inputs")
    parser.add_argument(
        "--engine", choices=["hypothesis", "atheris"], default="hypothesis", help="what makes the inputs"
    )
    parser.add_argument("--reproduce", type=Path, metavar="FILE", help="check one kept input instead")
    given = parser.parse_args()
    if given.reproduce is not None:
        try:
            name = target_of(given.reproduce, given.target, frozenset(TARGETS))
        except ValueError as error:
            return refused(str(error))
        return 0 if asyncio.run(reproduce(given.reproduce.read_bytes(), name)) else 1
    names = list(TARGETS) if given.target == "all" else [given.target]
    seconds = given.seconds or (60.0 if given.runs is None else float("inf"))
    runs = given.runs or RUNS
    if given.engine == "atheris":
        if not installed():
            return refused(HOW_TO_INSTALL)
        return 0 if fuzz_guided(names, runs, seconds, given.seed) else 1
    return 0 if asyncio.run(fuzz(names, runs, seconds, given.seed)) else 1


if __name__ == "__main__":
    sys.exit(main())
