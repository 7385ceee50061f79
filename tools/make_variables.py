"""Names the variable of a `make` command line that its target does not take: a typo would be ignored silently.

    python3 tools/make_variables.py "fuzz" SECONDS     # note: make fuzz takes no SECONDS; it takes: TARGET, RUNS, …

A target takes what its recipe uses, and what stands in the brackets of its `## ` line. A name is only refused if it is
nearly one of this target's, and told if it is another target's: any other may be meant for the program that the target
runs, as every setting of the functions is for `make dev`.

Standard library only: it runs before any environment exists.
"""

import re
import sys
from difflib import get_close_matches
from pathlib import Path

MAKEFILE = Path(__file__).resolve().parents[1] / "Makefile"
NEAR = 0.75
"""How much of two names is the same, of 1, for one to be a typo of the other: ARG and ARGS are 0.86."""
NOTE = "note:"
"""Begins what is told and not refused."""
_TARGET = re.compile(r"^([a-z-]+):.*?(?:## .*?(?:\[(.*)\])?)?$")
_LISTED = re.compile(r"\b([A-Z][A-Z_]*)(?==)")
_USED = re.compile(r"\$\((?:if |or |filter \w+,|call path,)*([A-Z][A-Z_]*)\b")
_DEFINED = re.compile(r"^(?:export )?([A-Z_]+) *[:?]?=", re.MULTILINE)


def problem(makefile: str, goals: list[str], names: list[str]) -> str:
    """What is wrong with the first of these names for these targets, on one line; empty if nothing is."""
    listed, used = _targets(makefile)
    if not set(goals) <= set(listed):
        return ""
    taken = [name for goal in goals for name in (*listed[goal], *used[goal])]
    elsewhere = {name for others in listed.values() for name in others}
    for name in names:
        if name in taken or name in _DEFINED.findall(makefile):
            continue
        target, near = f"make {' '.join(goals)}", get_close_matches(name.upper(), taken, 1, NEAR)
        if near:
            return f"{target} takes no {name}: did you mean {near[0]}?"
        if name in elsewhere:
            own = ", ".join(dict.fromkeys(name for goal in goals for name in listed[goal]))
            return f"{NOTE} {target} takes no {name}; {f'it takes: {own}' if own else 'it takes no variable'}"
    return ""


def _targets(makefile: str) -> "tuple[dict[str, list[str]], dict[str, list[str]]]":
    """Of each target the variables in the brackets of its line, and those that its recipe uses."""
    listed: dict[str, list[str]] = {}
    used: dict[str, list[str]] = {}
    target = ""
    for line in makefile.splitlines():
        found = _TARGET.match(line)
        if found:
            target = found[1]
            listed[target], used[target] = _LISTED.findall(found[2] or ""), []
        elif line.startswith(("\t", " ")) and target:
            used[target] += _USED.findall(line) + (["STACK"] if "needs_stack" in line else [])
        else:
            target = ""
    return listed, used


if __name__ == "__main__":
    print(problem(MAKEFILE.read_text(encoding="utf-8"), sys.argv[1].split() or ["help"], sys.argv[2:]))
