"""The report as one HTML file: no address outside of it, nothing loaded, nothing sent.

    page/page.html.j2 + page.css + page.js ──▶ one file, with a Content-Security-Policy that forbids every fetch

Everything people, models and platforms wrote is text: the template escapes it (autoescape), the script never makes
HTML, and no attribute that runs code is made of it. The page reads without its script too; only filters need it.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from functools import cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from dm_evals.baseline import Baseline, changes
from dm_evals.gate import GateDecision, exit_code
from dm_evals.mutants.measure import Measured
from dm_evals.observation import Bubble, Observation
from dm_evals.reports.history import DRAWN, Entry, points
from dm_evals.reports.words import MODES, ORIGIN_MEANS, OUTCOMES, causes, printable, shares, unreviewed, why
from dm_evals.results import HELD, Outcome, Report, TrialResult

FOLDER: Final = "page"
MARKS: Final = {
    Outcome.PASS: "✓",
    Outcome.FAIL: "✗",
    Outcome.ERRORED: "!",
    Outcome.STALE: "↻",
    Outcome.SKIPPED: "–",
}
"""Beside the word, so that colour is never the only sign."""
WHO: Final = {
    "person": "Person",
    "bot": "Bot",
    "human": "Club (a human)",
    "manager": "To the manager, on WhatsApp",
    "tool": "Tool call",
}
LONG: Final = 160
"""Characters of a tool call or its result above which it is folded."""
_TROUBLE_FIRST: Final = (Outcome.FAIL, Outcome.ERRORED, Outcome.STALE, Outcome.SKIPPED, Outcome.PASS)
_STATES: Final = ("held", "broken", "unknown")
"""By exit code."""


def to_html(
    report: Report,
    baseline: Baseline | None,
    decision: GateDecision | None = None,
    before: Report | None = None,
    held_out: Measured | None = None,
    history: tuple[Entry, ...] = (),
) -> str:
    """The page; the same values give the same text. ``before``: an earlier report to show each conversation beside."""
    against = changes(baseline, report) if baseline is not None else ()
    code = exit_code(report, decision)
    outcomes = [(str(each), str(each), MARKS[each], report.counts[each]) for each in OUTCOMES]
    return _template().render(
        report=report,
        sentence=MODES[report.mode],
        decision=decision,
        state="undecided" if decision is None and code == HELD else _STATES[code],
        tallies=(*outcomes, ("unreviewed", "not reviewed", "?", unreviewed(report))),
        tags=_tags(report),
        shares=shares(report),
        causes=causes(report.results),
        baseline=baseline,
        changes=[change for change in against if change.kind not in ("same", "new")],
        new=[change.scenario for change in against if change.kind == "new"],
        change_of={change.scenario: change for change in against},
        before=before,
        earlier={(each.scenario, each.trial): each for each in before.results} if before else {},
        results=sorted(report.results, key=_by_trouble),
        held_out=held_out,
        history=history[-DRAWN:],
        points=points(history),
    )


@cache
def _template() -> Template:
    made = Environment(
        loader=PackageLoader("dm_evals.reports", FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    made.filters.update(printable=printable, day=_day, diff_kind=_diff_kind, money=_money, known=_known)
    functions = {"lines": _lines, "searched": _searched, "reason": _reason, "why": why}
    words = {"marks": MARKS, "who": WHO, "means": ORIGIN_MEANS, "long": LONG}
    own = {"style": _own("page.css"), "script": _own("page.js")}
    return made.get_template("page.html.j2", globals={**functions, **words, **own})


def _finalize(value: object) -> object:
    """Control characters are dropped from every text, wherever the template prints it; our own markup is kept."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _own(name: str) -> Markup:
    """A file of this package, put in as it is: it is ours, not data."""
    return Markup(files("dm_evals.reports").joinpath(FOLDER, name).read_text(encoding="utf-8"))  # noqa: S704


def _by_trouble(result: TrialResult) -> tuple[bool, int, str, int]:
    """What needs a look comes first."""
    return not result.counts, _TROUBLE_FIRST.index(result.outcome), result.scenario, result.trial


def _tags(report: Report) -> list[tuple[str, int]]:
    """Tags and how many scenarios have each."""
    pairs = {(tag, result.scenario) for result in report.results for tag in result.tags}
    return sorted(Counter(tag for tag, _ in pairs).items())


def _lines(seen: Observation) -> Iterator[tuple[Bubble, datetime | None, str]]:
    """Each bubble, its moment in the scenario's zone, and the day where a new one begins."""
    zone, day = _zone(seen.time_zone), ""
    for bubble in seen.bubbles:
        at = _moment(bubble.at, zone)
        date = f"{at:%a} {at.day} {at:%b %Y}" if at is not None else ""
        yield bubble, at, date if date != day else ""
        day = date


def _moment(milliseconds: int, zone: tzinfo) -> datetime | None:
    """None where it is no time at all: a page is written whatever a trial did."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, zone)
    except (OverflowError, OSError, ValueError):
        return None


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return UTC


def _searched(result: TrialResult) -> str:
    """What the text filter looks in, in lower case."""
    words = [result.scenario, *result.tags, result.reason, *(check.name for check in result.broken)]
    words += [f"{bubble.text} {bubble.detail}" for bubble in result.observation.bubbles]
    return printable(" ".join(words)).lower()


def _reason(result: TrialResult) -> str:
    """Only where the checks do not say it already."""
    return "" if any(check.observed in result.reason for check in result.broken) else result.reason


def _diff_kind(line: str) -> str:
    if line.startswith(("+++", "---", "@@")):
        return "place"
    return {"+": "added", "-": "removed"}.get(line[:1], "same")


def _day(text: str) -> str:
    """``22 Nov 2026, 23:44 UTC``; as it is where it is no date."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{at.day} {at:%b %Y, %H:%M} {at.tzname() or ''}".strip()


def _money(usd: float | None) -> str:
    return "unknown" if usd is None else f"${usd:.4f}"


def _known(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"
