"""What a conversation cost: every model call that was billed is in its run and its thread, whatever became of it."""

from collections.abc import AsyncIterator

import pytest

from dm_core.agent.prices import spent_on
from dm_core.errors import ModelUnavailable, StoreUnavailable
from dm_core.messages import Disposition, Status
from dm_core.processing.finish import DROPPED
from dm_core.runs import ModelTurn, Run, Usage
from dm_core.store.port import Conflict, ThreadChange, Version
from dm_core.usage import Spent
from dm_sandbox.inprocess import CrashPoints, InProcess, InstanceDied, MovableClock
from dm_sandbox.memory_store import MemoryStore
from dm_sandbox.person import Person
from dm_sandbox.platforms.answers import Body, call, finished, turn
from tests.integration.processing.schedule import stored

CHECKPOINT, SEND = 4, 5
USAGE = Usage(input_tokens=1_000, cached_tokens=100, output_tokens=50, thought_tokens=10)


def billed(body: Body, version: str = "gemini-3.8-flash") -> Body:
    counts = {"promptTokenCount": 1_000, "cachedContentTokenCount": 100, "candidatesTokenCount": 50}
    return {**body, "usageMetadata": {**counts, "thoughtsTokenCount": 10}, "modelVersion": version}


def reply(words: str = "Tuesday 18:00.") -> Body:
    return billed(turn(call("send_instagram_message", text=words)))


class FussyStore(MemoryStore):
    """A store that does not take the turns of a run into its archive."""

    async def commit(self, change: ThreadChange) -> Version | Conflict:
        if change.archive is not None and change.archive.turns:
            raise ValueError("the archive can't be written")
        return await super().commit(change)


@pytest.fixture
async def system(request: pytest.FixtureRequest) -> AsyncIterator[InProcess]:
    clock = MovableClock()
    kind = getattr(request, "param", MemoryStore)
    async with InProcess(kind(clock=clock), clock=clock) as running:
        yield running


def calls(number: int, clock: MovableClock) -> Spent:
    """So many calls of ``USAGE``."""
    one = spent_on(ModelTurn("", usage=USAGE), "gemini-3.8-flash", clock())
    assert one.usd
    return sum([one] * number, Spent())


def runs(system: InProcess, person: Person) -> list[Run]:
    """The archived ones, in their order."""
    assert isinstance(system.store, MemoryStore)
    return list(system.store.database.runs[person.thread_id].values())


async def spent(system: InProcess, person: Person) -> Spent:
    snapshot = await system.store.open(person.thread_id)
    assert snapshot is not None
    return snapshot.thread.spent


async def test_an_unusable_turn_a_start_over_and_a_failed_attempt_are_all_in_the_cost(system: InProcess) -> None:
    ana = system.person()
    await ana.says("When are nets?")
    system.gemini.script([reply("lost"), billed(finished("MALFORMED_FUNCTION_CALL")), reply("too early"), reply()])
    failing = CrashPoints(at=CHECKPOINT, error=lambda: RuntimeError("a defect of ours"))
    status, _ = await system.task(ana.thread_id, app=system.instance(failing))
    after_the_failure = await spent(system, ana)
    # open, claim, two model calls; a DM comes before the checkpoint
    started_over = CrashPoints(at=5, meanwhile=lambda: ana.says("And where?"))

    _, result = await system.task(ana.thread_id, "task-2", system.instance(started_over))

    assert (status, result["ending"], system.instagram.sent_to(ana.user_id)) == (500, "answered", ["Tuesday 18:00."])
    assert (after_the_failure, await spent(system, ana)) == (calls(1, system.clock), calls(4, system.clock))
    assert [(run.ending, run.spent) for run in runs(system, ana)] == [
        (DROPPED, calls(1, system.clock)),
        ("answered", calls(3, system.clock)),
    ]


async def test_a_turn_that_was_thrown_away_is_no_longer_among_the_turns_and_is_paid_all_the_same(
    system: InProcess,
) -> None:
    ana = system.person()
    await ana.says("When are nets?")
    system.gemini.script([reply("too early"), reply()])
    points = CrashPoints(at=CHECKPOINT, meanwhile=lambda: ana.says("And where?"))

    await system.task(ana.thread_id, app=system.instance(points))

    (run,) = runs(system, ana)
    kept = [each.usage for each in run.model_turns]
    assert (kept, run.model_calls) == ([USAGE], 1)
    assert run.spent == calls(2, system.clock)


