"""``mutants`` and ``held-out``: the evals evaluated.

``mutants`` plays ``evals/mutants/``: each bad agent must be caught by the check meant for it, no harmless one by any.
``held-out`` plays ``evals/held_out/``, agents that were written before the checks, and reports the rates of code alone.
Exit codes: 0 all as it should be, 1 told wrong (or a bound is broken), 2 something could not be judged.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from dm_evals.cli.main import EVALS
from dm_evals.mutants.cases import load_cases
from dm_evals.mutants.measure import Measured, Row, measure, rates
from dm_evals.reading import Unusable, nearest, write_whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these agents")
    parser.add_argument("--cases", type=Path, metavar="DIR", help="a folder with bad.yaml and harmless.yaml")
    parser.add_argument("--scenarios", type=Path, default=EVALS / "scenarios", metavar="DIR")
    parser.add_argument("--recordings", type=Path, default=EVALS / "recordings", metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="PATH", help="every case as data, for the report's page")


def main(args: argparse.Namespace) -> int:
    """``mutants``: our own bad agents and harmless variants."""
    measured = _measured(args, (args.cases or EVALS / "mutants",))
    caught = sum(row.is_by_its_check for row in measured.bad)
    passed = sum(row.word == "passed" for row in measured.harmless)
    print(f"{caught} of {len(measured.bad)} bad agents caught by the check meant for them")
    print(f"{passed} of {len(measured.harmless)} harmless variants passed")
    return measured.without_exception


def held_out(args: argparse.Namespace) -> int:
    """``held-out``: strangers' agents, of all sets or of the one in ``--cases``."""
    folder = EVALS / "held_out"
    measured = _measured(args, (args.cases,) if args.cases else (folder, *sorted(folder.glob("*/"))))
    print("\n".join(rates(measured)))
    return measured.within_bounds


def _measured(args: argparse.Namespace, folders: Sequence[Path]) -> Measured:
    bad, harmless = (
        tuple(case for folder in folders for case in load_cases(folder / name))
        for name in ("bad.yaml", "harmless.yaml")
    )
    known = [case.name for case in (*bad, *harmless)]
    for name in args.names:
        if name not in known:
            raise Unusable(f'there is no agent "{name}"{nearest(name, known)}')
    bad, harmless = ([case for case in cases if case.name in (args.names or known)] for cases in (bad, harmless))
    measured = measure(bad, harmless, args.scenarios, args.recordings)
    for row in measured.told_wrong:
        print(_line(row, "missed" if row in measured.bad else "false alarm"))
    if args.json is not None:
        write_whole(args.json, json.dumps(asdict(measured), ensure_ascii=False, indent=1) + "\n")
    return measured


def _line(row: Row, what: str) -> str:
    what = "unjudged" if row.word == "unjudged" else what
    meant = f" {row.caught_by} was meant." if row.word == "caught" and row.caught_by else ""
    return f"{what} {row.name} ({row.scenario}): {row.reason}.{meant} {row.shown[:300]}".rstrip()
