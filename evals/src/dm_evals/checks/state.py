"""The end state: what the person and the manager got, what is stored."""

from collections.abc import Iterator, Sequence
from typing import Final

from dm_core.agent.tools.registry import SEND
from dm_core.alerts import HANDOVER_REMINDER
from dm_evals.checks.matching import matched
from dm_evals.checks.nearest_call import shown_matcher
from dm_evals.observation import Observation, StoredMessage
from dm_evals.results import Check
from dm_evals.scenarios.scenario import Matcher, State

MOST_A_TURN: Final = 2


def state_checks(expected: State, observation: Observation) -> Iterator[Check]:
    """Counts are exact: two replies where one was expected are as wrong as none. Two messages of one turn may be one
    reply: people write so, too."""
    for name, count, seen in (
        ("replies", expected.replies, observation.replies),
        ("reactions", expected.reactions, observation.reactions),
        ("alerts", expected.alerts, [alert.text for alert in observation.alerts]),
        ("notices", expected.notices, [notice.text for notice in observation.notices]),
        ("runs", expected.runs, observation.runs),
    ):
        if name in ("notices", "alerts") and count == len(seen) - _reminders(observation):
            yield Check(f"state.{name}", "held", str(count), " | ".join(seen))
        elif name == "replies" and count == _pairs_as_one(observation):
            yield Check("state.replies", "held", str(count), " | ".join(seen))
        elif count is not None:
            yield _counted(f"state.{name}", count, seen)
    if expected.urgent is not None:
        urgent = any(each.urgent for each in (*observation.alerts, *observation.notices))
        what = {True: "an urgent alert", False: "no urgent alert"}
        yield _same("state.urgent", what[expected.urgent], what[urgent])
    if expected.alarmed is not None:
        what = {True: "the alarm rang", False: "no alarm rang"}
        yield _same("state.alarmed", what[expected.alarmed], what[any(alert.alarmed for alert in observation.alerts)])
    if expected.paused is not None:
        what = {True: "a human took over", False: "no human took over"}
        yield _same("state.paused", what[expected.paused], what[observation.paused])
    texts = [notice.text for notice in observation.notices]
    stored = [alert.text for alert in observation.alerts]
    yield from (_one_of("state.alert", matcher, stored) for matcher in expected.alert)
    yield from (_one_of("state.notice", matcher, texts) for matcher in expected.notice)
    yield from (_one_of("state.notes", matcher, observation.notes) for matcher in expected.notes)
    inbound = [message for message in observation.messages if message.direction == "inbound"]
    yield from (_ended(word, count, inbound) for word, count in expected.messages.items())


def _reminders(observation: Observation) -> int:
    """Reminders of a handover, which an alert may ask for as well as not."""
    return sum(alert.cause == HANDOVER_REMINDER for alert in observation.alerts)


def _pairs_as_one(observation: Observation) -> int | None:
    """Turns that sent one or two messages; None where one sent more, or where not just what they sent arrived."""
    turns = [use.turn for use in observation.calls if use.name == SEND and use.outcome == "done" and not use.by]
    fits = len(turns) == len(observation.replies) and all(turns.count(turn) <= MOST_A_TURN for turn in turns)
    return len(set(turns)) if fits else None


def _counted(name: str, count: int, seen: Sequence[str]) -> Check:
    observed = str(len(seen)) + (": " + " | ".join(seen) if seen else "")
    return Check(name, "held" if len(seen) == count else "broken", str(count), observed)


def _same(name: str, expected: str, observed: str) -> Check:
    return Check(name, "held" if expected == observed else "broken", expected, observed)


def _one_of(name: str, matcher: Matcher, texts: Sequence[str]) -> Check:
    """One text fits; ``absent`` holds where there is none."""
    found = any(matched(matcher, text) for text in texts or (None,))
    return Check(name, "held" if found else "broken", shown_matcher(matcher), " | ".join(texts) or "none")


def _ended(word: str, count: int, inbound: Sequence[StoredMessage]) -> Check:
    """How many of the person's DMs ended with this status or disposition."""
    name, ended = "state.messages", [f"{m.status}" + (f" ({m.disposition})" if m.disposition else "") for m in inbound]
    observed = ", ".join(ended) or "no DM stored"
    number = sum(word in (message.status, message.disposition) for message in inbound)
    return Check(name, "held" if number == count else "broken", f"{count} {word}", f"{number} {word}; all: {observed}")
