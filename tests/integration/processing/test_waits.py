"""An outage is not an end: DMs wait while a service is down, are answered once when it returns, and cost nothing."""

from pathlib import Path

import pytest

from dm_core.errors import StoreUnavailable
from dm_core.messages import Disposition, Status
from dm_core.threads import Thread
from dm_sandbox.inprocess import CrashPoints, InProcess
from dm_sandbox.platforms.answers import call, turn
from dm_sandbox.platforms.faults import FaultDetails
from dm_sandbox.platforms.model_request import ModelRequest
from tests.integration.processing.schedule import Deliveries, stored

ALWAYS = 1_000_000
HOUR = 3_600


def answers(system: InProcess, words: str = "Tuesday 18:00.") -> None:
    system.gemini.script([turn(call("send_instagram_message", text=words))] * 50)


@pytest.mark.parametrize("outage", [60, 600, 3 * HOUR])
async def test_a_dm_outlives_an_outage_of_the_model(system: InProcess, outage: int) -> None:
    ana = system.person()
    answers(system)
    queue = Deliveries(system, system.instance())
    system.gemini.faults.add("error", "*", times=ALWAYS, status=503)
    await ana.says("hi")
    await queue.pass_time(outage)
    in_vain = system.gemini.count()

    system.gemini.faults.clear()
    await queue.pass_time(300)

    assert system.instagram.sent_to(ana.user_id) == ["Tuesday 18:00."]
    assert in_vain <= 4 + outage / 170
    [message] = await stored(system, ana.thread_id)
    assert (message.status, message.disposition, message.attempts) == (Status.PROCESSED, None, 1)
    assert await system.told() == []


@pytest.mark.parametrize("told", [{"headers": {"retry-after": "1"}}, {"retry_delay": "2s"}])
async def test_a_throttle_that_always_needs_but_a_moment_more_is_no_flood(
    system: InProcess, told: FaultDetails
) -> None:
    ana = system.person()
    answers(system)
    queue = Deliveries(system, system.instance())
    system.gemini.faults.add("throttle", "*", times=ALWAYS, **told)
    await ana.says("hi")
    await queue.pass_time(600)
    in_vain = system.gemini.count()

    system.gemini.faults.clear()
    await queue.pass_time(300)

    assert in_vain <= 11
    assert system.instagram.sent_to(ana.user_id) == ["Tuesday 18:00."]


async def test_an_error_in_a_200_is_an_outage_too(system: InProcess) -> None:
    ana = system.person()
    overloaded = {"error": {"code": 503, "status": "UNAVAILABLE", "message": "The model is overloaded."}}
    system.gemini.script([overloaded] * 4)
    answers(system)
    queue = Deliveries(system, system.instance())
    await ana.says("hi")

    await queue.pass_time(300)

    [message] = await stored(system, ana.thread_id)
    assert (system.instagram.sent_to(ana.user_id), message.attempts) == (["Tuesday 18:00."], 1)
    assert (system.gemini.count(), await system.told()) == (5, [])


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "Request contains an invalid argument."),
        (400, "Thinking level is not supported for this model."),
        (429, "Your prepayment credits are depleted."),
        (429, "Quota exceeded for metric: generate_requests_per_model_per_day, limit: 250. Please retry in 43s."),
        (403, "Your API key was reported as leaked."),
    ],
)
async def test_what_every_thread_is_refused_waits_until_it_is_mended_and_is_told_once(
    system: InProcess, status: int, message: str
) -> None:
    people = [system.person(f"900{number}") for number in range(3)]
    answers(system)
    queue = Deliveries(system, system.instance())
    system.gemini.faults.add("error", "*", times=ALWAYS, status=status, message=message)
    for person in people:
        await person.says("hi")
    await queue.pass_time(600)
    in_vain = system.gemini.count()

    system.gemini.faults.clear()
    await queue.pass_time(300)

    assert [system.instagram.sent_to(person.user_id) for person in people] == [["Tuesday 18:00."]] * 3
    assert in_vain < 60
    assert [f"can't be used ({status})" in alert for alert in await system.told()] == [True]


async def test_dms_of_many_wait_while_few_ask_in_vain_and_all_are_answered_soon_after(system: InProcess) -> None:
    people = [system.person(f"90{n:02}") for n in range(20)]
    answers(system)
    queue = Deliveries(system, system.instance())
    system.gemini.faults.add("error", "*", times=ALWAYS, status=503)
    for person in people:
        await person.says("hi")
    await queue.pass_time(600)
    in_vain = system.gemini.count()

    system.gemini.faults.clear()
    await queue.pass_time(300)

    assert [len(system.instagram.sent_to(person.user_id)) for person in people] == [1] * 20
    assert in_vain < 80


