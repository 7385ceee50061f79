"""Files into zips whose bytes depend on names and contents alone.

Stored, not compressed: what deflate makes depends on the zlib a Python was built with, and sources are small.
"""

import stat
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path

from bundling.errors import BundlingError

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest date a zip can hold; every entry has it."""
MODE = stat.S_IFREG | 0o644
UNIX = 3
SKIPPED_DIRECTORIES = frozenset({"__pycache__", "tests", "dist"})
SKIPPED_SUFFIXES = frozenset({".pyc", ".pyo", ".orig", ".rej", ".bak", ".swp"})
SKIPPED_NAMES = frozenset({"Thumbs.db", "desktop.ini"})

Files = Mapping[str, bytes]
"""Contents by name; names have ``/`` between their parts."""


def collect(root: Path, name: str) -> dict[str, bytes]:
    """The file or folder ``name`` of ``root`` as names and contents; nothing if there is none.

    Left out: caches, tests, what editors, merges and file managers leave behind, anything whose name starts with a dot
    (``.env``). Raises BundlingError on a symbolic link:
    what it points at may be outside the tree, or not there on the next machine.
    """
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in _files(root / name)}


def stored_zip(files: Files) -> bytes:
    """The zip of these files, sorted by name."""
    return _written(sorted(files.items()))


def restored(archive: bytes) -> bytes:
    """An existing zip again as a stored one: same entries in the same order, without dates, modes and compression."""
    with zipfile.ZipFile(BytesIO(archive)) as source:
        return _written([(name, source.read(name)) for name in source.namelist() if not name.endswith("/")])


def _written(entries: list[tuple[str, bytes]]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as target:
        for name, content in entries:
            info = zipfile.ZipInfo(name, EPOCH)
            info.create_system = UNIX
            info.external_attr = MODE << 16
            target.writestr(info, content)
    return buffer.getvalue()


def _files(path: Path) -> Iterator[Path]:
    if path.is_symlink():
        raise BundlingError(f"{path} is a symbolic link: put the file itself there")
    if path.is_file():
        yield path
    elif path.is_dir():
        for child in path.iterdir():
            if not _skipped(child):
                yield from _files(child)


def _skipped(path: Path) -> bool:
    return (
        path.name.startswith(".")
        or path.name.endswith("~")
        or path.name in SKIPPED_NAMES
        or path.suffix in SKIPPED_SUFFIXES
        or path.name.endswith(".egg-info")
        or (path.name in SKIPPED_DIRECTORIES and path.is_dir())
    )
