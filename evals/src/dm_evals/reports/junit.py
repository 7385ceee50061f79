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
_ELEMENT: Final = {
    Outcome.FAIL: "failure",
    Outcome.ERRORED: "error",
    Outcome.STALE: "error",
    Outcome.SKIPPED: "skipped",
}


def to_xml(report: Report) -> str:
    """The document, to be written in UTF-8."""
    cases = [_case(result) for result in report.results]
    cases += [_broken(problem) for problem in report.problems]
    if not any(result.counts and result.outcome is not Outcome.SKIPPED for result in report.results):
        cases.append(_broken("not one scenario that counts was run"))
    counts = Counter(child.tag for case in cases for child in case)
    totals = {
        "tests": str(len(cases)),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "time": _seconds(report.seconds),
    }
    root = ET.Element("testsuites", {"name": f"{SUITE} {report.mode}", **totals})
    attributes = {"name": f"{SUITE}.{report.mode}", **totals, "skipped": str(counts["skipped"])}
    if stamp := _stamp(report.started_at):
        attributes["timestamp"] = stamp
    suite = ET.SubElement(root, "testsuite", attributes)
    _properties(suite, report)
    suite.extend(cases)
    ET.indent(root, " ")
    return ET.tostring(root, encoding="utf-8", xml_declaration=True).decode() + "\n"


def _properties(suite: ET.Element, report: Report) -> None:
    properties = ET.SubElement(suite, "properties")
    told = {
        "mode": report.mode,
        "meaning": MODES[report.mode],
        "model": report.model,
        "prompt_hash": report.prompt_hash,
        **{f"turns.{share.origin}": str(share.turns) for share in shares(report)},
    }
    for name, value in told.items():
        ET.SubElement(properties, "property", {"name": name, "value": printable(value)})


def _case(result: TrialResult) -> ET.Element:
    tag = result.tags[0] if result.tags else "untagged"
    case = ET.Element(
        "testcase",
        {
            "name": printable(f"{result.scenario} t{result.trial}"),
            "classname": printable(f"{SUITE}.{tag}"),
            "time": _seconds(result.observation.seconds),
        },
    )
    if not result.counts:
        ET.SubElement(case, "skipped", {"message": printable(f"not reviewed, so it does not count: {result.outcome}")})
    elif result.outcome is not Outcome.PASS:
        _trouble(case, result)
    if result.outcome is not Outcome.PASS:
        ET.SubElement(case, "system-out").text = printable(_conversation(result))
    return case


def _trouble(case: ET.Element, result: TrialResult) -> None:
    message = result.reason or ", ".join(check.name for check in result.broken) or str(result.outcome)
    attributes = {"message": printable(message)}
    if result.outcome is Outcome.SKIPPED:
        ET.SubElement(case, "skipped", attributes)
        return
    element = ET.SubElement(case, _ELEMENT[result.outcome], {"type": str(result.outcome), **attributes})
    element.text = printable("\n\n".join(_check(check) for check in result.broken))


def _check(check: Check) -> str:
    lines = [f"{check.name}: {check.verdict}", f"  expected: {check.expected}", f"  observed: {check.observed}"]
    return "\n".join([*lines, *([f"  nearest:  {check.nearest}"] if check.nearest else [])])


def _conversation(result: TrialResult) -> str:
    bubbles = result.observation.bubbles
    return "\n".join(f"{each.author}: {each.text}" + (f"  -> {each.detail}" if each.detail else "") for each in bubbles)


def _broken(problem: str) -> ET.Element:
    """What kept scenarios from being run at all is an error of its own, so that it is red."""
    case = ET.Element("testcase", {"name": printable(problem), "classname": f"{SUITE}.files", "time": "0.000"})
    ET.SubElement(case, "error", {"type": "problem", "message": printable(problem)})
    return case


def _seconds(value: float) -> str:
    return f"{value:.3f}"


def _stamp(started_at: str) -> str:
    """``xs:dateTime``; nothing where the report does not say."""
    try:
        return datetime.fromisoformat(started_at).isoformat(timespec="seconds")
    except ValueError:
        return ""
