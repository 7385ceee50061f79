"""Exact effects: everything that left the system against what the recorded turns asked for.

    recorded turns ─▶ sends, reactions, alerts, notes ─┐
                                                       ├─ the same, in order and to the letter, or the trial fails
    platforms, store ─▶ what left ─────────────────────┘

Nobody writes an expectation for it. Where production is meant to change something, the scenario counts it under
``expect.changed``, and exactly so much may differ:

| word | what production did |
|---|---|
| overtaken | a call of an answer that was thrown away, because something came or it grew old |
| refused | a guard or the platform said no |
| dropped | a call that was not begun: a takeover, an earlier refusal, the same words again |
| uncertain | a send of which nobody can tell whether it went out |
| split | a text above the platform's limit went out in parts that are the whole |
| plain_text | words beside no call, sent as the reply |
| disclosure | the profile's line about who writes, put under a reply that did not say it |
| undelivered | a stored alert that did not reach the phone |
| added | an alert that no model asked for; its words are among those of ``state.alert`` and ``state.notice``, if any |
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dm_core.agent.tools.registry import NOTE, NOTIFY, REACT, SEND
from dm_core.alerts import HANDOVER_REMINDER, MODEL
from dm_core.durations import MINUTE_MS
from dm_evals.checks.matching import matched
from dm_evals.observation import Effect, Observation, StoredAlert, ToolUse
from dm_evals.results import Check
from dm_evals.scenarios.scenario import Change, Scenario

LIMIT_BYTES: Final = 1_000
"""Longest text Instagram takes (https://developers.facebook.com/docs/instagram-platform)."""
TICKS_MINUTES: Final = 10
"""So much later than it is due a reminder may come."""
LEARNT: Final = "automatic_learnt"
"""Cause of the alert that a text was learnt to be the account's own."""
_HEAD: Final = re.compile(r"(URGENT, )?(?:Instagram (\S+): )?", re.DOTALL)
"""What stands before an alert's words: its urgency and the person."""
_REACTIONS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("heart", "❤", "❤️"), "love"),
    **dict.fromkeys(("like", "thumbs_up", "thumbsup", "+1"), "👍"),
    **dict.fromkeys(("laugh", "haha"), "😂"),
    "wow": "😮",
    "sad": "😢",
    "angry": "😡",
}
"""What a reaction that is asked for in words must become (docs/platforms/instagram.md#sending); any other stays."""
_WORDS: Final[Mapping[str, Change]] = {
    "discarded": "overtaken",
    "refused": "refused",
    "dropped": "dropped",
    "uncertain": "uncertain",
}


@dataclass(slots=True)
class _Asked:
    """What the turns asked for, and what of it production is known to have changed."""

    to_person: list[ToolUse] = field(default_factory=list[ToolUse])
    alerts: list[tuple[bool, str]] = field(default_factory=list[tuple[bool, str]])
    notes: list[str] = field(default_factory=list[str])
    hands_over: bool = False
    changed: Counter[Change] = field(default_factory=Counter[Change])


def effect_checks(scenario: Scenario, observation: Observation) -> Iterator[Check]:
    """One check for each way out, and one for what was changed."""
    asked = _asked(observation)
    if scenario.others:
        yield _compared("effects.apart", (), observation.mixed)
    yield _compared("effects.person", *_to_person(asked, observation))
    yield from _to_manager(asked, observation, _names(scenario, observation))
    yield _compared("effects.added", (), _unexpected(scenario, asked, observation))
    yield _compared(
        "effects.notes", _lines("note", [*scenario.world.notes, *asked.notes]), _lines("note", observation.notes)
    )
    expected: dict[str, int] = {word: count for word, count in scenario.expect.changed.items() if count}
    seen: dict[str, int] = {word: count for word, count in asked.changed.items() if count}
    yield _compared("effects.changed", _counts(expected), _counts(seen))


def changes(observation: Observation) -> dict[Change, int]:
    """What production changed in this trial, as a scenario names it."""
    asked = _asked(observation)
    _to_person(asked, observation)
    list(_to_manager(asked, observation))
    return {word: count for word, count in sorted(asked.changed.items()) if count}


