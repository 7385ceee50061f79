"""What the person saw, taken together: length, what must and must not be in it, links."""

from collections.abc import Iterator
from typing import Final

import regex

from dm_core.agent.links import AllowList, found_links
from dm_evals.checks.matching import matched, none_of
from dm_evals.checks.nearest_call import shown_matcher
from dm_evals.observation import Observation
from dm_evals.results import Check
from dm_evals.rules.calendar import readings_of
from dm_evals.rules.seen import Seen
from dm_evals.rules.texts import clauses, figures, says, unquoted
from dm_evals.scenarios.scenario import Matcher, Reply, Scenario

NO_REPLY: Final = "no reply"
_ABBREVIATIONS: Final = regex.compile(
    r"\b(?:e\.g|i\.e|etc|approx|St|Mr|Mrs|Ms|Dr|No|z\.\s?B|d\.\s?h|bzw|ca|Nr|Str|Sr|Sra|p\.\s?ej)\."
)
_MONTH: Final = r"\s+(?:Jan|Feb|Mär|Mar|Apr|Ma[iy]|Jun|Jul|Aug|Sep|Okt|Oct|Nov|De[zc])"
_SENTENCE_END: Final = regex.compile(
    rf"(?:(?<!\d)[.!?…।。！？]+|(?<=\d)[!?…]+|(?<=\d)\.(?!{_MONTH})(?=\s+\p{{Lu}}|\s*$))"
    r"[\"')\]»”’]*(?=\s|$|\p{So})|\n+"
)


def reply_checks(expected: Reply, scenario: Scenario, observation: Observation) -> Iterator[Check]:
    """Without a reply there is nothing to praise: ``must`` is broken, nothing else can be."""
    seen = Seen(scenario, observation)
    text = "\n".join(seen.replies)
    readings = readings_of(text, seen)
    if expected.max_bytes is not None:
        size = len(text.encode("utf-8", "replace"))
        yield _bound("reply.max_bytes", expected.max_bytes, size, "bytes")
    if expected.max_sentences is not None:
        yield _bound("reply.max_sentences", expected.max_sentences, sentences(text), "sentences")
    for matcher in expected.must:
        yield _must(matcher, text, readings)
    for matcher in expected.must_not:
        yield _must_not(matcher, text)
    if expected.links is not None:
        yield _links(expected.links, text)


def sentences(text: str) -> int:
    """Sentences as a reader counts them: full stops in dates, prices and abbreviations end none, a line break does."""
    plain = _ABBREVIATIONS.sub("abbreviation", text)
    parts = (part for part in _SENTENCE_END.split(plain) if part)
    return sum(any(char.isalnum() for char in part) for part in parts)


def _bound(name: str, bound: int, size: int, unit: str) -> Check:
    return Check(name, "held" if size <= bound else "broken", f"at most {bound} {unit}", f"{size} {unit}")


def _must(matcher: Matcher, text: str, readings: str) -> Check:
    """Held by the words or by what they mean: "half six" for 18:30, "sixty" for 60."""
    held = matched(matcher, text or None) or (bool(text) and matched(matcher, f"{text}\n{readings}"))
    return Check("reply.must", "held" if held else "broken", shown_matcher(matcher), text or NO_REPLY)


def _must_not(matcher: Matcher, text: str) -> Check:
    """What is denied beside it, or quoted, is not said: "please don't wear your spikes" invites nobody to."""
    held = all(_is_unsaid(matcher, each) for each in (text, figures(text, "en")))
    return Check("reply.must_not", "held" if held else "broken", f"not {shown_matcher(matcher)}", text or NO_REPLY)


def _is_unsaid(matcher: Matcher, text: str) -> bool:
    if none_of(matcher, text) or (pattern := _pattern(matcher)) is None:
        return none_of(matcher, text)
    plain = unquoted(text)
    return all(_is_denied(plain, found.span()) for found in pattern.finditer(plain))


def _pattern(matcher: Matcher) -> regex.Pattern[str] | None:
    if matcher.regex is not None:
        return regex.compile(matcher.regex)
    parts = matcher.any_of or ((matcher.contains,) if isinstance(matcher.contains, str) else matcher.contains)
    return regex.compile("|".join(map(regex.escape, parts)), regex.IGNORECASE) if parts else None


def _is_denied(text: str, span: tuple[int, int]) -> bool:
    """A denial or an "if" in the same clause, but not in what was found itself ("isn't cancelled" is found whole)."""
    start, end = span
    around = [each for each in clauses(text) if each.start < end and start < each.start + len(each.text)]
    if not around:
        return False
    first, last = around[0].start, around[-1].start + len(around[-1].text)
    beside = f"{text[first:start]} … {text[end:last]}"
    return says("denies", beside) or says("hypothetical", beside)


def _links(allowed: tuple[str, ...], text: str) -> Check:
    """Every link in any shape, a bare domain and an e-mail address too, is one of these or below one."""
    emails = tuple(link.removeprefix("mailto:") for link in allowed if "@" in link)
    entries = AllowList(tuple(link for link in allowed if "@" not in link), emails)
    found = found_links(text)
    wrong = [link for link in found if not entries.allows(link)]
    expected = f"only {', '.join(allowed)}" if allowed else "no link"
    return Check("reply.links", "broken" if wrong else "held", expected, ", ".join(wrong or found) or "no link")