async def test_somebody_who_goes_on_writing_in_an_outage_loses_nothing(system: InProcess) -> None:
    ana = system.person()
    queue = Deliveries(system, system.instance())
    system.gemini.faults.add("error", "*", times=ALWAYS, status=503)

    def counts(request: ModelRequest) -> dict[str, object]:
        shown = sum(f"dm-{n}." in str(request.contents) for n in range(30))
        return dict(turn(call("send_instagram_message", text=f"{shown} answered")))

    system.gemini.script([counts] * 20)
    for number in range(30):
        await ana.says(f"dm-{number}.")
        await queue.pass_time(12)

    system.gemini.faults.clear()
    await queue.pass_time(300)

    assert system.instagram.sent_to(ana.user_id) == ["30 answered"]
    assert {m.status for m in await stored(system, ana.thread_id)} == {Status.PROCESSED}


async def test_a_new_dm_does_not_shorten_the_wait(system: InProcess) -> None:
    ana = system.person()
    answers(system)
    system.gemini.faults.add("error", "*", times=1, status=429, retry_delay="600s")
    app = system.instance()
    await ana.says("hi")
    await system.task(ana.thread_id, "task-1", app)
    before = (await _thread(system, ana.thread_id)).not_before

    await ana.says("hello?")
    _, result = await system.task(ana.thread_id, "task-2", app)

    thread = await _thread(system, ana.thread_id)
    assert result["status"] == "retry_later"
    assert (system.gemini.count(), thread.not_before) == (1, before)
    assert before is not None
    assert thread.due_at is not None
    assert thread.due_at >= before


@pytest.mark.parametrize(
    ("told", "least", "most"),
    [("37s", 37, 37), ("1.5s", 1, 2), ("31536000s", HOUR, HOUR), ("soon", 11, 15), ("-5s", 11, 15), ("", 11, 15)],
)
async def test_the_services_own_wait_is_kept_up_to_an_hour(system: InProcess, told: str, least: int, most: int) -> None:
    ana = system.person()
    await ana.says("hi")
    system.gemini.faults.add("error", "*", times=1, status=429, retry_delay=told)
    now = system.clock()

    await system.task(ana.thread_id)

    not_before = (await _thread(system, ana.thread_id)).not_before
    assert not_before is not None
    assert least * 1000 <= not_before - now <= most * 1000 + 5_000


