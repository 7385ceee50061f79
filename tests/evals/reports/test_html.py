"""The page as a text: complete, self-contained, and nothing in it runs but our own script."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dm_evals.mutants.measure import load_measured
from dm_evals.observation import Bubble
from dm_evals.reading import Unusable
from dm_evals.reports.html import to_html
from dm_evals.results import Report
from tests.evals.reports.report_samples import (
    INJECTION,
    baseline,
    before,
    bubbles,
    decision,
    many,
    observed,
    passing,
    report,
    result,
    sample,
)

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
VOID = {"meta", "input", "br", "link", "img", "source"}
ADDRESSES = {"src", "href", "action", "srcset", "data", "poster", "formaction", "ping", "background"}


class Elements(HTMLParser):
    """Every element with its attributes; ``texts`` of all but scripts and styles; ``open`` at the end."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.misnested: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.misnested.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.texts.append(data)


def whole(made: Report) -> Elements:
    return Elements(to_html(made, baseline(), decision(), before()))


def test_it_forbids_every_fetch() -> None:
    policies = [
        a.get("content") for _, a in whole(sample()).elements if a.get("http-equiv") == "Content-Security-Policy"
    ]

    assert policies == [POLICY]


def test_it_refers_to_nothing_outside_of_itself() -> None:
    text = to_html(many(), baseline(), decision(), before())
    found = [(tag, attrs[name]) for tag, attrs in Elements(text).elements for name in attrs if name in ADDRESSES]

    assert found == [("a", "#scenarios")]
    assert not re.search(r"https?://|url\(|@import", text)


def test_every_element_is_closed() -> None:
    page = whole(many())

    assert (page.open, page.misnested) == ([], [])


def test_the_only_script_is_its_own_and_no_attribute_runs_code() -> None:
    page = whole(sample())

    assert [tag for tag, _ in page.elements if tag in ("script", "img", "svg", "iframe")] == ["script"]
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]


def test_hostile_texts_are_shown_as_they_are_written() -> None:
    assert any(INJECTION in text for text in whole(sample()).texts)


def test_ids_are_unique() -> None:
    ids = [attrs["id"] for _, attrs in whole(many()).elements if "id" in attrs]

    assert len(ids) == len(set(ids))


def test_it_says_mode_shares_gate_and_baseline() -> None:
    text = " ".join(" ".join(whole(sample()).texts).split())

    for part in ("this run tests our code", "50 % authored", "0 % live", "failed: invents_a_session", "1 of 1 passed"):
        assert part in text


def test_without_a_baseline_it_says_so() -> None:
    assert "There is no baseline file." in to_html(sample(), None)


def test_a_baseline_of_counts_tells_then_and_now() -> None:
    text = to_html(sample(), baseline())

    assert "Baseline: then 1 of 1 passed, now 0 of 1 passed (it keeps counts, no conversations)." in text


def test_no_scenario_at_all_is_called_a_failure() -> None:
    text = to_html(passing(0), None)

    assert "That is a failure, not a pass." in text
    assert 'class="top unknown"' in text


@pytest.mark.parametrize(("made", "state"), [(passing(), "undecided"), (sample(), "broken")])
def test_without_the_gates_word_nothing_is_held(made: Report, state: str) -> None:
    assert f'class="top {state}"' in to_html(made, None)


def test_broken_files_alone_are_not_held() -> None:
    assert 'class="top unknown"' in to_html(replace(passing(), problems=("x.yaml: broken",)), None)


def test_impossible_times_zones_and_dates_are_no_crash() -> None:
    odd = observed("odd", 1, (Bubble(10**18, "person", "late"), *bubbles(("bot", "ok"))), time_zone="Mars/Base")

    text = to_html(replace(report([result("odd", observation=odd)]), started_at="some day"), None)

    assert "late" in text
    assert "some day" in text


def test_times_are_those_of_the_scenarios_zone() -> None:
    seen = observed("far", time_zone="Asia/Kolkata")

    assert ">23:00:00<" in to_html(report([result("far", observation=seen)]), None)


def test_control_characters_and_halves_of_emoji_are_no_crash() -> None:
    seen = observed("odd", 1, bubbles(("person", "a\x00b \ud83d")))

    page = to_html(report([result("odd", observation=seen, reason="\ud83d")]), None)

    assert "\x00" not in page
    assert "a\ufffdb \ufffd" in page


def test_the_same_report_gives_the_same_page() -> None:
    assert to_html(many(), baseline()) == to_html(many(), baseline())


@pytest.mark.parametrize(("code", "state"), [(0, "held"), (1, "broken"), (2, "unknown")])
def test_with_a_gate_its_word_is_the_pages_state(code: int, state: str) -> None:
    assert f'class="top {state}"' in to_html(passing(), None, replace(decision(), exit_code=code))


def test_the_rates_of_the_checks_and_what_they_tell_wrong_are_on_the_page(tmp_path: Path) -> None:
    row = {"name": "half_six", "scenario": "nets", "reason": "<b>late</b>", "word": "caught", "broken": ["rule.hours"]}
    row |= {"shown": "", "caught_by": ""}
    file = tmp_path / "held_out.json"
    file.write_text(json.dumps({"bad": [row, {**row, "word": "judge"}], "harmless": [{**row, "word": "passed"}] * 3}))

    text = to_html(sample(), None, held_out=load_measured(file))

    assert "Detection: 100.0% (1 of 1; 95 % interval 20.7% to 100.0%)" in text
    assert "False alarms: 0.0% (0 of 3" in text
    assert "&lt;b&gt;late&lt;/b&gt;" in text


def test_rates_that_are_none_are_told(tmp_path: Path) -> None:
    file = tmp_path / "held_out.json"
    file.write_text("{}")

    with pytest.raises(Unusable, match=r"held_out\.json is not what `make evals-held-out` writes"):
        load_measured(file)
