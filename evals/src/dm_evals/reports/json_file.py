"""The report as JSON, for programs: everything that is in it, and back again.

    {"format": "dm-evals report", "version": 1, "report": {…}}

``version`` is raised when a reader of the old one would misread the new one. ``counts`` and ``passed`` beside it are
for ``jq``; they are not read back. Halves of an emoji (lone surrogates) become U+FFFD: JSON in UTF-8 has none.
"""

import json
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from dm_evals.reading import Unusable, first_problem
from dm_evals.reports.words import OUTCOMES
from dm_evals.results import Report
from dm_sandbox.platforms.server import as_object

FORMAT: Final = "dm-evals report"
VERSION: Final = 1
_REPORT: Final = TypeAdapter(Report)


def to_json(report: Report) -> str:
    """One document; the same report gives the same text."""
    document: dict[str, object] = {
        "format": FORMAT,
        "version": VERSION,
        "counts": {str(outcome): report.counts[outcome] for outcome in OUTCOMES},
        "report": _REPORT.dump_python(report, mode="json", fallback=str),
    }
    written = json.dumps(document, ensure_ascii=False, indent=1)
    return written.encode("utf-8", "surrogatepass").decode("utf-8", "replace") + "\n"


def from_json(text: str) -> Report:
    """What ``to_json`` wrote. Raises Unusable."""
    try:
        fields = as_object(json.loads(text))
    except ValueError as error:
        raise Unusable(f"no JSON: {error}") from None
    if fields.get("format") != FORMAT:
        raise Unusable(f'no report: "format" is not "{FORMAT}"')
    if fields.get("version") != VERSION:
        raise Unusable(f"version {fields.get('version')!r} of the report; this program reads version {VERSION}")
    try:
        return _REPORT.validate_python(fields.get("report"), extra="forbid")
    except ValidationError as error:
        raise Unusable(first_problem(error)) from None


def load(path: Path) -> Report:
    """Raises Unusable, its message with the file's name."""
    try:
        return from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, Unusable) as error:
        raise Unusable(f"{path.name}: {error}") from None
