"""The core library's wheel, built from a clean copy of its sources.

The copy holds only what is packaged, with fixed modes, and lies in a folder of its own. So neither a file's date, its
executable bit (which the build backend keeps) or a stray cache, nor a second build at the same time, nor someone who
saves a file meanwhile changes the result. A wheel is kept under the digest of what it was made from: an unchanged tree
needs no build, hence no package index and no network.
"""

import hashlib
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bundling.archives import Files, collect, restored, stored_zip
from bundling.errors import BundlingError
from bundling.uv_command import run_uv, said

RECIPE = b"1"
"""Changes when the way a wheel is made changes, so that kept ones are made again."""
CORE = Path("libs", "core")


@dataclass(frozen=True)
class Wheel:
    """A built wheel. ``digest`` is the sha256 of ``content`` in hex."""

    name: str
    content: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def core_wheel(root: Path, target: Path) -> Wheel:
    """The wheel of this tree's core, kept under ``target``. Raises BundlingError, OSError."""
    sources = collect(root / CORE, ".")
    if "pyproject.toml" not in sources:
        raise BundlingError(f"{root / CORE / 'pyproject.toml'} is missing: is {root} the repository?")
    kept = target / "wheels" / hashlib.sha256(RECIPE + stored_zip(sources)).hexdigest()
    found = sorted(kept.glob("*.whl"))
    if not found:
        kept.mkdir(parents=True, exist_ok=True)
        found = [_built(root, sources, kept)]
    return Wheel(found[0].name, found[0].read_bytes())


def write_whole(path: Path, content: bytes) -> None:
    """Put a file there at once: who reads it meanwhile sees the old one or the new one, never half."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)  # noqa: PTH101 - made private by mkstemp
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _built(root: Path, sources: Files, kept: Path) -> Path:
    with tempfile.TemporaryDirectory(prefix="dm-core-") as folder:
        source, out = Path(folder, "source"), Path(folder, "out")
        for name, content in sources.items():
            path = source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o644)
        _build(root, source, out)
        wheels = list(out.glob("*.whl"))
        if len(wheels) != 1:
            raise BundlingError(f"the build of {CORE} made {len(wheels)} wheels, one was expected")
        # Again as a stored zip: what deflate makes is not the same with every zlib.
        write_whole(kept / wheels[0].name, restored(wheels[0].read_bytes()))
        return kept / wheels[0].name


def _build(root: Path, source: Path, out: Path) -> None:
    """First with what uv has in its cache; only when that isn't enough, with the package index."""
    for network in (("--offline",), ()):
        arguments = ("build", "--quiet", *network, "--wheel", "--python", sys.executable, "--out-dir", str(out))
        built = run_uv(root, *arguments, str(source))
        if built.returncode == 0:
            return
    raise BundlingError(
        f"the wheel of {CORE} could not be built: {said(built.stderr)}; if the package index can't be reached, "
        "try again with a network"
    )
