"""Recordings: JSONL files of model turns, ``evals/recordings/<scenario>/t<trial>.jsonl``, one turn a line.

A turn's address is (scenario, trial, turn). Reading is strict: a line that can't be used is a problem with its file and
line, never left out; a file with a problem is no recording at all. An empty file is a recording of no turn (a scenario
in which the model must not be asked). Neither written nor read is a line with a key, a token or an API's host in it.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, Self, cast

from pydantic import Field, StrictInt, ValidationError, model_validator

from dm_evals.observation import ModelCall
from dm_evals.reading import Strict, Unusable, nearest, problem, write_whole
from dm_evals.replay.canonical import plain_key
from dm_evals.replay.digest_file import NAME as DIGESTS
from dm_evals.replay.digest_file import DigestFile, Kept
from dm_evals.replay.digests import TakenRequest
from dm_sandbox.platforms.server import as_object

Origin = Literal["authored", "recorded"]
Address = tuple[str, int]
"""Scenario and trial."""

_FILE: Final = re.compile(r"t([1-9]\d*)\.jsonl")
_SECRETS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("an API key", re.compile(r"AIza[0-9A-Za-z_\-]{30,}|sandbox-gemini-key|x-goog-api-key", re.IGNORECASE)),
    ("a bearer token", re.compile(r"\bBearer\s+[\w.\-~+/]{8,}|\bya29\.[\w\-]{10,}|\bauthorization\s*:", re.IGNORECASE)),
    ("an access token", re.compile(r"\b(?:EAA|IGAA|IGQ)[0-9A-Za-z]{20,}")),
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("a host", re.compile(r"[\w.\-]*googleapis\.com|\b127\.0\.0\.1\b|\blocalhost:\d+", re.IGNORECASE)),
)


class RecordedTurn(Strict):
    """One model turn, a line of the file with its keys in their order; of the request only the contents stand there.

    ``response`` is the wire's body; ``latency_ms`` and ``usage`` are the model's, if there was one; ``date``: the day
    it was made, ISO.
    """

    scenario: str
    trial: StrictInt
    turn: StrictInt
    origin: Origin
    model: str = Field(min_length=1)
    date: str = Field(min_length=1)
    latency_ms: StrictInt | None = Field(ge=0)
    usage: Mapping[str, object] | None
    request: TakenRequest
    response: Mapping[str, object]

    @model_validator(mode="after")
    def _authored_is_not_measured(self) -> Self:
        if self.origin == "authored" and (self.usage, self.latency_ms) != (None, None):
            raise ValueError("an authored turn has no usage and no latency: no model made it")
        return self

    @property
    def call(self) -> ModelCall:
        """The turn as one of the model's calls."""
        return ModelCall(self.turn, self.origin, self.model, *tokens(self.usage), self.latency_ms)

    def asked_by(self, request: TakenRequest) -> "RecordedTurn":
        """The same answer to another request."""
        return self.model_copy(update={"request": request})

    def line(self) -> str:
        """The turn as a line of the file. Raises Unusable when something secret is in it."""
        fields = self.model_dump(mode="json", exclude={"request": {"digests", "content_digests"}})
        if found := secret_in(fields):
            raise Unusable(f"{self.scenario} trial {self.trial} turn {self.turn}: holds {found}, and is not written")
        return json.dumps(fields, ensure_ascii=False)


def tokens(usage: Mapping[str, object] | None) -> tuple[int | None, int | None]:
    """Tokens in and out, as they are paid for: the prompt's with the cached ones; the answer's with its thoughts
    (https://ai.google.dev/gemini-api/docs/thinking)."""
    counts = {name: count for name, count in (usage or {}).items() if isinstance(count, int)}
    out = [counts[name] for name in ("candidatesTokenCount", "thoughtsTokenCount") if name in counts]
    return counts.get("promptTokenCount"), sum(out) if out else None


def today() -> str:
    """The date of what is recorded now, ISO."""
    return datetime.now(UTC).date().isoformat()


@dataclass(frozen=True, slots=True)
class Recording:
    """All turns of one trial, 1 to n."""

    scenario: str
    trial: int
    turns: tuple[RecordedTurn, ...]

    @property
    def address(self) -> str:
        """Its name in the file of digests."""
        return f"{self.scenario}/t{self.trial}"

    @property
    def kept(self) -> Kept | None:
        """What it was made with; None where no turn was made."""
        contents = tuple(turn.request.content_digests for turn in self.turns)
        return Kept(self.turns[0].request.digests, contents) if self.turns else None

    def write(self, folder: Path) -> Path:
        """Write ``<folder>/<scenario>/t<trial>.jsonl``, whole or not at all, then its digests. Raises Unusable."""
        lines = [turn.line() for turn in self.turns]
        path = recording_path(folder, self.scenario, self.trial)
        write_whole(path, "".join(f"{line}\n" for line in lines))
        note_digests(folder, (self,))
        return path


@dataclass(frozen=True, slots=True)
class Recordings:
    """What a folder holds. ``problems``: one line each; a file with one is not in ``by_address``."""

    by_address: Mapping[Address, Recording] = field(default_factory=dict[Address, Recording])
    problems: tuple[str, ...] = ()
    broken: frozenset[str] = frozenset()
    """Scenarios with a file that can't be used."""

    def trials(self, scenario: str) -> tuple[int, ...]:
        """The trials that are recorded, in order."""
        return tuple(sorted(trial for name, trial in self.by_address if name == scenario))

    def find(self, scenario: str, trial: int) -> Recording | None:
        """The recording of exactly this trial: another trial's never answers for it."""
        return self.by_address.get((scenario, trial))


