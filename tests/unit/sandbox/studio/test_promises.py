"""The verdicts of the page: each can be kept, open and broken."""

from dataclasses import replace

import pytest

from dm_core.alerts import Alert
from dm_core.messages import Content, Direction, Message, Status
from dm_sandbox.events import Entry
from dm_sandbox.studio.bubbles import Bubble
from dm_sandbox.studio.promises import Evidence, State, verdicts
from dm_sandbox.studio.switches import SWITCHES

NOW = 1_795_000_000_000
SAM = "819"


def dm(mid: str, at: int = NOW) -> Bubble:
    return Bubble(mid, "person", "text", "hello", at)


def stored(mid: str, status: Status = Status.PROCESSED) -> Message:
    return Message(mid, f"1_{SAM}", mid, Direction.INBOUND, status, Content(text="hello"), NOW, NOW, NOW)


def event(number: int, kind: str, run: str = "", **record: object) -> Entry:
    source = "instagram" if kind in ("send", "react") else "processor"
    return Entry(number, NOW, source, kind, kind=kind, person=SAM, run=run, record=record)


QUIET = Evidence(NOW, NOW + 60_000, {SAM: (dm("a"),)}, {"a": stored("a")}, ())
ALERT = Alert("x", f"1_{SAM}", "normal", "model", "help", NOW, NOW, NOW, NOW)


def state(evidence: Evidence, promise: str) -> State:
    return next(verdict.state for verdict in verdicts(evidence) if verdict.promise == promise)


def test_a_quiet_thread_keeps_every_promise() -> None:
    assert {verdict.state for verdict in verdicts(QUIET)} == {"kept"}


@pytest.mark.parametrize(
    ("promise", "evidence", "wanted"),
    [
        ("P1", replace(QUIET, messages={}), "open"),
        ("P2", replace(QUIET, entries=(event(1, "run_claimed", "r1"), event(2, "run_claimed", "r2"))), "broken"),
        (
            "P2",
            replace(
                QUIET,
                entries=(event(1, "run_claimed", "r1"), event(2, "run_finished", "r1"), event(3, "run_claimed", "r2")),
            ),
            "kept",
        ),
        ("P3", replace(QUIET, messages={"a": stored("a", Status.PROCESSING)}), "open"),
        ("P3", replace(QUIET, messages={"a": stored("a", Status.FAILED)}), "kept"),
        (
            "P4",
            replace(
                QUIET,
                entries=tuple(event(n, "send", "r1", processed=True, facts={"text": "hi"}) for n in (1, 2)),
            ),
            "broken",
        ),
        (
            "P6",
            replace(
                QUIET,
                bubbles={
                    SAM: (Bubble("h", "human", "text", "mine", NOW), Bubble("b", "bot", "text", "no", NOW + 20_000))
                },
            ),
            "broken",
        ),
        ("P7", replace(QUIET, entries=(event(1, "send", "r1", facts={"error": "10/2534022"}),)), "broken"),
        ("P7", replace(QUIET, entries=(event(1, "react", "r1", facts={"error": "10/2534022"}),)), "broken"),
        ("P7", replace(QUIET, entries=(event(1, "send", "r1", facts={"error": "100/2534052"}),)), "broken"),
        ("P7", replace(QUIET, entries=(event(1, "send", "r1", facts={"error": "551"}),)), "kept"),
        ("P8", replace(QUIET, alerts=(ALERT,)), "open"),
        ("P8", replace(QUIET, alerts=(replace(ALERT, delivered_at=NOW),)), "kept"),
        ("P8", replace(QUIET, alerts=(replace(ALERT, alarmed_at=NOW),)), "kept"),
    ],
)
def test_each_promise_is_judged(promise: str, evidence: Evidence, wanted: str) -> None:
    assert state(evidence, promise) == wanted


def test_what_the_bot_says_after_resume_is_its_own_right() -> None:
    bubbles = (Bubble("h", "human", "text", "mine", NOW), Bubble("b", "bot", "text", "yes", NOW + 20_000))

    assert state(replace(QUIET, bubbles={SAM: bubbles}, resumed=((SAM, NOW + 10_000),)), "P6") == "kept"


def test_every_promise_that_a_switch_tries_has_a_verdict() -> None:
    judged = {verdict.promise for verdict in verdicts(QUIET)}

    assert {promise for switch in SWITCHES for promise in switch.tries} <= judged
