"""What an operator is told of a thread, a message and a run, from what is stored."""

import json
from dataclasses import replace
from typing import Any, cast

import pytest

from dm_admin import screen
from dm_admin.views import (
    Answer,
    Reads,
    ThreadState,
    as_json,
    everywhere,
    explain,
    list_threads,
    thread_line,
    view_thread,
)
from dm_admin.views.messages import BECAUSE, LIMITED, REMEDIES, WAITED_TOO_LONG, message_view, with_switch
from dm_admin.views.runs import run_view
from dm_admin.views.stats import counted
from dm_core.durations import DAY_MS, HOUR_MS
from dm_core.messages import Attachment, Content, Direction, Disposition, Status
from dm_core.outbox import AuditLine
from dm_core.runs import (
    Action,
    ActionKind,
    ActionState,
    Draft,
    DraftState,
    ModelTurn,
    Run,
    ToolCall,
    ToolResult,
    ToolTurn,
    UserTurn,
)
from dm_core.steering import Handover, Mode, Pause, Steering
from dm_core.store.port import ThreadChange
from dm_core.threads import Lease, Profile, Thread
from dm_sandbox.examples import NOW, THREAD, dm, events
from dm_sandbox.memory_store import MemoryStore

WAITING = Run("r", "t", NOW, (dm(1).id,), "hash", dropped_turns=1)
QUIET = Thread("178_9", "178", "9123456789", last_inbound_at=NOW)


@pytest.mark.parametrize(
    ("thread", "states"),
    [
        (QUIET, []),
        (replace(QUIET, pending_count=1), ["waiting"]),
        (replace(QUIET, run=Run("r", "t", NOW, (), "h")), ["waiting"]),
        (replace(QUIET, pending_count=1, lease=Lease("r", "t", NOW + 1)), ["running"]),
        (replace(QUIET, pending_count=1, lease=Lease("r", "t", NOW)), ["waiting"]),
        (replace(QUIET, paused_until=NOW + 1), ["taken over"]),
        (replace(QUIET, paused_until=NOW), []),
        (replace(QUIET, steering=Steering(pause=Pause("admin", NOW))), ["paused"]),
        (replace(QUIET, steering=Steering(mode=Mode.OFF, stopped_at=NOW)), ["off", "stopped"]),
        (replace(QUIET, steering=Steering(mode=Mode.AUTO)), []),
        (replace(QUIET, steering=Steering(handover=Handover("k", NOW - HOUR_MS + 1))), ["handed over"]),
        (replace(QUIET, steering=Steering(handover=Handover("k", NOW - HOUR_MS))), []),
        (replace(QUIET, steering=Steering(handover=Handover("k", NOW - 9)), human_at=NOW - 8), []),
    ],
)
def test_a_threads_states_are_what_holds_now(thread: Thread, states: list[str]) -> None:
    assert list(thread_line(thread, NOW, HOUR_MS).states) == states


@pytest.mark.parametrize(
    ("profile", "who"),
    [(Profile("Ana", "ana.b", 1), "@ana.b"), (Profile("Ana", None, 1), "Ana"), (Profile(None, None, 1), "…456789")],
)
def test_a_person_is_shown_by_the_best_known_name(profile: Profile, who: str) -> None:
    assert thread_line(replace(QUIET, profile=profile), NOW).who == who


def test_every_disposition_has_its_sentence() -> None:
    assert set(BECAUSE) == set(Disposition)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (Content(text="hi"), "hi"),
        (Content(attachments=(Attachment("image"), Attachment("share", title="A post"))), "[image] [share: A post]"),
        (Content(postback="GET_STARTED"), "[button: GET_STARTED]"),
        (Content(), "[nothing that can be shown]"),
    ],
)
def test_what_is_no_text_stands_in_brackets(content: Content, said: str) -> None:
    assert message_view(replace(dm(1), content=content)).said == said


def test_an_unsent_message_shows_nothing_of_itself() -> None:
    assert message_view(replace(dm(1), unsent_at=NOW)).said == "[unsent]"


