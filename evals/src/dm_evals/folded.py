"""Text as it is compared: case, white space, typographic signs and the script of digits make no difference."""

import hashlib
import re
import unicodedata
from typing import Final

_SIGNS: Final = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‑": "-", "…": "..."})
_INVISIBLE: Final = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")


def short_hash(*texts: str) -> str:
    """Of these texts in this order: the first 64 bits of sha256, in hex."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def folded(text: str) -> str:
    """The text in its plainest form."""
    plain = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).translate(_SIGNS)
    figures = "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in plain)
    return " ".join(figures.casefold().split())