def _asked(observation: Observation) -> _Asked:
    asked = _Asked()
    for use in sorted(observation.calls, key=lambda use: (use.turn, use.index)):
        if use.name not in (SEND, REACT, NOTIFY, NOTE):
            continue
        if (word := _WORDS.get(use.outcome)) is not None:
            asked.changed[word] += 1
        elif use.name == NOTIFY:
            asked.hands_over |= use.arguments.get("hand_over") is True
            alert = use.arguments.get("urgency") == "urgent", _words(use.arguments.get("text"))
            if alert in asked.alerts:
                asked.changed["dropped"] += 1
            else:
                asked.alerts.append(alert)
        elif use.name == NOTE:
            asked.notes.append(_words(use.arguments.get("text")))
        else:
            asked.to_person.append(use)
    return asked


def _to_person(asked: _Asked, observation: Observation) -> tuple[list[str], list[str]]:
    """What was asked for and what left, line by line; parts of a split text are put together again."""
    left = [effect for effect in observation.effects if effect.kind != "alert"]
    plain = list(observation.plain_texts)
    expected: list[str] = []
    seen: list[str] = []
    while left:
        use = asked.to_person[0] if asked.to_person else None
        if use is None and left[0].kind == "send" and _words(left[0].text) in plain:
            plain.remove(_words(left[0].text))
            asked.changed["plain_text"] += 1
            left.pop(0)
            continue
        if use is not None:
            asked.to_person.pop(0)
            expected.append(_line_of(use, left[0]))
        effect = left.pop(0)
        if use is not None and use.name == SEND and effect.kind == "send":
            effect = _joined(effect, _words(use.arguments.get("text")), left, asked, observation.disclosures)
        seen.append(_line(effect))
    expected += [_line_of(use, None) for use in asked.to_person]
    return expected, seen


def _joined(first: Effect, whole: str, left: list[Effect], asked: _Asked, disclosures: Sequence[str]) -> Effect:
    """The parts of a text that is too long for one, as one effect; each must fit, and be there in its place.

    A disclosure that was put under it is counted and taken off, so that the rest is held against what was asked.
    """
    for line in disclosures:
        if _words(first.text) == f"{whole}\n{line}":
            asked.changed["disclosure"] += 1
            return Effect("send", whole, first.to)
    if len(whole.encode()) <= LIMIT_BYTES and not (left and left[0].text in disclosures):
        return first
    parts = [first.text]
    wanted = {_bare(whole), *(_bare(f"{whole} {line}") for line in disclosures)}
    while left and left[0].kind == "send" and left[0].to == first.to:
        told = left[0].text in disclosures
        if _bare(" ".join(parts)) in wanted and not told:
            break
        parts.append(left.pop(0).text)
    joined = _bare(" ".join(parts))
    if any(len(part.encode()) > LIMIT_BYTES for part in parts) or joined not in wanted:
        return Effect("send", " ¦ ".join(parts), first.to)
    disclosed = joined != _bare(whole)
    asked.changed["disclosure"] += disclosed
    asked.changed["split"] += len(whole.encode()) > LIMIT_BYTES
    return Effect("send", whole, first.to)


def _to_manager(asked: _Asked, observation: Observation, names: Collection[str] = ()) -> Iterator[Check]:
    """Alerts as stored, and as they arrived: whole, at the manager's number, about one of these people."""
    added = _added(observation)
    asked.changed["added"] += len(added)
    stored = [(alert.urgent, alert.text) for alert in observation.alerts if alert.cause == MODEL]
    over = ["handed over"] if asked.hands_over else []
    held = ["handed over"] if observation.handed_over and not (added and not over) else []
    yield _compared("effects.alerts", [*_alert_lines(asked.alerts), *over], [*_alert_lines(stored), *held])
    missing = [alert for alert in observation.alerts if alert.state not in ("delivered", "digested")]
    asked.changed["undelivered"] += len(missing)
    lost = Counter((alert.urgent, alert.text) for alert in missing)
    wanted = Counter([*asked.alerts, *((alert.urgent, alert.text) for alert in added)]) - lost
    arrived = [effect for effect in observation.effects if effect.kind == "alert"]
    elsewhere = [f"to {effect.to}: {effect.text}" for effect in arrived if effect.to != "manager"]
    elsewhere += [f"about {name}" for name in sorted(_about(observation, arrived).difference(names))] if names else []
    got = [_arrived(effect.text) for effect in arrived if effect.to == "manager"]
    yield _compared("effects.manager", _alert_lines(list(wanted.elements())), [*_alert_lines(got), *elsewhere])


