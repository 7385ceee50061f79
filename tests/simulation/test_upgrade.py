"""A deployment is upgraded while runs are under way: threads of the revision before go on under this one.

That revision (1781183) kept attempts on the run, notices to the manager among the run's actions, and had a phase in
which only a notice was left to send. It knew neither ``revision`` nor waits.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import pytest

from dm_core.alerts import alert_id
from dm_core.messages import Disposition, Message, Status
from dm_core.runs import ActionKind, Run
from dm_core.store.port import UNSET, MessageChange, ThreadChange
from dm_core.store.transactional import Transaction
from dm_core.store.transactional.threads import commit, read_head
from dm_sandbox.simulation.acts import Acts
from dm_sandbox.simulation.loop import VirtualLoop
from dm_sandbox.simulation.people import Person, Written
from dm_sandbox.simulation.play import observed
from dm_sandbox.simulation.schedule import ActKind, Manner, Schedule
from dm_sandbox.simulation.world import BOUND, World

OLD_REPLY: Final = "An old reply."
ANEW: Final = "#1 re q0-0, thank you.\nI'm the club's automated assistant."
"""What is said anew, and who writes: nobody of an older version told this person."""
OLD_NOTICE: Final = "An old notice."
STATES: Final[Mapping[str, Mapping[str, object]]] = {
    "planned": {"state": "planned"},
    "started": {"state": "planned", "startedAt": 1},
    "done": {"state": "done", "startedAt": 1, "endedAt": 2, "platformId": "old-mid"},
    "refused": {"state": "refused", "startedAt": 1, "endedAt": 2, "error": "Refused"},
    "uncertain": {"state": "uncertain", "startedAt": 1, "endedAt": 2},
    "dropped": {"state": "dropped", "endedAt": 2},
}
"""Every state an action could be in, as it was stored."""


def action(key: str, kind: str, text: str, state: str, **more: object) -> dict[str, object]:
    """An action as that revision stored it."""
    return {"key": key, "kind": kind, "text": text, "callIndex": 0, "turn": 0, "urgency": "normal"} | {
        **STATES[state],
        **more,
    }


def send(state: str) -> dict[str, object]:
    return action("old/0/0", "send", OLD_REPLY, state)


def notice(state: str) -> dict[str, object]:
    return action("old/0/1", "notify", OLD_NOTICE, state, callIndex=1)


@dataclass(slots=True)
class Upgrade:
    """One thread with a DM and an old run, in a world of this revision's instances."""

    actions: tuple[Mapping[str, object], ...]
    phase: str = "answering"
    ending: str | None = None
    lease_seconds: float = 1.0
    arrived: bool = False
    world: World = field(init=False)
    written: Written = field(init=False)
    old_finish_at: float | None = None

    @property
    def person(self) -> Person:
        return self.world.ledger.people[0]

    @property
    def message(self) -> Message:
        return self.world.database.messages[self.person.thread_id][self.written.id]

    @property
    def runs(self) -> Mapping[str, Run]:
        return self.world.database.runs.get(self.person.thread_id, {})

    @property
    def sent(self) -> list[str]:
        return [effect.text for effect in self.world.platforms.effects if effect.kind is ActionKind.SEND]

    @property
    def asked(self) -> int:
        """How often the model was asked."""
        return sum(self.world.monitor.model_calls.values())

    @property
    def on_the_phone(self) -> list[str]:
        return [text for texts in self.world.phone.texts.values() for text in texts]

    def play(self) -> "Upgrade":
        """From the old revision's last commit to rest."""
        schedule = Schedule(seed=1, threads=1, acts=(), faults=(), quiet_at=0.0, manner=Manner.REPLY)
        loop = VirtualLoop()
        self.world = World(schedule, loop, traced=False)
        self.world.is_calm = False
        outcome = observed(self.world, self._play(), loop)
        assert outcome.violations == ()
        return self

    async def _play(self) -> None:
        world, acts = self.world, Acts(self.world)
        self.written = acts.write(self.person, ActKind.SAY)
        world.meta.deliver_now([acts.item(self.person, self.written)], "q0-0")
        await asyncio.sleep(1)
        self._claimed_before()
        if self.arrived:
            world.platforms.sent_before(self.person.user_id, "old-mid", OLD_REPLY)
        if self.old_finish_at is not None:
            world.loop.call_at(self.old_finish_at, self._finish_as_before)
        await world.settle(1, BOUND)

    def _claimed_before(self) -> None:
        """The old revision's claim and checkpoint, as they are found."""
        thread_id, now = self.person.thread_id, self.world.clock()
        run = {
            "id": "old",
            "taskName": "old-task",
            "startedAt": now,
            "attempt": 1,
            "messageIds": [self.written.id],
            "promptHash": "old",
            "handles": {"m1": self.written.mid},
            "turns": [
                {"type": "user", "text": "old words"},
                {"type": "model", "content": "{}", "text": "", "calls": self._calls(), "finish": "complete"},
            ],
            "actions": [{**each, **self._times(each, now)} for each in self.actions],
            "guards": [],
            "notes": [],
            "phase": self.phase,
            "absorbed": 1,
            "nudged": False,
            "lookUps": 0,
            "ending": self.ending,
            "modelCalls": 1,
        }
        until = now + round(self.lease_seconds * 1000)
        lease = {"runId": "old", "taskName": "old-task", "expiresAt": until}
        claimed = {"status": "processing", "attempts": 1, "runId": "old"}

        def write(tx: Transaction) -> None:
            thread, message = tx.get("conversations", thread_id), tx.get("messages", self.written.id, thread_id)
            assert thread is not None
            assert message is not None
            tx.put("conversations", thread_id, thread.doc | {"run": run, "lease": lease, "dueAt": until})
            tx.put("messages", message.id, message.doc | claimed, thread_id)

        self.world.database.transact(write)

    def _calls(self) -> list[Mapping[str, object]]:
        names = {"send": "send_instagram_message", "notify": "send_manager_notification"}
        known = (each for each in self.actions if each["kind"] in names)
        return [
            {"name": names[str(each["kind"])], "arguments": f'{{"text": "{each["text"]}"}}', "id": "c"}
            for each in known
        ]

    @staticmethod
    def _times(each: Mapping[str, object], now: int) -> Mapping[str, object]:
        return {key: now for key in ("startedAt", "endedAt") if key in each}

    def _finish_as_before(self) -> None:
        """The old instance comes back and ends its run, by its own rules: on the version it read, whole."""
        database, now = self.world.database, self.world.clock()
        head = database.transact(lambda tx: read_head(tx, self.person.thread_id))
        assert head is not None
        thread, version, _ = head
        assert thread.run is not None
        change = ThreadChange(
            self.person.thread_id,
            version,
            "old-token",
            now,
            lease=None,
            run=None,
            due_at=None,
            pending_count=0,
            messages=(MessageChange(self.written.id, Status.PROCESSED, now, processed_at=now, disposition=UNSET),),
            archive=replace(thread.run, ending="answered"),
        )
        database.transact(lambda tx: commit(tx, change))


