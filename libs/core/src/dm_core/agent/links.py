"""Links in a text, found without a network, and the allow-list they are held against.

A link is anything a phone would make tappable: a scheme, ``www.``, a bare domain under a known ending, an IPv4
address, an e-mail address, or the target of a markdown link. ``e.g.``, ``5.30pm`` and ``Tue.Please`` are none.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

_COUNTRIES: Final = """ac ad ae af ag ai al am ao ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw
by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo
fr ga gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp
ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu
mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa
sb sc sd se sg sh si sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk
us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw"""
_GENERIC: Final = """com org net edu gov mil int info biz name pro mobi asia tel app dev page web cloud site website
online store shop club team live life today tech digital media news blog xyz top icu vip win bid loan men click link
buzz fun fyi gdn host space world zone one wang work works run fit golf cricket football bet casino poker party review
date racing science stream trade webcam download zip mov new day games game social chat email support help center
agency company group ltd gmbh llc inc srl solutions services systems network directory guide tips studio design art
photo photos pics video tv money cash finance credit bank pay sbs cfd cyou rest monster quest bond lol wtf best rocks
ninja guru expert academy school training london wales scot irish berlin paris nyc tokyo africa example test invalid
localhost onion рф онлайн сайт ком орг москва укр бг срб 中国 公司 网络 在线 网址 みんな 한국 닷컴 भारत"""
_ENDINGS: Final = frozenset(f"{_COUNTRIES} {_GENERIC}".split())

_WORD_ENDINGS: Final = """ai al am as at be by co de do es et id in is it la me my no nu om one pm re se so st to us
vi club team live life today site online shop store run fit work works game games fun world new day date men win bet
party review support help group school training art photo photos video money cash best rest example test cricket
football golf pro name news top media social"""
_WORDS: Final = frozenset(_WORD_ENDINGS.split())
"""Endings that are words too: after a full stop without a space, with a capital, they begin a sentence."""

_TRAILING: Final = ".,;:!?…)]}>'\"»”’*_"
_ZERO_WIDTH: Final = re.compile("[\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad\u180e]")
_DOTS: Final = re.compile(r"[。｡．]|\s?[\[({]\s?(?:\.|dot)\s?[\])}]\s?", re.IGNORECASE)
_LINK: Final = re.compile(
    r"""
      (?P<markdown>(?<=\]\()\s*[^)\s]+)
    | (?P<url>\b[a-z][a-z0-9+.-]{1,30}:/{1,3}[^\s<>"]+)
    | (?P<email>(?:mailto:)?[\w.+%'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+)
    | (?P<script>\b(?:javascript|data|vbscript):[^\s]+)
    | (?P<bare>(?<![\w@.-])(?:[\w-]{1,63}\.){1,10}[\w-]{1,63}\.?(?![\w@-])(?::\d{1,5}(?!\d))?(?:[/?\#\\][^\s<>"]*)?)
    """,
    re.IGNORECASE | re.VERBOSE,
)


def found_links(text: str) -> tuple[str, ...]:
    """Every link in a text, in its order, as far as it reaches (without the full stop after it)."""
    plain = _DOTS.sub(".", unicodedata.normalize("NFKC", _ZERO_WIDTH.sub("", text)))
    found: list[str] = []
    for match in _LINK.finditer(plain):
        link = match.group().strip().rstrip(_TRAILING)
        if match.lastgroup != "bare" or _is_domain(link):
            found.append(link)
    return tuple(link for link in found if link)


def _is_domain(link: str) -> bool:
    """A bare ``a.b`` is a link if its ending is one of the internet's, and not the start of a sentence."""
    host = re.split(r"[/?#:\\]", link, maxsplit=1)[0].rstrip(".")
    labels = host.split(".")
    if len(labels) == 4 and all(label.isdecimal() and int(label) < 256 for label in labels):
        return True
    ending = labels[-1]
    if any(label.lower().startswith("xn--") for label in labels) or labels[0].lower() == "www":
        return True
    if ending.lower() not in _ENDINGS:
        return False
    if ending.lower() in ("am", "pm") and all(label.isdecimal() for label in labels[:-1]):
        return False
    starts_sentence = ending.lower() in _WORDS and ending[0].isupper() and ending[1:].islower()
    return not starts_sentence or len(host) < len(link)


@dataclass(frozen=True, slots=True)
class AllowList:
    """Addresses that may go out. An entry is a host (``club.example``) or a host and path, which allows what is below.

    With or without ``www.`` and scheme is the same. No user part, no other port, no way up (``..``).
    """

    links: tuple[str, ...]
    emails: tuple[str, ...] = ()

    @staticmethod
    def is_entry(link: str) -> bool:
        """It can be read as a web address."""
        parts = _parsed(link)
        return parts is not None and "." in (parts.hostname or "") and not re.search(r"\s", link)

    def allows(self, link: str) -> bool:
        address = link.lower().removeprefix("mailto:")
        if "@" in address and "/" not in address:
            return address in {email.lower() for email in self.emails}
        parts = _parsed(link)
        return parts is not None and any(_is_below(parts, _parsed(entry)) for entry in self.links)


def _parsed(link: str) -> SplitResult | None:
    """The parts of a web address, or None if it is none or tries to look like another one."""
    whole = link if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:", link) and "://" in link else f"https://{link}"
    try:
        parts = urlsplit(whole)
        _ = parts.port  # raises where it is no number
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
