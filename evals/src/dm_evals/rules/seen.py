"""What a rule looks at: one trial beside the club's profile."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from dm_core.agent.profile import BusinessProfile, load_profile
from dm_core.agent.tools.registry import NOTE
from dm_core.alerts import MODEL
from dm_evals.observation import Observation
from dm_evals.replay.trial_environment import PROCESSOR_FOLDER
from dm_evals.results import Check
from dm_evals.rules.texts import SPOKEN, language_of, likely_language
from dm_evals.scenarios.scenario import EventKind, Scenario

SAID_BY_PERSON: Final = frozenset(
    (EventKind.SAY, EventKind.EDIT, EventKind.TAP, EventKind.PRESS, EventKind.STORY_REPLY, EventKind.SHARE)
)


@cache
def _profile(folder: Path) -> BusinessProfile:
    return load_profile(folder / "profile")


@cache
def _instructions(folder: Path) -> str:
    return (folder / "prompts" / "system.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Seen:
    """One trial and what may be known in it."""

    scenario: Scenario
    observation: Observation
    folder: Path = PROCESSOR_FOLDER

    @property
    def profile(self) -> BusinessProfile:
        return _profile(self.folder)

    @property
    def instructions(self) -> str:
        return _instructions(self.folder)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.observation.time_zone)

    @property
    def today(self) -> date:
        now = self.observation.now
        return (datetime.fromisoformat(now) if now else self.scenario.now).astimezone(self.zone).date()

    @property
    def session_times(self) -> Sequence[datetime]:
        """When the calendar's sessions begin and end, by the club's clock."""
        sessions = self.scenario.world.sessions or ()
        return [at.astimezone(self.zone) for each in sessions for at in (each.starts, each.ends)]

    @property
    def alerts(self) -> Sequence[str]:
        """Those that the model asked for."""
        return [alert.text for alert in self.observation.alerts if alert.cause == MODEL]

    @property
    def noted(self) -> Sequence[str]:
        """What the model asked to be noted, kept or not."""
        return [str(use.arguments.get("text")) for use in self.observation.calls if use.name == NOTE]

    @property
    def is_first_contact(self) -> bool:
        return not (self.scenario.world.history or self.scenario.world.notes)

    @cached_property
    def replies(self) -> Sequence[str]:
        """What the person saw; for half an emoji, which no library reads, a question mark."""
        return [text.encode("utf-8", "replace").decode("utf-8") for text in self.observation.replies]

    @cached_property
    def asked(self) -> str:
        """What the person wrote, before and now."""
        history = [past.text for past in self.scenario.world.history if past.by == "person"]
        return "\n".join((*history, *self._dms))

    @property
    def _dms(self) -> Sequence[str]:
        said = [each.text for each in self.scenario.events if each.kind in SAID_BY_PERSON and each.by is None]
        return [*said, *self.observation.said]

    @property
    def now_asked(self) -> str:
        return "\n".join(self._dms)

    @cached_property
    def shown(self) -> str:
        """What the person wrote, and what stands in what they sent."""
        files = [f"{file.shows} {file.says}" for event in self.scenario.events for file in event.files]
        return "\n".join((self.asked, *files))

    @cached_property
    def colleagues(self) -> str:
        """What humans of the club wrote in the thread."""
        world = self.scenario.world
        before = [past.text for past in world.history if past.by == "human"]
        now = [each.text for each in self.scenario.events if each.kind is EventKind.HUMAN]
        return "\n".join((*before, *now))

    @cached_property
    def known(self) -> str:
        """Everything a reply may have a name or a place from."""
        person = self.scenario.person
        sessions = self.scenario.world.sessions or ()
        titles = [f"{each.title} {each.place}" for each in sessions]
        return "\n".join(
            (
                *(self.profile.name, self.profile.persona, self.profile.knowledge, self.instructions),
                *(self.asked, self.colleagues, person.name or "", person.username or ""),
                *titles,
                *self.scenario.world.notes,
            )
        )

    @cached_property
    def language(self) -> str | None:
        """The person's language: of the latest DM that tells it. None where none does."""
        if self.scenario.expect.reply.language is not None:
            return self.scenario.expect.reply.language
        told = [found for text in reversed(self._dms) if (found := language_of(text)) in SPOKEN]
        return told[0] if told else None

    def language_of(self, text: str) -> str:
        """The language that a reply is read in."""
        return likely_language(text, self.language or "en")


def told(name: str, expected: str, wrong: Sequence[str], seen: str = "nothing of it") -> Iterator[Check]:
    """One check: broken by whatever is wrong."""
    shown = "; ".join(dict.fromkeys(wrong))
    yield Check(f"rule.{name}", "broken" if wrong else "held", expected, shown or seen)
