"""Reads scenarios, or says exactly what is wrong: the file, the line, and what was probably meant.

Nothing is skipped: a file that can't be used is a problem, and so is one that is no scenario.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dm_evals.reading import nearest
from dm_evals.replay.digests import own_prompt
from dm_evals.scenarios.rules import Problem, broken_rules
from dm_evals.scenarios.scenario import Part, Scenario
from dm_evals.scenarios.yaml_lines import BrokenYaml, Lines, Place, Value, read_yaml

SCHEMA_NAME: Final = "schema.json"
_DURATION_HINT: Final = "is no duration: write 90s, 5m, 2h or 3d"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What could be read, by name, and a line for everything that could not."""

    scenarios: tuple[Scenario, ...] = ()
    problems: tuple[str, ...] = ()


def load(paths: Sequence[Path]) -> Loaded:
    """Scenarios of these files and folders (with what is below them). Never raises for what is in them."""
    problems: list[str] = []
    scenarios: dict[str, tuple[Scenario, Path]] = {}
    files = list(dict.fromkeys(_files(paths, problems)))
    for file in files:
        scenario, found = _load_file(file)
        problems += found
        if scenario is not None and scenario.name in scenarios:
            other = shown_path(scenarios[scenario.name][1])
            problems.append(f'{shown_path(file)}:1: there is a scenario "{scenario.name}" already: {other}')
        elif scenario is not None:
            scenarios[scenario.name] = (scenario, file)
    if not files and not problems:
        problems.append(f"no scenario in {', '.join(map(shown_path, paths)) or 'nothing'}")
    return Loaded(tuple(scenario for _, (scenario, _) in sorted(scenarios.items())), tuple(problems))


def _files(paths: Sequence[Path], problems: list[str]) -> Iterator[Path]:
    for path in paths:
        if not path.exists():
            there = path.parent.iterdir() if path.parent.is_dir() else ()
            close = get_close_matches(path.name, [each.name for each in there], 1)
            hint = f', did you mean "{close[0]}"?' if close else ""
            problems.append(f"{shown_path(path)}: there is no such file or folder{hint}")
        for file in _below(path) if path.is_dir() else (path,):
            if file.suffix == ".yaml" and file.exists():
                yield file.resolve()
            elif file.exists():
                problems.append(f'{shown_path(file)}: is no scenario: its name must end in ".yaml"')


def _below(folder: Path) -> Iterator[Path]:
    """Every file that is meant to be a scenario."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not (path.is_dir() or hidden or path.name == SCHEMA_NAME):
            yield path


def _load_file(path: Path) -> tuple[Scenario | None, list[str]]:
    try:
        value, lines = read_yaml(path.read_text(encoding="utf-8"))
    except BrokenYaml as error:
        return None, [_located(path, error.line, str(error))]
    except UnicodeDecodeError as error:
        return None, [_located(path, error.object[: error.start].count(b"\n") + 1, "is not UTF-8")]
    except OSError as error:
        return None, [f"{shown_path(path)}: can't be read ({error.strerror})"]
    if not isinstance(value, dict):
        return None, [_located(path, 1, "must be a mapping that begins with name, tags and about")]
    try:
        scenario = Scenario.model_validate(value, context={"facts": own_prompt().profile.facts})
    except ValidationError as error:
        found = [_explained(details, value, lines) for details in _once(error.errors())]
        return None, _lines(path, lines, found)
    found = [*broken_rules(scenario, value)]
    if scenario.name != path.stem:
        found.append(Problem(("name",), f'name "{scenario.name}" must be that of its file, "{path.stem}"'))
    return (None if found else scenario), _lines(path, lines, found)


def _lines(path: Path, lines: Lines, problems: Sequence[Problem]) -> list[str]:
    placed = sorted((lines.of(problem.place), problem.message) for problem in problems)
    return list(dict.fromkeys(_located(path, line, message) for line, message in placed))


# -- what pydantic found ------------------------------------------------------------------------------------


def _once(errors: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """A key with a typo in it is not told a second time as missing."""
    typos = [error["loc"] for error in errors if error["type"] == "extra_forbidden"]

    def is_typo(loc: Place) -> bool:
        return any(typo[:-1] == loc[:-1] and nearest(str(typo[-1]), [str(loc[-1])]) for typo in typos)

    return [error for error in errors if error["type"] != "missing" or not is_typo(error["loc"])]


def _explained(error: ErrorDetails, document: dict[str, Value], lines: Lines) -> Problem:
    """One finding in the words of whoever writes scenarios."""
    place = lines.known(error["loc"])
    name = _named(place)
    given = _at(document, place)
    match error["type"]:
        case "extra_forbidden":
            key = str(place[-1])
            return Problem(place, f'unknown key "{key}"{_inside(place[:-1])}{nearest(key, _keys())}')
        case "missing":
            missing = error["loc"][-1]
            return Problem(place, f'"{missing}" is missing{_inside(place)}')
        case "literal_error" | "enum":
            choices = re.findall("'([^']*)'", str((error.get("ctx") or {}).get("expected", "")))
            return Problem(place, f'{name}: "{given}" is none of {", ".join(choices)}{nearest(str(given), choices)}')
        case "string_type":
            hint = "" if given is None or isinstance(given, list | dict) else f": put {given} in quotes"
            return Problem(place, f"{name} must be a text{hint}")
        case "string_pattern_mismatch" if place[-1] in ("at", "ago"):
            return Problem(place, f'{name}: "{given}" {_DURATION_HINT}')
        case "string_pattern_mismatch" if place == ("name",):
            return Problem(place, f'name: "{given}" must be 3 to 61 of a-z, 0-9 and _, a letter first')
        case "timezone_aware":
            return Problem(place, f'{name}: "{given}" has no time zone: write 2026-11-24T17:30:00+00:00')
        case "value_error":
            return Problem(place, f"{name} {error['msg'].removeprefix('Value error, ')}")
        case _:
            return Problem(place, f"{name}: {error['msg'][:1].lower()}{error['msg'][1:]}")


def _at(document: Value, place: Place) -> Value:
    value = document
    for step in place:
        if isinstance(value, dict):
            value = value[str(step)]
        elif isinstance(value, list):
            value = value[int(step)]
    return value


def _named(place: Place) -> str:
    """``events[2].at``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".") or "the scenario"


def _inside(place: Place) -> str:
    return f" in {_named(place)}" if place else ""


@cache
def _keys() -> tuple[str, ...]:
    """Every key of a scenario, wherever it may stand."""
    parts, found = [Part], list[str]()
    while parts:
        part = parts.pop()
        parts += part.__subclasses__()
        found += part.model_fields
    return tuple(dict.fromkeys(found))


# -- words --------------------------------------------------------------------------------------------------


def _located(path: Path, line: int, message: str) -> str:
    return f"{shown_path(path)}:{line}: {re.sub(r'\s+', ' ', message)}"


def shown_path(path: Path) -> str:
    """Relative to where one is, where it can be."""
    resolved, here = path.resolve(), Path.cwd()
    return str(resolved.relative_to(here)) if resolved.is_relative_to(here) else str(path)