def note_digests(folder: Path, recordings: Iterable[Recording]) -> None:
    """Keep what these were made with, beside what is known of the others. Raises Unusable."""
    file = DigestFile.read(folder)
    for recording in recordings:
        file.kept.pop(recording.address, None)
        if (kept := recording.kept) is not None:
            file.kept[recording.address] = kept
    file.write()


def recording_path(folder: Path, scenario: str, trial: int) -> Path:
    """Where a trial's recording is kept."""
    return folder / scenario / f"t{trial}.jsonl"


def load_recordings(folder: Path, scenarios: Iterable[str], only: Collection[str] | None = None) -> Recordings:
    """Read every file of a folder. A recording of no known scenario is a problem: it would test nothing.

    ``only``: read nothing but the recordings of these scenarios.
    """
    known = sorted(scenarios)
    try:
        digests = DigestFile.read(folder)
    except Unusable as error:
        return Recordings(problems=(str(error),), broken=frozenset(known))
    found, problems, broken = dict[Address, Recording](), list[str](), set[str]()
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        if entry.name == DIGESTS or (only is not None and entry.name not in only):
            continue
        if not entry.is_dir():
            problems.append(f"{_place(entry)}: not a folder of a scenario's recordings")
        elif entry.name not in known:
            problems.append(f"{_place(entry)}: no scenario has this name{nearest(entry.name, known)}")
        else:
            for path in sorted(entry.iterdir()):
                try:
                    recording = read_recording(path, digests)
                    found[recording.scenario, recording.trial] = recording
                except Unusable as error:
                    broken.add(entry.name)
                    problems += error.args
    if only is None:
        lost = [name for name in digests.kept if not (folder / f"{name}.jsonl").exists()]
        problems += [f"{DIGESTS}: there is no recording {name}: take its line out" for name in lost]
    return Recordings(found, tuple(problems), frozenset(broken))


def read_recording(path: Path, digests: DigestFile | None = None) -> Recording:
    """Read one file, with what is known of its requests. Raises Unusable with all its problems."""
    named = _FILE.fullmatch(path.name)
    if not named or not path.is_file():
        raise Unusable(f"{_place(path)}: a recording is a file named t<trial>.jsonl, such as t1.jsonl")
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"{_place(path)}: can't be read ({type(error).__name__})") from None
    scenario, trial = path.parent.name, int(named.group(1))
    lines = text.removesuffix("\n").split("\n") if text else []
    kept = (digests or DigestFile.read(path.parent.parent)).kept.get(f"{scenario}/t{trial}")
    if lines and (kept is None or len(kept.contents) != len(lines)):
        known = len(kept.contents) if kept else "no"
        raise Unusable(
            f"{_place(path)}: {len(lines)} turns, but {DIGESTS} has {known} of it: record or author it again"
        )
    turns, problems = list[RecordedTurn](), list[str]()
    for number, line in enumerate(lines, start=1):
        try:
            turns.append(_turn(line, scenario, trial, number, cast("Kept", kept)))
        except Unusable as error:
            problems += [f"{_place(path)}:{number}: {problem}" for problem in error.args]
    if problems:
        raise Unusable(*problems)
    return Recording(scenario, trial, tuple(turns))


def secret_in(value: object) -> str | None:
    """What kind of secret is in a value, if any; thought signatures are random text and not looked at."""
    match value:
        case str():
            return next((word for word, pattern in _SECRETS if pattern.search(value)), None)
        case dict():
            fields = cast("Mapping[str, object]", value)
            looked_at = [each for key, each in fields.items() if plain_key(key) != "thoughtsignature"]
            return secret_in([*fields, *looked_at])
        case list() | tuple():
            items = cast("Sequence[object]", value)
            return next((found for item in items if (found := secret_in(item))), None)
        case _:
            return None


def _place(path: Path) -> str:
    """A path as people know it: from ``evals/`` or the recordings folder on, not where the repository lies."""
    parts = path.parts
    start = len(parts) - 1 - parts[::-1].index("evals") if "evals" in parts else max(0, len(parts) - 3)
    return "/".join(parts[start:])


def _turn(line: str, scenario: str, trial: int, turn: int, kept: Kept) -> RecordedTurn:
    """One line as a value. Raises Unusable."""
    digests = kept.contents[turn - 1]
    try:
        value: object = json.loads(line, object_pairs_hook=_unique)
        fields = as_object(value)
        request = {**as_object(fields.get("request")), "digests": kept.prompt, "content_digests": digests}
        read = RecordedTurn.model_validate({**fields, "request": request} if fields else value)
    except ValidationError as error:
        raise Unusable(*(problem(each, RecordedTurn.model_fields) for each in error.errors())) from None
    except ValueError as error:
        raise Unusable(f"not valid JSON ({error})" if line.strip() else "an empty line") from None
    expected = {"scenario": scenario, "trial": trial, "turn": turn}
    found = {key: getattr(read, key) for key in expected}
    problems = [f"{k} is {found[k]!r}, but its place says {expected[k]!r}" for k in found if found[k] != expected[k]]
    if secret := secret_in(value):
        problems.append(f"holds {secret}: take it out, or record again")
    if len(digests) != len(read.request.contents):
        problems.append(f"request.contents and the digests in {DIGESTS} are not of one length")
    if problems:
        raise Unusable(*problems)
    return read


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A key given twice would hide one of its values."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Unusable("a key is given twice")
    return fields
