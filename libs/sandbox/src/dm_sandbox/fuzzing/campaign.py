"""A campaign against one target: its seeds, then inputs of its strategy by hypothesis, or by libFuzzer (atheris)."""

import asyncio
import contextlib
import io
import time
import warnings
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, Self

from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

BATCH: Final = 1_000
"""Inputs that hypothesis makes before time and number are looked at again."""
MAX_FINDINGS: Final = 10
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

    @property
    def inputs(self) -> st.SearchStrategy[bytes]:
        """What may come, mostly made of the seeds."""
        ...

    async def check(self, data: bytes) -> str:
        """A word for what became of the input. Raises Broken; anything else it raises is a finding too."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...


@dataclass(slots=True)
class Report:
    """What a campaign did. ``findings``: what broke, and the last input that broke it (hypothesis ends with the least
    changed one). ``grown_kib``: how much more memory the process holds than after the seeds and the first batch."""

    target: str
    seed: int = 0
    runs: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter[str])
    grown_kib: int = 0
    findings: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def told(self) -> str:
        """The figures on one line, the findings below."""
        outcomes = ", ".join(f"{word} {count}" for word, count in self.outcomes.most_common(12))
        head = (
            f"{self.target}: {self.runs} inputs in {self.seconds:.1f} s ({self.runs / max(self.seconds, 0.001):.0f}/s),"
            f" seed {self.seed}, memory +{self.grown_kib / 1024:.1f} MiB; {outcomes}"
        )
        return "\n".join((head, *(f"  FOUND {what}\n    {data[:600]!r}" for what, data in self.findings.items())))


class _Nowhere(io.TextIOBase):
    """Takes the place of standard output, where the functions log: nothing of it is kept."""

    def write(self, text: str, /) -> int:
        return len(text)


@contextlib.contextmanager
def quiet() -> Generator[None]:
    """Without what the functions log, and without google-genai's warning of each word it does not know."""
    with contextlib.redirect_stdout(_Nowhere()), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


class Campaign:
    """One target under fire; use as a context manager, outside of any event loop. ``report`` grows with each input."""

    def __init__(self, target: Target, seed: int = 0) -> None:
        self.target, self.report = target, Report(target.name, seed)
        self._loop = asyncio.Runner()

    def __enter__(self) -> Self:
        self._loop.__enter__()
        self._loop.run(self.target.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run(self.target.__aexit__(None, None, None))
        self._loop.__exit__(None, None, None)

    def one(self, data: bytes) -> None:
        """Check one input. Raises what it breaks, once it is in the report."""
        self.report.runs += 1
        try:
            word = self._loop.run(self.target.check(data))
        except Exception as error:
            what = str(error) if isinstance(error, Broken) else f"{type(error).__name__} at {_place(error)}"
            self.report.findings[what] = data
            raise
        self.report.outcomes[word] += 1

    def run(self, runs: int, seconds: float = float("inf"), until_found: str | None = None) -> Report:
        """So many inputs, the seeds first, or as many as the time allows; no more once something so named is found.
        What is found is made shorter, unless it was looked for."""
        begun, base = time.monotonic(), 0
        with quiet():
            for data in self.target.seeds[:runs]:
                with contextlib.suppress(Exception):
                    self.one(data)
            while not self._is_over(runs, begun + seconds, until_found):
                with contextlib.suppress(Exception):
                    self._batch(min(BATCH, runs - self.report.runs), shrinking=until_found is None)()
                base = base or resident_kib()
        self.report.grown_kib, self.report.seconds = resident_kib() - base if base else 0, time.monotonic() - begun
        return self.report

    def run_only(self, data: bytes) -> Report:
        """This input and no other."""
        with quiet(), contextlib.suppress(Exception):
            self.one(data)
        return self.report

    def fuzzed(self) -> Callable[[bytes], object]:
        """For libFuzzer: the function that takes its bytes as the choices of the target's strategy."""
        return self._batch(1, shrinking=False).hypothesis.fuzz_one_input  # pyright: ignore[reportFunctionMemberAccess]

    def _is_over(self, runs: int, until: float, wanted: str | None) -> bool:
        found = self.report.findings
        done = self.report.runs >= runs or time.monotonic() >= until or len(found) >= MAX_FINDINGS
        return done or (wanted is not None and any(wanted in what for what in found))

    def _batch(self, most: int, *, shrinking: bool) -> Callable[[], None]:
        """So many inputs of the strategy, other ones in each batch; ends with the first that breaks something."""

        @seeded(f"{self.target.name}/{self.report.seed}/{self.report.runs}")
        @settings(
            max_examples=most,
            phases=(Phase.generate, Phase.shrink) if shrinking else (Phase.generate,),
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType]
            verbosity=Verbosity.quiet,
        )
        @given(self.target.inputs)
        def batch(data: bytes) -> None:
            self.one(data)

        return batch


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
