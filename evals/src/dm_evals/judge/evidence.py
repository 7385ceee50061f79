"""What a judge may go by: one trial as named sections of text, and whether a quote stands in them.

profile    what the club has told the assistant        calendar   now, and the sessions as they truly are
tools      what was looked up, and the results         notes      what is remembered of the person
thread     who wrote what, in order                    sent       what the assistant sent in this scenario
files      what the person's files hold, and why the assistant was not shown one
manager    what a human was asked, and whether it arrived          machine    how runs, DMs and refused calls ended
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from dm_core.agent.profile import BusinessProfile
from dm_evals.folded import folded
from dm_evals.observation import Observation, as_text
from dm_evals.replay.digests import own_prompt
from dm_evals.scenarios.scenario import EventKind, Scenario

SECTIONS: Final = ("profile", "calendar", "tools", "notes", "thread", "files", "sent", "manager", "machine")
SHORTEST_QUOTE: Final = 8
"""Characters of a quote, or of a piece of one with an ellipsis: less is found in any text."""
_TAG: Final = re.compile(rf"</?\s*(?:{'|'.join(SECTIONS)}|statement)\b[^>]*>", re.IGNORECASE)
_ARRIVED: Final = ("delivered", "digested")
_AUTHORS: Final = {"person": "Person", "bot": "Assistant", "human": "Human of the club"}


@dataclass(frozen=True, slots=True)
class Evidence:
    """Sections by name; ``scenario`` is what rulings are kept under.

    ``bound`` is what a ruling was made of: what was said, done and known. Another profile or another form of a tool's
    result leaves it as it is; there the quote decides.
    """

    sections: Mapping[str, str]
    scenario: str = ""
    bound: str = ""

    @classmethod
    def of(cls, scenario: Scenario, observation: Observation, profile: BusinessProfile | None = None) -> "Evidence":
        """Of a trial. ``profile``: the one it was played with (None: the repository's)."""
        known = profile or own_prompt().profile
        asked = [f"{'urgent' if a.urgent else 'normal'}: {a.text}" for a in observation.alerts if a.cause == "model"]
        added = [f"by the machine ({a.cause}): {a.text}" for a in observation.alerts if a.cause != "model"]
        missed = [f"did not arrive: {alert.text}" for alert in observation.alerts if alert.state not in _ARRIVED]
        looked_up = [
            f"{use.name}({as_text(use.arguments)}): {as_text(use.result)}"
            for use in observation.calls
            if use.outcome in ("answered", "error")
        ]
        held = list(_files(scenario))
        unseen = [f"the deployment's setting: {name}={value}" for name, value in scenario.world.settings.items()]
        unseen += [f"not shown: {line}" for line in observation.not_shown]
        sections = {
            "profile": f"{known.name}\n{known.persona}\n{known.knowledge}",
            "calendar": "\n".join(_calendar(scenario, observation)),
            "tools": "\n".join(looked_up),
            "notes": "\n".join((*scenario.world.notes, *observation.notes)),
            "thread": "\n".join(_thread(scenario, observation)),
            "files": "\n".join((*held, *unseen)),
            "sent": "\n".join(_sent(observation)),
            "manager": "\n".join((*asked, *added, *missed)),
            "machine": "\n".join(_machine(observation)),
        }
        bound = [*(sections[name] for name in ("calendar", "notes", "thread", "sent")), *held]
        return cls({name: text or "nothing" for name, text in sections.items()}, scenario.name, _digest(bound + asked))

    @classmethod
    def of_text(cls, text: str) -> "Evidence":
        """A conversation alone, beside the repository's profile."""
        profile = own_prompt().profile
        return cls({"profile": f"{profile.persona}\n{profile.knowledge}", "thread": text}, "", _digest([text]))

    def __str__(self) -> str:
        """As a model reads it: nothing inside a section can end it."""
        return "\n\n".join(f"<{name}>\n{_TAG.sub('[tag]', text)}\n</{name}>" for name, text in self.sections.items())

    def holds(self, quote: str) -> bool:
        """Whether the quote stands in one section, case and white space apart; an ellipsis leaves words out."""
        pieces = [piece.strip(" \"'.,;:") for piece in folded(quote).split("...")]
        pieces = [piece for piece in pieces if piece]
        texts = [folded(text) for text in self.sections.values()]
        long = bool(pieces) and all(len(piece) >= SHORTEST_QUOTE for piece in pieces)
        return long and any(all(piece in text for piece in pieces) for text in texts)

    def shown(self) -> str:
        """For a person who rules on it: all but the profile."""
        return "\n".join(f"[{name}]\n{text}" for name, text in self.sections.items() if name != "profile")


def _calendar(scenario: Scenario, observation: Observation) -> Iterator[str]:
    zone = ZoneInfo(observation.time_zone)
    yield f"Now: {scenario.now.astimezone(zone):%A %-d %B %Y, %H:%M}"
    if scenario.world.sessions is None:
        yield "No calendar is connected."
    for session in scenario.world.sessions or ():
        begins, ends = session.starts.astimezone(zone), session.ends.astimezone(zone)
        room = f"{session.accepted} of {session.capacity} places taken" if session.capacity is not None else ""
        told = (f"{begins:%A %-d %B %Y, %H:%M} to {ends:%H:%M}", session.place or "", room)
        yield f"{session.title}: " + ", ".join(filter(None, told)) + (" CANCELLED" if session.cancelled else "")


def _thread(scenario: Scenario, observation: Observation) -> Iterator[str]:
    shown = [f"{_AUTHORS[each.author]}: {each.text}" for each in observation.bubbles if each.author in _AUTHORS]
    yield from shown
    if not shown:
        yield from (f"Person: {each.text or each.kind}" for each in scenario.events if each.kind is not EventKind.HUMAN)
        yield from (f"Assistant: {reply}" for reply in observation.replies)


def _files(scenario: Scenario) -> Iterator[str]:
    for event in scenario.events:
        for place, file in enumerate(event.files, 1):
            what = (
                f"shows: {file.shows}" if file.shows else "",
                f"says: {file.says}" if file.says else "",
                f"lasts {file.seconds:g} seconds" if file.seconds else "",
                "is HEIC" if file.heic else "",
                "is cut in half" if file.broken else "",
            )
            yield f"{event.by or 'the person'}'s {event.kind.value} {place} " + ", ".join(filter(None, what))


def _sent(observation: Observation) -> Iterator[str]:
    yield from (f"Assistant: {reply}" for reply in observation.replies)
    yield from (f"Assistant reacts: {reaction}" for reaction in observation.reactions)
    for name, replies in observation.others.items():
        yield from (f"Assistant to {name}: {reply}" for reply in replies)
    if not (observation.replies or observation.reactions or any(observation.others.values())):
        yield "The assistant sent nothing."


def _machine(observation: Observation) -> Iterator[str]:
    yield from (f"a run ended: {ending}" for ending in observation.runs)
    for message in observation.messages:
        if message.direction == "inbound":
            ended = " ".join(filter(None, (message.status, message.disposition, message.error)))
            yield f"a DM of the person's ended as {ended}"
    for use in observation.calls:
        if use.outcome not in ("done", "answered", "error"):
            yield f"{use.name}({as_text(use.arguments)}) was {use.outcome} {as_text(use.result)}".rstrip()
    if observation.paused:
        yield "a human has taken the thread over"


def _digest(texts: list[str]) -> str:
    return hashlib.sha256("".join(f"{len(text)}:{text}" for text in texts).encode()).hexdigest()
