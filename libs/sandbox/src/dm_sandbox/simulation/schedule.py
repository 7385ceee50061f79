"""A schedule as a value: what people do and what goes wrong, addressed so that any part of it can be left out.

A fault is addressed by the call it strikes: "the third store.commit of the processor". A schedule from which an act or
a fault is removed is still a schedule; that is what the shrinker lives on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random
from typing import Final, Literal

from dm_core.errors import Service
from dm_core.steering import Mode


class ActKind(StrEnum):
    """What people do."""

    SAY = "say"  # `count` texts, each in its own webhook
    SAY_AT_ONCE = "say_at_once"  # `count` texts in one webhook
    EDIT = "edit"  # the person edits an earlier text
    UNSEND = "unsend"  # the person takes an earlier text back
    HUMAN = "human"  # the owner answers in the app
    ERASE = "erase"  # the person's data-deletion request
    NOISE = "noise"  # a reaction and a seen
    STALE = "stale"  # a text of the day before is delivered only now
    TAP = "tap"  # a postback
    STOP = "stop"  # the person's stop word
    START = "start"  # the person's start word
    MANAGER_REPLY = "manager_reply"  # the manager quotes the newest alert and writes
    MANAGER_WORD = "manager_word"  # the manager steers the newest alert's thread by `word`
    MANAGER_WORD_FOR_ALL = "manager_word_for_all"  # the manager steers all threads by `word`


class FaultKind(StrEnum):
    """What goes wrong at one call. Where a request may have taken effect all the same, the name says so."""

    DIE_BEFORE = "die_before"  # the instance dies, the call is never made
    DIE_DURING = "die_during"  # it dies, the request is on its way and takes effect
    DIE_AFTER = "die_after"  # it dies with the answer in its hands
    FREEZE_BEFORE = "freeze_before"  # it sleeps for `seconds`, then makes the call
    FREEZE_AFTER = "freeze_after"  # the call takes effect, it sleeps, then sees the answer
    FAIL = "fail"  # no effect, an error
    LOST = "lost"  # effect, and an error
    LATE = "late"  # an error now, the effect `seconds` later
    HANG = "hang"  # no effect, no answer until the client's timeout
    HANG_APPLIED = "hang_applied"  # effect, no answer until the client's timeout
    SLOW = "slow"  # all is well, `seconds` later
    DOWN = "down"  # nothing answers: the connection was refused
    THROTTLE = "throttle"  # rejected before processing: come again in `seconds`
    REFUSE = "refuse"  # no, to this very request
    DENIED = "denied"  # effect, and yet a no to the request
    BLOCKED = "blocked"  # no: this person can't be written to
    WINDOW = "window"  # no: the 24 hours are over
    STOP = "stop"  # no, to the whole account: its token is dead
    FORBIDDEN = "forbidden"  # no, to the whole account: a permission is missing
    LATE_WINDOW = "late_window"  # accepted, and told later that the window was closed
    LATE_REFUSAL = "late_refusal"  # accepted, and told later that it can't be delivered
    LAG = "lag"  # the look-up shows the state of `seconds` ago
    TWICE = "twice"  # delivered again after `seconds`
    DELAY = "delay"  # delivered `seconds` late
    ODD = "odd"  # the model answers oddly: `manner`
    THROTTLE_AFTER = "throttle_after"  # effect, and yet: come again in `seconds`


class Manner(StrEnum):
    """How the model answers. The first ones are good manners, drawn at every call; the others are faults."""

    REPLY = "reply"
    REPLY_AND_REACT = "reply_and_react"
    REPLY_AND_NOTIFY = "reply_and_notify"
    REPLY_AND_HAND_OVER = "reply_and_hand_over"
    TWO_REPLIES = "two_replies"
    LOOK_FIRST = "look_first"
    NOTE_AND_REPLY = "note_and_reply"
    REACT_ONLY = "react_only"
    NO_REPLY = "no_reply"
    LONG_REPLY = "long_reply"
    PLAIN_TEXT = "plain_text"
    UNKNOWN_TOOL = "unknown_tool"
    BAD_ARGUMENTS = "bad_arguments"
    UNKNOWN_HANDLE = "unknown_handle"
    FOREIGN_HANDLE = "foreign_handle"
    MANY_CALLS = "many_calls"
    ENDLESS_DATA = "endless_data"
    SAME_TEXT_TWICE = "same_text_twice"
    LEAK = "leak"
    HUGE = "huge"
    EMPTY = "empty"
    MALFORMED = "malformed"
    TRUNCATED = "truncated"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Act:
    """Somebody of thread number ``thread`` does something ``at`` seconds from the start.

    ``count``: how many texts; ``target``: which of the thread's earlier texts (0 is the newest) is edited or unsent.
    """

    at: float
    thread: int
    kind: ActKind
    count: int = 1
    target: int = 0
    word: str = ""

    def __str__(self) -> str:
        what = (
            f" {self.word}"
            if self.word
            else f" x{self.count}"
            if self.count > 1
            else f" #-{self.target + 1}"
            if self.target
            else ""
        )
        return f"{self.at:.2f}s t{self.thread} {self.kind}{what}"


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong at the ``call``-th call of a site (1 is the first), for ``seconds`` where that has a meaning."""

    site: str
    call: int
    kind: FaultKind
    seconds: float = 0.0
    manner: Manner | None = None

    def __str__(self) -> str:
        after = f" {self.seconds:g}s" if self.seconds else f" {self.manner}" if self.manner else ""
        return f"{self.site} #{self.call} {self.kind}{after}"


