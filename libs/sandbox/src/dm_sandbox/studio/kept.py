"""What survives a restart, in one small file: people with their phones, the manager's messages, clock and seat."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

STATE_FILE: Final = "studio.json"


def load(folder: Path) -> Mapping[str, object]:
    """The file's content; nothing where there is none, or where it can't be read."""
    try:
        value: object = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def save(folder: Path, value: Mapping[str, object]) -> None:
    """Replace the file at once. Raises OSError."""
    new = folder / f"{STATE_FILE}.new"
    new.write_text(json.dumps(value), encoding="utf-8")
    new.replace(folder / STATE_FILE)
