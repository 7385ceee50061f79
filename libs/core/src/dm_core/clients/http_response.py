"""An answer of a platform as a value, and how to read one that may hold anything."""

import email.utils
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final, cast

THROTTLE_WAIT_SECONDS: Final = 300.0
"""Wait when the usage is full and no time is named: more calls only extend the block
(https://developers.facebook.com/docs/graph-api/overview/rate-limiting)."""
LONGEST_WAIT_SECONDS: Final = 3_600.0
"""However long a service asks us to wait, an hour later it is asked again."""

_SECONDS: Final = re.compile(
    r"([0-9]{1,300}(?:\.[0-9]{1,9})?)(?: ?s(?:ec(?:ond)?s?)?)?(?:,.*)?", re.ASCII | re.IGNORECASE
)
_USAGES: Final = ("call_count", "total_time", "total_cputime")


class _NotJson(Enum):
    NOT_JSON = "not_json"


NOT_JSON: Final = _NotJson.NOT_JSON
"""The body of an answer that could not be read as JSON."""


@dataclass(frozen=True, slots=True)
class Response:
    """One answer. ``headers`` have lower-case names; ``body`` is parsed JSON or NOT_JSON."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    body: object = field(default=NOT_JSON, repr=False)

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


def told_wait(headers: Mapping[str, str], now: int) -> float | None:
    """The wait the platform asks for, in seconds (at most an hour), or None when its headers name none.

    ``Retry-After`` in seconds or as a date; ``X-Business-Use-Case-Usage`` names minutes; usage of 100 % or more in it
    or in ``X-App-Usage`` without a time means: stop calling.
    """
    usages = [_fields_of(headers.get("x-app-usage"))]
    for entries in _fields_of(headers.get("x-business-use-case-usage")).values():
        usages.extend(fields(entry) for entry in items(entries))
    minutes = max((_number(usage.get("estimated_time_to_regain_access")) for usage in usages), default=0.0)
    waits = [minutes * 60, _retry_after(headers.get("retry-after", ""), now)]
    if minutes == 0 and any(_number(usage.get(name)) >= 100 for usage in usages for name in _USAGES):
        waits.append(THROTTLE_WAIT_SECONDS)
    return bounded_wait(max(waits))


def bounded_wait(seconds: float) -> float | None:
    """A wait that a service asked for, cut to an hour; None for zero, less, or NaN."""
    return min(seconds, LONGEST_WAIT_SECONDS) if seconds > 0 else None


def fields(value: object) -> Mapping[str, object]:
    """A JSON object's fields; nothing when it is not an object."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def items(value: object) -> Sequence[object]:
    """A JSON array's items; nothing when it is no array."""
    return cast("list[object]", value) if isinstance(value, list) else ()


def alone(value: object) -> object:
    """The one item of a list, else the value."""
    listed = items(value)
    return listed[0] if len(listed) == 1 else value


def string(value: object, limit: int | None = None) -> str | None:
    """A JSON string without lone surrogates, cut to ``limit`` characters; None when it is no string or empty."""
    if not isinstance(value, str):
        return None
    return value.encode("utf-8", "replace").decode()[:limit] or None


def parsed_json(body: bytes | str) -> object:
    """Parsed JSON, or NOT_JSON; never raises."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return NOT_JSON


def _fields_of(header: str | None) -> Mapping[str, object]:
    return fields(parsed_json(header)) if header else {}


def _number(value: object) -> float:
    """A finite number above 0, else 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0.0
    try:
        number = float(value)
    except OverflowError:
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0


def _retry_after(value: str, now: int) -> float:
    """Seconds from now; 0 when the header can't be read. Proxies add a unit, say it twice, or write another date."""
    if found := _SECONDS.fullmatch(value.strip()):
        return float(found[1])
    for date in (email.utils.parsedate_to_datetime, datetime.fromisoformat):
        try:
            return date(value.strip()).timestamp() - now / 1000
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return 0.0