# -- notices -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["answering", "closing"])
@pytest.mark.parametrize("state", STATES)
def test_a_notice_becomes_an_alert_unless_it_went_out_and_is_never_sent_to_the_person(state: str, phase: str) -> None:
    ending = "handed_over" if phase == "closing" else None
    done = Upgrade((send("done"), notice(state)), phase, ending).play()

    becomes = state in ("planned", "started")
    assert (alert_id("old/0/1") in done.world.outbox.alerts) is becomes
    assert any(OLD_NOTICE in text for text in done.on_the_phone) is becomes
    assert not any(OLD_NOTICE in text for text in done.sent)


def test_an_action_of_a_kind_nobody_knows_is_never_performed() -> None:
    done = Upgrade((action("old/0/0", "teleport", "away", "planned"),)).play()

    assert done.sent == [ANEW]
    assert done.message.status is Status.PROCESSED


# -- replies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["planned", "dropped", "refused"])
def test_a_reply_that_did_not_go_out_is_decided_anew(state: str) -> None:
    done = Upgrade((send(state),)).play()

    assert done.sent == [ANEW]
    assert (done.message.status, done.message.disposition) == (Status.PROCESSED, None)
    assert done.message.attempts <= 2


def test_a_reply_that_went_out_is_not_sent_again() -> None:
    done = Upgrade((send("done"),)).play()

    assert OLD_REPLY not in done.sent
    assert done.message.status is Status.PROCESSED
    assert done.runs["old"].replied


def test_a_reply_in_doubt_is_looked_for_and_found() -> None:
    done = Upgrade((send("started"),), arrived=True).play()

    assert OLD_REPLY not in done.sent
    assert done.runs["old"].actions[0].platform_id == "old-mid"
    assert (done.message.status, done.message.disposition) == (Status.PROCESSED, None)


def test_a_reply_in_doubt_that_is_not_found_is_told_to_the_manager() -> None:
    done = Upgrade((send("started"),)).play()

    assert done.sent == []
    assert done.message.disposition is Disposition.UNCERTAIN
    assert any(OLD_REPLY in text for text in done.on_the_phone)


# -- a run that only had its notice left ---------------------------------------------------------------------------

ENDINGS: Final = {
    "failed": (Status.FAILED, None),
    "handed_over": (Status.PROCESSED, Disposition.HANDED_OVER),
    "uncertain": (Status.PROCESSED, Disposition.UNCERTAIN),
    "answered": (Status.PROCESSED, None),
    "expired": (Status.PROCESSED, Disposition.EXPIRED),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_closing_run_ends_as_it_was_to_end_and_asks_nobody(ending: str) -> None:
    done = Upgrade((send("dropped"), notice("planned")), "closing", ending).play()

    assert (done.message.status, done.message.disposition) == ENDINGS[ending]
    assert done.asked == 0
    assert done.sent == []
    assert any(OLD_NOTICE in text for text in done.on_the_phone)


# -- both revisions side by side -----------------------------------------------------------------------------------


def test_a_live_lease_of_the_old_revision_is_respected_until_it_ends() -> None:
    done = Upgrade((send("planned"),), lease_seconds=330.0).play()

    (effect,) = done.world.platforms.effects
    assert effect.at - done.written.sent_at >= 330_000
    assert done.message.status is Status.PROCESSED


def test_a_run_that_the_old_revision_ends_after_all_is_not_done_again() -> None:
    done = Upgrade((send("done"),), lease_seconds=330.0, old_finish_at=40.0).play()

    assert (done.asked, done.sent) == (0, [])
    assert done.message.status is Status.PROCESSED
    assert set(done.runs) == {"old"}
