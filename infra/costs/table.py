"""The table as Markdown: what one DM costs by part, then what a month costs, for each price that the list knows of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from costs.measured import Measured
from costs.prices import (
    ASSUMED_ON,
    FREE_SERVICE_MESSAGES,
    PACKAGE,
    SERVICE_BILLED_SINCE,
    WHATSAPP_MESSAGE,
    Rate,
    changes,
    list_date,
    rate,
    whatsapp,
)
from variables import DEFAULT_MODEL

VOLUMES: Final = (100, 10_000, 1_000_000)
ALERTS_A_DM: Final = 0.05
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Part:
    """What a part of Google Cloud costs for one DM. ``usd`` follows from the two texts."""

    name: str
    use: str
    price: str
    usd: float


CLOUD: Final[Sequence[Part]] = (
    Part(
        "Firestore",
        "12 writes, 25 reads, 4 deletes",
        "1.80, 0.60, 0.20 a million",
        (12 * 1.80 + 25 * 0.60 + 4 * 0.20) / _MILLION,
    ),
    Part(
        "Firestore storage",
        "6 kB kept 3 months, times 3 for indexes, PITR and backups",
        "0.18 a GB",
        6e-6 * 3 * 3 * 0.18,
    ),
    Part(
        "Cloud Run",
        "4 requests; 4.3 vCPU-s and 4.15 GiB-s (no sharing of instances)",
        "0.40 a million; 0.000024; 0.0000025",
        4 * 0.40 / _MILLION + 4.3 * 0.000024 + 4.15 * 0.0000025,
    ),
    Part("Cloud Tasks", "2 operations", "0.40 a million", 2 * 0.40 / _MILLION),
    Part("Logs", "10 kB", "0.50 a GiB", 10e3 / 2**30 * 0.50),
)
FILES: Final = {"a picture": 1_120, "a minute of voice": 60 * 32, "10 s of video with sound": 10 * (70 + 32)}
"""Tokens of what a person sends beside words (docs/platforms/gemini.md#pictures-voice-and-video)."""
FIXED: Final = {
    "sweep 43,200 × 0.2 s": 43_200 * (0.2 * (0.000024 + 0.0000025) + 0.40 / _MILLION),
    "its reads": 43_200 * 0.60 / _MILLION,
    "3 scheduler jobs": 3 * 0.10,
    "7 secret versions": 7 * 0.06,
    "images": 0.10,
}


@dataclass(frozen=True, slots=True)
class Period:
    """From which day to which the model has one price; None: not bounded."""

    begin: date | None
    end: date | None
    rate: Rate

    @property
    def name(self) -> str:
        if self.begin is None:
            return f"until {_day(self.end)}" if self.end else "now"
        return f"from {_day(self.begin)}" + (f" until {_day(self.end)}" if self.end else "")

    def usd(self, measured: Measured) -> float:
        """The model's share of one DM, without thoughts where none were counted."""
        answered = measured.output_tokens + (measured.thought_tokens or 0)
        each = measured.input_tokens * self.rate.received + answered * self.rate.answered
        return measured.calls_a_dm * each / _MILLION


def periods(model: str = DEFAULT_MODEL) -> list[Period]:
    """Today's price, as of the list's day, and each later one that the list already knows."""
    today = list_date()
    begins = [None, *changes(model, today)]
    ends = [begin - timedelta(days=1) for begin in begins[1:] if begin] + [None]
    return [Period(begin, end, rate(model, begin or today)) for begin, end in zip(begins, ends, strict=True)]


def section(measured: Measured, model: str = DEFAULT_MODEL) -> str:
    """Everything between the page's two marks."""
    known = periods(model)
    return "\n".join((*_sources(measured, known), "", *_parts(measured, model, known), "", *_months(measured, known)))


def _sources(measured: Measured, known: Sequence[Period]) -> Iterator[str]:
    yield f"- Model prices: {PACKAGE}, list of {_day(list_date())}, standard tier."
    yield f"- Tokens: {_counted(measured)}"
    yield (
        f"- One DM is {measured.calls_a_dm:.2f} model calls: {measured.calls} calls for the {measured.dms} DMs of the"
        " recorded scenarios, which hold more bursts and trouble than a quiet day."
    )
    if measured.thought_tokens is None:
        each = ", ".join(f"{100 * p.rate.answered * measured.calls_a_dm / _MILLION:.6f} {p.name}" for p in known)
        yield (
            "- **Thoughts are left out**: a hand-written answer has none. The model bills them as output: each 100"
            f" tokens that a call thinks add to a DM {each}. `make evals-record` with a key, then `make costs`,"
            " counts them."
        )
    yield (
        f"- Prices of Google Cloud and WhatsApp, and each use beside tokens, are **assumptions of {_day(ASSUMED_ON)}**,"
        " none read from a bill. Free tiers are left out."
    )
    yield (
        "- WhatsApp bills texts in the manager's window, and utility templates sent in it, since"
        f" {_day(SERVICE_BILLED_SINCE)}; before, both were free (as reported in"
        " https://github.com/Orenda-Project/rumi-platform/issues/98). A number's first"
        f" {FREE_SERVICE_MESSAGES:,} texts of a month are free; the table takes templates, of which none is."
    )


def _counted(measured: Measured) -> str:
    if measured.billed_calls:
        return f"the usage that the model billed for {measured.billed_calls} recorded calls."
    return (
        "characters of the prompt, the tools' declarations and the contents of"
        f" {measured.calls} recorded requests and their hand-written answers (`evals/recordings`), four to a token,"
        " Google's own rule of thumb (https://ai.google.dev/gemini-api/docs/tokens)."
    )


def _parts(measured: Measured, model: str, known: Sequence[Period]) -> Iterator[str]:
    yield "| part | use of one DM | price in USD | USD a DM |"
    yield "|---|---|---|---|"
    answered = measured.output_tokens + (measured.thought_tokens or 0)
    use = f"{measured.calls_a_dm:.2f} calls, {measured.input_tokens:,} tokens in (nothing cached), {answered:,} out"
    for period in known:
        price = f"{period.rate.received:.2f} in, {period.rate.answered:.2f} out a million"
        yield f"| {model}, {period.name} | {use} | {price} | {period.usd(measured):.7f} |"
    for part in CLOUD:
        yield f"| {part.name} | {part.use} | {part.price} | {part.usd:.7f} |"
    price = f"{WHATSAPP_MESSAGE:.3f} a message"
    yield f"| WhatsApp | {ALERTS_A_DM:.0%} reach the manager | {price} | {ALERTS_A_DM * WHATSAPP_MESSAGE:.7f} |"
    yield ""
    yield f"| beside its words a DM brings | tokens more | {' | '.join(f'USD {period.name}' for period in known)} |"
    yield "|" + "---|" * (2 + len(known))
    for what, tokens in FILES.items():
        dollars = " | ".join(
            f"{tokens * measured.calls_a_dm * period.rate.received / _MILLION:.7f}" for period in known
        )
        yield f"| {what} | {tokens:,} a call | {dollars} |"
    fixed = ", ".join(f"{what} {usd:.2f}" for what, usd in FIXED.items())
    yield ""
    yield f"Fixed: {sum(FIXED.values()):.2f} a month ({fixed})."


def _months(measured: Measured, known: Sequence[Period]) -> Iterator[str]:
    models = " | ".join(f"Gemini {period.name}" for period in known)
    sums = " | ".join(f"sum {period.name}" for period in known)
    yield f"| DMs a month | {models} | Google Cloud (with fixed) | WhatsApp | {sums} |"
    yield "|" + "---|" * (3 + 2 * len(known))
    today = list_date()
    for dms in VOLUMES:
        cloud = sum(FIXED.values()) + dms * sum(part.usd for part in CLOUD)
        alerts = whatsapp(dms * ALERTS_A_DM, today, templates=True)
        shares = [dms * period.usd(measured) for period in known]
        yield _row(dms, *shares, cloud, alerts, *(share + cloud + alerts for share in shares))


def _row(dms: int, *amounts: float) -> str:
    return f"| {dms:,} | " + " | ".join(f"{amount:,.2f}" for amount in amounts) + " |"


def _day(day: date | None) -> str:
    return f"{day.day} {day:%B %Y}" if day else ""
