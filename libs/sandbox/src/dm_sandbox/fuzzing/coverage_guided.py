"""Campaigns steered by libFuzzer (atheris): the same targets and properties, the core's branches as feedback.

Each target gets a process of its own (``coverage_child``). It begins with the target's seeds and what the
structure-aware mutations make of them; corpus, log and findings stay in ``.state/fuzz/TARGET``, and the next campaign
goes on from that corpus (remove the folder to begin anew).
"""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Final, cast

from dm_sandbox.fuzzing.coverage_child import FINDINGS, REPORT
from dm_sandbox.fuzzing.engine import Target, quiet

FOLDER: Final = Path(".state/fuzz")
HOW_TO_INSTALL: Final = "the engine atheris is not installed: uv sync --group fuzz"
MADE: Final = 100
"""Structure-aware inputs put beside the seeds of a target."""
MAX_BYTES: Final = 16_384
HANG_SECONDS: Final = 120
"""Longest time for one input, with cutting it down to size."""
MAX_MIB: Final = 1_024
_START_SECONDS: Final = 180
_STATUS: Final = re.compile(r"^#\d+\s+(\w+)\s+cov: (\d+) ft: (\d+) corp: (\d+)/", re.MULTILINE)
_WORD: Final = re.compile(rb'"([A-Za-z_]{2,30})"')
_LIBFUZZERS: Final = ("crash-", "timeout-", "oom-", "leak-")


@dataclass(frozen=True, slots=True)
class Coverage:
    """Branches (edges) of the core that were reached, by the first corpus and at the end; 0 when none was told."""

    seeded: int = 0
    edges: int = 0
    features: int = 0
    corpus: int = 0


@dataclass(frozen=True, slots=True)
class Guided:
    """What a campaign did. ``findings``: what broke, and the file with the input. ``problem``: why it ended early."""

    target: str
    seed: int
    runs: int
    seconds: float
    coverage: Coverage
    outcomes: Mapping[str, int]
    findings: Sequence[tuple[str, Path]]
    problem: str = ""

    @property
    def clean(self) -> bool:
        return not self.findings and not self.problem

    def told(self) -> str:
        """The figures on one line, then each finding with the command that has it again."""
        reached = self.coverage
        words = sorted(self.outcomes.items(), key=lambda item: -item[1])[:12]
        head = (
            f"{self.target}: {self.runs} runs in {self.seconds:.1f} s ({self.runs / max(self.seconds, 0.001):.0f}/s),"
            f" seed {self.seed}, {reached.edges} edges of the core ({reached.seeded} by the first corpus),"
            f" {reached.features} features, corpus {reached.corpus}, {len(self.findings)} found; "
            + ", ".join(f"{word} {count}" for word, count in words)
        )
        found = (f"  FOUND {what}\n    again: {again(path)}" for what, path in self.findings)
        return "\n".join((head, *found, *([f"  ENDED EARLY {self.problem}"] if self.problem else [])))


def installed() -> bool:
    """Whether atheris can be imported; it is in no default environment."""
    return find_spec("atheris") is not None


def again(path: Path) -> str:
    """The command that checks one kept input."""
    return f"python -m dm_sandbox.fuzzing --reproduce {path}"


def guided(
    target: Target, runs: int, seconds: float, seed: int, folder: Path = FOLDER, *, until_found: bool = False
) -> Guided:
    """A campaign in a process of its own; ``seconds`` begin when it is ready. The target is not yet entered.

    Runs end early only with ``until_found``: at the first finding.
    """
    home = folder.absolute() / target.name
    (home / FINDINGS).mkdir(parents=True, exist_ok=True)
    (home / REPORT).unlink(missing_ok=True)
    for left in _left_behind(home):
        left.unlink()
    asyncio.run(sow(target, home, seed))
    order = {
        "target": target.name,
        "folder": str(home),
        "runs": runs,
        "seconds": min(seconds, 1e9),
        "seed": seed,
        "until_found": until_found,
        "flags": _flags(home, seed),
    }
    code = _ran(order, home / "log.txt", seconds)
    return _guided(target.name, seed, home, code)


