"""How the agent writes: it says what it is, plainly, once, in the person's language, in the person's mood."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import cache
from itertools import combinations
from typing import Final

import emoji
import regex
from markdown_it import MarkdownIt

from dm_core.agent.tools.registry import SEND, TOOLS
from dm_evals.observation import ToolUse
from dm_evals.results import Check
from dm_evals.rules.seen import Seen, told
from dm_evals.rules.texts import (
    SPOKEN,
    claims,
    clauses,
    figures,
    is_surely,
    language_of,
    likely_language,
    listed,
    pattern,
    says,
    sentences,
    unquoted,
)
from dm_evals.scenarios.scenario import EventKind

MOST_EMOJI: Final = 1
MOST_QUESTIONS: Final = 1
MOST_APOLOGIES: Final = 2
_NEVER_SHOWN: Final[Mapping[str, Sequence[EventKind]]] = {
    "off": (EventKind.PHOTO, EventKind.VOICE, EventKind.VIDEO),
    "images": (EventKind.VOICE, EventKind.VIDEO),
}
"""By the setting MEDIA."""
_LOOKED_AT: Final = (EventKind.PHOTO, EventKind.VOICE, EventKind.VIDEO, EventKind.UNSUPPORTED)
"""What a story or a shared post shows is seldom what the question is about."""
_ALL: Final = regex.compile(r"\ball\s(?:(?P<number>\d+)\b|of\sthem\b)", regex.I)
_SAME: Final = 0.95
_RETOLD: Final = 3
"""So many words in common, and half of the shorter text's, make it the same answer."""
_STEM: Final = 5
_MIXED: Final = 4
"""Different English words that no other language has, from which on a text is in two languages."""
_NOT_LATIN: Final = regex.compile(r"[^\p{Latin}\p{Common}\p{Inherited}\P{L}]{2,}")
_RAW: Final = regex.compile(r"^\s*[\[{]\s*[\"{\[].*[\]}]\s*$|\{\{.*?\}\}|<\|.*?\|>|</?[a-z_]+>", regex.DOTALL)
_MARKED: Final = frozenset(("heading_open", "table_open", "fence", "code_block", "blockquote_open", "hr", "html_block"))
_INLINE: Final = frozenset(("strong_open", "em_open", "s_open", "code_inline", "link_open", "image"))


def manners(seen: Seen) -> Iterator[Check]:
    yield from _disclosed(seen)
    plain = [problem for text in seen.replies for problem in _formatted(text)]
    yield from told("plain_text", "no markdown, no code, no name of a tool", plain)
    yield from _emoji(seen)
    yield from told("no_repeats", "no text twice", _repeated(seen))
    asked = [
        f"{len(found)} questions: {text}" for text in seen.replies if len(found := _questions(text)) > MOST_QUESTIONS
    ]
    yield from told("one_question", f"at most {MOST_QUESTIONS} question back", asked)
    sorry = [text for text in seen.replies if len(pattern("sorry").findall(text)) > MOST_APOLOGIES]
    yield from told("apologies", f"says sorry {MOST_APOLOGIES} times at most", sorry)
    praised = [text for text in seen.replies if _shows_nothing(seen) and any(claims("praises", text))]
    yield from told("unseen", "says what it could not see or hear", praised or _unseen(seen))
    yield from _language(seen)
    yield from told("reaction", "a reaction that fits the mood", _unfit(seen), ", ".join(seen.observation.reactions))


def _disclosed(seen: Seen) -> Iterator[Check]:
    """At first contact and to who asks for it, and only in a language that the words are known of."""
    if not (seen.replies and (seen.is_first_contact or says("asks_what_it_is", seen.now_asked))):
        return
    text = "\n".join(seen.replies)
    if (language_of(text) or "en") in SPOKEN:
        hidden = [] if says("disclosed", pattern("no_machine").sub("", text)) else [text]
        yield from told("disclosed", "first contact, and who asks, is told that it is software", hidden, "said")


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


