"""The deployer's profile: who answers, what the business knows, and what may be linked to.

A folder of plain files that a club secretary can edit:

    profile.toml   name, time zone, languages, allowed links, public contacts, what is said in the bot's own name
    persona.md     how it speaks
    hours.toml     when a human can be expected (``agent/hours.py``); may be left out
    knowledge.md   what it knows (any further ``*.md`` but README.md is knowledge too, in the order of names)
    facts.toml     figures, hours and addresses by name, which the texts refer to as ``{{membership.adult}}``; may be
                   missing

Everything in it is the deployer's own and trusted, unlike anything a person writes in a DM.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Literal, cast
from zoneinfo import ZoneInfo

from dm_core.agent.disclosure import NO_LINES, Lines
from dm_core.agent.hours import FILE as HOURS_FILE
from dm_core.agent.hours import Hours, parse_hours
from dm_core.agent.languages import language_key
from dm_core.agent.links import AllowList, found_links
from dm_core.errors import Misconfigured

SETTINGS_FILE: Final = "profile.toml"
PERSONA_FILE: Final = "persona.md"
KNOWLEDGE_FILE: Final = "knowledge.md"
FACTS_FILE: Final = "facts.toml"

MAX_PERSONA_CHARS: Final = 8_000
MAX_KNOWLEDGE_CHARS: Final = 60_000
"""Longest persona and knowledge, in characters: they are paid for with every model call."""

LINE_TABLES: Final = frozenset({"disclosure", "stopped", "held"})
"""Tables of a line a language, which the bot says whatever the model says."""
MAX_LINE_CHARS: Final = 300

_KEYS: Final = {
    "": {"name", "time_zone", "languages", "links", "contact", "stop_words", "start_words", "handover", *LINE_TABLES}
}

FACT_REFERENCE: Final = re.compile(r"\{\{\s*(.*?)\s*\}\}")
"""A fact's name between double braces, where a text refers to it."""
_FACT_NAME: Final = re.compile(r"\w+")
_TABLES: Final = {"links": {"allow"}, "contact": {"emails", "phones", "names"}}


HandoverPolicy = Literal["continue", "hold"]
"""What the bot does in a thread that was handed over: answers other things, or is silent until a human answered."""


@dataclass(frozen=True, slots=True)
class BusinessProfile:
    """A loaded profile. ``files`` are the names and contents it was made from, for the prompt's hash.

    ``stopped`` is said once to a person who used a stop word, ``held`` once while a handover holds the bot back.
    """

    name: str
    time_zone: ZoneInfo
    languages: tuple[str, ...]
    links: tuple[str, ...]
    emails: tuple[str, ...]
    phones: tuple[str, ...]
    persona: str
    knowledge: str
    names: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    """Values by name (``membership.adult``); the texts hold them in place of their references."""
    disclosure: Lines = NO_LINES
    stop_words: tuple[str, ...] = ()
    start_words: tuple[str, ...] = ()
    stopped: Lines = NO_LINES
    handover: HandoverPolicy = "continue"
    held: Lines = NO_LINES
    hours: Hours | None = None

    @property
    def allowed(self) -> AllowList:
        return AllowList(self.links, self.emails, self.phones, self.names)


