"""What a model turn cost, by the price list that comes with ``genai-prices`` (offline; 0.2.3 is of 10 November 2026).

The list follows https://ai.google.dev/gemini-api/docs/pricing, with future changes dated (Gemini 3.8 Flash doubles on
1 January 2027); it is renewed by updating the package. Standard tier: a batch, flex or priority call has another
price. The list is loaded with the first price (about 0.3 s of CPU, 5 MiB): call ``load`` where that disturbs nobody.
"""

from datetime import UTC, datetime

from dm_core.runs import ModelTurn, Usage
from dm_core.usage import Spent


def spent_on(turn: ModelTurn, model: str, at: int) -> Spent:
    """One model turn, usable or not. ``model``: as configured, for an answer that names none or one that the list does
    not know; ``at``: when it was asked, in ms since 1970."""
    usage = turn.usage
    billed = any((usage.input_tokens, usage.output_tokens, usage.thought_tokens))
    versions = tuple(dict.fromkeys(filter(None, (turn.model_version, model))))
    return Spent(
        calls=1,
        input_tokens=usage.input_tokens or 0,
        cached_tokens=usage.cached_tokens or 0,
        output_tokens=usage.output_tokens or 0,
        thought_tokens=usage.thought_tokens or 0,
        usd=_price(usage, versions, datetime.fromtimestamp(at / 1000, UTC)) if billed else 0.0,
    )


def load() -> None:
    """Load the price list now."""
    _price(Usage(1, None, 1), ("gemini-3.8-flash",), datetime.now(UTC))


def _price(usage: Usage, models: tuple[str, ...], at: datetime) -> float | None:
    """US dollars by the first of the models that the list knows; None if it knows none of them."""
    from genai_prices import Usage as Billed
    from genai_prices import calc_price

    received = usage.input_tokens or 0
    billed = Billed(
        input_tokens=received,
        cache_read_tokens=min(usage.cached_tokens or 0, received) or None,
        output_tokens=(usage.output_tokens or 0) + (usage.thought_tokens or 0),
    )
    for model in models:
        name = model.removeprefix("models/")
        try:
            found = calc_price(billed, name, provider_id="google", genai_request_timestamp=at)
        except (LookupError, ValueError):
            continue
        return float(found.total_price)
    return None