@dataclass(frozen=True, slots=True)
class Outage:
    """A service fails every call for some time, in one manner. Times in seconds from the start.

    ``wait``: what a throttle asks for. ``thread``: only this thread's calls fail, while others succeed.
    """

    service: Service
    at: float
    seconds: float
    kind: FaultKind
    wait: float = 0.0
    thread: int | None = None

    @property
    def end(self) -> float:
        return self.at + self.seconds

    def __str__(self) -> str:
        whom = "" if self.thread is None else f" for t{self.thread}"
        asks = f" (asks for {self.wait:g}s)" if self.wait else ""
        return f"{self.service} {self.kind}{whom} from {self.at:.0f}s to {self.end:.0f}s{asks}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """All that decides one simulation. Nothing new goes wrong after ``quiet_at`` (seconds from the start).

    ``manner``: the one the model has throughout; ``window``: whether the manager can be written to freely.
    ``mode``: the deployment's.
    """

    seed: int
    threads: int
    acts: tuple[Act, ...]
    faults: tuple[Fault, ...]
    quiet_at: float
    uncertain_sends: Literal["hold", "resend"] = "hold"
    max_attempts: int = 5
    outages: tuple[Outage, ...] = ()
    manner: Manner | None = None
    window: bool = True
    mode: Mode = Mode.AUTO


STOP: Final = "STOP"
START: Final = "START"
"""The simulated profile's stop and start word."""

D, F = FaultKind, Fault
_DEATHS: Final = (D.DIE_BEFORE, D.DIE_DURING, D.DIE_AFTER)
_FREEZES: Final = (D.FREEZE_BEFORE, D.FREEZE_AFTER)
_LOSSES: Final = (D.FAIL, D.LOST, D.LATE, D.HANG, D.HANG_APPLIED)
_NOES: Final = (D.REFUSE, D.BLOCKED, D.WINDOW, D.STOP, D.FORBIDDEN)
_LATE_NOES: Final = (D.LATE_WINDOW, D.LATE_REFUSAL)

type Sites = Mapping[str, tuple[float, float, tuple[FaultKind, ...]]]

