"""The loop: pick an input, mutate it, check it, keep it if it reached something new; cut findings down to size."""

import contextlib
import io
import time
import warnings
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, Protocol, Self

from dm_sandbox.fuzzing.coverage import NewLines

MAX_CORPUS: Final = 2_000
MAX_FINDINGS: Final = 10
MAX_KEPT_BYTES: Final = 20_000
STATUS: Final = "/proc/self/status"


class Broken(Exception):
    """A property does not hold; the message says which, without the input."""


class Target(Protocol):
    """One border of the system. ``deep`` asks for the slow half of the checks on every input."""

    name: str
    deep: bool

    @property
    def seeds(self) -> Sequence[bytes]:
        """Inputs to begin with."""
        ...

    def mutate(self, random: Random, data: bytes) -> bytes:
        """Another input, made of this one."""
        ...

    async def check(self, data: bytes) -> str:
        """A word for what became of the input. Raises Broken; anything else it raises is a finding too."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that breaks a property, as small as it could be made."""

    what: str
    data: bytes


@dataclass(slots=True)
class Report:
    """What a campaign did. ``grown_kib``: how much more memory the process holds than after its first inputs."""

    target: str
    seed: int
    runs: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter[str])
    corpus: int = 0
    lines: int = 0
    grown_kib: int = 0
    findings: list[Finding] = field(default_factory=list[Finding])

    def told(self) -> str:
        """The figures on one line, the findings below."""
        outcomes = ", ".join(f"{word} {count}" for word, count in self.outcomes.most_common(12))
        head = (
            f"{self.target}: {self.runs} inputs in {self.seconds:.1f} s ({self.runs / max(self.seconds, 0.001):.0f}/s),"
            f" seed {self.seed}, {self.lines} lines of the core, corpus {self.corpus},"
            f" memory +{self.grown_kib / 1024:.1f} MiB; {outcomes}"
        )
        return "\n".join((head, *(f"  FOUND {finding.what}\n    {finding.data[:600]!r}" for finding in self.findings)))


class _Watch(io.TextIOBase):
    """Takes the place of standard output, where the functions log: nothing of it is kept."""

    def write(self, text: str, /) -> int:
        return len(text)


@contextlib.contextmanager
def quiet() -> Generator[None]:
    """Without what the functions log, and without google-genai's warning of each word it does not know."""
    with contextlib.redirect_stdout(_Watch()), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


@dataclass(slots=True)
class Campaign:
    """One target under fire. ``shrinking``: most checks spent on making one finding smaller."""

    target: Target
    seed: int = 0
    shrinking: int = 400
    _random: Random = field(init=False)
    _corpus: list[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self._random = Random(f"{self.target.name}/{self.seed}")
        self._corpus = list(self.target.seeds)

    async def run(self, runs: int, seconds: float = float("inf"), until_found: str | None = None) -> Report:
        """So many inputs, the seeds first, or as many as the time allows; no more once something so named is found."""
        report = Report(self.target.name, self.seed)
        begun = time.monotonic()
        with quiet(), NewLines() as lines:
            base = 0
            while report.runs < runs and time.monotonic() - begun < seconds and len(report.findings) < MAX_FINDINGS:
                data = self._next(report.runs)
                known = lines.seen
                await self.one(data, report)
                if lines.seen > known and len(self._corpus) < MAX_CORPUS and len(data) < MAX_KEPT_BYTES:
                    self._corpus.append(data)
                report.runs += 1
                if until_found is not None and any(until_found in finding.what for finding in report.findings):
                    break
                if report.runs == 2_000:
                    base = resident_kib()
            report.lines, report.grown_kib = lines.seen, resident_kib() - base if base else 0
        report.seconds, report.corpus = time.monotonic() - begun, len(self._corpus)
        return report

    def _next(self, number: int) -> bytes:
        if number < len(self.target.seeds):
            return self.target.seeds[number]
        late = self._random.random() < 0.3
        pool = self._corpus[-50:] if late else self._corpus
        return self.target.mutate(self._random, self._random.choice(pool))

    async def one(self, data: bytes, report: Report) -> None:
        """One input and what came of it, put into the report; its ``runs`` are the caller's."""
        what = await self._broken(data)
        if what is None:
            report.outcomes[self._word] += 1
            return
        report.outcomes["BROKEN"] += 1
        if what not in {finding.what for finding in report.findings}:
            report.findings.append(Finding(what, await self._smaller(data, what)))

    _word: str = field(init=False, default="")

    async def _broken(self, data: bytes) -> str | None:
        """What the input breaks, in words that do not depend on its details."""
        try:
            self._word = await self.target.check(data)
        except Broken as broken:
            return str(broken)
        except Exception as error:
            return f"{type(error).__name__} at {_place(error)}"
        return None

    async def _smaller(self, data: bytes, what: str) -> bytes:
        """Pieces are left out, from halves down to single bytes, as long as the same property stays broken."""
        deep, self.target.deep = self.target.deep, True
        checks, size = 0, len(data) // 2
        while size and checks < self.shrinking:
            at = 0
            while at < len(data) and checks < self.shrinking:
                shorter = data[:at] + data[at + size :]
                checks += 1
                if await self._broken(shorter) == what:
                    data = shorter
                else:
                    at += size
            size //= 2
        self.target.deep = deep
        return data


def _place(error: BaseException) -> str:
    """Where an error came from: file and line of its innermost frame."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else "?"


def resident_kib() -> int:
    """Memory this process holds, in KiB; 0 where the system does not say."""
    try:
        with open(STATUS, encoding="ascii") as status:  # noqa: PTH123
            return next((int(line.split()[1]) for line in status if line.startswith("VmRSS:")), 0)
    except OSError:
        return 0
