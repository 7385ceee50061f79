"""The command line. What is typed wrong is answered in one line with the nearest name, and exit code 2.

    python -m dm_evals run [--tags a,b] [--scenario NAME …] [--allow-stale] [--junit P] [--json P] [--html P] …
    python -m dm_evals author SCENARIO [--trial N] < turns.yaml
    python -m dm_evals refresh [SCENARIO …] --parts system,tools
    python -m dm_evals record [SCENARIO …] [--trials K] [--model M] [--base-url URL]
    python -m dm_evals schema

Commands that other modules bring (``live``, ``mutants``, ``scenario-from``) are loaded when they are asked for: a
module with ``add_arguments(parser)`` and ``main(args) -> exit code``.

Exit codes: 0 all that counts passed and the gate held; 1 the gate is broken; 2 it could not be judged.
"""

import argparse
import importlib
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NoReturn, cast

from dm_core.errors import Misconfigured, StoreUnavailable
from dm_evals.reading import Unusable, nearest
from dm_evals.reports.words import in_any_encoding
from dm_evals.results import NOT_JUDGED

EVALS: Final = Path(__file__).parents[3]

_OTHERS: Final = {
    "live": ("live.command", "play k trials against a real model, and compare"),
    "local": ("live.local", "play every scenario against a real, small model on this machine"),
    "mutants": ("mutants.measure", "evaluate the evals: bad agents and harmless variants"),
    "history": ("reports.history", "note a run in the history of deployments"),
    "held-out": ("mutants.measure:held_out", "detection and false alarms of code alone, on strangers' agents"),
    "scenarios-from": ("production.queue", "sample stored threads and queue them for review"),
    "scenarios-reviewed": ("production.queue:reviewed", "move what was reviewed to the scenarios and the labels"),
    "scenarios-queue": ("production.review", "what waits for review, as JSON (the studio of make dev shows it)"),
    "scenario-review": ("production.review:keep", "keep a review of one of them, JSON on stdin"),
    "scenario-from": ("production.command", "make a scenario of a stored thread"),
}


class Parser(argparse.ArgumentParser):
    """Answers a typo in one line with the nearest name."""

    def error(self, message: str) -> NoReturn:
        typed = re.search(r"unrecognized arguments: (\S+)|invalid choice: '([^']*)'", message)
        hint = ""
        if typed:
            word = typed.group(1) or typed.group(2)
            hint = nearest(word.partition("=")[0], sorted(_words(self)))
            message = f"unknown option {word}" if typed.group(1) else f'there is no command "{word}"'
        self.exit(NOT_JUDGED, f"{self.prog}: {message}{hint}\n")


def _words(parser: argparse.ArgumentParser) -> set[str]:
    """Options and commands of a parser, and of those below it."""
    words: set[str] = set()
    for action in parser._actions:  # there is no other way to ask
        words.update(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):  # pyright: ignore[reportPrivateUsage]
            below = cast("dict[str, argparse.ArgumentParser]", action.choices)  # pyright: ignore[reportUnknownMemberType]
            words.update(below, *(_words(each) for each in below.values()))
    return words


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        in_any_encoding(stream)
    try:
        args = _parser(given[0] if given else "").parse_args(given)
        command = cast("Callable[[argparse.Namespace], int]", args.command)
        return command(args)
    except (Unusable, Misconfigured, StoreUnavailable) as error:
        for line in error.args:
            print(line, file=sys.stderr)
        return NOT_JUDGED
    except KeyboardInterrupt:
        return NOT_JUDGED
    except SystemExit as ended:  # so rich ends where its reader went away, with the code of a broken gate
        if ended.code != 1:
            raise
        return NOT_JUDGED
    except OSError as error:  # a full disk, a reader that went away, a folder in the place of a report
        if error.filename is None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still buffered would fail once more
        print(f"{error.filename or 'the output'} can't be read or written ({error.strerror})", file=sys.stderr)
        return NOT_JUDGED