async def sow(target: Target, home: Path, seed: int) -> None:
    """The first corpus and the dictionary: the target's seeds, inputs made of them, and the words they use."""
    random = Random(f"{target.name}/{seed}/sown")
    with quiet():
        async with target:
            seeds = list(target.seeds)
            made = [target.mutate(random, random.choice(seeds)) for _ in range(MADE)]
    _write(home, [*seeds, *made], sorted({word.decode() for data in seeds for word in _WORD.findall(data)}))


def _write(home: Path, inputs: Sequence[bytes], words: Sequence[str]) -> None:
    (home / "corpus").mkdir(exist_ok=True)
    for data in inputs:
        if len(data) <= MAX_BYTES:
            (home / "corpus" / sha256(data).hexdigest()[:16]).write_bytes(data)
    (home / "words.dict").write_text("".join(f'"\\"{word}\\""\n' for word in words), "utf-8")


def _flags(home: Path, seed: int) -> list[str]:
    return [
        f"-seed={seed or 1}",  # 0 means a random one to libFuzzer
        f"-max_len={MAX_BYTES}",
        "-use_value_profile=1",  # half of a compared word counts as progress
        "-mutate_depth=2",
        f"-timeout={HANG_SECONDS}",
        f"-rss_limit_mb={MAX_MIB}",
        f"-dict={home / 'words.dict'}",
        f"-artifact_prefix={home / FINDINGS}/",
        str(home / "corpus"),
    ]


def _ran(order: Mapping[str, object], log: Path, seconds: float) -> int | None:
    """The process's exit code; None when it did not come to an end and was ended."""
    command = [sys.executable, "-W", "ignore::UserWarning", "-m", "dm_sandbox.fuzzing.coverage_child"]
    limit = seconds + _START_SECONDS + HANG_SECONDS if seconds < 1e9 else None
    with log.open("wb") as errors:
        # The functions log to standard output; nobody reads that here. A set hash seed makes two campaigns alike.
        running = subprocess.Popen(  # noqa: S603
            [*command, json.dumps(order)],
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
        try:
            return running.wait(limit)
        except subprocess.TimeoutExpired:
            return None
        finally:
            running.kill()
            running.wait()


def _guided(name: str, seed: int, home: Path, code: int | None) -> Guided:
    log = (home / "log.txt").read_text("utf-8", "replace")
    written = home / REPORT
    told = cast("dict[str, object]", json.loads(written.read_bytes())) if written.exists() else {}
    kept = cast("list[dict[str, str]]", told.get("findings", []))
    findings = [(each["what"], Path(each["file"])) for each in kept]
    findings += [_named(name, path) for path in _left_behind(home)]
    problem = ""
    if code != 0:
        last = next((line for line in reversed(log.splitlines()) if line.strip()), "nothing in its log")
        problem = f"exit code {code}: {last.strip()[:300]} ({home / 'log.txt'})"
    return Guided(
        target=name,
        seed=seed,
        runs=cast("int", told.get("runs", 0)),
        seconds=cast("float", told.get("seconds", 0.0)),
        coverage=coverage_of(log),
        outcomes=cast("dict[str, int]", told.get("outcomes", {})),
        findings=findings,
        problem=problem,
    )


def coverage_of(log: str) -> Coverage:
    """The figures of libFuzzer's status lines: ``#4096  NEW  cov: 913 ft: 2311 corp: 220/61Kb …``."""
    lines = [(word, int(edges), int(features), int(corpus)) for word, edges, features, corpus in _STATUS.findall(log)]
    if not lines:
        return Coverage()
    seeded = next((edges for word, edges, _, _ in lines if word == "INITED"), 0)
    return Coverage(seeded, *lines[-1][1:])


def _left_behind(home: Path) -> list[Path]:
    """Inputs that libFuzzer kept because they ended the process."""
    return sorted(path for path in (home / FINDINGS).iterdir() if path.name.startswith(_LIBFUZZERS))


def _named(name: str, path: Path) -> tuple[str, Path]:
    """libFuzzer's file under the name that says its target."""
    what, _, digest = path.name.partition("-")
    return f"the process was ended by a {what}", path.rename(path.with_name(f"{name}-{what}-{digest[:12]}"))
