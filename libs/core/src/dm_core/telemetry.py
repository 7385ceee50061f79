"""Events as structured log lines: a past-tense name and fields, one JSON object a line on stdout.

Cloud Logging reads ``severity`` and ``message`` of such lines. Thread ids are hashed; message text, tokens and
numbers of people are never passed in.
"""

import hashlib
import json
import sys
import time
from typing import Literal

Severity = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


def hashed(identifier: str) -> str:
    """A short, stable stand-in for an id: sha256, 12 hex digits."""
    return hashlib.sha256(identifier.encode("utf-8", "replace")).hexdigest()[:12]


def emit(event: str, severity: Severity = "INFO", /, *, thread_id: str | None = None, **fields: object) -> None:
    """Write one event. ``fields`` must be JSON values (anything else is shown by its type name only)."""
    line: dict[str, object] = {"severity": severity, "message": event, "time": time.time()}
    if thread_id is not None:
        line["thread"] = hashed(thread_id)
    line.update(fields)
    sys.stdout.write(json.dumps(line, ensure_ascii=True, default=lambda value: type(value).__name__) + "\n")
    sys.stdout.flush()
