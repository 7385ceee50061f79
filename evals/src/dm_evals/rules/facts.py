"""What the profile says of a thing: how long it is, whom a fee is for, what there is none of."""

import math
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from itertools import batched, pairwise
from types import MappingProxyType
from typing import Final

import regex

from dm_evals.results import Check
from dm_evals.rules.calendar import venues
from dm_evals.rules.promises import AMOUNT, amounts
from dm_evals.rules.seen import Seen, told
from dm_evals.rules.texts import clauses, figures, says, sentences, unquoted, unwrapped

_LENGTH: Final = regex.compile(
    r"(?P<number>\b\d+(?:\.\d+)?|\b(?:half )?an?)[\s-]"
    r"(?P<unit>minute|min|hour|mile|metre|meter|yard|kilometre|km)s?\b",
    regex.IGNORECASE,
)
_MINUTES: Final = MappingProxyType({"min": 1, "minute": 1, "hour": 60})
_NONE_OF: Final = regex.compile(r"\bno (\p{L}{5,})|\b(\p{L}{4,})-free\b", regex.I)
_OF_ANYTHING: Final = frozenset(
    ("from", "before", "after", "with", "open", "opens", "until", "minutes", "session", "sessions")
)
_COUNT: Final = regex.compile(r"\b(\d+) (?:times|visits|sessions|goes|nights|evenings)\b", regex.I)
_LENDS: Final = regex.compile(r"\b(?:lends?|provides?) (?P<things>[^.\n]+)")
_FREE_VISITS: Final = 2
"""By so many a visit or two that cost nothing put off the one from which on a fee is worth it."""


def facts(seen: Seen) -> Iterator[Check]:
    texts = [unquoted(figures(text, seen.language_of(text))) for text in seen.replies]
    wrong = [found for text in texts for found in (*_lengths(seen, text), *_swapped(seen, text), *_worth(seen, text))]
    wrong += [found for text in texts for each in (_denied_things, _moved, _own_kit) for found in each(seen, text)]
    yield from told("facts", "of each thing what the profile says of it", wrong)


def _lengths(seen: Seen, text: str) -> Iterator[str]:
    """Another length, of time or way, than the profile tells of the same thing: a gate, a station."""
    for clause in clauses(text):
        for about, known in _known_lengths(seen.profile.knowledge):
            own = _measured(clause.text)
            another = not own & known or ("walk" in about and says("by_wheel", clause.text))
            if own and about & _nouns(clause.text) and another and not clause.denied:
                yield f"{clause.text.strip()!r}: it is {', '.join(f'{number:g} {unit}' for number, unit in known)}"


@cache
def _known_lengths(knowledge: str) -> Sequence[tuple[frozenset[str], frozenset[tuple[float, str]]]]:
    measured = [(clause.text, _measured(clause.text)) for clause in clauses(unwrapped(knowledge))]
    return [(_nouns(clause), known) for clause, known in measured if known]


def _measured(text: str) -> frozenset[tuple[float, str]]:
    """Numbers with their units; those of time in minutes."""
    found: set[tuple[float, str]] = set()
    for each in _LENGTH.finditer(text):
        written, unit = each["number"].casefold(), each["unit"].casefold()
        number = float(written) if written[0].isdigit() else 0.5 if written.startswith("half") else 1.0
        minutes = _MINUTES.get(unit)
        found.add((number * minutes, "minutes") if minutes else (number, unit))
    return frozenset(found)


def _nouns(text: str) -> frozenset[str]:
    return frozenset(regex.findall(r"\p{L}{4,}", text.casefold())) - _OF_ANYTHING


def _swapped(seen: Seen, text: str) -> Iterator[str]:
    """Groups and amounts in turn, and a group has the amount of another one."""
    fees = _fees(tuple(seen.profile.facts.items()))
    for sentence in sentences(text):
        found = sorted((*_groups(fees, sentence.text), *_amounts(sentence.text)))
        bare = {float(number) for number in regex.findall(r"\d+", sentence.text)} & {amount for _, amount in fees}
        kinds = [isinstance(each, str) for _, each in found]
        in_turn = len(kinds) % 2 == 0 and all(one != other for one, other in pairwise(kinds))
        if not in_turn or bare - {each for _, each in found} or says("denies", sentence.text):
            continue
        for one, other in batched((each for _, each in found), 2, strict=True):
            group, amount = (one, other) if isinstance(one, str) else (other, one)
            others = {each for name, each in fees if name != group}
            if amount in others and (group, amount) not in fees:
                yield f"{amount:g} for {group} in {sentence.text.strip()!r}"


