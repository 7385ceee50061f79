"""The line that says that an automated assistant writes: put under a reply that has to say it and does not.

Art. 50(1) and (5) of Regulation (EU) 2024/1689 (https://eur-lex.europa.eu/eli/reg/2024/1689/oj): people are told at the
latest at the first interaction, clearly, that they deal with an AI system.

    the model's text ─ says it ───────────────▶ goes out as it is
                     └ does not ─ a part with room ▶ line under it
                                └ none ─────────────▶ the line as a part of its own, the last one
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dm_core.agent.languages import language_of
from dm_core.agent.texts import TEXT_LIMIT_BYTES, same_form, size
from dm_core.durations import DAY_MS
from dm_core.steering import Steering

_SENTENCE: Final = re.compile(r"[^.!?…。！？\n]+[.!?…。！？]*")
_SELF: Final = re.compile(
    r"मैं|\b(?:i['’]?m|i am|this is|here is|(?:speaking|talking|chatting|writing|dealing) (?:to|with)"
    r"|as (?:an?|the|your|our)|ich bin|hier (?:ist|schreibt|antwortet)|als|je suis"
    r"|mai?n \w+ k[ai]|ici|en tant qu|soy|como|sono|sou|ik ben|jag är|jeg er)\b",
    re.IGNORECASE,
)
_MACHINE: Final = re.compile(
    r"स्वचालित|बॉट|\b(?:(?:automated|automatic|virtual|digital|ai)[ -](?:\w+ )?(?:assistant|agent|system|service)"
    r"|(?:chat)?bot"
    r"|ai|artificial intelligence|(?:automatisierte|automatische|virtuelle|digitale|ki)[rns]?[ -]?(?:assistent(?:in)?"
    r"|system)|ki|assistant(?:e)? (?:automatique|automatis\w+|virtuel\w*|num[ée]rique)|ia"
    r"|asistente (?:autom[aá]tic[oa]|virtual|digital)"
    r"|assistente (?:autom[aá]tic[oa]|virtual\w?|digital\w?)"
    r"|(?:geautomatiseerde|virtuele|digitale) assistent)\b",
    re.IGNORECASE,
)
_NOT: Final = re.compile(
    r"\b(?:not|never|no|isn['’]t|aren['’]t|ain['’]t|nicht|kein\w*|ne|pas|no|non|não|niet|geen|inte|ikke)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Lines:
    """One thing to say, a line a language; the first is for every other language."""

    lines: tuple[tuple[str, str], ...] = ()

    def in_language_of(self, text: str) -> str:
        """The line that goes with a text; empty when there is none at all."""
        if not self.lines:
            return ""
        language = language_of(text)
        return next((line for key, line in self.lines if key == language), self.lines[0][1])

    def __bool__(self) -> bool:
        return bool(self.lines)


NO_LINES: Final = Lines()


@dataclass(frozen=True, slots=True)
class Disclosure:
    """The profile's lines, and for how many days one holds (0: nothing is ever put under a reply)."""

    lines: Lines = NO_LINES
    days: int = 0

    def is_due(self, steering: Steering, now: int) -> bool:
        """The person was not told yet, or too long ago. ``now`` in ms since 1970."""
        if not self.lines or not self.days:
            return False
        return steering.disclosed_at is None or now - steering.disclosed_at >= self.days * DAY_MS

    def is_said(self, text: str) -> bool:
        """The text says it: by one of the lines, or in a sentence of its own about its writer."""
        form = same_form(text)
        if any(same_form(line) in form for _, line in self.lines.lines):
            return True
        return any(_is_about_writer(sentence) for sentence in _SENTENCE.findall(text))

    def under(self, parts: Sequence[str], text: str) -> tuple[str, ...]:
        """The parts of a text with the line as the last one of them, in the text's language."""
        line = self.lines.in_language_of(text)
        *before, last = parts
        whole = f"{last}\n{line}"
        return (*before, whole) if size(whole) <= TEXT_LIMIT_BYTES else (*before, last, line)

    def without(self, text: str) -> str:
        """A text of ours as the model wrote it: without a line of these at its end."""
        for _, line in self.lines.lines:
            if text.endswith(f"\n{line}"):
                return text.removesuffix(f"\n{line}")
        return text


NO_DISCLOSURE: Final = Disclosure()


def _is_about_writer(sentence: str) -> bool:
    """The writer, then a machine, and no "not" between them."""
    writer = _SELF.search(sentence)
    machine = _MACHINE.search(sentence, writer.end()) if writer else None
    return writer is not None and machine is not None and not _NOT.search(sentence, writer.end(), machine.start())
