"""Names and texts from outside, made harmless wherever they are shown: prompt, logs, alerts, page.

Bidi overrides make a text read other than it is stored, zero-width characters hide one word inside another, control
characters and line breaks forge lines of a log or of a message (https://www.unicode.org/reports/tr36/). Pure, and
free of third parties: webhook, clients and agent may all import it.
"""

import re
import unicodedata
from typing import Final

_JOINERS: Final = frozenset("\u200c\u200d")
_JOINS_NOTHING: Final = re.compile("(?:^|(?<=[\x00-\x7f\u200c\u200d]))[\u200c\u200d]+|[\u200c\u200d]+(?=[\x00-\x7f]|$)")
"""Joiners spell words (Persian, Hindi) and make one emoji of several; beside ASCII they only hide something."""
_FILLERS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that show nothing: of Hangul, Khmer, Braille."""
_NOT_PLAIN: Final = re.compile(r"[^ -~]+")
_LINES: Final = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
_INVISIBLE_COPIES: Final = range(0xE0000, 0xE01F0)
"""Tags (copies of ASCII) and further variation selectors, in which a text can hold another one."""
_FLAG: Final = re.compile("(\U0001f3f4[\U000e0061-\U000e007a]{5}\U000e007f)")
"""England, Scotland and Wales: the one use of tags that people see."""
_EMOJI: Final = range(0x1F000, 0x1FB00)
MAX_MARKS: Final = 4
"""Marks kept on one character: more climb over the lines around it."""


def shown(text: str, limit: int | None = None) -> str:
    """A text on one line as it may stand anywhere: nothing invisible, nothing that turns or climbs, spaces as one.

    ``limit``: at most so many characters, with an ellipsis where something was left out.
    """
    line = " ".join(visible("".join(" " if char in _LINES else char for char in text)).split())
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"


def readable(text: str) -> str:
    """A text of several lines as its writer meant it: as ``visible``, with joiners in words and emoji, and flags."""
    if text.isascii():
        return _visible(text, joiners=True)
    parts = _FLAG.split(text)
    kept = (part if index % 2 else _visible(part, joiners=True) for index, part in enumerate(parts))
    return _JOINS_NOTHING.sub("", "".join(kept))


def visible(text: str) -> str:
    """The text without what nobody sees: format and control characters (but line breaks and tabs), fillers, tags,
    lone surrogates, private and unassigned characters, marks beyond ``MAX_MARKS``."""
    return _visible(text, joiners=False)


def _visible(text: str, *, joiners: bool) -> str:
    """A printable ASCII character ends every stack of marks, so only what stands between such is looked at."""
    return _NOT_PLAIN.sub(lambda found: _seen(found[0], joiners=joiners), text)


def _seen(chars: str, *, joiners: bool) -> str:
    kept: list[str] = []
    marks = 0
    for char in chars:
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if marks <= MAX_MARKS and _is_seen(char, joiners=joiners):
            kept.append(char)
    return "".join(kept)


def _is_seen(char: str, *, joiners: bool) -> bool:
    if char in "\n\t" or (joiners and char in _JOINERS):
        return True
    if char in _FILLERS or ord(char) in _INVISIBLE_COPIES:
        return False
    category = unicodedata.category(char)
    return category not in ("Cc", "Cf", "Cs", "Co", "Cn") or (category == "Cn" and ord(char) in _EMOJI)
