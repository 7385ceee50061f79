"""What each function's deployable weighs, and how long its packages take to install from a filled cache.

The zip is the one that ``infra/`` uploads; its requirements are installed by uv into an empty environment, copied as on
another disk. Downloading them is the network's time and is not counted.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from benchmarks.harness import cores
from benchmarks.harness.figures import Figure, median, spread
from benchmarks.harness.uv import uv

ROOT = Path(__file__).parents[1]


async def measure(runs: int) -> list[Figure]:
    """Both functions: the zip, the packages, and their installation. Raises CalledProcessError, UvMissing."""
    return await asyncio.to_thread(_measured, runs)


def _measured(runs: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, cores.everywhere():
        place = Path(folder)
        _run(sys.executable, "-m", "bundling", "--into", str(place), PYTHONPATH=str(ROOT / "infra"))
        figures: list[Figure] = []
        for function in ("webhook", "processor"):
            [made] = place.glob(f"{function}-*.zip")
            figures += _of(function, made, runs)
    return figures


def _of(function: str, made: Path, runs: int) -> list[Figure]:
    unpacked, environment = made.with_suffix(""), made.with_suffix(".env")
    with zipfile.ZipFile(made) as archive:
        archive.extractall(unpacked)
    seconds: list[float] = []
    for _ in range(runs + 1):
        shutil.rmtree(environment, ignore_errors=True)
        _run(uv(), "venv", "--quiet", "--python", sys.executable, str(environment))
        begun = time.monotonic()
        _run(
            *(uv(), "pip", "install", "--quiet", "--no-deps", "--link-mode=copy"),
            *("--python", str(environment), "-r", "requirements.txt"),
            cwd=unpacked,
        )
        seconds.append(time.monotonic() - begun)
    del seconds[0]  # what was not in the cache yet
    packages = environment / "lib"
    count = len(list(packages.rglob("*.dist-info")))
    return [
        Figure(f"deployable, {function}, zip", made.stat().st_size / 2**10, "KiB"),
        Figure("  its packages", _size(packages) / 2**20, "MiB", note=f"{count} packages"),
        Figure("  installed within", median(seconds), "s", note=spread(seconds)),
    ]


def _run(*command: str, cwd: Path = ROOT, **variables: str) -> None:
    subprocess.run(command, cwd=cwd, env={**os.environ, **variables}, stdout=subprocess.DEVNULL, check=True)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