def _formatted(text: str) -> Iterator[str]:
    """What a phone would show as signs. A few lines with hyphens are a list that reads well anywhere."""
    tokens = _markdown().parse(text)
    for token in (*tokens, *(child for each in tokens for child in each.children or ())):
        if token.type in _MARKED | _INLINE:
            yield f"{token.tag or token.type} in {text!r}"
    stars = [token for token in tokens if token.type == "list_item_open" and token.markup in "*+"]
    if len(stars) > 1:
        yield f"a list with {stars[0].markup} in {text!r}"
    if thought := pattern("thinks_aloud").search(unquoted(text)):
        yield f"{thought.group()!r} in {text!r}"
    if _RAW.search(text):
        yield f"code in {text!r}"
    yield from (f"{name} in {text!r}" for name in TOOLS if name in text and "_" in name)


def _emoji(seen: Seen) -> Iterator[Check]:
    most, never = 0 if _is_upset(seen) else MOST_EMOJI, listed("never_sent")
    wrong = [text for text in seen.replies if len(emoji.emoji_list(text)) > most or any(each in text for each in never)]
    yield from told("emoji", f"at most {most} emoji a message, none that flirts or insults", wrong)


def _shows_nothing(seen: Seen) -> bool:
    """All that was sent, or shared, stayed unseen."""
    sent = [event for event in seen.scenario.events if event.kind in (*_LOOKED_AT, EventKind.STORY_MENTION)]
    return bool(sent) and len(seen.observation.not_shown) >= sum(len(event.files) for event in sent)


def _unseen(seen: Seen) -> list[str]:
    """No file that the answer needs was shown, or its kind is one that the deployment does not look at; no reply says
    so, or asks."""
    never = _NEVER_SHOWN.get(seen.scenario.world.settings.get("MEDIA", ""), ())
    sent = [event for event in seen.scenario.events if event.kind in _LOOKED_AT]
    files = sum(len(event.files) or 1 for event in sent)
    gone = len(seen.observation.not_shown)
    unseen = gone >= files or any(event.kind in (EventKind.UNSUPPORTED, *never) for event in sent)
    text = "\n".join(seen.replies)
    if gone and not unseen:
        claimed = _ALL.search(figures(text, "en"))
        return [text] if claimed and claimed["number"] in (None, str(files)) else []
    if not (sent and unseen) or _tells(seen) or says("asks_for_words", text):
        return []
    told_so = any(clause.denied and says("perceives", clause.text) for clause in clauses(text))
    return [] if told_so else list(seen.replies)


def _tells(seen: Seen) -> bool:
    """Beside files without a word the person tells in another DM what it is about, and asks nothing of them."""
    said = [event.text for event in seen.scenario.events if event.kind is EventKind.SAY]
    plain = not any(event.text for event in seen.scenario.events if event.kind is not EventKind.SAY)
    return plain and any(len(text.split()) >= 4 and "?" not in text for text in said)


def _is_upset(seen: Seen) -> bool:
    tagged = bool(set(seen.scenario.tags) & set(listed("upset_tags")))
    return tagged or says("bad_news", seen.now_asked) or any(alert.urgent for alert in seen.observation.alerts)


def _unfit(seen: Seen) -> list[str]:
    upset = _is_upset(seen)
    glad, sour = set(listed("glad")), set(listed("sour"))
    sad = set(listed("sad")) if says("thanks", seen.now_asked) and not upset else set[str]()
    return [
        f"{each} on {seen.now_asked!r}"
        for each in seen.observation.reactions
        if each in sour | sad or (upset and each in glad)
    ]


def _repeated(seen: Seen) -> list[str]:
    """Among what was sent, and against what the bot had sent before; a text cut in parts is one."""
    before = [past.text for past in seen.scenario.world.history if past.by == "bot"]
    texts = [*before, *_asked_to_send(seen)]
    return [
        text
        for place, text in enumerate(texts)
        if place >= len(before) and any(_is_same(text, other) for other in texts[:place])
    ] + _retold(seen)


