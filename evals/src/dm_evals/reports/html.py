"""The report as one HTML file: no address outside of it, nothing loaded, nothing sent.

    html/page.html.j2 + page.css + page.js ──▶ one file, with a Content-Security-Policy that forbids every fetch

Everything people, models and platforms wrote is text: the template escapes it (autoescape), the script never makes
HTML, and no attribute that runs code is made of it. The page reads without its script too; only filters need it.
"""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dm_evals.baseline import Baseline
from dm_evals.gate import GateDecision
from dm_evals.mutants.measure import Measured
from dm_evals.reports.history import DRAWN, Entry, points
from dm_evals.reports.html_view import page
from dm_evals.reports.words import ORIGIN_MEANS, printable
from dm_evals.results import Report

FOLDER: Final = "page"


def write(
    report: Report,
    baseline: Baseline | None,
    path: Path,
    decision: GateDecision | None = None,
    before: Report | None = None,
    held_out: Measured | None = None,
    history: tuple[Entry, ...] = (),
) -> None:
    """Write the page. ``before``: an earlier report (``report_json.load``) to show each conversation beside."""
    path.write_text(to_html(report, baseline, decision, before, held_out, history), encoding="utf-8", errors="replace")


def to_html(
    report: Report,
    baseline: Baseline | None,
    decision: GateDecision | None = None,
    before: Report | None = None,
    held_out: Measured | None = None,
    history: tuple[Entry, ...] = (),
) -> str:
    """The page; the same values give the same text."""
    template = _environment().get_template("page.html.j2")
    return template.render(
        page=page(report, baseline, decision, before),
        held_out=held_out,
        history=history[-DRAWN:],
        points=points(history),
        means=ORIGIN_MEANS,
        style=_own("page.css"),
        script=_own("page.js"),
    )


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("dm_evals.reports", FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    made.filters["money"] = _money
    made.filters["known"] = _known
    return made


def _money(usd: float | None) -> str:
    return "unknown" if usd is None else f"${usd:.4f}"


def _known(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


def _finalize(value: object) -> object:
    """Control characters are dropped from every text, wherever the template prints it; our own markup is kept."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _own(name: str) -> Markup:
    """A file of this package, put in as it is: it is ours, not data."""
    return Markup(files("dm_evals.reports").joinpath(FOLDER, name).read_text(encoding="utf-8"))  # noqa: S704