async def test_a_failed_attempt_leaves_its_error_and_an_archive_that_says_it_was_dropped(
    system: InProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    ana = system.person()
    await ana.says("hi")
    system.gemini.script([reply()])
    points = CrashPoints(at=CHECKPOINT, error=lambda: RuntimeError("a defect of ours"))

    status, result = await system.task(ana.thread_id, app=system.instance(points))

    (run,) = runs(system, ana)
    [message] = await stored(system, ana.thread_id)
    assert (status, result["error"], message.error, run.error) == (500, *["RuntimeError"] * 3)
    assert (message.status, run.ending, [action.state for action in run.actions]) == ("pending", DROPPED, ["dropped"])
    assert "run_dropped" in capsys.readouterr().out


@pytest.mark.parametrize("system", [FussyStore], indirect=True)
async def test_a_run_that_can_not_be_archived_is_given_back_and_counted_all_the_same(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    system.gemini.script([reply()])
    points = CrashPoints(at=CHECKPOINT, error=lambda: RuntimeError("a defect of ours"))

    status, result = await system.task(ana.thread_id, app=system.instance(points))

    (run,) = runs(system, ana)
    [message] = await stored(system, ana.thread_id)
    assert (status, result["error"]) == (500, "RuntimeError")
    assert (message.status, message.error) == (Status.PENDING, "RuntimeError")
    assert (run.turns, run.spent, await spent(system, ana)) == ((), *[calls(1, system.clock)] * 2)


async def test_a_wait_adds_nothing_twice(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    system.gemini.script([reply()])
    system.instagram.faults.add("throttle", "send", times=1, wait_minutes=1)
    _, waiting = await system.task(ana.thread_id)
    meanwhile = await spent(system, ana)
    system.clock.forward(90)

    await system.task(ana.thread_id, "task-2")

    assert (waiting["status"], meanwhile) == ("retry_later", Spent())
    assert await spent(system, ana) == calls(1, system.clock)
    assert [run.spent for run in runs(system, ana)] == [calls(1, system.clock)]


async def test_a_run_that_a_human_ends_while_it_waits_has_cost_what_it_had(system: InProcess) -> None:
    ana = system.person()
    await ana.says("When are nets?")
    system.gemini.script([billed(turn(call("get_notes")))])
    # open, claim, a model call, its results; then the model is gone
    outage = CrashPoints(at=5, error=lambda: ModelUnavailable("gone"))
    _, waiting = await system.task(ana.thread_id, app=system.instance(outage))
    await ana.human_replies("Tuesday, says Bob.")
    system.clock.forward(400)

    _, result = await system.task(ana.thread_id, "task-2")

    assert (waiting["status"], result["ending"]) == ("retry_later", "human")
    assert await spent(system, ana) == calls(1, system.clock)
    assert [(run.ending, run.spent.calls) for run in runs(system, ana)] == [("human", 1)]


async def test_what_a_dead_instance_paid_since_its_last_commit_is_all_that_is_missing(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    system.gemini.script([reply("lost"), reply()])
    with pytest.raises(InstanceDied):
        await system.task(ana.thread_id, app=system.instance(CrashPoints(at=CHECKPOINT)))
    system.clock.forward(400)

    await system.task(ana.thread_id, "task-2")

    assert (system.gemini.count(), await spent(system, ana)) == (2, calls(1, system.clock))


async def test_a_price_nobody_knows_is_null_in_run_and_thread_and_the_tokens_count(system: InProcess) -> None:
    system.env["GEMINI_MODEL"] = "gemini-99-secret"
    ana = system.person()
    await ana.says("hi")
    body = turn(call("send_instagram_message", text="Hello!"))
    system.gemini.script([billed(body, "gemini-99-secret")])

    await system.task(ana.thread_id)

    assert await spent(system, ana) == Spent(1, 1_000, 100, 50, 10, usd=None)


async def test_the_log_of_a_run_says_what_it_cost(system: InProcess, capsys: pytest.CaptureFixture[str]) -> None:
    ana = system.person()
    await ana.says("hi")
    system.gemini.script([billed(finished("MALFORMED_FUNCTION_CALL")), reply()])

    await system.task(ana.thread_id)

    [line] = [line for line in capsys.readouterr().out.splitlines() if '"run_finished"' in line]
    assert f'"usd": {calls(2, system.clock).usd}' in line
    assert '"modelCalls": 2' in line
    assert ('"inputTokens": 2000' in line, '"outputTokens": 120' in line) == (True, True)


async def test_over_the_days_total_dms_end_limited_and_the_manager_is_told_once(system: InProcess) -> None:
    system.env["MAX_RUNS_PER_DAY_TOTAL"] = "2"
    system.gemini.script([reply()] * 5)
    people = [system.person(f"90{n}") for n in range(5)]
    for person in people:
        await person.says("hi")
        await system.task(person.thread_id)

    dms = [(await stored(system, person.thread_id))[0] for person in people]

    assert [dm.disposition for dm in dms] == [None, None, *[Disposition.LIMITED] * 3]
    assert [dm.error for dm in dms] == [None, None, *["MAX_RUNS_PER_DAY_TOTAL"] * 3]
    assert system.gemini.count() == 2
    [told] = await system.told()
    assert "MAX_RUNS_PER_DAY_TOTAL" in told


async def test_the_next_day_begins_at_none(system: InProcess) -> None:
    system.env["MAX_RUNS_PER_DAY_TOTAL"] = "1"
    system.gemini.script([reply()] * 5)
    ana = system.person()
    for day in range(3):
        await ana.says("hi")
        await system.task(ana.thread_id, f"task-{day}")
        system.clock.forward(86_400)

    assert len(system.instagram.sent) == 3


async def test_a_run_is_counted_once_and_resumed_whatever_the_count(system: InProcess) -> None:
    system.env["MAX_RUNS_PER_DAY_TOTAL"] = "1"
    system.gemini.script([reply()] * 2)
    ana, ben = system.person(), system.person("9002")
    await ana.says("hi")
    points = CrashPoints(at=CHECKPOINT)
    with pytest.raises(InstanceDied):
        await system.task(ana.thread_id, app=system.instance(points))
    await ben.says("hi")
    await system.task(ben.thread_id)
    system.clock.forward(400)

    await system.task(ana.thread_id, "task-2")

    assert (system.instagram.sent_to(ana.user_id), system.instagram.sent_to(ben.user_id)) == (["Tuesday 18:00."], [])
    assert points.seen == ["store.open", "store.day_runs", "store.commit", "model.generate"]


async def test_a_limit_that_can_not_be_read_starts_no_run(system: InProcess) -> None:
    system.env["MAX_RUNS_PER_DAY_TOTAL"] = "1"
    ana = system.person()
    await ana.says("hi")
    points = CrashPoints(at=2, error=lambda: StoreUnavailable("gone"))

    status, _ = await system.task(ana.thread_id, app=system.instance(points))

    [message] = await stored(system, ana.thread_id)
    assert (status, message.status, system.gemini.count()) == (500, Status.PENDING, 0)
