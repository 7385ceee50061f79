"""``make costs``: count, and write the table into docs/deploy.md#9-what-a-month-costs. ``--print`` writes nothing."""

import argparse
import sys
from pathlib import Path
from typing import Final

from costs.measured import ROOT, keep, measure
from costs.table import section
from variables import DEFAULT_MODEL

PAGE: Final = ROOT / "docs" / "deploy.md"
BEGIN: Final = "<!-- written by `make costs` -->"
END: Final = "<!-- end of what `make costs` writes -->"


def written(page: str, text: str) -> str:
    """The page with this between its two marks. Raises ValueError for a page without them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE} has lost its marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def main(arguments: list[str] | None = None) -> int:
    """0; 1 with one line where the table can't be made."""
    parser = argparse.ArgumentParser(prog="costs", description=__doc__)
    parser.add_argument("--print", action="store_true", help="only print the table")
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="another model of the price list; printed, never written"
    )
    options = parser.parse_args(arguments)
    try:
        measured = measure()
        text = section(measured, options.model)
        if options.print or options.model != DEFAULT_MODEL:
            print(text)
            return 0
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    except (LookupError, ValueError, OSError) as error:
        print(f"costs: {error}", file=sys.stderr)
        return 1
    keep(measured)
    print(f"written into {PAGE.relative_to(Path.cwd()) if PAGE.is_relative_to(Path.cwd()) else PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
