"""Texts that go out: cleaned, and split on borders a reader would choose.

Instagram takes at most 1,000 UTF-8 bytes a text (docs/platforms/instagram.md#sending), so sizes here are bytes. What a
reader sees as one character (a grapheme: a family emoji, a letter with its accent) is never cut in two.
"""

from itertools import batched
from typing import Final

import regex

from dm_core.plain_text import readable
from dm_core.same_text import normal_form

TEXT_LIMIT_BYTES: Final = 1_000
"""Longest text the platform takes, in UTF-8 bytes."""

_GRAPHEME = regex.compile(r"\X")
_NEWLINES = regex.compile(r"\r\n?|[\u0085\u2028\u2029]")
_ESCAPED = regex.compile(r"""(?:\\+r)?\\+n|\\+u([0-9a-fA-F]{4})|\\+(["'`])""")
_EMPTY_LINES = regex.compile(r"\n(?:[^\S\n]*\n){2,}")
_DECORATION = regex.compile(r"(?<!\d)[^\w?]+|[^\w?]+(?!\d)")
_SENTENCE_END = frozenset(".!?…。！？")
_CLOSERS = "\"')]}»”’"


def without_slips(text: str) -> str:
    """A text that a model wrote, without controls and as it was meant: what it escaped a second time (line breaks,
    quotes, ``\\u2019``: https://github.com/cline/cline/issues/303) is itself; at most one empty line in a row; nothing
    in place of a character that it could not write."""
    meant = _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2] or "\n", text)
    whole = meant.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return _EMPTY_LINES.sub("\n\n", without_controls(whole).replace("\N{REPLACEMENT CHARACTER}", ""))


def same_form(text: str) -> str:
    """What two texts a reader would call the same have in common: one form, any white space as one space."""
    return " ".join(normal_form(text).split())


def said_form(text: str) -> str:
    """What two texts that say the same have in common: their letters, numbers and questions; of emoji alone, those."""
    return _DECORATION.sub("", same_form(text).casefold()) or same_form(text)


def without_controls(text: str) -> str:
    """Without control characters (but newlines and tabs), bidi overrides, zero-width characters and lone surrogates."""
    return readable(_NEWLINES.sub("\n", text))


def cut(text: str, limit: int) -> str:
    """At most ``limit`` characters, with an ellipsis where something was left out."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def size(text: str) -> int:
    """Length in UTF-8 bytes."""
    return len(text.encode("utf-8", "replace"))


def graphemes(text: str) -> list[str]:
    """What a reader sees as characters."""
    return _GRAPHEME.findall(text)


def split_text(text: str, limit: int = TEXT_LIMIT_BYTES) -> tuple[str, ...]:
    """Parts of at most ``limit`` bytes, cut after a sentence, else between words, else between graphemes.

    Only white space at the borders is lost. A single grapheme above the limit is the one thing that is cut inside.
    Empty for a text of white space.
    """
    if text and size(text) <= limit and not (text[0].isspace() or text[-1].isspace()):
        return (text,)
    rest = _bounded_graphemes(text, limit)
    parts: list[str] = []
    start = _skip_space(rest, 0)
    while start < len(rest):
        end = _cut(rest, start, limit)
        parts.append("".join(_trimmed(rest[start:end])))
        start = _skip_space(rest, end)
    return tuple(parts)


def _bounded_graphemes(text: str, limit: int) -> list[str]:
    """Graphemes, where one above the limit (stacked accents without end) is broken into pieces."""
    bounded: list[str] = []
    for grapheme in graphemes(text):
        if size(grapheme) <= limit:
            bounded.append(grapheme)
        else:
            bounded.extend("".join(chunk) for chunk in batched(grapheme, max(1, limit // 4), strict=False))
    return bounded


def _cut(rest: list[str], start: int, limit: int) -> int:
    """The end of the part that starts at ``start``."""
    end, used = start, 0
    while end < len(rest) and used + size(rest[end]) <= limit:
        used += size(rest[end])
        end += 1
    if end == len(rest):
        return end
    spaces = [index for index in range(start + 1, end + 1) if rest[index].isspace()]
    third = start + (end - start) // 3
    sentences = [index for index in spaces if index > third and _ends_sentence(rest, index)]
    if sentences:
        return sentences[-1]
    return spaces[-1] if spaces else max(end, start + 1)


def _ends_sentence(rest: list[str], space: int) -> bool:
    """The white space at this index follows a full stop, or is a line break."""
    if "\n" in rest[space]:
        return True
    before = space - 1
    while before > 0 and rest[before] in _CLOSERS:
        before -= 1
    return rest[before] in _SENTENCE_END


def _skip_space(rest: list[str], start: int) -> int:
    while start < len(rest) and rest[start].isspace():
        start += 1
    return start


def _trimmed(part: list[str]) -> list[str]:
    """Without white space at the end, by graphemes: a space may carry an accent of its own."""
    end = len(part)
    while end and part[end - 1].isspace():
        end -= 1
    return part[:end]
