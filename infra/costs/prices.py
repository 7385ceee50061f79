"""Prices with their dates. The model's come from ``genai-prices``; the others are written down here, and assumed.

Neither Google Cloud's nor Meta's prices are in a package, and neither was read from a bill: they are general knowledge
of the date below, for europe-west2 and a manager with a British number.
"""

import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from importlib.metadata import version
from pathlib import Path
from typing import Final

from genai_prices import Usage, calc_price
from genai_prices.data import providers
from genai_prices.types import ConditionalPrice, StartDateConstraint

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = "genai-prices"
ASSUMED_ON: Final = date(2026, 11, 22)

SERVICE_BILLED_SINCE: Final = date(2026, 10, 1)
"""Texts in the manager's window and utility templates sent in it were free before
(https://github.com/Orenda-Project/rumi-platform/issues/98)."""
FREE_SERVICE_MESSAGES: Final = 1_000
"""A sender number and month, since then; templates have none (the same report)."""
WHATSAPP_MESSAGE: Final = 0.022
"""USD for a text or a utility template alike: the utility rate of the country of whoever receives it."""


@dataclass(frozen=True, slots=True)
class Rate:
    """USD for a million tokens."""

    received: float
    answered: float


def list_date() -> date:
    """When the price list was published: the upload of the locked version, which must be the installed one."""
    locked = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    entry = next(package for package in locked if package["name"] == PACKAGE)
    if entry["version"] != version(PACKAGE):
        raise ValueError(f"{PACKAGE} {version(PACKAGE)} is installed, {entry['version']} is locked: run `make setup`")
    uploaded: object = entry["sdist"]["upload-time"]
    return datetime.fromisoformat(str(uploaded)).date()


def rate(model: str, on: date) -> Rate:
    """What the list says for a day. Raises LookupError for a model that it does not know."""
    at = datetime.combine(on, time(12), UTC)
    received, answered = (
        calc_price(usage, model, provider_id="google", genai_request_timestamp=at).total_price * 1_000
        for usage in (Usage(input_tokens=1_000), Usage(output_tokens=1_000))  # a short prompt's price, not a long one's
    )
    return Rate(float(received), float(answered))


def changes(model: str, after: date) -> list[date]:
    """The days after this one from which the list has another price for the model."""
    found = next(p for p in providers if p.id == "google").find_model(model)
    if found is None:
        raise LookupError(f"{PACKAGE} knows no {model}")
    priced = found.prices if isinstance(found.prices, list) else []
    return sorted(day for day in map(_start, priced) if day is not None and day > after)


def _start(price: ConditionalPrice) -> date | None:
    return price.constraint.start_date if isinstance(price.constraint, StartDateConstraint) else None


def whatsapp(messages: float, on: date, *, templates: bool) -> float:
    """USD for a month's alerts, sent as texts in the manager's window or all as templates outside it."""
    if templates:
        return messages * WHATSAPP_MESSAGE
    return max(0.0, messages - FREE_SERVICE_MESSAGES) * WHATSAPP_MESSAGE if on >= SERVICE_BILLED_SINCE else 0.0
