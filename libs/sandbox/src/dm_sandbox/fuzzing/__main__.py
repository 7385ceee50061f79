"""``python -m dm_sandbox.fuzzing [--target NAME] [--runs N] [--seed X] [--seconds S]``: exits 1 if anything broke.

``--engine atheris`` lets libFuzzer choose the inputs; ``--reproduce FILE`` checks one input that a campaign kept.
"""

import sys
from pathlib import Path

from dm_sandbox.command_line import Parser, duration, from_zero, positive
from dm_sandbox.fuzzing.campaign import Campaign
from dm_sandbox.fuzzing.libfuzzer import HOW_TO_INSTALL, installed, steered
from dm_sandbox.fuzzing.targets import TARGETS

DEFAULT_SECONDS = 60.0


def fuzz(name: str, runs: int | None, seconds: float | None, seed: int) -> bool:
    """A campaign of hypothesis, its figures on one line; whether everything held."""
    with Campaign(TARGETS[name](), seed) as campaign:
        report = campaign.run(runs or sys.maxsize, seconds or float("inf"))
    print(report.told(), flush=True)
    return not report.findings


def reproduce(path: Path, named: str) -> bool:
    """One kept input against its target, the one in the file's name if none is named; whether everything held. Raises
    ValueError, in one line, when there is none."""
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    name = path.name.partition("-")[0] if named == "all" else named
    if name not in TARGETS:
        raise ValueError(f"{path.name} does not begin with a target's name: say which with --target")
    target = TARGETS[name]()
    target.deep = True
    with Campaign(target) as campaign:
        report = campaign.run_only(path.read_bytes())
    print(report.told())
    return not report.findings


def main() -> int:
    """``seconds`` are for each target; with neither runs nor seconds each has 60 s."""
    parser = Parser(prog="fuzzing", description=__doc__)
    parser.add_argument("--target", choices=[*TARGETS, "all"], default="all")
    parser.add_argument("--runs", type=positive, help="inputs for each target")
    parser.add_argument("--seconds", type=duration, help="longest time for each target")
    parser.add_argument("--seed", type=from_zero, default=0, help="the same seed gives the same inputs")
    parser.add_argument("--engine", choices=["hypothesis", "atheris"], default="hypothesis", help="what makes inputs")
    parser.add_argument("--reproduce", type=Path, metavar="FILE", help="check one kept input instead")
    given = parser.parse_args()
    if given.reproduce is not None:
        try:
            return 0 if reproduce(given.reproduce, given.target) else 1
        except ValueError as error:
            return refused(str(error))
    if given.engine == "atheris" and not installed():
        return refused(HOW_TO_INSTALL)
    seconds = given.seconds or (DEFAULT_SECONDS if given.runs is None else None)
    engine = steered if given.engine == "atheris" else fuzz
    names = list(TARGETS) if given.target == "all" else [given.target]
    held = [engine(name, given.runs, seconds, given.seed) for name in names]
    return 0 if all(held) else 1


def refused(why: str) -> int:
    """One line, and the exit code of a command that can't be done."""
    print(f"fuzzing: {why}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