@pytest.mark.parametrize(
    ("change", "because", "remedy"),
    [
        ({"status": Status.FAILED, "attempts": 5, "error": "X"}, "given up after 5 attempts: X", "retry, once"),
        ({"status": Status.FAILED, "attempts": 1, "error": "X"}, "given up after 1 attempt: X", "retry, once"),
        ({"status": Status.PENDING, "attempts": 2, "error": "X"}, "it waits for the next run, after 2 attempts: X", ""),
        ({"disposition": Disposition.EXPIRED, "processed_at": NOW + 12 * HOUR_MS}, WAITED_TOO_LONG, "Instagram app"),
        (
            {"disposition": Disposition.EXPIRED, "processed_at": NOW + DAY_MS},
            BECAUSE[Disposition.EXPIRED],
            "Instagram app",
        ),
        ({"disposition": Disposition.LIMITED}, BECAUSE[Disposition.LIMITED], "MAX_RUNS_PER_HOUR"),
        *(
            ({"disposition": Disposition.LIMITED, "error": limit}, LIMITED[limit], "MAX_RUNS_PER_HOUR")
            for limit in ("MAX_RUNS_PER_HOUR", "MAX_RUNS_PER_DAY", "MAX_RUNS_PER_DAY_TOTAL")
        ),
        ({"disposition": Disposition.NO_REPLY}, BECAUSE[Disposition.NO_REPLY], ""),
        ({"disposition": Disposition.STANDBY, "direction": Direction.HUMAN}, BECAUSE[Disposition.STANDBY], ""),
        ({"disposition": Disposition.EXPIRED, "direction": Direction.OUTBOUND}, BECAUSE[Disposition.EXPIRED], ""),
    ],
)
def test_an_ending_says_why_and_what_the_operator_can_do(change: dict[str, Any], because: str, remedy: str) -> None:
    view = message_view(replace(dm(1), **({"status": Status.PROCESSED} | change)))

    assert view.because == because
    assert remedy in view.remedy
    assert bool(view.remedy) == bool(remedy)


def test_a_remedy_is_of_an_outcome_that_there_is() -> None:
    assert set(REMEDIES) < {*Disposition, Status.FAILED}


def test_a_run_is_shown_turn_by_turn_with_what_each_call_gave() -> None:
    asked = ModelTurn("{}", calls=(ToolCall("get_notes", {}), ToolCall("no_reply", {"reason": "x"})), latency_ms=900)
    given = ToolTurn((ToolResult("get_notes", output={"notes": []}), ToolResult("no_reply", error="not now")))
    run = Run("r", "t", NOW, ("m",), "hash", turns=(UserTurn(""), asked, given, ModelTurn("{}", text="done")))
    first, second = run_view(run).steps

    assert [(call.name, call.output, call.error) for call in first.calls] == [
        ("get_notes", {"notes": []}, None),
        ("no_reply", {}, "not now"),
    ]
    assert (first.latency_ms, second.said, second.calls) == (900, "done", ())


async def test_a_message_without_a_run_is_explained_by_what_it_met() -> None:
    store = MemoryStore()
    answer = await explain(Reads(store), replace(dm(1), status=Status.PROCESSED, disposition=Disposition.OFF))

    assert (answer.why, answer.run) == ("the agent was switched off", None)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([(1, "", "off")], "the agent was switched off for everybody, by whatsapp:44, 1970-01-01 00:00:01 UTC"),
        ([(1, "t", "mode off"), (2, "", "pause")], "for this conversation, by whatsapp:44, 1970-01-01 00:00:01 UTC"),
        (
            [(1, "", "off"), (2, "", "on"), (3, "t", "off")],
            "for this conversation, by whatsapp:44, 1970-01-01 00:00:03",
        ),
        ([(1, "", "off"), (2, "", "mode draft"), (9, "", "off")], "the agent was switched off"),
    ],
)
def test_who_had_switched_it_off_is_said_where_the_audit_knows(
    lines: list[tuple[int, str, str]], expected: str
) -> None:
    off = replace(dm(1), thread_id="t", status=Status.PROCESSED, disposition=Disposition.OFF, processed_at=8_000)
    audit = [AuditLine(str(at), at * 1000, "whatsapp:44", what, NOW, thread_id=where) for at, where, what in lines]

    assert expected in with_switch(message_view(off), audit).because
    assert ("by" in with_switch(message_view(off), audit).because) is ("by" in expected)


