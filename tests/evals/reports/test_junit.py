"""JUnit XML in the shape of xunit-plugin's junit-10.xsd; what is no pass is never green."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from dm_evals.reports.junit import to_xml
from dm_evals.results import Outcome, Report
from tests.evals.reports.report_samples import INJECTION, many, passing, report, result, sample, skipped

# Of junit-10.xsd: for each element the attributes it must and may have, and the children it may have.
SHAPE: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"},
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, set(), set()),
    "testcase": ({"name"}, {"time", "classname", "group"}, {"skipped", "error", "failure", "system-out", "system-err"}),
    "skipped": (set(), {"type", "message"}, set()),
    "error": (set(), {"type", "message"}, set()),
    "failure": (set(), {"type", "message"}, set()),
    "system-out": (set(), set(), set()),
}
SUREFIRE_TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")
WITH_TEXT = {"error", "failure", "skipped", "system-out"}


def misshapen(element: ET.Element) -> list[str]:
    """What the schema would refuse."""
    if element.tag not in SHAPE:
        return [f"unknown element {element.tag}"]
    must, may, children = SHAPE[element.tag]
    found = [f"{element.tag} lacks {name}" for name in must - set(element.keys())]
    found += [f"{element.tag} must not have {name}" for name in set(element.keys()) - must - may]
    if element.tag.startswith("testsuite") and not SUREFIRE_TIME.fullmatch(element.get("time", "")):
        found.append(f"{element.tag} has the time {element.get('time')}")
    if element.tag not in WITH_TEXT and (element.text or "").strip():
        found.append(f"{element.tag} has a text")
    for child in element:
        found += [] if child.tag in children else [f"{child.tag} in {element.tag}"]
        found += misshapen(child)
    return found


def suite_of(made: Report) -> ET.Element:
    found = ET.fromstring(to_xml(made)).find("testsuite")  # noqa: S314 - made here
    assert found is not None
    return found


def case_of(made: Report, name: str) -> ET.Element:
    (found,) = (case for case in suite_of(made).iter("testcase") if case.get("name") == name)
    return found


@pytest.mark.parametrize("made", [sample(), many(), passing(), passing(0), replace(sample(), seconds=12_345.6)])
def test_it_has_the_common_shape(made: Report) -> None:
    assert misshapen(ET.fromstring(to_xml(made))) == []  # noqa: S314 - made here


def test_the_shape_can_be_missed() -> None:
    assert misshapen(ET.fromstring("<testsuite name='x' tests='1' failures='0' skips='1'><b/></testsuite>"))  # noqa: S314


@pytest.mark.parametrize(
    ("name", "child"),
    [
        ("invents_a_session t1", "failure"),
        ("injury_ankle t1", "error"),
        ("price_question t1", "error"),
        ("rain_today t1", "skipped"),
        ("injection_in_dm t1", "skipped"),
    ],
)
def test_each_outcome_has_its_own_element(name: str, child: str) -> None:
    assert [each.tag for each in case_of(sample(), name)] == [child, "system-out"]


def test_a_pass_has_nothing_in_it() -> None:
    assert list(case_of(sample(), "net_session_question t1")) == []


def test_a_failure_says_what_was_expected_seen_and_nearest() -> None:
    failure = case_of(sample(), "invents_a_session t1").find("failure")

    assert failure is not None
    assert failure.get("message") == "calls.required, reply.dates"
    assert "expected: send_instagram_message(text contains" in (failure.text or "")
    assert "nearest:  turn 2, send_instagram_message" in (failure.text or "")


@pytest.mark.parametrize("made", [sample(), many(), passing()])
def test_the_totals_are_those_of_its_elements(made: Report) -> None:
    suite = suite_of(made)

    for total, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"), ("tests", "testcase")):
        assert int(suite.attrib[total]) == len(list(suite.iter(tag))), total


@pytest.mark.parametrize(
    "made",
    [
        passing(0),
        report([skipped()]),
        report([result("not_looked_at", counts=False)]),
        replace(passing(), problems=("evals/scenarios/kit.yaml:3: no YAML",)),
    ],
)
def test_nothing_run_and_broken_files_are_red(made: Report) -> None:
    assert int(suite_of(made).attrib["errors"]) == 1


def test_it_says_which_mode_and_where_the_turns_come_from() -> None:
    told = {each.get("name"): each.get("value") for each in suite_of(sample()).iter("property")}

    assert told["mode"] == "replay"
    assert (told["turns.authored"], told["turns.recorded"], told["turns.live"]) == ("5", "5", "0")


def test_hostile_texts_are_only_text() -> None:
    root = ET.fromstring(to_xml(many()))  # noqa: S314 - made here

    assert not {"script", "img", "svg"} & {element.tag for element in root.iter()}
    assert INJECTION in (case_of(many(), "injection_in_dm t1").findtext("system-out") or "")


def test_a_trial_without_any_check_says_its_outcome() -> None:
    bare = replace(result("bare"), outcome=Outcome.ERRORED, checks=())

    error = case_of(report([bare]), "bare t1").find("error")

    assert error is not None
    assert error.get("message") == "errored"