def _parser(asked: str) -> Parser:
    parser = Parser(
        prog="python -m dm_evals", description="Scores the agent against recorded DM scenarios.", allow_abbrev=False
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

    def command(name: str, about: str, run: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
        added.set_defaults(command=_lazily(run))
        return added

    run = command("run", "replay the recordings, check, and decide by the gate", "cli.run:run_command")
    _folders(run)
    run.add_argument("--tags", type=names, default=(), help="only scenarios with one of these tags: a,b")
    run.add_argument("--scenario", nargs="+", action="extend", default=[], metavar="NAME")
    run.add_argument("--allow-stale", action="store_true", help="answer stale turns by position; they stay stale")
    add_report_options(run)
    run.add_argument("--rulings", type=Path, default=EVALS / "rulings", help="the judge's recordings")

    told = "write a recording from hand-written turns (YAML on stdin)"
    author = command("author", told, "cli.recordings:author_command")
    _folders(author)
    author.add_argument("scenario", metavar="SCENARIO")
    author.add_argument("--trial", type=_whole, default=1)
    author.add_argument("--user", type=Path, metavar="FILE", help="what the simulated user says: - {text: …} a message")

    told = "bring recordings up to a changed request, in named parts only"
    refresh = command("refresh", told, "cli.recordings:refresh_command")
    _folders(refresh)
    refresh.add_argument("scenario", nargs="*", metavar="SCENARIO")
    refresh.add_argument("--parts", required=True, help="such as system,tools or contents[0]")

    record = command("record", "record the model's answers anew", "cli.recordings:record_command")
    _folders(record)
    record.add_argument("scenario", nargs="*", metavar="SCENARIO")
    record.add_argument("--trials", type=_whole, default=1)
    record.add_argument("--model", help="another model than production's")
    record.add_argument("--user", metavar="MODEL", help="the model that plays the simulated users")
    record.add_argument("--base-url", help="another server than Gemini's, in its shape")

    rulings = command("rulings", "what the judge still has to say, and writing it down", "cli.rulings:rulings_command")
    _folders(rulings)
    rulings.add_argument("scenario", nargs="*", metavar="SCENARIO")
    rulings.add_argument("--rulings", type=Path, default=EVALS / "rulings")
    who = rulings.add_mutually_exclusive_group()
    who.add_argument("--authored", type=Path, metavar="FILE", help="rulings of a person, as YAML; - is standard input")
    who.add_argument("--model", help="ask this model, with GEMINI_API_KEY")
    rulings.add_argument("--agreement", action="store_true", help="only measure --model on what people ruled")
    rulings.add_argument("--general", action="store_true", help="the general rubric too, where nobody ruled on it yet")
    rulings.add_argument("--base-url", help="another server than Gemini's, in its shape")

    command("schema", "write the JSON schema of scenarios", "cli.recordings:schema_command")
    for name, (place, about) in _OTHERS.items():
        added = command(name, about, place)
        if name == asked:
            _function(place, "add_arguments")(added)
    return parser


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """What becomes of a run's results, for ``cli.run.finish``."""
    for kind in ("junit", "json", "html", "markdown"):
        parser.add_argument(f"--{kind}", type=Path, metavar="PATH")
    parser.add_argument("--before", type=Path, metavar="PATH", help="an earlier --json, side by side in --html")
    parser.add_argument("--held-out", type=Path, metavar="PATH", help="what held-out --json wrote, for --html")
    parser.add_argument("--history", type=Path, default=EVALS / "history.jsonl", help="earlier deployments, for --html")
    parser.add_argument("--gate", type=Path, default=EVALS / "gate.yaml")
    parser.add_argument("--baseline", type=Path, default=EVALS / "baseline.json")
    parser.add_argument("--update-baseline", action="store_true")
    parser.add_argument("--no-gate", action="store_true", help="decide by the results alone: all must pass")


def _folders(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scenarios", type=Path, default=EVALS / "scenarios", metavar="DIR")
    parser.add_argument("--recordings", type=Path, default=EVALS / "recordings", metavar="DIR")


def _lazily(place: str) -> Callable[[argparse.Namespace], int]:
    """``module:function`` of this package, loaded when it is called."""
    return lambda args: cast("int", _function(place)(args))


def _function(place: str, name: str = "") -> Callable[[object], object]:
    """``module:function``; or another function of that module."""
    module, _, function = place.partition(":")
    return getattr(importlib.import_module(f"dm_evals.{module}"), name or function or "main")


def names(text: str) -> tuple[str, ...]:
    """``a,b``; nothing at all for an empty text, which is no choice."""
    found = tuple(name.strip() for name in text.split(",") if name.strip())
    if text.strip() and not found:
        raise argparse.ArgumentTypeError(f"{text!r} names nothing")
    return found


def _whole(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)
