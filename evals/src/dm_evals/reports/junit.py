"""The report as JUnit XML, in the shape Jenkins and its like read (xunit-plugin's ``junit-10.xsd``).

    testsuites ─ testsuite (one a run) ─ properties
                                       └ testcase (one a trial) ─ skipped | error | failure ─ system-out (conversation)

A failure is ``failure``; errored and stale are ``error``, as are broken files and a run without a case that counts.
A scenario that was not reviewed is ``skipped``, whatever came of it: it counts nowhere.
"""

from collections import Counter
from datetime import datetime
from typing import Final
from xml.etree import ElementTree as ET

from dm_evals.reports.words import MODES, printable, shares
from dm_evals.results import Check, Outcome, Report, TrialResult

SUITE: Final = "dm_evals"
_ELEMENT: Final = {Outcome.FAIL: "failure", Outcome.ERRORED: "error", Outcome.STALE: "error"}


def to_xml(report: Report) -> str:
    """The document, to be written in UTF-8."""
    cases = ET.Element("cases")
    for result in report.results:
        _case(cases, result)
    counted = any(result.counts and result.outcome is not Outcome.SKIPPED for result in report.results)
    for problem in (*report.problems, *([] if counted else ["not one scenario that counts was run"])):
        case = _add(cases, "testcase", name=problem, classname=f"{SUITE}.files", time="0.000")
        _add(case, "error", type="problem", message=problem)
    counts = Counter(child.tag for case in cases for child in case)
    totals = {
        "tests": str(len(cases)),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "time": f"{report.seconds:.3f}",
    }
    stamp = {"timestamp": at} if (at := _stamp(report.started_at)) else {}
    root = ET.Element("testsuites", {"name": f"{SUITE} {report.mode}", **totals})
    suite = _add(root, "testsuite", name=f"{SUITE}.{report.mode}", **totals, skipped=str(counts["skipped"]), **stamp)
    told = {
        "mode": report.mode,
        "meaning": MODES[report.mode],
        "model": report.model,
        "prompt_hash": report.prompt_hash,
        **{f"turns.{share.origin}": str(share.turns) for share in shares(report)},
    }
    properties = _add(suite, "properties")
    for name, value in told.items():
        _add(properties, "property", name=name, value=value)
    suite.extend(cases)
    ET.indent(root, " ")
    return ET.tostring(root, encoding="utf-8", xml_declaration=True).decode() + "\n"


def _add(parent: ET.Element, tag: str, text: str = "", **attributes: str) -> ET.Element:
    """A child, with nothing in it that XML refuses."""
    child = ET.SubElement(parent, tag, {name: printable(value) for name, value in attributes.items()})
    child.text = printable(text) or None
    return child


def _case(cases: ET.Element, result: TrialResult) -> None:
    name, tag = f"{result.scenario} t{result.trial}", result.tags[0] if result.tags else "untagged"
    seconds = f"{result.observation.seconds:.3f}"
    case = _add(cases, "testcase", name=name, classname=f"{SUITE}.{tag}", time=seconds)
    message = result.reason or ", ".join(check.name for check in result.broken) or str(result.outcome)
    if not result.counts:
        _add(case, "skipped", message=f"not reviewed, so it does not count: {result.outcome}")
    elif result.outcome is Outcome.SKIPPED:
        _add(case, "skipped", message=message)
    elif result.outcome is not Outcome.PASS:
        broken = "\n\n".join(map(_check, result.broken))
        _add(case, _ELEMENT[result.outcome], broken, type=str(result.outcome), message=message)
    if result.outcome is not Outcome.PASS:
        said = (f"{each.author}: {each.text}" + _aside(each.detail) for each in result.observation.bubbles)
        _add(case, "system-out", "\n".join(said))


def _aside(detail: str) -> str:
    return f"  -> {detail}" if detail else ""


def _check(check: Check) -> str:
    lines = [f"{check.name}: {check.verdict}", f"  expected: {check.expected}", f"  observed: {check.observed}"]
    return "\n".join([*lines, *([f"  nearest:  {check.nearest}"] if check.nearest else [])])


def _stamp(started_at: str) -> str:
    """``xs:dateTime``; nothing where the report does not say."""
    try:
        return datetime.fromisoformat(started_at).isoformat(timespec="seconds")
    except ValueError:
        return ""