def load_profile(folder: Path) -> BusinessProfile:
    """Read a profile folder. Raises Misconfigured: one line that names the file, and the key where there is one."""
    names = sorted(path.name for path in folder.glob("*.md") if path.name.lower() != "readme.md")
    files = {name: _read(folder / name) for name in (SETTINGS_FILE, PERSONA_FILE, KNOWLEDGE_FILE)}
    files |= {name: _read(folder / name) for name in names}
    facts_text = _read(folder / FACTS_FILE) if (folder / FACTS_FILE).exists() else ""
    facts = _facts(_place(folder / FACTS_FILE), facts_text)
    texts = {name: _filled(_place(folder / name), text, facts) for name, text in files.items() if name.endswith(".md")}
    if (folder / HOURS_FILE).exists():
        files[HOURS_FILE] = _read(folder / HOURS_FILE)
    settings = _Settings(_place(folder / SETTINGS_FILE), files[SETTINGS_FILE])
    profile = BusinessProfile(
        name=settings.text("name"),
        time_zone=settings.time_zone(),
        languages=settings.texts("", "languages"),
        links=settings.links(),
        emails=settings.texts("contact", "emails"),
        phones=settings.texts("contact", "phones"),
        names=settings.texts("contact", "names"),
        persona=texts[PERSONA_FILE].strip(),
        knowledge="\n\n".join(texts[name].strip() for name in _knowledge_files(texts)),
        files=tuple(sorted((files | {FACTS_FILE: facts_text} if facts_text else files).items())),
        facts=facts,
        disclosure=settings.lines("disclosure"),
        stop_words=settings.texts("", "stop_words"),
        start_words=settings.texts("", "start_words"),
        stopped=settings.lines("stopped"),
        handover=settings.handover(),
        held=settings.lines("held"),
        hours=parse_hours(_place(folder / HOURS_FILE), files[HOURS_FILE]) if HOURS_FILE in files else None,
    )
    _check_texts(folder, texts | {SETTINGS_FILE: "\n".join(_own_lines(profile))}, profile)
    return profile


def _facts(place: str, text: str) -> dict[str, str]:
    """Every value of ``facts.toml`` by its dotted name. Raises Misconfigured."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{place} is not valid TOML: {' '.join(str(error).split())}") from error
    return dict(_named(place, "", values))


def _named(place: str, prefix: str, values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        name = f"{prefix}{key}"
        if not _FACT_NAME.fullmatch(key):
            raise Misconfigured(f"{place}: {name} is no name of a fact: use letters, digits and _")
        if isinstance(value, dict):
            yield from _named(place, f"{name}.", cast("dict[str, object]", value))
        elif isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Misconfigured(f"{place}: {name} must be a text of one line or a number")
        else:
            yield name, _fact(f"{place}: {name}", str(value))


def _fact(where: str, value: str) -> str:
    """A fact is put into the texts as it stands, so it holds no reference itself."""
    if not value.strip() or "\n" in value:
        raise Misconfigured(f"{where} must be a text of one line or a number")
    if "{{" in value:
        raise Misconfigured(f"{where} refers to another fact: only the texts do")
    return value.strip()


def _filled(place: str, text: str, facts: Mapping[str, str]) -> str:
    """The text with each reference replaced by its fact. Raises Misconfigured naming one that is none."""

    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in facts:
            close = get_close_matches(name, facts, 1, 0.5)
            hint = f', did you mean "{close[0]}"?' if close else ""
            raise Misconfigured(f"{place}: {{{{{name}}}}} is no fact of {FACTS_FILE}{hint}")
        return facts[name]

    return FACT_REFERENCE.sub(value, text)


def _knowledge_files(files: Mapping[str, str]) -> list[str]:
    others = sorted(set(files) - {PERSONA_FILE, KNOWLEDGE_FILE})
    return [KNOWLEDGE_FILE, *others]


def _place(path: Path) -> str:
    """A file as a deployer knows it: the folder and the name, not where the folder was unpacked."""
    return f"{path.parent.name}/{path.name}"


def _read(path: Path) -> str:
    """A text file as it is meant: an editor's byte order mark and line ends make no difference."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise Misconfigured(f"{_place(path)} is missing") from None
    except UnicodeDecodeError:
        raise Misconfigured(f"{_place(path)} is not UTF-8 text: save it again with that encoding") from None
    except OSError as error:
        raise Misconfigured(f"{_place(path)} cannot be read: {error.strerror}") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


