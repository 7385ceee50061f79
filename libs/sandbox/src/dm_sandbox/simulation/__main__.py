"""``python -m dm_sandbox.simulation``: many seeds, one with its timeline, interleavings, or outages."""

import os
import sys
import time

from dm_sandbox.command_line import Parser, from_zero, positive
from dm_sandbox.simulation.interleavings import explore_all
from dm_sandbox.simulation.outages import ORDEALS, endure
from dm_sandbox.simulation.play import simulate
from dm_sandbox.simulation.runner import Report, run_seeds, shrunk_failure, story
from dm_sandbox.simulation.schedule import make_schedule
from dm_sandbox.simulation.shrink import UnknownPart, only

SHOWN = 3
"""Failing seeds that are shrunk and shown."""
WHAT = ("schedules", "interleavings", "outages")


def main(arguments: list[str] | None = None) -> int:
    """0 when every invariant held, 1 when one did not, 2 for what can't be understood."""
    parser = Parser(prog="simulation", description=__doc__, allow_abbrev=False)
    parser.add_argument("what", nargs="?", default="schedules", help=" or ".join(WHAT))
    parser.add_argument("--seeds", type=positive, default=10_000, help="how many random schedules (10000)")
    parser.add_argument("--first", type=from_zero, default=0, help="the first of them (0)")
    parser.add_argument("--seed", type=from_zero, help="only this one, with its timeline")
    parser.add_argument("--only", default="", help="parts of that one to keep, such as a0,a2,f1")
    parser.add_argument("--switches", type=from_zero, help="context switches of interleavings (each has its own)")
    parser.add_argument("--jobs", type=positive, default=os.cpu_count() or 1, help="processes (one a core)")
    given, unknown = parser.parse_known_args(arguments)
    if unknown or given.what not in WHAT:
        parser.error(f"{(unknown or [given.what])[0]!r} is not known; there are: {', '.join(WHAT)}, and see --help")
    if given.what == "interleavings":
        return _interleavings(given.switches)
    if given.what == "outages":
        return _outages()
    if given.seed is not None:
        try:
            return _one(int(given.seed), str(given.only))
        except UnknownPart as error:
            parser.error(str(error))
    if given.only:
        parser.error("--only needs --seed")
    return _many(int(given.first), int(given.seeds), int(given.jobs))


def _one(seed: int, parts: str) -> int:
    schedule = make_schedule(seed)
    names = tuple(name for name in parts.split(",") if name)
    outcome = simulate(only(schedule, names) if names else schedule, traced=True)
    print(story(outcome, names))
    return 1 if outcome.violations else 0


def _many(first: int, count: int, jobs: int) -> int:
    started = time.monotonic()

    def told(report: Report) -> None:
        if sys.stderr.isatty():
            print(f"\r{report.seeds} of {count}, {len(report.failures)} failed", end="", file=sys.stderr, flush=True)

    report = run_seeds(first, count, jobs, told)
    seconds = time.monotonic() - started
    print(_summary(report, seconds))
    for seed in sorted(report.failures)[:SHOWN]:
        shrunk, text = shrunk_failure(seed)
        print(f"\n{'─' * 100}\nshrunk to {len(shrunk.parts)} parts in {shrunk.tries} tries\n{text}")
    return 1 if report.failures else 0


def _interleavings(switches: int | None) -> int:
    """All orders of the calls of two deliveries, one DM and one crash."""
    runs, failed = 0, False
    for result in explore_all(switches):
        print(result, flush=True)
        runs, failed = runs + result.runs, failed or bool(result.failures)
    print(f"{runs} interleavings, {'some failed' if failed else 'every invariant held'}")
    return 1 if failed else 0


def _outages() -> int:
    """How threads fare while a service is down, and after."""
    failed = False
    for ordeal in ORDEALS:
        fared = endure(ordeal)
        print(fared, flush=True)
        for violation in fared.violations[:SHOWN]:
            print(f"  ✗ {violation}", flush=True)
        failed = failed or bool(fared.violations)
    return 1 if failed else 0


def _summary(report: Report, seconds: float) -> str:
    """What was run, what went wrong on purpose, what was reached, what failed."""
    hours = report.simulated / 3600
    each = 1000 * report.cpu / max(1, report.seeds)
    lines = [
        f"{report.seeds} schedules, {hours:.0f} simulated hours in {seconds:.0f} s ({each:.1f} ms of CPU each)",
        _counted("faults", report.faults),
    ]
    groups: dict[str, dict[str, int]] = {}
    for name, number in report.states.items():
        group, _, word = name.partition(":")
        groups.setdefault(group, {})[word] = number
    lines += [_counted(group, counts) for group, counts in sorted(groups.items())]
    lines.append(f"{len(report.failures)} failed" if report.failures else "every invariant held")
    lines += [f"  seed {seed}: {what}" for seed, what in sorted(report.failures.items())[:20]]
    return "\n".join(lines)


def _counted(name: str, counts: "dict[str, int]") -> str:
    return f"{name}: " + ", ".join(f"{word} {number}" for word, number in sorted(counts.items()))


if __name__ == "__main__":
    sys.exit(main())