SITES: Final[Sites] = {
    "processor.store.open": (1.5, 2.0, (*_DEATHS, *_FREEZES, D.FAIL, D.HANG, D.SLOW)),
    "processor.store.commit": (5.0, 3.0, (*_DEATHS, *_FREEZES, *_LOSSES, D.LOST, D.LATE, D.SLOW)),
    "processor.store.history": (0.5, 0.3, (*_DEATHS, D.FAIL, D.HANG)),
    "processor.store.documents": (0.2, 0.2, (D.DIE_BEFORE, D.FAIL, D.HANG)),
    "processor.store.alerts": (1.5, 0.7, (*_DEATHS, *_FREEZES, *_LOSSES, D.SLOW)),
    "processor.queue.schedule": (0.8, 0.3, (*_DEATHS, D.FAIL, D.LOST, D.HANG, D.HANG_APPLIED)),
    "processor.alert_queue.schedule": (0.8, 0.4, (*_DEATHS, D.FAIL, D.FAIL, D.LOST, D.HANG, D.HANG_APPLIED)),
    "processor.model.generate": (
        5.0,
        1.3,
        (*_DEATHS, *_FREEZES, D.FAIL, D.DOWN, D.HANG, D.SLOW, D.THROTTLE, D.STOP, D.REFUSE, *(D.ODD,) * 9),
    ),
    "vault.load": (0.6, 1.0, (*_DEATHS, D.FAIL, D.HANG, D.SLOW, D.STOP)),
    "instagram.send": (
        5.0,
        1.0,
        (*_DEATHS, *_FREEZES, *_LOSSES, D.LOST, D.SLOW, D.DOWN, D.THROTTLE, D.THROTTLE, *_NOES, D.DENIED),
    ),
    "instagram.react": (0.8, 0.2, (*_DEATHS, D.FREEZE_AFTER, *_LOSSES, D.THROTTLE, D.REFUSE)),
    "instagram.recent": (1.5, 0.3, (*_DEATHS, D.FAIL, D.HANG, D.LAG, D.LAG, D.THROTTLE, D.STOP)),
    "instagram.indicate": (0.2, 1.0, (D.FAIL, D.HANG, D.DIE_BEFORE)),
    "whatsapp.send": (
        2.0,
        0.3,
        (*_DEATHS, *_FREEZES, *_LOSSES, D.DOWN, D.THROTTLE, D.REFUSE, D.STOP, D.WINDOW, *_LATE_NOES, *_LATE_NOES),
    ),
    "whatsapp.status": (1.5, 0.6, (D.TWICE, D.TWICE, D.DELAY, D.DELAY, D.LOST)),
    "ticks.deliver": (1.0, 0.3, (D.TWICE, D.DELAY, D.LOST)),
    "webhook.store.record": (2.5, 2.0, (*_DEATHS, D.FREEZE_BEFORE, *_LOSSES, D.SLOW)),
    "webhook.store.echo_view": (0.5, 1.0, (D.DIE_BEFORE, D.DIE_AFTER, D.FAIL, D.HANG, D.SLOW)),
    "webhook.store.change": (0.5, 0.3, (*_DEATHS, *_LOSSES)),
    "webhook.store.alerts": (0.4, 0.4, (*_DEATHS, *_LOSSES)),
    "webhook.queue.schedule": (2.0, 2.0, (*_DEATHS, D.FAIL, D.LOST, D.HANG, D.HANG_APPLIED, D.SLOW)),
    "queue.deliver": (2.5, 1.5, (D.TWICE, D.TWICE, D.DELAY, D.LOST)),
    "meta.deliver": (1.5, 3.0, (D.TWICE, D.DELAY)),
    "meta.echo": (1.0, 1.0, (D.TWICE, D.DELAY, D.LOST)),
}
"""Where something can go wrong: how often it is drawn, how many calls to expect for a burst of DMs, and what it can be.

``D.LOST`` of an echo means that Meta never delivers it; of a task, that the queue forgets it (it was purged, say).
"""

SITES_OF_THE_MANAGER: Final[Sites] = {
    "processor.store.outbox": (4.0, 5.0, (*_DEATHS, *_FREEZES, *_LOSSES, D.LOST, D.LATE, D.SLOW)),
    "webhook.store.outbox": (1.5, 1.0, (*_DEATHS, *_LOSSES)),
    "whatsapp.answer": (1.5, 1.0, (*_DEATHS, *_LOSSES, D.DOWN, D.THROTTLE, D.REFUSE, D.STOP)),
    "whatsapp.message": (2.0, 1.0, (D.TWICE, D.TWICE, D.DELAY)),
    "processor.store.commit": (1.0, 3.0, (*_DEATHS, *_LOSSES)),
    "processor.queue.schedule": (1.0, 1.0, (*_DEATHS, D.FAIL, D.LOST)),
    "instagram.send": (2.0, 1.0, (*_DEATHS, *_LOSSES, D.THROTTLE, D.DENIED, D.BLOCKED)),
    "queue.deliver": (1.5, 3.0, (D.TWICE, D.DELAY, D.LOST)),
}
"""More of it where the manager writes too."""

