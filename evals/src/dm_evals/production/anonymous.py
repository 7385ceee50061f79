"""Names, ids, numbers, addresses and handles replaced by others: always the same one for the same one.

    Sam Jones ▸ Person One      sam.jones ▸ person_one      +44 7911 123456 ▸ +44 7700 900001 (a range nobody has)
    sam@mail.example ▸ person1@example.org    https://elsewhere.example/x ▸ https://example.org/link1    ids ▸ id1

Replaced are the names it is told, names people introduce themselves or their family with, and everything that looks
like an address or a number of somebody. What the business makes public (profile) stays. No machine finds every name:
a person has to read the result, which is why such a scenario is not reviewed.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from dm_core.agent.links import AllowList, found_links

_NUMBERS: Final = (
    *("One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve"),
    *("Thirteen", "Fourteen", "Fifteen", "Sixteen", "Seventeen", "Eighteen", "Nineteen", "Twenty"),
)
_EMAIL: Final = re.compile(r"[\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+")
_HANDLE: Final = re.compile(r"(?<![\w@/.])@[A-Za-z0-9_](?:[A-Za-z0-9_.]*[A-Za-z0-9_])?")
_PHONE: Final = re.compile(r"(?<![\w.,:/-])(?:\+|00)?\(?\d(?:[ ()./\-]{0,2}\d){6,16}(?![\w:])")
_ID: Final = re.compile(r"(?<!\w)\d{9,}(?!\w)|(?<!\w)[0-9a-fA-F]{24,}(?!\w)")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{2,4}")
_TITLED: Final = r"([A-Z][\w’'\-]+(?: [A-Z][\w’'\-]+)?)"
_INTRODUCED: Final = re.compile(
    r"(?:\b(?:[Mm]y name is|[Mm]y name's|[Nn]ame's|[Tt]his is|[Ii]ch heiße|[Mm]ein Name ist|[Mm]e llamo|[Ss]oy|"
    r"[Cc]heers,?|[Rr]egards,?|[Mm]y (?:son|daughter|lad|boy|girl|wife|husband|partner|friend|mate|brother|sister|"
    r"mum|dad|kid)(?: is|'s|,)?|[Oo]ur)\s+)" + _TITLED
)
_WORDS: Final = """may will mark grace rose hope faith joy art bill bob pat sue dawn june april august summer frank
rich guy drew the and for you are not club senior junior"""
_COMMON: Final = frozenset(_WORDS.split())
"""Names that are words too: replaced only where they are written with a capital."""


@dataclass(slots=True)
class Anonymous:
    """One thread's replacements. ``public`` are texts the business publishes; ``allowed`` its links and addresses.

    ``phones`` its public numbers. ``replaced`` counts what was replaced, by kind.
    """

    allowed: AllowList
    emails: Sequence[str] = ()
    phones: Sequence[str] = ()
    public: str = ""
    replaced: dict[str, int] = field(default_factory=dict[str, int])
    _given: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    _people: list[tuple[re.Pattern[str], str]] = field(default_factory=list[tuple[re.Pattern[str], str]])

    def knows(self, name: str | None, username: str | None) -> tuple[str | None, str | None]:
        """Somebody's name and handle, and what they become. Every part of a name becomes the whole new name."""
        number = self._number("person", (name or username or "").casefold())
        word = _NUMBERS[number - 1] if number <= len(_NUMBERS) else str(number)
        whole, handle = f"Person {word}", f"person_{word.lower()}"
        if username:
            self._add(username, handle)
        if name:
            parts = [part for part in re.split(r"[\s,()|/]+", name) if len(part) >= 3 and part[0].isalpha()]
            self._add(name, whole)
            for part in sorted(parts, key=len, reverse=True):
                self._add(part, whole)
        return (whole if name else None), (handle if username else None)

    def introduces(self, texts: Iterable[str]) -> None:
        """Learn the names that people introduce in these texts."""
        for text in texts:
            for found in _INTRODUCED.finditer(text):
                name = re.sub(r"[’']s$", "", found.group(1))
                known = next((other for pattern, other in self._people if pattern.fullmatch(name.split()[0])), None)
                if known is not None:
                    self._add(name, known)
                elif re.search(rf"\b{re.escape(name.split()[0])}\b", self.public) is None:
                    self.knows(name, None)

    def surnames(self, texts: Iterable[str]) -> None:
        """Learn what follows a known name, with a capital, in these texts: ``Sam Joneson wants a call``."""
        for text in texts:
            for pattern, other in tuple(self._people):
                for found in re.finditer(rf"(?:{pattern.pattern}) ([A-Z][\w’'\-]{{2,}})", text):
                    word = re.sub(r"[’']s$", "", found.group(1))
                    if re.search(rf"\b{re.escape(word)}\b", self.public) is None:
                        self._add(f"{found.group()[: found.start(1) - found.start() - 1]} {word}", other)
                        self._add(word, other)

    def text(self, text: str) -> str:
        """The text with everybody replaced."""
        text = _EMAIL.sub(self._email, text)
        for link in sorted(set(found_links(text)), key=len, reverse=True):
            if "@" not in link and not self.allowed.allows(link) and "example.org" not in link:
                text = text.replace(
                    link, self._counted("links", f"https://example.org/link{self._number('link', link)}")
                )
        text = _HANDLE.sub(self._handle, text)
        for pattern, other in self._people:
            text, count = pattern.subn(other, text)
            if count:
                self.replaced["names"] = self.replaced.get("names", 0) + count
        text = _PHONE.sub(self._phone, text)
        return _ID.sub(lambda found: self._counted("ids", f"id{self._number('id', found.group())}"), text)

    def value(self, value: object) -> object:
        """Any JSON value with its texts replaced; keys stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.value(each) for key, each in cast("Mapping[str, object]", value).items()}
        if isinstance(value, list | tuple):
            return [self.value(each) for each in cast("Sequence[object]", value)]
        return value

    def _add(self, word: str, other: str) -> None:
        flags = 0 if word.casefold() in _COMMON else re.IGNORECASE
        pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", flags)
        if pattern not in [known for known, _ in self._people]:
            self._people.append((pattern, other))
            self._people.sort(key=lambda entry: -len(entry[0].pattern))

    def _email(self, found: re.Match[str]) -> str:
        address = found.group()
        if address.casefold() in [known.casefold() for known in self.emails]:
            return address
        return self._counted("e-mails", f"person{self._number('e-mail', address.casefold())}@example.org")

    def _handle(self, found: re.Match[str]) -> str:
        handle = found.group()[1:]
        known = next((other for pattern, other in self._people if pattern.fullmatch(handle)), None)
        if known is None:
            _, known = self.knows(None, handle)
        return self._counted("handles", f"@{(known or handle).replace(' ', '_').lower()}")

    def _phone(self, found: re.Match[str]) -> str:
        written = found.group()
        digits = re.sub(r"\D", "", written)
        if _DATE.search(written) or any(digits == re.sub(r"\D", "", phone) for phone in self.phones):
            return written
        same = digits.removeprefix("00").removeprefix("44").removeprefix("0")
        return self._counted("numbers", f"+44 7700 900{self._number('phone', same[-9:]):03d}")

    def _number(self, kind: str, what: str) -> int:
        """The number of this one among its kind, in order of their first mention."""
        key = (kind, what)
        if key not in self._given:
            self._given[key] = str(1 + sum(known == kind for known, _ in self._given))
        return int(self._given[key])

    def _counted(self, kind: str, other: str) -> str:
        self.replaced[kind] = self.replaced.get(kind, 0) + 1
        return other
