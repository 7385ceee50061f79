"""Figures: what was measured, against which budget, and how they are shown and kept."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import psutil


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. ``budget`` None: for information. ``limit`` says on which side of it is good.

    ``note`` says what it was made from: the two sides of a ratio, the spread of the runs.
    """

    what: str
    measured: float
    unit: str = ""
    budget: float | None = None
    limit: Literal["at most", "at least"] = "at most"
    note: str = ""

    @property
    def ok(self) -> bool:
        """Within the budget, or without one."""
        if self.budget is None:
            return True
        return self.measured <= self.budget if self.limit == "at most" else self.measured >= self.budget

    @property
    def verdict(self) -> str:
        if self.budget is None:
            return ""
        return "ok" if self.ok else "OVER"

    @property
    def shown_budget(self) -> str:
        if self.budget is None:
            return ""
        sign = "≤" if self.limit == "at most" else "≥"
        return f"{sign} {_number(self.budget)}{_spaced(self.unit)}"


def median(values: Sequence[float]) -> float:
    """The middle of several runs."""
    return statistics.median(values)


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * round(share * 1000) // 1000) - 1))]


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The runs behind a median: ``1.2-1.4 in 5 runs``."""
    return f"{min(values):.{digits}f}-{max(values):.{digits}f} in {len(values)} runs"


def table(figures: Sequence[Figure]) -> str:
    """One line a figure, in columns."""
    rows = [("what", "measured", "budget", "", "made from")]
    rows += [(f.what, f"{_number(f.measured)}{_spaced(f.unit)}", f.shown_budget, f.verdict, f.note) for f in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]) for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def write_json(path: Path, figures: Sequence[Figure], failed: Sequence[str], calibration: float) -> None:
    """All figures of one run, with what they were measured on."""
    machine = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "memoryMiB": psutil.virtual_memory().total >> 20,
        "loadAverage": os.getloadavg(),
    }
    content = {
        "measuredAt": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "calibration": round(calibration, 1),
        "notMeasured": list(failed),
        "figures": [asdict(figure) | {"ok": figure.ok} for figure in figures],
    }
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _processor() -> str:
    """The processor's name, as Linux tells it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _number(value: float) -> str:
    if value == round(value) and abs(value) < 100_000:
        return f"{value:.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _spaced(unit: str) -> str:
    return unit if unit in ("", "×") else f" {unit}"