ODD_MANNERS: Final = tuple(
    manner for manner in Manner if list(Manner).index(manner) > list(Manner).index(Manner.NO_REPLY)
)
_UNFIT_FOR_RESEND: Final = {
    *((site, kind) for site in (*SITES, *SITES_OF_THE_MANAGER) for kind in (*_FREEZES, D.LATE, D.LAG, D.SLOW)),
    ("instagram.send", D.HANG_APPLIED),
}
"""Where resending is allowed a request that takes effect later than any look-up can be repeated: nothing can prevent
it, so such schedules leave it out (the default, hold, has no such gap)."""


def make_schedule(seed: int) -> Schedule:
    """The schedule of a seed: the same for ever, on every machine. In every second one a manager steers."""
    return _steered(_unsteered(seed), Random(f"manager {seed}"))


def _steered(schedule: Schedule, rng: Random) -> Schedule:
    """With a manager who writes, a person who says stop, a model that hands over, or in draft mode."""
    if rng.random() < 0.5:
        return schedule
    mode = Mode.DRAFT if rng.random() < 0.5 else Mode.AUTO
    manner = rng.choice((schedule.manner, schedule.manner, Manner.REPLY_AND_HAND_OVER))
    end = max(act.at for act in schedule.acts)
    acts = [*schedule.acts]
    for _ in range(rng.choice((0, 1, 2, 3))):
        at = round(rng.choice((rng.uniform(0, end + 60), rng.uniform(20, end + 400))), 3)
        acts.append(_act_of_the_manager(rng, at, schedule.threads))
    faults = [*schedule.faults]
    if schedule.faults:
        sites, weights = list(SITES_OF_THE_MANAGER), [site[0] for site in SITES_OF_THE_MANAGER.values()]
        faults += [
            _fault(rng, site, 2, SITES_OF_THE_MANAGER) for site in rng.choices(sites, weights, k=rng.randint(0, 3))
        ]
    if schedule.uncertain_sends == "resend":
        faults = [fault for fault in faults if (fault.site, fault.kind) not in _UNFIT_FOR_RESEND]
    return replace(
        schedule,
        acts=tuple(sorted(acts, key=lambda act: act.at)),
        faults=tuple(dict.fromkeys(sorted(faults, key=lambda fault: (fault.site, fault.call, fault.kind)))),
        quiet_at=max(schedule.quiet_at, *(act.at + 60 for act in acts)),
        mode=mode,
        manner=manner,
    )


def _act_of_the_manager(rng: Random, at: float, threads: int) -> Act:
    kind = rng.choice(
        (*(ActKind.MANAGER_REPLY,) * 4, ActKind.MANAGER_WORD, ActKind.MANAGER_WORD_FOR_ALL, *_OF_STOPPING)
    )
    word = ""
    if kind in (ActKind.MANAGER_WORD, ActKind.MANAGER_WORD_FOR_ALL):
        word = rng.choice(("pause", "resume", "done", "off", "off", "on", "on", "list", "Resume ", "OFF"))
    return Act(at, rng.randrange(threads), kind, word=word)


_OF_STOPPING: Final = (ActKind.STOP, ActKind.START)


