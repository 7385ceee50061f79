"""What model turns cost. An unknown price is None, never zero."""

from functools import cache

from dm_evals.observation import ModelCall


def cost_of(call: ModelCall) -> float | None:
    """US dollars of one model turn: as noted, else by tokens and price list; None where either is not known."""
    if call.cost_usd is not None:
        return call.cost_usd
    if call.input_tokens is None or call.output_tokens is None:
        return None
    return price(call.model, call.input_tokens, call.output_tokens)


@cache
def price(model: str, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float | None:
    """US dollars by the price list that came with genai-prices (offline). ``output_tokens`` includes thoughts."""
    from genai_prices import Usage, calc_price  # loads its list, which only those who ask for a price pay for

    usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens, cache_read_tokens=cached_tokens or None)
    try:
        found = calc_price(usage, model_ref=model.removeprefix("models/"), provider_id="google")
    except (LookupError, ValueError):
        return None
    return float(found.total_price)