@cache
def _fees(facts: Collection[tuple[str, str]]) -> frozenset[tuple[str, float]]:
    """Whom a fee is for, by the last word of its name: ``membership.adult``, ``fees.match_adult``."""
    named = [(name.rpartition(".")[2].split("_"), next(amounts(value), None)) for name, value in facts]
    single = {words[0] for words, _ in named if len(words) == 1}
    return frozenset(
        (words[-1] if words[-1] in single else " ".join(words), amount[1]) for words, amount in named if amount
    )


def _groups(fees: frozenset[tuple[str, float]], text: str) -> Iterator[tuple[int, str]]:
    for name in {name for name, _ in fees}:
        several = r"(?<!\d )"  # of two students the fee is another
        yield from ((each.start(), name) for each in regex.finditer(rf"{several}\b{name}(?:s\b|\b)", text, regex.I))


def _amounts(text: str) -> Iterator[tuple[int, float]]:
    for each in AMOUNT.finditer(text):
        yield each.start(), next(amounts(each.group()))[1]


def _worth(seen: Seen, text: str) -> Iterator[str]:
    """After how many visits a fee is worth it: the yearly one through that of a visit."""
    fees = {amount for _, amount in amounts(seen.profile.knowledge)}
    for sentence in sentences(text):
        count = _COUNT.search(sentence.text)
        if count and says("pays_off", sentence.text) and not says("denies", sentence.text):
            named = fees & {amount for _, amount in amounts(text)}
            right = {math.ceil(one / other) for one in named for other in named if 0 < other < one}
            if right and not any(0 <= float(count[1]) - each <= _FREE_VISITS for each in right):
                yield count.group()


def _denied_things(seen: Seen, text: str) -> Iterator[str]:
    """What the profile says there is none of, and the reply says there is: a step, studs that are fine."""
    for thing, about in _none_of(seen.profile.knowledge):
        word = rf"\b{thing.removesuffix('s')}s?\b(?!-)"
        there = rf"\b(?:there(?:.s| is| are)|an?|one|two|few|\d) (?:\w+ )?{word}"
        allowed = rf"{word} (?:are |is )?(?:fine|ok|okay|allowed)\b"
        free = rf"\b(?:not|isn.t|aren.t) (?:\w+ ){{0,2}}{thing}-free\b"
        for sentence in sentences(text):
            is_meant = about & _nouns(sentence.text)
            for clause in clauses(sentence.text):
                said = regex.search(f"{there}|{allowed}" if is_meant else allowed, clause.text, regex.I)
                is_said = said and not (clause.denied or clause.conditional)
                if is_said or regex.search(free, clause.text, regex.I):
                    yield clause.text.strip()


@cache
def _none_of(knowledge: str) -> Sequence[tuple[str, frozenset[str]]]:
    """Each such thing, and what its sentence is about."""
    found = [
        (each, sentence) for sentence in sentences(unwrapped(knowledge)) for each in _NONE_OF.finditer(sentence.text)
    ]
    return [
        ((each[1] or each[2]).casefold(), _nouns(sentence.text.replace(each.group(), ""))) for each, sentence in found
    ]


def _own_kit(seen: Seen, text: str) -> Iterator[str]:
    """What the club lends, and the reply wants people to own."""
    for clause in clauses(text):
        own = regex.search(r"\b(?:your|an?|their|his|her) own (\w+)", clause.text, regex.I)
        spared = clause.denied or clause.conditional or says("may", clause.text)
        if own and not spared and own[1].casefold().removesuffix("s") in _lent(seen.profile.knowledge):
            yield f"{clause.text.strip()!r}: the club lends it"


@cache
def _lent(knowledge: str) -> frozenset[str]:
    """The things in the profile's sentences about lending, without the ending of a plural."""
    told = [each["things"] for each in _LENDS.finditer(unwrapped(knowledge))]
    return frozenset(word.removesuffix("s") for each in told for word in regex.findall(r"\p{L}{3,}", each)) - {"and"}


def _moved(seen: Seen, text: str) -> Iterator[str]:
    """The postcode of one place in a sentence about another one."""
    club = seen.profile.name.casefold()
    for sentence in sentences(text):
        plain = [clause.text.casefold() for clause in clauses(sentence.text) if not clause.denied]
        there, named = set[str](), set[str]()
        for names, code in venues(seen.profile.knowledge):
            there |= {code} if any(name in each for name in names if name not in club for each in plain) else set()
            named |= {code} if any(code.replace(" ", "") in each.replace(" ", "") for each in plain) else set()
        if len(named) == len(there) == 1 and named != there:
            yield sentence.text.strip()
