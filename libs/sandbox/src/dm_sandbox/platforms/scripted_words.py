"""What the scripted model understands and says, in three languages: declared in scripted_words.toml.

Facts are taken out of the system instruction, so that a changed profile changes the answer.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from dm_sandbox.platforms.server import as_list, as_object


@dataclass(frozen=True, slots=True)
class Language:
    """One language, as the file explains it. ``translated``: the facts' own words, from English."""

    marks: Sequence[str]
    hello: str
    offer: str
    welcome: str
    passed_on: str
    yes: str
    sessions: Sequence[str]
    days: Sequence[str]
    translated: Mapping[str, str]
    topics: Mapping[str, str]
    small_talk: Sequence[Mapping[str, str]]


_FILE: Final[dict[str, dict[str, dict[str, Any]]]] = tomllib.loads(
    Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
)
ENGLISH, GERMAN, SPANISH = (Language(**_FILE["language"][name]) for name in ("en", "de", "es"))
TOPICS: Final[Mapping[str, tuple[str, str]]] = {
    name: ("|".join(topic["asked"]), topic["answered"]) for name, topic in _FILE["topic"].items()
}
"""A topic: how a person asks for it, and how the paragraph that answers looks."""

_FACTS: Final = {
    "adult": r"Adult, playing: ([^.\n]+)",
    "student": r"Student or under 21: ([^.\n]+)",
    "junior": r"Junior: ([^.,\n]+)",
    "place": r"Club, ([^.]+)\. Free car park",
    "juniors": r"Junior training, U9 to U15: ([^.\n]+)",
}


def language_of(words: str) -> Language:
    """The language that most words are known from; English where nothing tells."""
    german, spanish = (_marks(words, each) for each in (GERMAN, SPANISH))
    if not german and not spanish:
        return ENGLISH
    return GERMAN if german >= spanish else SPANISH


def _marks(words: str, language: Language) -> int:
    """How many words are known to be of this language."""
    return len(re.findall(rf"(?<!\w)({'|'.join(language.marks)})(?!\w)", words.lower()))


def small_talk(words: str, language: Language) -> str:
    """How a pleasantry is answered; empty when it is none."""
    for said in (language, ENGLISH):
        for talk in said.small_talk:
            if re.search(talk["said"], words, re.IGNORECASE):
                return talk["answer"]
    return ""


def topic_answer(topic: str, system: str, language: Language) -> str:
    """The language's own sentence with the facts of the system instruction; empty where it has none, or they are not
    to be found."""
    sentence = language.topics.get(topic, "")
    facts: dict[str, str] = {}
    for name in re.findall(r"{(\w+)}", sentence):
        found = re.search(_FACTS[name], " ".join(system.split()))
        if found is None:
            return ""
        fact = found.group(1)
        for english, word in language.translated.items():
            fact = fact.replace(english, word)
        facts[name] = fact
    return sentence.format(**facts)


def sessions_answer(output: Mapping[str, object], language: Language) -> str:
    """The calendar's dates; in English the tool's own words are better."""
    coming, nothing, unavailable = language.sessions
    if "sessions" not in output:
        return unavailable
    listed = [_session(as_object(each), language) for each in as_list(output["sessions"])[:4]]
    return f"{coming}: {'; '.join(listed)}." if listed else nothing


def _session(session: Mapping[str, object], language: Language) -> str:
    try:
        day = datetime.strptime(str(session.get("day")), "%A %d %B %Y")  # noqa: DTZ007 - a day, not a moment
        when = f"{language.days[day.weekday()]} {day.day}.{day.month}."
    except ValueError:
        when = str(session.get("day", ""))
    return f"{session.get('title', 'Nets')}, {when} {session.get('starts', '')}".strip()