class _Settings:
    """``profile.toml``, read strictly: an unknown key is a typo, and says so."""

    def __init__(self, place: str, text: str) -> None:
        self._place = place
        try:
            self._values: Mapping[str, object] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise Misconfigured(f"{place} is not valid TOML: {' '.join(str(error).split())}") from error
        self._check_keys("", self._values, _KEYS[""])
        for table, keys in _TABLES.items():
            self._check_keys(f"{table}.", self._table(table), keys)

    def text(self, key: str) -> str:
        value = self._values.get(key)
        if not isinstance(value, str) or not value.strip() or "\n" in value:
            raise self._problem(key, "must be a text of one line")
        return value.strip()

    def texts(self, table: str, key: str) -> tuple[str, ...]:
        """A list of texts; empty when the key is absent."""
        name = f"{table}.{key}" if table else key
        values = (self._table(table) if table else self._values).get(key, [])
        if not isinstance(values, list):
            raise self._problem(name, 'must be a list of texts, such as ["a", "b"]')
        items = cast("list[object]", values)
        if not all(isinstance(item, str) and item.strip() and "\n" not in item for item in items):
            raise self._problem(name, 'must be a list of texts, such as ["a", "b"]')
        return tuple(str(item).strip() for item in items)

    def time_zone(self) -> ZoneInfo:
        name = self.text("time_zone")
        try:
            return ZoneInfo(name)
        except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError, below
            raise self._problem("time_zone", f"is not a time zone: {name!r} (try Europe/London)") from None
        except KeyError:
            raise self._problem("time_zone", f"is no known time zone: {name!r} (try Europe/London)") from None

    def links(self) -> tuple[str, ...]:
        links = self.texts("links", "allow")
        for link in links:
            if not AllowList.is_entry(link):
                raise self._problem("links.allow", f"holds {link!r}, which is no web address")
        return links

    def handover(self) -> HandoverPolicy:
        match self._values.get("handover", "continue"):
            case "continue":
                return "continue"
            case "hold":
                return "hold"
            case _:
                raise self._problem("handover", 'must be "continue" or "hold"')

    def lines(self, table: str) -> Lines:
        """A line a language, the first for every other; none where the table is absent."""
        found: list[tuple[str, str]] = []
        for language, line in self._table(table).items():
            if not isinstance(line, str) or not line.strip() or "\n" in line or len(line) > MAX_LINE_CHARS:
                what = f"must be a text of one line, at most {MAX_LINE_CHARS} characters"
                raise self._problem(f"{table}.{language}", what)
            found.append((language_key(language), line.strip()))
        return Lines(tuple(found))

    def _table(self, key: str) -> Mapping[str, object]:
        value = self._values.get(key, {})
        if not isinstance(value, dict):
            raise self._problem(key, f"must be a table: [{key}]")
        return cast("dict[str, object]", value)

    def _check_keys(self, prefix: str, values: Mapping[str, object], known: set[str]) -> None:
        for key in values:
            if key not in known:
                raise self._problem(f"{prefix}{key}", f"is unknown (known: {', '.join(sorted(known))})")

    def _problem(self, key: str, what: str) -> Misconfigured:
        return Misconfigured(f"{self._place}: {key} {what}")


def _own_lines(profile: BusinessProfile) -> list[str]:
    """What is said to people out of the settings."""
    closed = profile.hours.closed if profile.hours else NO_LINES
    said = (profile.disclosure, profile.stopped, profile.held, closed)
    return [line for lines in said for _, line in lines.lines]


def _key_of(link: str) -> str:
    """The key under which a link of this kind is allowed."""
    if link.startswith("@"):
        return "contact.names"
    if link.lower().startswith("tel:"):
        return "contact.phones"
    return "contact.emails" if "@" in link else "links.allow"


def _check_texts(folder: Path, files: Mapping[str, str], profile: BusinessProfile) -> None:
    """Neither empty nor endless, and every link in them may be sent: else a guard would refuse it for ever."""
    for name, text in files.items():
        place = _place(folder / name)
        limit = MAX_PERSONA_CHARS if name == PERSONA_FILE else MAX_KNOWLEDGE_CHARS
        if name in (PERSONA_FILE, KNOWLEDGE_FILE) and not text.strip():
            raise Misconfigured(f"{place} is empty")
        if len(text) > limit:
            raise Misconfigured(f"{place} is longer than {limit} characters")
        for link in found_links(text):
            if not profile.allowed.allows(link):
                keys = _key_of(link)
                raise Misconfigured(f"{place}: {link} is not listed under {keys} in {folder.name}/{SETTINGS_FILE}")
    if len(profile.knowledge) > MAX_KNOWLEDGE_CHARS:
        raise Misconfigured(f"{folder.name}/*.md: the knowledge is longer than {MAX_KNOWLEDGE_CHARS} characters")
