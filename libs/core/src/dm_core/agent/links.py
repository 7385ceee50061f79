"""What a phone makes tappable in a text, found without a network, and the allow-list it is held against.

A link is a scheme, ``www.``, a bare host under an ending of the internet, an IP address, an e-mail address, a ``tel:``
and its like, an @name, or the target of a markdown link; in any letter case and however its dots are spelled. An
ending that is a word too (``you.Now``) does not count where it begins a sentence after a full stop without a space.
"""

import ipaddress
import re
import unicodedata
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

import regex

from dm_core.agent.endings import NO_WORDS, STARTERS, endings
from dm_core.plain_text import visible

_TRAILING: Final = ".,;:!?…)]}>'\"»”’*_|"
_SPELLED_DOTS: Final = regex.compile(r"\s?[\[({<]\s?(?:\.|dot|punkt|point|punto)\s?[\])}>]\s?", regex.IGNORECASE)
_WIDE_DOTS: Final = regex.compile(r"(?<=[\p{ASCII}&&[\w]])[。｡]|[。｡](?=[\p{ASCII}&&[\w]])", regex.V1)
"""The ideographic full stop is a dot of a host beside Latin letters; between ideographs it ends a sentence."""
_LABEL: Final = r"[\p{L}\p{M}\p{N}-]{1,63}+"
_FIRST_LABEL: Final = r"(?:[\p{L}\p{M}\p{N}-][\p{L}\p{M}\p{N}\p{So}-]{0,62}+|\p{So}[\p{So}\p{M}]{0,20}+(?=\.))"
"""There are hosts with symbols (``i❤.ws``), and Android makes them tappable
(https://github.com/aosp-mirror/platform_frameworks_base/blob/master/core/java/android/util/Patterns.java)."""
_APPS: Final = """tel sms smsto mms callto facetime facetime-audio whatsapp tg viber skype sip sips xmpp geo maps market
intent instagram fb fb-messenger signal sgnl line bitcoin magnet itms itms-apps"""
_LINK: Final = regex.compile(
    rf"""
      (?P<markdown>(?<=\]\()\s*[^)\s]+)
    | (?P<url>(?<![\p{{L}}\p{{N}}])[a-z][a-z0-9+.-]{{1,30}}+:[/\\]{{1,3}}[^\s<>"]+)
    | (?P<email>(?:mailto:)?[\w.+%'-]{{1,64}}+@{_LABEL}(?:\.{_LABEL})+)
    | (?P<script>\b(?:(?:javascript|vbscript|mailto):\S+|data:(?:[\w.+-]+/|[;,])\S*))
    | (?P<app>\b(?:{"|".join(_APPS.split())}):[+\d/?\w(][^\s<>"]*)
    | (?P<ip>\[?(?<![\w:.])(?=[0-9a-f:]*::|(?:[0-9a-f]{{1,4}}:){{7}})[0-9a-f:]{{3,39}}(?:\d\.[\d.]{{5,12}})?
        (?![\w:])\]?\S*)
    | (?P<name>(?<![\w.@/+%-])@[a-z0-9_][a-z0-9_.]{{0,29}})
    | (?P<bare>(?<![\p{{L}}\p{{M}}\p{{N}}@.-]){_FIRST_LABEL}\.(?:{_LABEL}\.){{0,9}}{_LABEL}\.?+
        (?![\p{{L}}\p{{M}}\p{{N}}@-])(?::\d{{1,5}}(?!\d))?(?:[/?\#\\][^\s<>"]*)?)
    """,
    regex.IGNORECASE | regex.VERBOSE,
)

_PERHAPS: Final = re.compile(r"\]\(|[.@]\S|:[/\\:]|[^\W\d_]:\S|:[0-9a-f]{1,4}:", re.IGNORECASE)
"""Some of this stands in every link. Most replies hold none of it; looking through one took 0.3 ms."""
_CUES: Final = regex.compile(
    r"""(?:\b(?:visit|click|tap|browse|goto|go\ to|follow|via|website|webseite|homepage|site|link|url|domain|besuche?
    |klicke?|visitez|cliquez|visita|visite|haz\ clic)|[:@>/=])\W{0,3}\Z""",
    regex.IGNORECASE | regex.VERBOSE,
)
"""Words before an address rather than before a sentence's last word."""
_NEAR: Final = regex.compile(r"\b(?:on|at|to|from|auf|bei|sur|chez|en|su|in)\s+\Z", regex.IGNORECASE)
"""Words before a place rather than before the last word of a sentence, unless that is a day."""
_GOES_ON: Final = regex.compile(r"""\s?[,;:]?\s+["“„«'(¿¡]?[\p{L}\p{N}]|['’]\p{L}""")
_NUMBER: Final = regex.compile(r"\d{1,4}\p{L}{0,3}|\p{L}{1,2}\d{1,2}")
_DATE_WORDS: Final = """mon tue tues wed thu thur thurs fri sat sun mo di mi do fr sa so lun mar mer jeu ven sam dim mié
jue vie sáb dom jan feb apr may jun jul aug sep sept oct nov dec okt dez monday tuesday wednesday thursday friday
saturday sunday montag dienstag mittwoch donnerstag freitag samstag sonntag january february march april june july
august september october november december januar februar märz mai juni juli oktober dezember mr mrs dr st"""
_BEFORE_ANY: Final = frozenset(_DATE_WORDS.split())
"""Capitalised words after which a sentence begins as it does after a small one."""
_CLOCK: Final = regex.compile(r"@\d{1,2}(?:[.:h]?\d{2})?(?:am|pm|h|uhr|o)?", regex.IGNORECASE)


