"""The brake: what an instance knows of each service, so that an outage is not asked about by every thread.

    two different threads fail, none succeeds between ──▶ on: threads wait without calling
                                                          one thread at a time probes, a few seconds apart
    any success ──▶ off

A call that no reply depends on (typing, a name) neither applies nor releases it: once one failed, the next are left out
for a while. But who probes makes one first, to knock: a send could cost somebody the reply.

Each (service, account) has its own. Kept in memory: a new instance finds out for itself, in two calls.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from dm_core.clock import Clock
from dm_core.durations import MINUTE_MS
from dm_core.errors import Service
from dm_core.telemetry import emit

type Key = tuple[Service, str]
"""The service, and the account it is asked for; the model's is empty."""

MODEL: Key = (Service.MODEL, "")

REQUESTS: Key = (Service.MODEL, "requests")
"""Whether the model takes what it is sent: nobody waits for that alone, but it tells whose a refusal is."""


def instagram_of(account_id: str) -> Key:
    """Instagram, as it answers one account."""
    return (Service.INSTAGRAM, account_id)


PROBE_MS = 5_000
"""Between two probes, doubled with each that fails, up to ``MAX_PROBE_MS``."""
MAX_PROBE_MS = 20_000
PROBE_LASTS_MS = 120_000
"""A probe that has not ended after this does not hold up the next."""
DOUBT_MS = 60_000
MAX_DOUBT_MS = 120_000
"""The same after a probe that ended in doubt: that cost somebody a reply."""
KNOCKS = 7
"""So many probes knock first; then one goes on without, should Instagram refuse no more than knocks."""
FORGET_MS = 600_000
"""A failure this old says nothing about now."""
PROLONGED_MS = 900_000
"""A brake on for this long is an alarm, and again after as long."""
SPARED_MS = 30_000
"""For so long after a call that no reply depends on has failed, no other such is made."""
MAX_THREADS = 2_000


@dataclass(slots=True)
class _State:
    """One service as this instance saw it; times in ms since 1970."""

    failed: dict[str, int] = field(default_factory=dict[str, int])
    succeeded: dict[str, int] = field(default_factory=dict[str, int])
    on_since: int | None = None
    told_at: int = 0
    probes: int = 0
    next_probe_at: int = 0
    prober: str | None = None
    last_prober: str | None = None
    probing_until: int = 0
    refused: set[str] = field(default_factory=set[str])

    @property
    def clear(self) -> bool:
        return not self.failed and self.on_since is None


@dataclass(slots=True)
class Brake:
    """Told of every call's outcome; asked before a thread is claimed."""

    clock: Clock
    _states: dict[Key, _State] = field(default_factory=dict[Key, _State])
    _spared_until: dict[Key, int] = field(default_factory=dict[Key, int])

    def wait_for(self, keys: Iterable[Key], thread_id: str) -> Key | None:
        """The service that this thread has to wait for without calling it, or None: go ahead (perhaps as the probe)."""
        now = self.clock()
        held = [(key, state) for key in keys if (state := self._states.get(key)) and state.on_since is not None]
        for key, state in held:
            if not self._may_probe(state, thread_id, now):
                return key
        for _, state in held:
            state.prober = state.last_prober = thread_id
            state.probing_until = now + PROBE_LASTS_MS
            state.refused.clear()
        return None

    def knocks(self, key: Key, thread_id: str) -> bool:
        """Whether this thread probes, and should find out by a call that may be lost."""
        state = self._states.get(key)
        if state is None or state.on_since is None or state.prober != thread_id:
            return False
        return state.probes % (KNOCKS + 1) < KNOCKS

    def succeeded(self, key: Key, thread_id: str) -> None:
        """The service answered, whatever it said."""
        state = self._states.setdefault(key, _State())
        if state.on_since is not None:
            emit("brake_released", service=key[0], seconds=(self.clock() - state.on_since) // 1000)
        if not state.clear:
            failed = {other: at for other, at in state.failed.items() if other != thread_id}
            self._states[key] = state = _State(failed=failed, succeeded=state.succeeded)
        _note(state.succeeded, thread_id, self.clock())

    def failed(self, key: Key, thread_id: str, *, in_doubt: bool = False) -> bool:
        """The service failed this thread, which may have lost a reply by it (``in_doubt``). True if it is this thread's
        own fault: since its last failure other threads were answered, and none of them failed."""
        now, state = self.clock(), self._states.setdefault(key, _State())
        before = state.failed.get(thread_id)
        own = before is not None and _only_this_one(state, thread_id, before)
        _note(state.failed, thread_id, now)
        state.prober = None if state.prober == thread_id else state.prober
        if state.on_since is not None:
            first, most = (DOUBT_MS, MAX_DOUBT_MS) if in_doubt else (PROBE_MS, MAX_PROBE_MS)
            state.next_probe_at = now + min(first * 2 ** min(state.probes, 10), most)
            state.probes += 1
            self._tell(key, state, now)
        elif not own and self._others_failing(state, thread_id, now):
            state.on_since, state.told_at, state.next_probe_at = now, now, now + PROBE_MS
            emit("brake_applied", "WARNING", service=key[0])
        return own

    def is_on(self, key: Key) -> bool:
        """Two threads failed, and none succeeded since."""
        return key in self._states and self._states[key].on_since is not None

    def release(self, thread_id: str) -> None:
        """This thread's task is over: if it was a probe that never called, somebody else may."""
        for state in self._states.values():
            if state.prober == thread_id:
                state.prober = None

    def spare(self, key: Key) -> None:
        """A call that no reply depends on has failed: others like it would only add to an outage."""
        self._spared_until[key] = self.clock() + SPARED_MS

    def is_spared(self, key: Key) -> bool:
        """Calls that no reply depends on are left out for now."""
        return self.clock() < self._spared_until.get(key, 0)

    @staticmethod
    def _may_probe(state: _State, thread_id: str, now: int) -> bool:
        """Not beside another probe, not too soon, and not twice in a row while others stand in the queue."""
        waiting = state.prober is not None and state.prober != thread_id and now < state.probing_until
        others = thread_id == state.last_prober and bool(state.refused - {thread_id})
        if others:
            state.refused.clear()
        if waiting or others or now < state.next_probe_at:
            state.refused.add(thread_id)
            return False
        return True

    @staticmethod
    def _others_failing(state: _State, thread_id: str, now: int) -> bool:
        last_success = max(state.succeeded.values(), default=-1)
        return any(other != thread_id and at > max(last_success, now - FORGET_MS) for other, at in state.failed.items())

    @staticmethod
    def _tell(key: Key, state: _State, now: int) -> None:
        if now - state.told_at >= PROLONGED_MS and state.on_since is not None:
            state.told_at = now
            emit("brake_prolonged", "ERROR", service=key[0], minutes=(now - state.on_since) // MINUTE_MS)


def _only_this_one(state: _State, thread_id: str, since: int) -> bool:
    answered = any(other != thread_id and at > since for other, at in state.succeeded.items())
    failing = any(other != thread_id and at > since for other, at in state.failed.items())
    return answered and not failing


def _note(times: dict[str, int], thread_id: str, now: int) -> None:
    """Newest last, the oldest forgotten."""
    times.pop(thread_id, None)
    times[thread_id] = now
    while len(times) > MAX_THREADS:
        del times[next(iter(times))]
