"""``python -m bundling [webhook|processor] [--into DIR]``: make the zips, print name, size in bytes and digest."""

import argparse
import sys
from pathlib import Path

from bundling import FUNCTIONS, BundlingError, bundle

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0, or 1 with one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m bundling", description="Make the zips that are deployed.")
    parser.add_argument("function", nargs="?", choices=FUNCTIONS, help="only this one")
    parser.add_argument("--into", type=Path, default=ROOT / ".state" / "bundles", metavar="DIR")
    options = parser.parse_args(arguments)
    try:
        for function in [options.function] if options.function else FUNCTIONS:
            made = bundle(function, ROOT, options.into.resolve())
            print(f"{made.path.name}  {made.path.stat().st_size} bytes  sha256:{made.digest}")
    except BundlingError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
