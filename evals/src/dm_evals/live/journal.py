"""Every trial of a live run, written as it ends; a run that was stopped goes on from here.

    {"format": "dm-evals live run", "version": 1, "settings": {…}}       what the run is
    {"variant": "gemini-3.8-flash", "spent": 0.0123, "result": {…}}      a trial; a later line replaces an earlier one
    {"spent": 0.0131}                                                    the end: what was not a trial's is in it

A line counts once its line feed is written: what a crash or a full disk cut short is written over. What was judged
stays; what was not (errored, skipped) is run again.
"""

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Self, cast

from pydantic import TypeAdapter, ValidationError

import dm_core
import dm_evals
from dm_evals.folded import short_hash
from dm_evals.reading import Unusable, first_problem
from dm_evals.results import TrialResult
from dm_evals.scenarios.scenario import Scenario
from dm_sandbox.platforms.server import as_object

FORMAT: Final = "dm-evals live run"
VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """What makes two parts of a run the same run. ``prompts`` by variant, ``scenarios`` by name: a hash of each.

    ``code``: a hash of what answers and judges.
    """

    trials: int
    models: tuple[str, ...]
    folders: tuple[str, ...]
    judge: str
    tags: tuple[str, ...]
    only: tuple[str, ...]
    prompts: Mapping[str, str] = field(default_factory=dict[str, str])
    scenarios: Mapping[str, str] = field(default_factory=dict[str, str])
    user: str = ""
    code: str = ""

    def difference(self, other: "Settings") -> str:
        """What of the other one is not as in this one; empty where nothing is."""
        words = {
            "trials": "K",
            "models": "MODEL",
            "folders": "PROMPT",
            "judge": "JUDGE",
            "tags": "TAGS",
            "user": "--user",
            "only": "--scenario",
        }
        told = [
            f"{word} was {_shown(before)}, now {_shown(now)}"
            for name, word in words.items()
            if (before := getattr(self, name)) != (now := getattr(other, name))
        ]
        if self.code != other.code:
            told.append("the agent's code or the checks changed")
        told += [f"the prompt of {name} changed" for name in _changed(self.prompts, other.prompts)]
        if scenarios := _changed(self.scenarios, other.scenarios):
            told.append(f"scenarios changed: {', '.join(scenarios[:3])}{' …' if len(scenarios) > 3 else ''}")
        return "; ".join(told)


def code_hash() -> str:
    """The agent's code and the checks' as they are now. Reports and the live mode itself may change within a run."""
    agent, evals = (Path(str(package.__file__)).parent for package in (dm_core, dm_evals))
    folders = (agent, *(evals / name for name in ("checks", "judge", "rules")))
    files = sorted(path for folder in folders for path in folder.rglob("*.*") if path.suffix in (".py", ".yaml"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def scenario_hashes(scenarios: Sequence[Scenario]) -> dict[str, str]:
    """The scenarios as they are now."""
    return {each.name: short_hash(each.model_dump_json()) for each in scenarios}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line: a trial, or the end."""

    variant: str = ""
    spent: float
    result: TrialResult | None = None


_SETTINGS: Final = TypeAdapter(Settings)
_ENTRY: Final = TypeAdapter(Entry)


@dataclass(slots=True)
class Journal:
    """One file, there with its first trial. ``spent`` in US dollars, of all parts of the run so far."""

    path: Path
    settings: Settings
    results: dict[tuple[str, str, int], TrialResult] = field(default_factory=dict[tuple[str, str, int], TrialResult])
    spent: float = 0.0
    _size: int = 0
    """Bytes of whole lines."""

    @classmethod
    def resume(cls, path: Path) -> Self:
        """An earlier one, to be gone on with. Raises Unusable."""
        try:
            written = path.read_bytes()
        except OSError as error:
            raise Unusable(f"RESUME: {path} can't be read: {error.strerror}") from None
        whole = written[: written.rfind(b"\n") + 1]
        if not whole:
            raise Unusable(f"RESUME: {path} holds no whole line, so nothing of the run is known: begin a new one")
        head, *lines = whole.splitlines()
        made = cls(path, _settings(path, head))
        for number, line in enumerate(lines, 2):
            try:
                entry = _ENTRY.validate_json(line)
            except ValidationError as error:
                raise Unusable(f"RESUME: {path}:{number} is not a trial: {first_problem(error)}") from None
            made.spent = entry.spent
            if (result := entry.result) is not None:
                made.results[entry.variant, result.scenario, result.trial] = result
        made._size = len(whole)
        return made

    @contextmanager
    def held(self) -> Generator[None]:
        """Nobody else writes it meanwhile. Raises Unusable: somebody does."""
        name = f"dm-evals-{short_hash(str(self.path.resolve()))}.lock"
        with (Path(tempfile.gettempdir()) / name).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Unusable(f"{self.path} is being written by another run: wait for it, or stop it") from None
            yield

    def judged(self, variant: str) -> set[tuple[str, int]]:
        """Scenario and trial of what need not be run again."""
        return {address for address, result in self.of(variant).items() if result.is_judged}

    def of(self, variant: str) -> dict[tuple[str, int], TrialResult]:
        """All trials of a variant."""
        return {(name, number): result for (of, name, number), result in self.results.items() if of == variant}

    def write(self, variant: str, result: TrialResult, spent: float) -> None:
        """On the disk before this returns. Raises OSError: it is not, and what was written before is as it was."""
        self.results[variant, result.scenario, result.trial], self.spent = result, spent
        head = {"format": FORMAT, "version": VERSION, "settings": asdict(self.settings)}
        entry = _ENTRY.dump_python(Entry(variant=variant, spent=spent, result=result), mode="json", fallback=str)
        self._append(*([] if self._size else [head]), entry)

    def close(self, spent: float) -> None:
        """The run ended, or is stopped."""
        with suppress(OSError):
            if self._size:
                self._append({"spent": spent})

    def _append(self, *entries: Mapping[str, object]) -> None:
        text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
        lines = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("r+b" if self._size else "wb") as file:
            file.truncate(self._size)
            file.seek(self._size)
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        self._size += len(lines)


def _settings(path: Path, line: bytes) -> Settings:
    try:
        head = as_object(json.loads(line))
        if (head.get("format"), head.get("version")) != (FORMAT, VERSION):
            raise ValueError(f"it does not begin as version {VERSION} of a live run does")
        return _SETTINGS.validate_python(head.get("settings"))
    except ValueError as error:
        raise Unusable(f"RESUME: {path} is not a live run: {_first(error)}") from None


def _changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))


def _shown(value: object) -> str:
    told = ", ".join(map(str, cast("tuple[object, ...]", value))) if isinstance(value, tuple) else str(value)
    return told or "none"


def _first(error: Exception) -> str:
    return first_problem(error) if isinstance(error, ValidationError) else str(error).splitlines()[0]