def _about(observation: Observation, arrived: Sequence[Effect]) -> set[str]:
    """Whom the alerts name. One that is about a thread, and not about a service or the account, must name somebody."""
    texts = {alert.text for alert in observation.alerts if "/" not in alert.cause and alert.cause != LEARNT}
    about: set[str] = set()
    for effect in arrived:
        head = _HEAD.match(effect.text)
        name = (head and head[2]) or ""
        if name.startswith("@") or _arrived(effect.text)[1] in texts:
            about.add(name or "nobody")
    return about


def _added(observation: Observation) -> list[StoredAlert]:
    return [alert for alert in observation.alerts if alert.cause != MODEL]


def _unexpected(scenario: Scenario, asked: _Asked, observation: Observation) -> list[str]:
    """What production told the manager in its own words, where the scenario names such words and not these."""
    state = scenario.expect.state
    known = [matcher for matcher in (*state.alert, *state.notice) if not matcher.anything]
    told = [alert for alert in observation.alerts if alert.cause == MODEL]
    added = _added(observation) if known else []
    unexpected = [alert.text for alert in added if not any(matched(each, alert.text) for each in known)]
    reminders = [alert.text for alert in _added(observation) if alert.cause == HANDOVER_REMINDER]
    of_nothing = [
        text for text in reminders if asked.hands_over and not any(text.endswith(alert.text) for alert in told)
    ]
    return list(dict.fromkeys((*unexpected, *of_nothing, *_early_or_late(observation, reminders))))


def _early_or_late(observation: Observation, reminders: Sequence[str]) -> list[str]:
    """Reminders that don't come as long after the first alert as they say, give or take the ticks."""
    told = [bubble for bubble in observation.bubbles if bubble.author == "manager"]
    found: list[str] = []
    for text in reminders:
        said = re.search(r"(\d+) minutes", text)
        came = [bubble.at for bubble in told if bubble.text.endswith(text)]
        minutes = (came[0] - told[0].at) / MINUTE_MS if came else 0
        if said and came and not 0 <= minutes - int(said[1]) <= TICKS_MINUTES:
            found.append(f"{minutes:.0f} minutes after the first alert: {text}")
    return found


def _arrived(text: str) -> tuple[bool, str]:
    head = _HEAD.match(text)
    assert head is not None  # noqa: S101 - it may be empty
    return head.group(1) is not None, text[head.end() :]


def _names(scenario: Scenario, observation: Observation) -> set[str]:
    """As an alert names people: those in whose threads the model asked for one, else everybody who writes.

    None where one of them has no username, or it may not be had.
    """
    people = {"": scenario.person, **scenario.others}
    whose = {use.by for use in observation.calls if use.name == NOTIFY} or people
    usernames = [people[name].username for name in whose]
    hidden = any(
        fault.platform == "instagram" and fault.operation in ("*", "profile") for fault in scenario.world.faults
    )
    return set() if hidden or not all(usernames) else {f"@{name}" for name in usernames}


def _words(value: object) -> str:
    """A text as it is to arrive: only white space around it may go."""
    return str(value if value is not None else "").strip()


def _bare(text: str) -> str:
    """Its words: only the white space between them may be lost where a text is cut."""
    return " ".join(text.split())


def _line(effect: Effect) -> str:
    to = "" if effect.to == "person" else f" to {effect.to}"
    on = f" on {effect.target}" if effect.kind == "react" else ""
    return f"{effect.kind}{to}{on}: {_words(effect.text)}"


def _line_of(use: ToolUse, left: Effect | None) -> str:
    """A call as the effect it asks for. Several messages may be meant by a handle: one of them is enough."""
    to = f" to {use.by}" if use.by else ""
    if use.name == SEND:
        return f"send{to}: {_words(use.arguments.get('text'))}"
    hit = left.target if left is not None and left.target in use.targets else " or ".join(use.targets) or "nothing"
    reaction = _words(use.arguments.get("reaction"))
    return f"react{to} on {hit}: {_REACTIONS.get(reaction.lower(), reaction)}"


def _lines(kind: str, texts: Sequence[str]) -> list[str]:
    return [f"{kind}: {text}" for text in texts]


def _alert_lines(alerts: Sequence[tuple[bool, str]]) -> list[str]:
    return sorted(f"{'urgent' if urgent else 'normal'} alert: {text}" for urgent, text in alerts)


def _counts(counts: Mapping[str, int]) -> list[str]:
    return [f"{word}: {counts[word]}" for word in sorted(counts)]


def _compared(name: str, expected: Sequence[str], seen: Sequence[str]) -> Check:
    verdict = "held" if list(expected) == list(seen) else "broken"
    return Check(name, verdict, " | ".join(expected) or "nothing", " | ".join(seen) or "nothing")
