"""What survives a restart, in the folder of the state: the databases, and in one small file people with their phones,
the manager's messages, clock and seat."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Final, cast

STATE_FILE: Final = "studio.json"
DATABASES: Final = ("threads.db", "tasks.db")


class Damaged(Exception):
    """A file in the folder is not what an earlier start wrote. It is left as it is; the message says what to do."""

    def __init__(self, path: Path, why: object) -> None:
        super().__init__(f"{path} can't be read ({why}): FRESH=1 make dev starts over, STATE=folder leaves it as it is")


def load(folder: Path) -> Mapping[str, object]:
    """The small file's content; nothing where there is none. Raises Damaged."""
    path = folder / STATE_FILE
    try:
        value: object = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Damaged(path, error) from None
    if not isinstance(value, dict):
        raise Damaged(path, "it is not an object")
    return cast("dict[str, object]", value)


def check_databases(folder: Path) -> None:
    """Before anything is done with them. Raises Damaged."""
    for path in (folder / name for name in DATABASES):
        if not path.exists():
            continue
        try:
            with closing(sqlite3.connect(path)) as database:
                (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.DatabaseError as error:
            raise Damaged(path, error) from None
        if found != "ok":
            raise Damaged(path, found)


def save(folder: Path, value: Mapping[str, object]) -> None:
    """Replace the file at once. Raises OSError."""
    new = folder / f"{STATE_FILE}.new"
    new.write_text(json.dumps(value), encoding="utf-8")
    new.replace(folder / STATE_FILE)
