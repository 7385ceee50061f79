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

_STARTER_WORDS: Final = """able al am an ao are as at au be best bin by ca ci cy da day de deal do dad dot er es et eu
fast free fun got gift he help here hi hot how id il im in info is it je join ki la let life like live ma me meet mi
mine mom more mr ms mu my na ne next ni no now nu of on one open or our pa plus play post re read sa safe save se see
select seven show si smart so st su team to today top total tu uno up us vi via vote watch we win ye you"""
STARTERS: Final = frozenset(_STARTER_WORDS.split())
"""Words of English, German, French, Spanish, Italian, Dutch and Portuguese that begin a sentence and may be endings."""

_NO_WORDS: Final = """com net org edu gov mil int biz xyz mobi tel aero coop arpa cfd sbs gdn icu llc llp inc srl sarl
vip ooo wtf fyi lol gmbh ltda ngo ong onl bzh nrw xin top dev app uno rip"""
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