async def test_the_sweeper_does_not_look_before_the_wait_is_over(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    system.gemini.faults.add("error", "*", times=1, status=429, retry_delay="1800s")
    await system.task(ana.thread_id)
    system.queue.wake_ups.clear()

    system.clock.forward(1_700)
    early = (await system.job("/sweep"))[1]["overdue"]
    system.clock.forward(200)
    late = (await system.job("/sweep"))[1]["overdue"]

    assert (early, late) == (0, 1)


async def test_a_wait_without_a_wake_up_is_a_500_that_costs_no_attempt(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    system.gemini.faults.add("error", "*", times=1, status=503)
    system.queue.down = True

    status, _ = await system.task(ana.thread_id)

    thread = await _thread(system, ana.thread_id)
    assert (status, thread.not_before, thread.lease) == (500, None, None)
    [message] = await stored(system, ana.thread_id)
    assert (message.status, message.attempts) == (Status.PENDING, 0)
    system.queue.down = False
    answers(system)
    assert (await system.task(ana.thread_id))[1]["ending"] == "answered"


async def test_waiting_spends_nothing_of_the_persons_allowance(system: InProcess) -> None:
    system.env["MAX_RUNS_PER_HOUR"] = "1"
    ana = system.person()
    answers(system)
    queue = Deliveries(system, system.instance())
    system.gemini.faults.add("error", "*", times=6, status=503)
    await ana.says("hi")

    await queue.pass_time(1_200)

    assert len(system.instagram.sent) == 1


async def test_after_twelve_hours_a_dm_expires_at_its_last_try_and_the_manager_is_told(system: InProcess) -> None:
    ana = system.person()
    answers(system)
    queue = Deliveries(system, system.instance())
    system.gemini.faults.add("error", "*", times=ALWAYS, status=503)
    await ana.says("hi")

    await queue.pass_time(11.9 * HOUR)
    [waiting] = await stored(system, ana.thread_id)
    await queue.pass_time(0.2 * HOUR)

    [message] = await stored(system, ana.thread_id)
    assert waiting.status is Status.PENDING
    assert (message.status, message.disposition) == (Status.PROCESSED, Disposition.EXPIRED)
    thread = await _thread(system, ana.thread_id)
    assert (thread.run, thread.lease, thread.due_at, thread.not_before) == (None, None, None, None)
    assert len(await system.told()) == 1


async def test_a_service_that_returns_for_the_last_try_still_answers(system: InProcess) -> None:
    ana = system.person()
    answers(system)
    queue = Deliveries(system, system.instance())
    system.gemini.faults.add("error", "*", times=ALWAYS, status=503)
    await ana.says("hi")
    await queue.pass_time(12 * HOUR - 100)
    system.gemini.faults.clear()

    await queue.pass_time(300)

    assert len(system.instagram.sent) == 1


async def test_a_wait_ends_ten_minutes_before_the_window_does(system: InProcess) -> None:
    system.env["MAX_WAIT_HOURS"] = "24"
    ana = system.person()
    queue = Deliveries(system, system.instance())
    system.gemini.faults.add("error", "*", times=ALWAYS, status=503)
    await ana.says("hi")

    await queue.pass_time(23.8 * HOUR)
    [waiting] = await stored(system, ana.thread_id)
    await queue.pass_time(0.1 * HOUR)

    [message] = await stored(system, ana.thread_id)
    assert (waiting.status, message.disposition) == (Status.PENDING, Disposition.EXPIRED)


async def test_a_dm_whose_reply_went_out_is_answered_whatever_happens_afterwards(system: InProcess) -> None:
    ana = system.person()
    queue = Deliveries(system, system.instance())
    first = turn(call("send_instagram_message", text="One moment."), call("is_new_thread"))
    system.gemini.script([first])
    await ana.says("hi")
    system.gemini.faults.add("delay", "*", times=1)
    system.gemini.faults.add("error", "*", times=ALWAYS, status=503)

    await queue.pass_time(12.2 * HOUR)

    [message] = await stored(system, ana.thread_id)
    assert (message.status, message.disposition) == (Status.PROCESSED, None)
    assert system.instagram.sent_to(ana.user_id) == ["One moment."]
    assert await system.told() == []


@pytest.mark.parametrize(("refused", "others", "seconds"), [(False, 8, 260), (True, 4, 60)])
async def test_a_dm_on_which_alone_the_model_fails_ends_failed_at_its_fifth_failure_and_holds_nobody_up(
    system: InProcess, *, refused: bool, others: int, seconds: int
) -> None:
    ana, ben = system.person("9001"), system.person("9002")
    queue = Deliveries(system, system.instance())
    setattr(system.gemini, "refuses" if refused else "fails_on", "poison")
    await ana.says("poison")
    for number in range(others):
        await ben.says(f"hi {number}")
        await queue.pass_time(seconds)

    [message] = await stored(system, ana.thread_id)
    assert (message.status, message.attempts) == (Status.FAILED, 5)
    assert len(system.instagram.sent_to(ben.user_id)) == others
    assert ["Nobody has answered" in alert for alert in await system.told()] == [False, True]


async def test_a_vault_that_fails_once_claims_nothing_and_fails_nothing(system: InProcess, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.mkdir()
    system.env["INSTAGRAM_TOKEN_FILE"] = str(token_file)
    ana = system.person()
    answers(system)
    queue = Deliveries(system, system.instance())
    await ana.says("hi")
    await queue.pass_time(20)
    [waiting] = await stored(system, ana.thread_id)
    token_file.rmdir()

    await queue.pass_time(60)

    assert (waiting.status, waiting.attempts) == (Status.PENDING, 0)
    assert len(system.instagram.sent) == 1


async def test_an_edit_while_its_dm_waits_is_what_gets_answered(system: InProcess) -> None:
    ana = system.person()
    queue = Deliveries(system, system.instance())

    def repeats(request: ModelRequest) -> dict[str, object]:
        return dict(turn(call("send_instagram_message", text="new" if "new words" in str(request.contents) else "old")))

    system.gemini.script([repeats] * 5)
    system.instagram.faults.add("throttle", "send", times=1, wait_minutes=1)
    mid = await ana.says("old words")
    await queue.pass_time(30)
    await ana.edits(mid, "new words")

    await queue.pass_time(120)

    assert system.instagram.sent_to(ana.user_id) == ["new"]


async def test_a_human_who_answers_while_a_dm_waits_is_not_contradicted_after_the_pause(system: InProcess) -> None:
    ana = system.person()
    answers(system)
    queue = Deliveries(system, system.instance())
    system.gemini.faults.add("error", "*", times=1, status=429, retry_delay="3600s")
    await ana.says("hi")
    await queue.pass_time(30)
    await ana.human_replies("Bob here: Tuesday.")

    await queue.pass_time(2 * HOUR)

    [message] = await stored(system, ana.thread_id)
    assert (message.disposition, system.instagram.sent) == (Disposition.HUMAN, [])


async def _thread(system: InProcess, thread_id: str) -> Thread:
    snapshot = await system.store.open(thread_id)
    assert snapshot is not None
    return snapshot.thread


@pytest.mark.parametrize("service", ["model", "vault"])
async def test_a_wait_of_a_quarter_of_an_hour_rings_on_another_channel(
    system: InProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str], service: str
) -> None:
    if service == "vault":
        (tmp_path / "token").mkdir()
        system.env["INSTAGRAM_TOKEN_FILE"] = str(tmp_path / "token")
    queue = Deliveries(system, system.instance())
    system.gemini.faults.add("error", "*", times=ALWAYS, status=503)
    await system.person().says("hi")
    await queue.pass_time(600)
    early = capsys.readouterr().out

    await queue.pass_time(900)

    assert '"wait_prolonged"' not in early
    assert '"severity": "ERROR", "message": "wait_prolonged"' in capsys.readouterr().out


async def test_a_brake_that_stays_on_rings_too(system: InProcess, capsys: pytest.CaptureFixture[str]) -> None:
    queue = Deliveries(system, system.instance())
    system.gemini.faults.add("error", "*", times=ALWAYS, status=503)
    for number in range(3):
        await system.person(f"900{number}").says("hi")

    await queue.pass_time(1_800)

    assert '"severity": "ERROR", "message": "brake_prolonged"' in capsys.readouterr().out


async def test_an_outage_in_which_sends_end_in_doubt_costs_two_replies_and_not_everybody_s(system: InProcess) -> None:
    people = [system.person(f"900{n}") for n in range(6)]
    answers(system)
    queue = Deliveries(system, system.instance())
    for operation in ("send", "typing_on", "mark_seen"):
        system.instagram.faults.add("error", operation, times=ALWAYS, code=2, status=503)
    for person in people:
        await person.says("hi")
    await queue.pass_time(180)
    in_vain = (system.instagram.count("send"), system.gemini.count())

    system.instagram.faults.clear()
    await queue.pass_time(300)

    assert in_vain == (2, 2)
    assert sorted(len(system.instagram.sent_to(person.user_id)) for person in people) == [0, 0, 1, 1, 1, 1]
    assert len(await system.told()) == 2


async def test_an_outage_of_nothing_but_sends_costs_few_replies(system: InProcess) -> None:
    people = [system.person(f"900{n}") for n in range(8)]
    answers(system)
    queue = Deliveries(system, system.instance())
    system.instagram.faults.add("error", "send", times=ALWAYS, code=2, status=503)
    for person in people:
        await person.says("hi")
    await queue.pass_time(180)
    in_vain = system.instagram.count("send")

    system.instagram.faults.clear()
    await queue.pass_time(400)

    assert in_vain <= 5
    assert sum(len(system.instagram.sent_to(person.user_id)) for person in people) == 8 - in_vain


async def test_somebody_alone_in_an_outage_of_instagram_costs_few_model_calls(system: InProcess) -> None:
    ana = system.person()
    answers(system)
    queue = Deliveries(system, system.instance())
    system.instagram.faults.add("throttle", "*", times=ALWAYS, wait_minutes=4)
    await ana.says("hi")
    await queue.pass_time(6 * 3600)
    in_vain = system.gemini.count()

    system.instagram.faults.clear()
    await queue.pass_time(600)

    assert in_vain <= 15
    assert len(system.instagram.sent_to(ana.user_id)) == 1


async def test_knocks_that_instagram_does_not_take_keep_no_reply_back(system: InProcess) -> None:
    people = [system.person(f"900{n}") for n in range(6)]
    answers(system)
    queue = Deliveries(system, system.instance())
    system.instagram.faults.add("error", "send", times=2, code=2, status=503)
    system.instagram.faults.add("error", "typing_on", times=ALWAYS, code=100, status=400)
    for person in people:
        await person.says("hi")

    await queue.pass_time(120)

    assert sorted(len(system.instagram.sent_to(person.user_id)) for person in people) == [0, 0, 1, 1, 1, 1]


async def test_a_cause_alert_that_could_not_be_stored_is_an_outage_of_the_store_and_keeps_nobody_waiting(
    system: InProcess,
) -> None:
    ana = system.person()
    await ana.says("hi")
    answers(system)
    system.gemini.faults.add("error", "*", times=1, status=403)
    points = CrashPoints(at=4, error=lambda: StoreUnavailable("answer lost"))
    app = system.instance(points)

    status, _ = await system.task(ana.thread_id, app=app)
    [waits] = await stored(system, ana.thread_id)
    again = await system.task(ana.thread_id, app=app)

    assert points.struck == "store.create_alert"
    assert (status, waits.status, waits.attempts) == (500, Status.PENDING, 0)
    assert again[1]["status"] == "processed"
    assert system.instagram.sent_to(ana.user_id) == ["Tuesday 18:00."]
