"""``python -m dm_sandbox.chaos [storm|load]``: exit 0 only if every promise was kept."""

import asyncio
import sys

from dm_sandbox.chaos.load import Crowd, load
from dm_sandbox.chaos.report import Report
from dm_sandbox.chaos.storm import Plan, Stalled, storm
from dm_sandbox.command_line import Parser, duration, from_zero, positive
from dm_sandbox.firestore_emulator import EmulatorUnavailable
from dm_sandbox.launcher import FunctionDidNotStart


def main() -> int:
    """Entry point; the exit code."""
    parser = Parser(prog="chaos", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("storm", "load"), default="storm")
    parser.add_argument("--store", choices=("firestore", "sqlite"), default="firestore")
    parser.add_argument("--seed", type=from_zero, default=1, help="of all that is chosen at random; times still vary")
    parser.add_argument("--seconds", type=duration, default=300, help="a storm lasts at least so long")
    parser.add_argument("--kills", type=from_zero, default=200, help="and until so many SIGKILLs")
    parser.add_argument("--people", type=positive, default=12, help="who write in a storm")
    parser.add_argument("--threads", type=positive, default=200, help="of a load")
    parser.add_argument("--each", type=positive, default=5, help="DMs in each thread of a load")
    options = parser.parse_args()
    if options.what == "load":
        held = load(Crowd(options.threads, options.each, store=options.store, seed=options.seed))
    else:
        plan = Plan(options.seconds, options.kills, options.seed, options.store, options.people)
        held = storm(plan, lambda words: print(words, flush=True))
    try:
        report: Report = asyncio.run(held)
    except (FunctionDidNotStart, EmulatorUnavailable, Stalled) as error:
        print(f"chaos: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(report)
    return 0 if report.kept else 1


if __name__ == "__main__":
    sys.exit(main())
