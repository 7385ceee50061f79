"""How long Gemini asks to be left alone, wherever in the body of an error that stands. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from dm_core.clients.http_response import fields, items

_UNITS: Final = {"h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART: Final = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,9})?)(h|ms|m|s)")
_WHOLE: Final = r"(?:[0-9]{1,20}(?:\.[0-9]{1,9})?(?:h|ms|m|s))+"
"""``google.protobuf.Duration`` in JSON (``3.5s``), and Go's form of one (``1h2m3.5s``, ``373.8ms``)."""
_IN_WORDS: Final = re.compile(rf"\bre(?:try|set) (?:in|after) ({_WHOLE})\b", re.IGNORECASE)


def body_wait(body: object) -> float | None:
    """The longest wait that it names, in seconds: in ``google.rpc.RetryInfo``, which is rounded down
    (https://github.com/googleapis/python-genai/pull/2114), in ``google.rpc.ErrorInfo``
    (https://github.com/router-for-me/CLIProxyAPI/pull/449), or in its message
    (https://github.com/google-gemini/gemini-cli/pull/12586). None where it names none."""
    return max(map(_seconds, _named(fields(fields(body).get("error")) or fields(body))), default=None)


def _named(error: Mapping[str, object]) -> Iterator[str]:
    for detail in map(fields, items(error.get("details"))):
        for value in (detail.get("retryDelay"), fields(detail.get("metadata")).get("quotaResetDelay")):
            if isinstance(value, str) and re.fullmatch(_WHOLE, value):
                yield value
    message = error.get("message")
    if isinstance(message, str):
        yield from (found[1] for found in _IN_WORDS.finditer(message))


def _seconds(duration: str) -> float:
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(duration))
