"""What holds in every conversation whatever the model says, as the profile and the settings have it. Pure."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from dm_core.agent.disclosure import NO_DISCLOSURE, Disclosure, Lines
from dm_core.agent.profile import BusinessProfile, HandoverPolicy
from dm_core.durations import DAY_MS, MINUTE_MS
from dm_core.messages import Content, Message
from dm_core.same_text import normal_form
from dm_core.settings import HandoverSettings

STOPPED: Final = Lines((("en", "All right, no more automated messages here. A person may still answer you."),))
HELD: Final = Lines((("en", "Somebody from our team will answer you here. Until then I leave this to them."),))
"""What is said where the profile has no line of its own."""

_DAY_OF_RELEASE: Final = HandoverSettings(30 * MINUTE_MS, DAY_MS)
_MARKS: Final = re.compile("[\u0300-\u036f\u0591-\u05c7\u0640\u064b-\u0652\u0670]")
"""Accents, points and stretches that people leave out, most of all in capital letters."""


@dataclass(frozen=True, slots=True)
class Rules:
    """``stop`` and ``start`` hold words in one form; ``handed_over`` says what the bot does in such a thread."""

    disclosure: Disclosure = NO_DISCLOSURE
    stop: frozenset[str] = frozenset()
    start: frozenset[str] = frozenset()
    stopped: Lines = STOPPED
    handed_over: HandoverPolicy = "continue"
    held: Lines = HELD
    handover: HandoverSettings = _DAY_OF_RELEASE

    @classmethod
    def of(cls, profile: BusinessProfile, disclosure_days: int, handover: HandoverSettings) -> Self:
        """The rules of one deployment."""
        return cls(
            disclosure=Disclosure(profile.disclosure, disclosure_days),
            stop=frozenset(map(word_form, profile.stop_words)) - {""},
            start=frozenset(map(word_form, profile.start_words)) - {""},
            stopped=profile.stopped or STOPPED,
            handed_over=profile.handover,
            held=profile.held or HELD,
            handover=handover,
        )

    def stopped_at(self, before: int | None, messages: Iterable[Message]) -> int | None:
        """When the person's stop word came (ms since 1970), once these DMs were read in their order; None: they may be
        answered. ``before``: what held until then."""
        for message in messages:
            form = "" if message.unsent_at is not None else word_form(_whole(message.content))
            if form in self.stop:
                before = message.created_at if before is None else before
            elif form in self.start:
                before = None
        return before


def word_form(text: str) -> str:
    """A word as it is compared: letter case, width, accents, white space, and what is no letter around it (punctuation
    of any script, emoji) make no difference. One that has no letter at all, such as a sign, stays as it is."""
    plain = unicodedata.normalize("NFKD", normal_form(text)).casefold().replace("ı", "i")
    form = " ".join(unicodedata.normalize("NFC", _MARKS.sub("", plain)).split())
    first = next((at for at, char in enumerate(form) if _is_of_a_word(char)), None)
    if first is None:
        return form
    return form[first : next(at for at in range(len(form), 0, -1) if _is_of_a_word(form[at - 1]))]


def _is_of_a_word(char: str) -> bool:
    """A letter, a number, or a mark on one."""
    return unicodedata.category(char)[0] in "LNM"


def _whole(content: Content) -> str:
    """All that a DM says, if it is words alone."""
    return "" if content.attachments else content.text or content.quick_reply or content.postback or ""


NO_RULES: Final = Rules()
