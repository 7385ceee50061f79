"""What the person saw, taken together: language, length, what must and must not be in it, links, dates."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import regex

from dm_core.agent.links import AllowList, found_links
from dm_evals.checks.dates import Mention, mentions, problem
from dm_evals.checks.language import KNOWN, NO_LANGUAGE, language_of
from dm_evals.checks.matching import Means, matched, none_of
from dm_evals.checks.nearest_call import shown_matcher
from dm_evals.observation import Observation
from dm_evals.results import Check, Verdict
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


def reply_checks(expected: Reply, scenario: Scenario, observation: Observation, means: Means) -> Iterator[Check]:
    """Without a reply there is nothing to praise: language and ``must`` are broken, nothing else can be."""
    text = "\n".join(observation.replies)
    if expected.language is not None:
        yield _language(expected.language, text)
    if expected.max_bytes is not None:
        size = len(text.encode("utf-8", "replace"))
        yield _bound("reply.max_bytes", expected.max_bytes, size, "bytes")
    if expected.max_sentences is not None:
        yield _bound("reply.max_sentences", expected.max_sentences, sentences(text), "sentences")
    for matcher in expected.must:
        yield _must(matcher, text, means)
    for matcher in expected.must_not:
        yield Check("reply.must_not", none_of(matcher, text, means), f"not {shown_matcher(matcher)}", text or NO_REPLY)
    if expected.links is not None:
        yield _links(expected.links, text)
    if expected.dates != "any":
        yield _dates(expected, scenario, observation, text)


def sentences(text: str) -> int:
    """Sentences as a reader counts them: full stops in dates, prices and abbreviations end none, a line break does."""
    plain = _ABBREVIATIONS.sub("abbreviation", text)
    parts = (part for part in _SENTENCE_END.split(plain) if part)
    return sum(any(char.isalnum() for char in part) for part in parts)


def _language(expected: str, text: str) -> Check:
    """Held and broken only where the language is told for sure."""
    name = "reply.language"
    if not text.strip():
        return Check(name, "broken", expected, NO_REPLY)
    if expected not in KNOWN | {NO_LANGUAGE}:
        return Check(name, "unknown", expected, f"{expected} can't be told here", f"known: {', '.join(sorted(KNOWN))}")
    found = language_of(text)
    verdict: Verdict = "unknown" if found is None else "held" if found == expected else "broken"
    return Check(name, verdict, expected, f"{found or 'not sure'}: {text}")


def _bound(name: str, bound: int, size: int, unit: str) -> Check:
    return Check(name, "held" if size <= bound else "broken", f"at most {bound} {unit}", f"{size} {unit}")


def _must(matcher: Matcher, text: str, means: Means) -> Check:
    """``between`` asks something of a number, which a text is not."""
    verdict = "unknown" if matcher.between is not None else matched(matcher, text or None, means)
    return Check("reply.must", verdict, shown_matcher(matcher), text or NO_REPLY)


def _links(allowed: tuple[str, ...], text: str) -> Check:
    """Every link in any shape, a bare domain and an e-mail address too, is one of these or below one."""
    emails = tuple(link.removeprefix("mailto:") for link in allowed if "@" in link)
    entries = AllowList(tuple(link for link in allowed if "@" not in link), emails)
    found = found_links(text)
    wrong = [link for link in found if not entries.allows(link)]
    expected = f"only {', '.join(allowed)}" if allowed else "no link"
    return Check("reply.links", "broken" if wrong else "held", expected, ", ".join(wrong or found) or "no link")


def _dates(expected: Reply, scenario: Scenario, observation: Observation, text: str) -> Check:
    """The dates a person would turn up on."""
    zone = ZoneInfo(observation.time_zone)
    now = datetime.fromisoformat(observation.now) if observation.now else scenario.now
    found = mentions(text, now.astimezone(zone))
    if expected.dates == "none":
        named = [mention.text for mention in found if not mention.denied]
        return Check("reply.dates", "broken" if named else "held", "no date", ", ".join(named) or "none")
    sessions = [datetime.fromisoformat(start).astimezone(zone) for start in observation.sessions]
    to_problem: Callable[[Mention], str | None] = lambda mention: problem(mention, sessions)  # noqa: E731
    problems = list(filter(None, map(to_problem, found)))
    calendar = ", ".join(f"{session:%A %-d %B %H:%M}" for session in sorted(sessions)) or "empty"
    named = ", ".join(mention.text for mention in found) or "no date"
    return Check(
        "reply.dates",
        "broken" if problems else "held",
        f"only dates of the calendar ({calendar})",
        "; ".join(problems) or named,
    )
