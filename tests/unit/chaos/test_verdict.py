"""The judge of a storm knows every crime when it sees it."""

from dataclasses import replace

import pytest

from dm_core.alerts import AskedAlert, alert_id
from dm_core.messages import Content, Direction, Disposition, Message, Status
from dm_core.runs import Action, ActionKind, ActionState, Run
from dm_core.threads import Lease, Thread
from dm_sandbox.chaos.ledger import Account
from dm_sandbox.chaos.people import AcknowledgedDm
from dm_sandbox.chaos.verdict import Crime, Evidence, judge
from dm_sandbox.platforms.instagram import Reaction
from dm_sandbox.platforms.mailbox import SentMessage
from dm_sandbox.platforms.whatsapp import Alert

THREAD, USER = "17_55", "55"
LETTER = AcknowledgedDm(1, THREAD, "mid-1")
ANSWER = SentMessage("mid-9", "17", USER, "Answer 1: thank you for DM 1", 5, by_api=True)
SEND = Action("r/0/0", ActionKind.SEND, ANSWER.text, 0, 0, state=ActionState.DONE, started_at=4, platform_id=ANSWER.mid)
NOTICE = AskedAlert("r/uncertain", "please look", "uncertain")
ALERT = Alert("wamid", "44", "please look", None, alert_id(NOTICE.key), 6)
DIGEST = Alert("wamid", "44", "2 alerts: please look, and look again", None, alert_id("digest/1"), 6)
RUN = Run("r", "task", 1, (LETTER.id,), "hash", actions=(SEND,), ending="answered")
DM = Message(
    LETTER.id, THREAD, LETTER.mid, Direction.INBOUND, Status.PROCESSED, Content(text="DM 1: what about this?"), 1, 2, 7
)
GOOD = Evidence(
    (LETTER,), frozenset({1}), (ANSWER,), (), (), {THREAD: Account(Thread(THREAD, "17", USER), (DM,), (RUN,))}
)


def _with(*, thread: Thread | None = None, message: Message | None = None, run: Run | None = None) -> Evidence:
    """The good evidence with one part of the store's account changed."""
    known = Thread(THREAD, "17", USER)
    return replace(GOOD, accounts={THREAD: Account(thread or known, (message or DM,), (run or RUN,))})


def _crimes(evidence: Evidence) -> set[Crime]:
    return {finding.crime for finding in judge(evidence)}


def test_a_dm_that_was_answered_once_is_no_crime() -> None:
    assert judge(GOOD) == []


def test_a_dm_of_unknown_fate_is_no_crime_if_the_manager_was_told() -> None:
    uncertain = replace(SEND, state=ActionState.UNCERTAIN, platform_id=None)
    told = replace(RUN, ending="uncertain", actions=(uncertain,), alerts=(NOTICE,))
    evidence = _with(message=replace(DM, disposition=Disposition.UNCERTAIN), run=told)

    assert judge(replace(evidence, alerts=(ALERT,))) == []
    assert judge(replace(evidence, alerts=(ALERT, ALERT))) == []
    assert judge(replace(evidence, alerts=(DIGEST,))) == []
    assert _crimes(_with(message=replace(DM, disposition=Disposition.UNCERTAIN))) == {Crime.LOST}


LOST = {
    "not in the store": replace(GOOD, accounts={THREAD: Account(Thread(THREAD, "17", USER), (), (RUN,))}),
    "thread not in the store": replace(GOOD, accounts={}),
    "still processing": _with(message=replace(DM, status=Status.PROCESSING)),
    "in no run": _with(run=replace(RUN, message_ids=())),
    "never shown": replace(GOOD, shown=frozenset[int]()),
    "not answered": replace(GOOD, sent=()),
    "closed as a human's": _with(message=replace(DM, disposition=Disposition.HUMAN)),
    "alert that never came": _with(run=replace(RUN, alerts=(NOTICE,))),
    "failed in silence": _with(message=replace(DM, status=Status.FAILED)),
}


@pytest.mark.parametrize("evidence", LOST.values(), ids=LOST)
def test_a_lost_dm_is_found(evidence: Evidence) -> None:
    assert Crime.LOST in _crimes(evidence)


OTHER_ANSWER = replace(ANSWER, mid="mid-10", text="Answer 2: thank you for DM 1")
REACTION = Reaction(USER, LETTER.mid, "love", 5)
DOUBLED = {
    "the same text": replace(GOOD, sent=(ANSWER, replace(ANSWER, mid="mid-10"))),
    "another answer to the same DM": replace(GOOD, sent=(ANSWER, OTHER_ANSWER)),
    "a reaction": replace(GOOD, reactions=(REACTION, REACTION)),
    "an alert, too often": replace(GOOD, alerts=(ALERT,) * 4),
    "a run": replace(
        GOOD, accounts={THREAD: Account(Thread(THREAD, "17", USER), (DM,), (RUN, replace(RUN, id="r2", actions=())))}
    ),
}


@pytest.mark.parametrize("evidence", DOUBLED.values(), ids=DOUBLED)
def test_a_double_effect_is_found(evidence: Evidence) -> None:
    assert Crime.DUPLICATE in _crimes(evidence)


UNTRUE = {
    "done but not sent": replace(GOOD, sent=()),
    "dropped but sent": _with(run=replace(RUN, actions=(replace(SEND, state=ActionState.DROPPED),))),
    "sent by no run": _with(run=replace(RUN, actions=())),
    "sent to somebody else": replace(GOOD, sent=(replace(ANSWER, to_id="56"),)),
    "paused for nobody": _with(thread=Thread(THREAD, "17", USER, paused_until=9)),
}


@pytest.mark.parametrize("evidence", UNTRUE.values(), ids=UNTRUE)
def test_a_store_that_does_not_tell_the_truth_is_found(evidence: Evidence) -> None:
    assert Crime.UNTRUE in _crimes(evidence)


RESTLESS = {
    "leased": Thread(THREAD, "17", USER, lease=Lease("r", "task", 9)),
    "run unfinished": Thread(THREAD, "17", USER, run=RUN),
    "due": Thread(THREAD, "17", USER, due_at=9),
}


@pytest.mark.parametrize("thread", RESTLESS.values(), ids=RESTLESS)
def test_a_thread_that_never_comes_to_rest_is_found(thread: Thread) -> None:
    assert _crimes(_with(thread=thread)) == {Crime.UNREST}
