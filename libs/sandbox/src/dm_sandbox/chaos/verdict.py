"""The judgement: what the platforms recorded against what the store says. Each finding is a broken promise (P1-P4).

``judge`` is pure, so that tests can show it evidence of each crime.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dm_core.alerts import MODEL, alert_id
from dm_core.messages import Disposition, Message, Status
from dm_core.processing.finish import DROPPED
from dm_core.runs import Action, ActionKind, ActionState, Run
from dm_sandbox.chaos.fake_model import numbers_in
from dm_sandbox.chaos.ledger import Account
from dm_sandbox.chaos.people import AcknowledgedDm
from dm_sandbox.platforms.instagram import Reaction
from dm_sandbox.platforms.mailbox import SentMessage
from dm_sandbox.platforms.whatsapp import Alert

EXPECTED = (None, Disposition.UNCERTAIN, Disposition.NO_REPLY)
"""How a DM may end here: nobody took over, nobody unsent, no window closed, no limit is set."""


MAX_ALERT_CALLS = 3
"""Two texts and one template of an alert."""


class Crime(StrEnum):
    """What kind of promise is broken."""

    LOST = "lost"  # P1, P3
    DUPLICATE = "duplicate"  # P2, P4
    UNTRUE = "untrue"  # the store says something else than the platforms
    UNREST = "unrest"  # P3: somebody still has to look


@dataclass(frozen=True, slots=True)
class Finding:
    """One crime, in words."""

    crime: Crime
    words: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """The acknowledged DMs, what the platforms really did, and the store's account of each thread."""

    dms: Sequence[AcknowledgedDm]
    shown: frozenset[int]
    sent: Sequence[SentMessage]
    reactions: Sequence[Reaction]
    alerts: Sequence[Alert]
    accounts: Mapping[str, Account]


def judge(evidence: Evidence) -> list[Finding]:
    """Every finding; none if all promises were kept."""
    return [
        *_repeated(evidence),
        *_misdirected(evidence),
        *(found for dm in evidence.dms for found in _letter(evidence, dm)),
        *(found for name, account in evidence.accounts.items() for found in _thread(evidence, name, account)),
    ]


# --- the platforms' record alone ----------------------------------------------------------------------------------


def _repeated(evidence: Evidence) -> Iterator[Finding]:
    """Each text, each answer to a DM and each reaction at most once; an alert, which may come twice, at most thrice."""
    answers = [number for message in evidence.sent for number in numbers_in(message.text)]
    effects: Mapping[str, Iterable[object]] = {
        "text sent": (message.text for message in evidence.sent),
        "answer to DM": answers,
        "reaction to": (reaction.mid for reaction in evidence.reactions),
        "alert": (alert.reference for alert in evidence.alerts),
    }
    for what, keys in effects.items():
        for key, count in Counter(keys).items():
            if count > (MAX_ALERT_CALLS if what == "alert" else 1):
                yield Finding(Crime.DUPLICATE, f"{what} {key!r}: {count} times")


def _misdirected(evidence: Evidence) -> Iterator[Finding]:
    """An answer goes to who wrote."""
    writers = {dm.number: dm.thread_id.rpartition("_")[2] for dm in evidence.dms}
    for message in evidence.sent:
        for number in numbers_in(message.text):
            if writers.get(number) != message.to_id:
                yield Finding(Crime.UNTRUE, f"the answer to DM {number} went to {message.to_id}")


# --- a DM ---------------------------------------------------------------------------------------------------------


def _letter(evidence: Evidence, dm: AcknowledgedDm) -> Iterator[Finding]:
    account = evidence.accounts.get(dm.thread_id)
    message = next((m for m in account.messages if m.id == dm.id), None) if account else None
    if account is None or message is None:
        yield Finding(Crime.LOST, f"DM {dm.number} was acknowledged and is not in the store")
        return
    if message.status not in (Status.PROCESSED, Status.FAILED):
        yield Finding(Crime.LOST, f"DM {dm.number} is still {message.status}")
        return
    runs = [run for run in account.runs if dm.id in run.message_ids]
    if len(runs) != 1:
        crime = Crime.DUPLICATE if runs else Crime.LOST
        yield Finding(crime, f"DM {dm.number} is in {len(runs)} ended runs")
        return
    yield from _ended(evidence, dm, message, runs[0])


