"""The process that libFuzzer lives in: ``python -m dm_sandbox.fuzzing.coverage_child ORDER``; ORDER is JSON.

The core is instrumented while it is imported, so this starts without any of it. A broken property does not end the
campaign: it is cut to size, kept as a file, and libFuzzer goes on. What ends the process itself (a hang, memory, a
fault in C) leaves libFuzzer's own file in the same folder. Nothing runs after libFuzzer's end, not even ``atexit``, so
the figures are written from inside.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Final, cast

from dm_sandbox.fuzzing.coverage_mutation import guided_mutation
from dm_sandbox.fuzzing.coverage_words import compared_words
from dm_sandbox.fuzzing.engine import Campaign, Report, Target

REPORT: Final = "report.json"
FINDINGS: Final = "findings"
SHRINKING: Final = 60
_TELL_SECONDS: Final = 5.0


@dataclass(slots=True)
class Child:
    """One target under libFuzzer. ``fuzzer_mutates`` is libFuzzer's own mutation: (data, most bytes) to data."""

    target: Target
    folder: Path
    runs: int
    seconds: float
    seed: int
    until_found: bool
    fuzzer_mutates: Callable[[bytes, int], bytes]
    words: Sequence[str]
    _report: Report = field(init=False)
    _campaign: Campaign = field(init=False)
    _loop: asyncio.AbstractEventLoop = field(init=False)
    _begun: float = field(init=False)
    _told: float = field(init=False)

    def __post_init__(self) -> None:
        self._report = Report(self.target.name, self.seed)
        self._campaign = Campaign(self.target, self.seed, SHRINKING)
        self._loop = asyncio.new_event_loop()
        self._begun = self._told = time.monotonic()
        self._loop.run_until_complete(self.target.__aenter__())

    def one(self, data: bytes) -> None:
        """Check one input; ends the process when the runs or the time are used up."""
        known = len(self._report.findings)
        self._loop.run_until_complete(self._campaign.one(data, self._report))
        self._report.runs += 1
        now = time.monotonic()
        over = self._report.runs >= self.runs or now - self._begun >= self.seconds
        over = over or (self.until_found and bool(self._report.findings))
        if over or len(self._report.findings) > known or now - self._told > _TELL_SECONDS:
            self._told = now
            self._tell(now - self._begun)
        if over:
            self._loop.run_until_complete(self.target.__aexit__(None, None, None))
            os._exit(0)

    def mutate(self, data: bytes, most: int, seed: int) -> bytes:
        """As libFuzzer asks for it: another input of at most so many bytes."""
        return guided_mutation(self.target, data, most, seed, self.fuzzer_mutates, self.words)

    def _tell(self, seconds: float) -> None:
        """The figures so far and the names of the findings' files, replaced in one step."""
        told = {
            "runs": self._report.runs,
            "seconds": seconds,
            "outcomes": dict(self._report.outcomes),
            "findings": [{"what": each.what, "file": self._kept(each.data)} for each in self._report.findings],
        }
        fresh = self.folder / f"{REPORT}.new"
        fresh.write_text(json.dumps(told), "utf-8")
        fresh.replace(self.folder / REPORT)

    def _kept(self, data: bytes) -> str:
        path = self.folder / FINDINGS / f"{self.target.name}-{sha256(data).hexdigest()[:12]}"
        path.write_bytes(data)
        return str(path)


def main() -> None:
    """ORDER: target, folder, runs, seconds, seed, until_found, and ``flags`` for libFuzzer."""
    order = cast("dict[str, object]", json.loads(sys.argv[1]))
    atheris = import_module("atheris")
    atheris.enabled_hooks.add("str")  # libFuzzer learns what ``startswith`` looks for
    atheris.instrument_imports(include=["dm_core"]).__enter__()  # stays: some parts of the core are imported late
    from dm_sandbox.fuzzing.targets import GUIDED

    child = Child(
        target=GUIDED[str(order["target"])](),
        folder=Path(str(order["folder"])),
        runs=cast("int", order["runs"]),
        seconds=cast("float", order["seconds"]),
        seed=cast("int", order["seed"]),
        until_found=order["until_found"] is True,
        words=compared_words(str(order["target"])),
        fuzzer_mutates=lambda data, most: atheris.Mutate(data, most),  # another function once Fuzz() was called
    )
    atheris.Setup(["dm-fuzzing", *cast("list[str]", order["flags"])], child.one, custom_mutator=child.mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