async def test_a_run_that_is_not_kept_any_more_is_said_to_be_gone() -> None:
    store = MemoryStore()
    answer = await explain(Reads(store), replace(dm(1), status=Status.PROCESSED, run_id="r"))

    assert answer.why == "answered; its run is not kept any more"


async def test_the_live_run_explains_a_message_too() -> None:
    store = MemoryStore()
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None
    run = Run("r", "t", NOW, (dm(1).id,), "hash")
    await store.commit(ThreadChange(THREAD, snapshot.version, "token", NOW, run=run))
    answer = await explain(Reads(store), replace(dm(1), status=Status.PROCESSING, run_id="r"))

    assert answer.run is not None
    assert (answer.run.id, answer.run.ended_at, [each.said for each in answer.dms]) == ("r", None, ["text 1"])


@pytest.mark.parametrize(
    ("state", "disposition", "why", "draft"),
    [
        (DraftState.DROP, Disposition.HUMAN, "the manager dropped the draft of its answer", "dropped by tom"),
        (DraftState.WAITING, Disposition.EXPIRED, "nobody decided the draft of its answer before", "nobody decided"),
        (DraftState.SEND, Disposition.REFUSED, BECAUSE[Disposition.REFUSED], "released as it was written by tom"),
        (DraftState.WAITING, Disposition.HUMAN, BECAUSE[Disposition.HUMAN], "nobody decided"),
    ],
)
async def test_what_became_of_a_draft_is_said_as_it_was(
    state: DraftState, disposition: Disposition, why: str, draft: str, capsys: pytest.CaptureFixture[str]
) -> None:
    by, at = ("", None) if state is DraftState.WAITING else ("tom", NOW)
    planned = Action("k", ActionKind.SEND, "See you", 0, 0)
    answer = await _of_archived(replace(WAITING, draft=Draft(0, "a", state, by, at), actions=(planned,)), disposition)
    screen.answer(answer, "here")
    said = capsys.readouterr().out

    assert answer.why.startswith(why)
    assert f"  outcome: {disposition}, {why}" in said
    assert f"  draft: {draft}" in said
    assert "send: not sent: See you" in said


async def test_a_reply_in_doubt_is_shown_with_its_words_its_error_and_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sent = Action("k", ActionKind.SEND, "See you at six", 0, 0, state=ActionState.UNCERTAIN, error="Uncertain 2/0")
    answer = await _of_archived(replace(WAITING, actions=(replace(sent, resent=True),)), Disposition.UNCERTAIN)
    screen.answer(answer, "here")
    said = capsys.readouterr().out

    assert "send: uncertain, sent once more for its first try was in doubt (Uncertain 2/0): See you at six" in said
    assert "  what you can do: look into the conversation in Instagram" in said
    assert cast("Any", as_json(answer))["run"]["actions"][0]["resent"] is True


async def test_a_window_that_instagram_says_is_closed_is_told_as_that() -> None:
    refused = Action("k", ActionKind.SEND, "Hi", 0, 0, state=ActionState.REFUSED, error="Unreachable 10/2534022")
    answer = await _of_archived(replace(WAITING, actions=(refused,)), Disposition.EXPIRED)

    assert answer.why == "Instagram said that its 24 hours were over"


async def _of_archived(run: Run, disposition: Disposition) -> Answer:
    store = MemoryStore()
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None
    archived = replace(run, ending=disposition.value)
    await store.commit(ThreadChange(THREAD, snapshot.version, "token", NOW, archive=archived, archive_expire_at=NOW))
    return await explain(
        Reads(store), replace(dm(1), status=Status.PROCESSED, disposition=disposition, run_id=run.id, processed_at=NOW)
    )


