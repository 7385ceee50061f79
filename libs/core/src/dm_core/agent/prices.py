"""What a model turn cost, by the price list that comes with ``genai-prices`` (offline; 0.2.3 is of 10 November 2026).

The list follows https://ai.google.dev/gemini-api/docs/pricing, with future changes dated (Gemini 3.8 Flash doubles on
1 January 2027); it is renewed by updating the package. Standard tier: a batch, flex or priority call has another
price.

The list is loaded with the first price: 0.07 s of CPU and 7 MiB, without compiled bytecode 0.45 s and 70 MiB for a
moment. So a thread does it beside the first model call of an instance, which takes seconds: nobody waits for the price.
Not with the module, because a cold start would wait.

    first call   ──▶ model ················ answer ─▶ price (a lookup)
                 └─▶ load ·····▶
"""

import asyncio
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from dm_core.runs import ModelTurn, Usage
from dm_core.telemetry import emit
from dm_core.usage import Spent


class Prices(Protocol):
    """What model turns cost."""

    def load_aside(self) -> None:
        """Get ready while the model is thinking. Called before every model call; never blocks, never raises."""
        ...

    async def spent(self, turn: ModelTurn, at: int) -> Spent:
        """One model turn, asked for at this time (ms since 1970). Never raises: a price that can't be had is None."""
        ...


@dataclass(slots=True)
class ListPrices:
    """The list prices of a deployment's turns. ``model``: as configured, for answers that name none."""

    model: str
    _loading: threading.Thread | None = field(default=None, init=False)

    def load_aside(self) -> None:
        if self._loading is None:
            self._loading = threading.Thread(target=load, name="prices", daemon=True)
            self._loading.start()

    async def spent(self, turn: ModelTurn, at: int) -> Spent:
        """Waits for the list where an answer was faster than that; other threads go on meanwhile."""
        if self._loading is not None and self._loading.is_alive():
            await asyncio.to_thread(self._loading.join)
        return spent_on(turn, self.model, at)


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
        image_tokens=usage.image_tokens or 0,
        audio_tokens=usage.audio_tokens or 0,
        video_tokens=usage.video_tokens or 0,
    )


def load() -> None:
    """Load the price list now."""
    _price(Usage(1, None, 1), ("gemini-3.8-flash",), datetime.now(UTC))


def _price(usage: Usage, models: tuple[str, ...], at: datetime) -> float | None:
    """US dollars by the first of the models that the list knows; None if it knows none of them, or can't be used."""
    try:
        return _list_price(usage, models, at)
    except Exception as error:  # an answer that is paid for is never lost to its price
        emit("price_list_failed", "ERROR", error=type(error).__name__)
        return None


def _list_price(usage: Usage, models: tuple[str, ...], at: datetime) -> float | None:
    from genai_prices import Usage as Billed
    from genai_prices import calc_price

    received = usage.input_tokens or 0
    billed = Billed(
        input_tokens=received,
        cache_read_tokens=min(usage.cached_tokens or 0, received) or None,
        output_tokens=(usage.output_tokens or 0) + (usage.thought_tokens or 0),
        input_audio_tokens=min(usage.audio_tokens or 0, received) or None,  # some models take more for sound
    )
    for model in models:
        name = model.removeprefix("models/")
        try:
            found = calc_price(billed, name, provider_id="google", genai_request_timestamp=at)
        except (LookupError, ValueError):
            continue
        return float(found.total_price)
    return None
