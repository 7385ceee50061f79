"""When two texts are the same message: ours as we sent it, and as the platform tells it back.

Seen of texts that came back by an echo or the Conversations API: white space at the ends gone, ``\\r\\n`` for a line
break, HTML entities for ``&``, ``<``, ``>`` and quotation marks, accents composed or decomposed, an emoji without its
variation selector. None of that makes it another message. Used by the webhook (echoes) and the processor (look-ups).
"""

import html
import re
import unicodedata
from typing import Final

_LINE_BREAK: Final = re.compile(r"\r\n|[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]")
_BLANKS: Final = re.compile(r"[^\S\n]+")
_AROUND_BREAK: Final = re.compile(r" ?\n ?")
_ESCAPED_AGAIN: Final = re.compile(r"&(?:amp;)+", re.IGNORECASE)
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff]"
)
"""Marks without a shape of their own: joiners, directions, soft hyphens, variation selectors."""
_MOST_PASSES: Final = 4


def normal_form(text: str) -> str:
    """A text to compare others with: equal for two texts that are the same message. Never shown or sent.

    Entities undone, invisible marks taken out, NFC, ``\\n`` for every line break, white space in a line one blank,
    none around a line break or at the ends.
    """
    for _ in range(_MOST_PASSES):  # undoing one entity can complete another
        simpler = _simpler(text)
        if simpler == text or "&" not in simpler:
            return simpler
        text = simpler
    return text


def _simpler(text: str) -> str:
    text = html.unescape(_ESCAPED_AGAIN.sub("&", text))
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    text = _BLANKS.sub(" ", _LINE_BREAK.sub("\n", text))
    return _AROUND_BREAK.sub("\n", text).strip()