def _unsteered(seed: int) -> Schedule:
    """What people and a model do by themselves, and what goes wrong with that."""
    rng = Random(seed)
    threads = rng.choice((1, 1, 1, 2, 2, 3))
    acts = sorted((act for thread in range(threads) for act in _acts(rng, thread)), key=lambda act: act.at)
    resend = rng.random() < 0.08
    faults = _faults(rng, len(acts))
    outages = _outages(rng, threads, acts[-1].at) if faults else ()
    if outages:
        acts = sorted((*acts, *_during(rng, outages, threads)), key=lambda act: act.at)
    if resend:
        faults = [fault for fault in faults if (fault.site, fault.kind) not in _UNFIT_FOR_RESEND]
    return Schedule(
        seed=seed,
        threads=threads,
        acts=tuple(acts),
        faults=tuple(
            dict.fromkeys(
                sorted([*faults, *_media_faults(seed, faults)], key=lambda fault: (fault.site, fault.call, fault.kind))
            )
        ),
        quiet_at=max(acts[-1].at, *(outage.end for outage in outages), 0.0) + rng.choice((60.0, 60.0, 400.0, 900.0)),
        uncertain_sends="resend" if resend else "hold",
        max_attempts=rng.choice((5, 5, 5, 3, 2)),
        outages=outages,
        manner=Manner.REPLY_AND_NOTIFY if rng.random() < 0.06 else None,
        window=rng.random() < 0.7,
    )


_MANNERS_OF_OUTAGE: Final[Mapping[Service, tuple[FaultKind, ...]]] = {
    Service.MODEL: (D.DOWN, D.FAIL, D.THROTTLE, D.HANG, D.STOP),
    Service.INSTAGRAM: (D.DOWN, D.FAIL, D.THROTTLE, D.HANG, D.STOP, D.FORBIDDEN),
    Service.VAULT: (D.FAIL, D.HANG, D.STOP),
    Service.WHATSAPP: (D.DOWN, D.FAIL, D.THROTTLE, D.HANG, D.STOP, D.REFUSE, D.WINDOW, *_LATE_NOES),
}
LENGTHS: Final = (60.0, 60.0, 60.0, 60.0, 600.0, 600.0, 10_800.0)
"""Seconds that an outage lasts, as often as they are drawn."""


def _outages(rng: Random, threads: int, end: float) -> tuple[Outage, ...]:
    """None in most schedules; now and then two at once, or one that only one thread has."""
    if rng.random() >= 0.2:
        return ()
    return tuple(_outage(rng, threads, end) for _ in range(rng.choice((1, 1, 1, 2))))


def _outage(rng: Random, threads: int, end: float) -> Outage:
    service = rng.choice((Service.MODEL, Service.MODEL, Service.INSTAGRAM, Service.VAULT, Service.WHATSAPP))
    kind, seconds = rng.choice(_MANNERS_OF_OUTAGE[service]), rng.choice(LENGTHS)
    wait = rng.choice((5.0, 60.0, 600.0, 7_200.0)) if kind is D.THROTTLE else 0.0
    alone = service is Service.MODEL and kind is D.FAIL and threads > 1 and rng.random() < 0.7
    at = 0.0 if service is Service.VAULT else round(rng.uniform(0, max(1.0, end)), 3)
    return Outage(service, at, seconds, kind, wait, rng.randrange(threads) if alone else None)


def _during(rng: Random, outages: tuple[Outage, ...], threads: int) -> list[Act]:
    """People who write, edit or answer while a service is down."""
    acts: list[Act] = []
    for outage in outages:
        for _ in range(rng.choice((0, 1, 2, 4))):
            kind = rng.choice((ActKind.SAY, ActKind.SAY, ActKind.SAY, ActKind.EDIT, ActKind.UNSEND, ActKind.HUMAN))
            at = outage.at + rng.uniform(0, outage.seconds)
            acts.append(Act(at, rng.randrange(threads), kind))
    return acts


def _acts(rng: Random, thread: int) -> list[Act]:
    """One person: bursts of texts, close enough together to meet a run, and now and then something else."""
    at, acts = rng.uniform(0, 20), list[Act]()
    for burst in range(rng.choice((1, 1, 2, 2, 3))):
        if burst:
            at += rng.choice((rng.uniform(1, 8), rng.uniform(4, 25), rng.uniform(20, 120), rng.uniform(600, 900)))
        kind = ActKind.SAY_AT_ONCE if rng.random() < 0.15 else ActKind.SAY
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            acts.append(Act(at, thread, kind, rng.choice((1, 1, 1, 2, 3))))
            at += rng.choice((rng.uniform(0, 2), rng.uniform(1, 12)))
    start, end = acts[0].at, at + 25
    for kind, chance in _ASIDES.items():
        if rng.random() < chance:
            acts.append(Act(rng.uniform(start, end), thread, kind, target=rng.choice((0, 0, 0, 1, 2))))
    return acts


