"""What the model calls of a run or a thread cost: every one that was billed, whatever became of its answer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from dm_core.durations import DAY_MS

_DECIMALS: Final = 9
"""Of a dollar: a token of the cheapest model is 10⁻⁸ of one."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Model calls with their tokens and price. ``input_tokens`` holds the cached ones, and those of pictures, sound and
    video; thoughts are billed as output.

    ``usd``: US dollars, None where the price of a call is not known: it is never counted as 0.
    """

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    thought_tokens: int = 0
    usd: float | None = 0.0
    image_tokens: int = 0
    audio_tokens: int = 0
    video_tokens: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        known = self.usd is not None and other.usd is not None
        return Spent(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
            self.thought_tokens + other.thought_tokens,
            round((self.usd or 0) + (other.usd or 0), _DECIMALS) if known else None,
            self.image_tokens + other.image_tokens,
            self.audio_tokens + other.audio_tokens,
            self.video_tokens + other.video_tokens,
        )

    @property
    def cost(self) -> Mapping[str, object]:
        """The field ``cost`` of a document."""
        return {"modelCalls": self.calls, "usd": self.usd}

    @property
    def tokens(self) -> Mapping[str, int]:
        """The field ``tokens`` of a document. Pictures, sound and video are named where there were any."""
        by_modality = {"image": self.image_tokens, "audio": self.audio_tokens, "video": self.video_tokens}
        return {
            "input": self.input_tokens,
            "cached": self.cached_tokens,
            "output": self.output_tokens,
            "thought": self.thought_tokens,
            **{modality: count for modality, count in by_modality.items() if count},
        }


def parse_spent(cost: Mapping[str, object], tokens: Mapping[str, object]) -> Spent:
    """From the two fields of a document. A document without them has spent nothing that is known of."""

    def whole(value: object) -> int:
        return value if isinstance(value, int) and not isinstance(value, bool) else 0

    usd = cost.get("usd", 0.0)
    return Spent(
        whole(cost.get("modelCalls")),
        *(whole(tokens.get(kind)) for kind in ("input", "cached", "output", "thought")),
        usd=float(usd) if isinstance(usd, int | float) and not isinstance(usd, bool) else None,
        image_tokens=whole(tokens.get("image")),
        audio_tokens=whole(tokens.get("audio")),
        video_tokens=whole(tokens.get("video")),
    )


@dataclass(frozen=True, slots=True)
class DayRuns:
    """Runs of the whole deployment on one day (UTC). ``day_start`` in ms since 1970."""

    day_start: int = 0
    runs: int = 0


def day_of(now: int) -> int:
    """When the day (UTC) of this moment began, both in ms since 1970."""
    return now - now % DAY_MS


def spend_run(used: DayRuns, now: int, most: int) -> DayRuns | None:
    """The count after one more run, None when the day's runs are used up. ``most`` 0: there is no limit."""
    day = day_of(now)
    today = used if used.day_start == day else DayRuns(day)
    return None if 0 < most <= today.runs else replace(today, runs=today.runs + 1)
