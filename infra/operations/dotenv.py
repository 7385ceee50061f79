"""A file of secret values, ``NAME=value`` a line, that only its owner can read."""

import os
import re
import stat
from pathlib import Path
from typing import Final

from operations.running import Refused

LINE: Final = re.compile(r"(?:export\s+)?([A-Z][A-Z0-9_]*)\s*=\s*(.*)")


def read_private(path: Path) -> dict[str, str]:
    """The values by name. Raises Refused for a file that others can read, or with a line that can't be understood.

    Owner and mode are those of the opened file, so that it can't be exchanged in between. No line is ever quoted.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Refused(f"{path} can't be opened ({error.strerror})") from error
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise Refused(f"{path} is not a file")
    with os.fdopen(handle, encoding="utf-8-sig") as file:
        if found.st_mode & 0o077 or found.st_uid != os.getuid():
            raise Refused(f"{path} holds secrets and others can read it. Run: chmod 600 {path}")
        try:
            lines = file.read().splitlines()
        except ValueError:
            raise Refused(f"{path} is not UTF-8 text") from None
    return dict(_pairs(path, lines))


def _pairs(path: Path, lines: list[str]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith("#"):
            continue
        parts = LINE.fullmatch(line)
        if parts is None:
            raise Refused(f"{path}, line {number}, is not NAME=value")
        name, value = parts[1], parts[2]
        if name in dict(pairs):
            raise Refused(f"{path}, line {number}: {name} is there twice")
        if _unquoted(value) == value and re.search(r"\s#", value):
            raise Refused(f"{path}, line {number}: what follows # may be a comment: take it out, or quote the value")
        pairs.append((name, _unquoted(value)))
    return pairs


def _unquoted(value: str) -> str:
    quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value
