"""The language of a short text, without a network: script, common words, and the shape of words.

It would rather be unsure than wrong: None where the text is too short, mixed, or in a language not known here
(en, de, es, fr, hi, it, nl, pt). Emoji, digits and signs alone are ``zxx`` (ISO 639-2: no linguistic content).
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from math import exp, log
from typing import Final

from dm_evals.checks.language_words import SAMPLES, WORDS

NO_LANGUAGE: Final = "zxx"
KNOWN: Final = frozenset(WORDS)

_NAMES: Final = re.compile(r"https?://\S+|\S+@\S+|@\w+|\b\w+\.(?:com|org|net|example)\S*")
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_GRAM: Final = 3
_SMOOTH: Final = 0.3
_WORD_WEIGHT: Final = 4.0
"""What one common word says, in nats, against the shape of the words."""
_SURE: Final = 0.9
_MIN_COVERAGE: Final = 0.2
"""Share of words that must be common ones of the language: another, unknown language has few of them."""


def language_of(text: str) -> str | None:
    """ISO 639-1 code, ``zxx``, or None where it is not sure."""
    words = [word.replace("’", "'") for word in _WORD.findall(_plain(text))]
    if not words:
        return NO_LANGUAGE
    letters = Counter(_script(char) for word in words for char in word if char.isalpha())
    total = sum(letters.values())
    if letters["DEVANAGARI"] >= 0.4 * total:
        return "hi" if letters["DEVANAGARI"] + letters["LATIN"] == total else None
    if letters["LATIN"] < 0.9 * total:
        return None
    return _latin([word.lower() for word in words])


def _plain(text: str) -> str:
    """Without links, addresses and combining leftovers."""
    return _NAMES.sub(" ", unicodedata.normalize("NFC", text))


def _script(char: str) -> str:
    return unicodedata.name(char, "?").split(" ", 1)[0]


def _latin(words: Sequence[str]) -> str | None:
    scores = {language: _score(language, words) for language in WORDS}
    best = max(scores, key=lambda language: scores[language])
    sure = 1 / sum(exp(min(score - scores[best], 0.0)) for score in scores.values())
    covered = sum(_is_common(best, word) for word in words)
    enough = covered >= max(1, _MIN_COVERAGE * len(words))
    return best if sure >= _SURE and enough and not _is_mixed(best, words) else None


def _is_mixed(best: str, words: Sequence[str]) -> bool:
    """A stretch of the text, a third of it at least, is plainly in another language."""
    size = max(4, len(words) // 3)
    for start in range(0, len(words) - size + 1, max(1, size // 2)):
        part = words[start : start + size]
        own = sum(_is_common(best, word) for word in part)
        for other in WORDS:
            foreign = sum(_is_common(other, word) and not _is_common(best, word) for word in part)
            if foreign >= max(3, 0.4 * size) and foreign >= 2 * own:
                return True
    return False


def _score(language: str, words: Sequence[str]) -> float:
    """Log-likelihood of the words' shape, and what the common words say."""
    model = _model(language)
    unseen = log(_SMOOTH / model.total)
    shape = sum(model.logs.get(gram, unseen) for word in words for gram in _grams(word))
    return 0.5 * shape + _WORD_WEIGHT * sum(_is_common(language, word) for word in words)


class _Model:
    """Logarithms of smoothed frequencies of three letters in a row."""

    def __init__(self, counts: Counter[str], kinds: int) -> None:
        self.total = counts.total() + _SMOOTH * kinds
        self.logs: Mapping[str, float] = {gram: log((n + _SMOOTH) / self.total) for gram, n in counts.items()}


@cache
def _model(language: str) -> _Model:
    return _Model(_counts(language), len(_alphabet()))


@cache
def _alphabet() -> frozenset[str]:
    return frozenset(gram for language in SAMPLES for gram in _counts(language))


@cache
def _counts(language: str) -> Counter[str]:
    text = f"{SAMPLES[language]} {WORDS[language]}".lower()
    return Counter(gram for word in _WORD.findall(text) for gram in _grams(word))


def _grams(word: str) -> list[str]:
    padded = f" {word} "
    return [padded[start : start + _GRAM] for start in range(len(padded) - _GRAM + 1)]


@cache
def _common(language: str) -> frozenset[str]:
    return frozenset(WORDS[language].split())


def _is_common(language: str, word: str) -> bool:
    """Also ``l'équipe``: the part before the apostrophe is a word of its own."""
    return word in _common(language) or ("'" in word and word.split("'", 1)[0] in _common(language))