_ASIDES: Final[Mapping[ActKind, float]] = {
    ActKind.UNSEND: 0.25,
    ActKind.EDIT: 0.12,
    ActKind.HUMAN: 0.15,
    ActKind.ERASE: 0.05,
    ActKind.NOISE: 0.1,
    ActKind.STALE: 0.05,
    ActKind.TAP: 0.08,
}


def _faults(rng: Random, acts: int) -> list[Fault]:
    """None in every eighth schedule; else mostly a few, sometimes many, sometimes the same one again and again."""
    theme = rng.random()
    if theme < 0.125:
        return []
    if theme < 0.17:
        return _stubborn(rng)
    count = 1 if theme < 0.40 else rng.randint(2, 4) if theme < 0.85 else rng.randint(5, 12)
    sites, weights = list(SITES), [site[0] for site in SITES.values()]
    return [_fault(rng, site, acts) for site in rng.choices(sites, weights, k=count)]


def _media_faults(seed: int, faults: list[Fault]) -> list[Fault]:
    """Of the files in messages, where anything goes wrong at all. By draws of their own: the rest of a seed stays."""
    rng = Random(f"media {seed}")
    if not faults or rng.random() < 0.5:
        return []
    kinds = (*_DEATHS, D.FAIL, D.FAIL, D.HANG, D.DOWN)
    return [Fault("media.fetch", rng.randint(1, 3), rng.choice(kinds)) for _ in range(rng.choice((1, 2, 4)))]


def _fault(rng: Random, site: str, acts: int, sites: Sites = SITES) -> Fault:
    _, expected, kinds = sites[site]
    call, kind = rng.randint(1, max(2, round(expected * acts))), rng.choice(kinds)
    manner = rng.choice(ODD_MANNERS) if kind is D.ODD else None
    return Fault(site, call, kind, _seconds(rng, kind), manner)


def _seconds(rng: Random, kind: FaultKind) -> float:
    match kind:
        case D.FREEZE_BEFORE | D.FREEZE_AFTER:
            seconds = rng.choice(
                (rng.uniform(1, 30), rng.uniform(200, 300), rng.uniform(325, 420), rng.uniform(600, 800))
            )
        case D.LATE:
            seconds = rng.choice((rng.uniform(0.05, 2), rng.uniform(1, 30)))
        case D.SLOW:
            # The middle one is longer than a wake-up's delay may be, and shorter than Meta waits for its 200.
            seconds = rng.choice((rng.uniform(1, 6), rng.uniform(6, 9.8), rng.uniform(5, 40)))
        case D.THROTTLE:
            seconds = rng.choice((1.0, 30.0, 300.0, 400.0, 5_000.0))
        case D.LAG:
            seconds = rng.uniform(1, 60)
        case D.TWICE | D.DELAY:
            seconds = rng.choice((rng.uniform(0, 0.5), rng.uniform(0, 8), rng.uniform(5, 120)))
        case _:
            return 0.0
    return round(seconds, 3)


def _stubborn(rng: Random) -> list[Fault]:
    """The same thing goes wrong again and again: what is tried must be bounded."""
    site, kind = rng.choice(
        (
            ("processor.model.generate", rng.choice(_DEATHS)),
            ("processor.model.generate", D.FAIL),
            ("processor.model.generate", D.ODD),
            ("instagram.send", rng.choice((D.THROTTLE, D.FAIL, D.STOP, D.DIE_DURING, D.DIE_BEFORE))),
            ("whatsapp.send", rng.choice((D.FAIL, D.STOP, D.DIE_BEFORE, D.DIE_DURING, D.LATE_WINDOW))),
            ("processor.store.commit", rng.choice((D.FAIL, D.LOST))),
        )
    )
    manner = rng.choice(ODD_MANNERS) if kind is D.ODD else None
    first = rng.randint(1, 3)
    return [Fault(site, n, kind, 30.0 if kind is D.THROTTLE else 0.0, manner) for n in range(first, first + 12)]