def _ended(evidence: Evidence, dm: AcknowledgedDm, message: Message, run: Run) -> Iterator[Finding]:
    """It was shown and answered, or the manager was told that it was not (or may not have been)."""
    if message.disposition not in EXPECTED:
        yield Finding(Crime.LOST, f"DM {dm.number} ended as {message.disposition} for no reason")
    in_doubt = message.status is Status.FAILED or message.disposition is Disposition.UNCERTAIN
    if not in_doubt:
        if dm.number not in evidence.shown:
            yield Finding(Crime.LOST, f"DM {dm.number} ended well and no model has seen it")
        if not any(dm.number in numbers_in(sent.text) for sent in evidence.sent):
            yield Finding(Crime.LOST, f"DM {dm.number} ended well and was not answered")
    elif not any(alert.cause != MODEL for alert in run.alerts):
        yield Finding(Crime.LOST, f"DM {dm.number} is {run.ending} and the manager was not told")


# --- a thread -----------------------------------------------------------------------------------------------------


def _thread(evidence: Evidence, name: str, account: Account) -> Iterator[Finding]:
    if not account.at_rest:
        yield Finding(Crime.UNREST, f"thread {name} is not at rest: {_restless(account)}")
    if account.thread is not None and account.thread.paused_until is not None:
        yield Finding(Crime.UNTRUE, f"thread {name} is paused for a human, and nobody but the agent wrote")
    sent = [message for message in evidence.sent if message.to_id == name.rpartition("_")[2]]
    yield from _recorded(account.runs, sent)
    yield from _lost_alerts(account.runs, evidence.alerts)


def _lost_alerts(runs: Sequence[Run], alerts: Sequence[Alert]) -> Iterator[Finding]:
    """What the manager was to know is on the phone, by itself or in a digest."""
    references = {alert.reference for alert in alerts}
    for asked in (asked for run in runs for asked in run.alerts):
        by_itself = alert_id(asked.key) in references
        if not by_itself and not any(asked.text in alert.text for alert in alerts):
            yield Finding(Crime.LOST, f"the alert {asked.key} never came")


def _restless(account: Account) -> str:
    thread = account.thread
    if thread is None:
        return "unknown"
    return f"lease {thread.lease is not None}, run {thread.run is not None}, due {thread.due_at}"


def _recorded(runs: Sequence[Run], sent: Sequence[SentMessage]) -> Iterator[Finding]:
    """The archive tells the truth about what went out. What a dropped run planned, the next one may have sent."""
    actions = [action for run in runs if run.ending != DROPPED for action in run.actions]
    by_state = _texts(actions, lambda action: action.kind is ActionKind.SEND)
    mids = {message.mid: message.text for message in sent}
    for action in by_state[ActionState.DONE]:
        if mids.get(action.platform_id or "") != action.text:
            yield Finding(Crime.UNTRUE, f"{action.key} is done and was not sent")
    texts = {message.text for message in sent}
    for state in (ActionState.REFUSED, ActionState.DROPPED, ActionState.PLANNED):
        for action in by_state[state]:
            if action.text in texts:
                yield Finding(Crime.UNTRUE, f"{action.key} is {state} and was sent")
    known = {action.text for state in (ActionState.DONE, ActionState.UNCERTAIN) for action in by_state[state]}
    for text in texts - known:
        yield Finding(Crime.UNTRUE, f"no run knows of {text!r}")


def _texts(actions: Iterable[Action], wanted: Callable[[Action], bool]) -> Mapping[ActionState, list[Action]]:
    found: defaultdict[ActionState, list[Action]] = defaultdict(list)
    for action in actions:
        if wanted(action):
            found[action.state].append(action)
    return found