def test_a_failed_message_shows_its_error_in_its_thread(capsys: pytest.CaptureFixture[str]) -> None:
    screen.messages("messages", [message_view(replace(dm(1), status=Status.FAILED, attempts=5, error="ValueError"))])

    assert "failed: ValueError" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "why", "until"),
    [
        ({}, "a run has it", None),
        ({"not_before": NOW + 9}, "a service does not answer, or refuses the account: it is tried again by itself", 9),
        ({"run": replace(WAITING, draft=Draft(0, "a"))}, "a draft of the answer waits for the manager's word", None),
        ({"run": replace(WAITING, draft=Draft(0, "a", DraftState.SEND, "manager", NOW))}, "a run has it", None),
    ],
)
async def test_an_open_dm_is_explained_by_what_it_waits_for(
    change: dict[str, Any], why: str, until: int | None
) -> None:
    store = MemoryStore()
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None
    await store.commit(replace(ThreadChange(THREAD, snapshot.version, "token", NOW, run=WAITING), **change))

    answer = await explain(Reads(store), replace(dm(1), status=Status.PROCESSING, run_id="r"))
    view = await view_thread(Reads(store), THREAD, NOW)

    assert (answer.why, answer.waits_until) == (why, until and NOW + until)
    assert answer.run is not None
    assert view is not None
    assert view.draft_waits == ("draft" in why)


async def test_a_thread_is_viewed_whole_and_as_json() -> None:
    store = MemoryStore()
    await store.record(events(dm(1), dm(2)))
    view = await view_thread(Reads(store), THREAD, NOW)

    assert view is not None
    assert [message.said for message in view.messages] == ["text 1", "text 2"]
    assert view.line.states == (ThreadState.WAITING,)
    shown = json.loads(json.dumps(as_json(view)))
    assert (shown["line"]["lastInboundAt"], shown["line"]["states"]) == (view.line.last_inbound_at, ["waiting"])
    assert await view_thread(Reads(store), "1_2", NOW) is None


async def test_search_finds_part_of_a_name_among_the_newest_and_a_whole_username_anywhere() -> None:
    store = MemoryStore()
    for number in range(3):
        thread_id = f"178_{number}"
        await store.record(events(dm(number, thread_id), thread_id=thread_id))
        snapshot = await store.open(thread_id)
        assert snapshot is not None
        named = Profile(f"Person {number}", f"user_{number}", NOW)
        await store.commit(ThreadChange(thread_id, snapshot.version, "token", NOW, profile=named))

    def found(search: str, limit: int = 50) -> list[str]:
        return [line.id for line in lines[search, limit]]

    searches = [("person", 50), ("person", 1), ("@user_0", 1), ("@USER_0", 1), ("user_", 2), ("0", 1), ("178_0", 1)]
    searches += [("person 0", 1)]
    lines = {each: await list_threads(Reads(store), NOW, search=each[0], limit=each[1]) for each in searches}

    assert found("person") == ["178_2", "178_1", "178_0"]
    assert found("person", 1) == ["178_2"]
    assert found("@user_0", 1) == found("@USER_0", 1) == ["178_0"]
    assert found("user_", 2) == ["178_2", "178_1"]
    assert found("0", 1) == found("178_0", 1) == found("person 0", 1) == ["178_0"], "though it is not the newest"


async def test_the_deployments_switches_are_on_until_somebody_switches() -> None:
    assert (await everywhere(Reads(MemoryStore()))).mode is Mode.AUTO


def test_statistics_count_each_dm_once_and_time_what_was_answered() -> None:
    ended = replace(dm(0), status=Status.PROCESSED)
    answered = [replace(ended, processed_at=ended.created_at + seconds * 1_000) for seconds in (10, 20, 60)]
    left = replace(dm(70), status=Status.PROCESSED, disposition=Disposition.HUMAN)
    human = replace(dm(71), direction=Direction.HUMAN, created_at=left.created_at + 90_000, status=Status.PROCESSED)
    failed = replace(dm(72), status=Status.FAILED)
    figures = counted([[*answered, left, human], [failed, dm(73)]], NOW)

    assert (figures.threads, figures.dms, figures.answered, figures.failed, figures.waiting) == (2, 6, 3, 1, 1)
    assert (figures.others, figures.handed_over) == ({"human": 1}, 0)
    assert (figures.median_answer_seconds, figures.median_human_seconds) == (20.0, 90.0)


def test_statistics_of_nothing_have_no_median() -> None:
    figures = counted([], NOW)

    assert (figures.dms, figures.median_answer_seconds, figures.median_human_seconds) == (0, None, None)