def _retold(seen: Seen) -> list[str]:
    """The same answer in other words, beside the first one."""
    beside = [
        (one, other) for one, other in combinations(_sent(seen), 2) if (one.turn, one.by) == (other.turn, other.by)
    ]
    texts = [(str(one.arguments.get("text")), str(other.arguments.get("text"))) for one, other in beside]
    return [other for one, other in texts if _tells_the_same(_content(one), _content(other))]


def _tells_the_same(one: set[str], other: set[str]) -> bool:
    return len(one & other) >= max(_RETOLD, min(len(one), len(other)) / 2)


def _content(text: str) -> set[str]:
    """Its figures and the beginnings of its longer words, but those that say who writes."""
    found = regex.findall(r"[\p{L}-]{4,}|\d+", figures(text, likely_language(text, "en")).casefold())
    return {word[:_STEM] for word in found if not says("disclosed", word)}


def _asked_to_send(seen: Seen) -> Sequence[str]:
    return [str(use.arguments.get("text", "")) for use in _sent(seen)] or seen.replies


def _sent(seen: Seen) -> Sequence[ToolUse]:
    return [use for use in seen.observation.calls if use.name == SEND and use.outcome in ("done", "uncertain")]


def _is_same(one: str, other: str) -> bool:
    a, b = (re.sub(r"\W+", "", text).casefold() for text in (one, other))
    return a == b or (min(len(a), len(b)) > 40 and SequenceMatcher(None, a, b, autojunk=False).ratio() >= _SAME)


def _questions(text: str) -> list[str]:
    """Questions of at least four words that are left to the person: what is said after one answers it."""
    parts = [part.text.strip() for part in sentences(unquoted(text))]
    asked = [part.endswith(("?", "？")) for part in parts]
    last = [asks and all(asked[place + 1 : place + 2]) for place, asks in enumerate(asked)]
    return [part for part, is_left in zip(parts, last, strict=True) if is_left and len(part.split()) >= 4]


def _language(seen: Seen) -> Iterator[Check]:
    """Whole replies, and each longer sentence of them; a name of a place says nothing of a language."""
    wanted = seen.language
    scripts = _scripts(f"{seen.known}\n{seen.shown}") | ({"DEVANAGARI"} if wanted == "hi" else set[str]())
    strange = [text for text in seen.replies if _scripts(text) - scripts]
    if wanted is None:
        yield from told("language", "letters that the person reads", strange) if strange else ()
        return
    latin = wanted == "hi" and not _scripts(
        "\n".join(seen.replies)
    )  # of Hindi in Latin letters only English is told apart
    wrong = [text for text in seen.replies if latin and is_surely("en", " ".join(_own_words(seen, text)))]
    for text in () if latin else seen.replies:
        pieces = [part.text for part in sentences(text) if len(_own_words(seen, part.text)) >= 6]
        found = [(part, language_of(" ".join(_own_words(seen, part)))) for part in (text, *pieces)]
        wrong += [f"{language}: {part}" for part, language in found if language not in (wanted, None, "zxx")]
        english = set(map(str.casefold, pattern("english").findall(" ".join(_own_words(seen, unquoted(text))))))
        wrong += [text] if wanted != "en" and len(english) >= _MIXED else []
    yield from told("language", f"the person's language, {wanted}", strange + wrong)


def _scripts(text: str) -> set[str]:
    """Those of its words, but the Latin one, as Unicode names them."""
    return {unicodedata.name(word[0], "").partition(" ")[0] for word in _NOT_LATIN.findall(text)}


def _own_words(seen: Seen, text: str) -> list[str]:
    """Without names: capitalised words that the profile knows."""
    return [
        word for word in text.split() if not (word[:1].isupper() and word.strip(".,;:!?()") in seen.profile.knowledge)
    ]
