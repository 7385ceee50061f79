"""The endings of the internet (``com``, ``co.uk``'s ``uk``, ``рф``), and which of them also begin sentences.

The list is the ICANN part of https://publicsuffix.org/list/, as the package ``publicsuffixlist`` carries it: renewed by
updating that package, never over the network. Read as text: only the last labels are needed, and its own parser
would cost a cold start ten times as much.
"""

from functools import cache
from importlib.resources import files
from typing import Final

_END_OF_ICANN: Final = "===END ICANN DOMAINS==="
_UNLISTED: Final[frozenset[str]] = frozenset(("onion", "test", "example", "invalid", "localhost", "local", "internal"))
"""Names that resolve nowhere or in special networks only; nothing we say ends with them by chance."""

_STARTER_WORDS: Final = """al am ao as at au be by ca ci cy de do er es et eu here how id il im in is it je ki la ma
me mr ms mu my na ne next ni no now nu one pa re sa se si so st su to us ye you"""
STARTERS: Final = frozenset(_STARTER_WORDS.split())
"""Small words of European languages that begin a sentence after any other; the rest do after a lower-case word only."""

_NO_WORDS: Final = """aero app arpa biz bzh cfd com coop dev edu fyi gdn gmbh gov icu inc int llc llp lol ltda mil
mobi net ngo nrw ong onl ooo org rip sarl sbs srl tel top uno vip wtf xin xyz"""
NO_WORDS: Final = frozenset(_NO_WORDS.split())
"""Endings that nobody begins a sentence with."""


@cache
def endings() -> frozenset[str]:
    """Every ending, in lower case, as it is written; an internationalised one as punycode too."""
    text = (files("publicsuffixlist") / "public_suffix_list.dat").read_text(encoding="utf-8")
    found = set(_UNLISTED)
    for line in text.partition(_END_OF_ICANN)[0].splitlines():
        rule = line.strip()
        if rule and not rule.startswith("//"):
            label = rule.split()[0].rpartition(".")[2]
            found.add(label)
            if not label.isascii():
                found.add("xn--" + label.encode("punycode").decode())
    return frozenset(found)