def found_links(text: str) -> tuple[str, ...]:
    """Every link in a text, in its order, as far as it reaches (without the full stop after it)."""
    plain = _WIDE_DOTS.sub(".", unicodedata.normalize("NFKC", visible(text)))
    plain = _SPELLED_DOTS.sub(".", plain)
    if _PERHAPS.search(plain) is None:
        return ()
    found: list[str] = []
    for match in _LINK.finditer(plain):
        link = match.group().strip().rstrip(_TRAILING)
        if _is_link(match.lastgroup or "", link, plain[: match.start()], plain[match.start() + len(link) :]):
            found.append(link)
    return tuple(link for link in found if link)


def _is_link(kind: str, link: str, before: str, after: str) -> bool:
    match kind:
        case "bare":
            return _is_host(link, before, after)
        case "name":
            return _CLOCK.fullmatch(link) is None and len(link) > 1
        case "ip":
            return _is_ip(link)
        case _:
            return True


def _is_ip(link: str) -> bool:
    """An IPv6 address, in brackets or not, with whatever follows it."""
    bare = regex.split(r"[\]/%?#]", link.removeprefix("["), maxsplit=1)[0]
    try:
        return ipaddress.IPv6Address(bare) != ipaddress.IPv6Address(0)
    except ValueError:
        return False


def _is_host(link: str, before: str, after: str) -> bool:
    """A bare ``a.b`` is a link if its ending is one of the internet's, and does not begin a sentence."""
    host = regex.split(r"[/?#:\\]", link, maxsplit=1)[0].rstrip(".")
    labels = host.split(".")
    if len(labels) == 4 and all(label.isdecimal() and int(label) < 256 for label in labels):
        return True
    ending = labels[-1].lower()
    if any(label.lower().startswith("xn--") for label in labels) or labels[0].lower() == "www":
        return True
    if ending not in endings():
        return False
    if ending in ("am", "pm") and all(label.isdecimal() for label in labels[:-1]):
        return False
    if len(labels) > 2 and all(len(label) == 1 for label in labels[:-1]) and len(host) == len(link):
        return False  # an abbreviation: "6 p.m.in the hall"
    return len(host) < len(link) or not _begins_sentence(labels, before[-40:], after)


def _begins_sentence(labels: list[str], before: str, after: str) -> bool:
    """The full stop ends one sentence and the last label begins the next, which goes on: "thank you.Now we"."""
    *earlier, ending = labels
    if not (ending[0].isupper() and (ending[1:].islower() or len(ending) == 1)) or _CUES.search(before):
        return False
    if _GOES_ON.match(after) is None:
        return False
    last = "".join(char for char in earlier[-1] if unicodedata.category(char) != "So")
    if len(earlier) > 1 and not all(len(label) == 1 or label.isdecimal() for label in earlier[:-1]):
        return False
    if _NUMBER.fullmatch(last) or last.isdecimal() or last.lower() in _BEFORE_ANY:
        return ending.lower() not in NO_WORDS
    if not all(char.isalpha() or unicodedata.category(char).startswith("M") for char in last):
        return False
    if ending.lower() in STARTERS and (last == last.lower() or not _NEAR.search(before)):
        return True
    return last == last.lower() and len(ending) > 2 and ending.lower() not in NO_WORDS


@dataclass(frozen=True, slots=True)
class AllowList:
    """Addresses that may go out. An entry is a host (``club.example``) or a host and path, which allows what is below.

    With or without ``www.`` and scheme is the same. No user part, no other port, no way up (``..``). ``phones`` allow
    the ``tel:`` of their number, ``names`` the account's own @names (with or without the @).
    """

    links: tuple[str, ...]
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Everything that may be given out."""
        return (*self.links, *self.emails, *self.phones, *self.names)

    @staticmethod
    def is_entry(link: str) -> bool:
        """It can be read as a web address."""
        parts = _parsed(link)
        return parts is not None and "." in (parts.hostname or "") and not regex.search(r"\s", link)

    def allows(self, link: str) -> bool:
        address = link.lower().removeprefix("mailto:")
        if address.startswith("@"):
            return address[1:].rstrip(".") in {name.lower().removeprefix("@") for name in self.names}
        if address.startswith("tel:"):
            return _dialled(address) in {_dialled(phone) for phone in self.phones}
        if "@" in address and "/" not in address:
            return address in {email.lower() for email in self.emails}
        parts = _parsed(link)
        return parts is not None and any(_is_below(parts, _parsed(entry)) for entry in self.links)


def _parsed(link: str) -> SplitResult | None:
    """The parts of a web address, or None if it is not one or tries to look like another."""
    whole = link if regex.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:", link) and "://" in link else f"https://{link}"
    try:
        parts = urlsplit(whole)
        _ = parts.port  # raises where it is not a number
    except ValueError:
        return None
    odd = "\\" in link or "@" in parts.netloc or ".." in parts.path.split("/") or "%2e" in parts.path.lower()
    return parts if parts.scheme.lower() in ("http", "https") and parts.hostname and not odd else None


def _is_below(parts: SplitResult, entry: SplitResult | None) -> bool:
    if entry is None or _host(parts) != _host(entry) or parts.port != entry.port:
        return False
    base = entry.path.rstrip("/")
    return parts.path == base or parts.path.startswith(f"{base}/") or not base


def _host(parts: SplitResult) -> str:
    return (parts.hostname or "").lower().rstrip(".").removeprefix("www.")


def _dialled(phone: str) -> str:
    return "".join(char for char in phone if char.isdecimal() or char == "+")
