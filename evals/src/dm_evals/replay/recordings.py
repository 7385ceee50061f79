"""Recordings: JSONL files of model turns, ``evals/recordings/<scenario>/t<trial>.jsonl``, one turn a line.

A turn's address is (scenario, trial, turn). Reading is strict: a line that can't be used is a problem with its file and
line, never left out; a file with a problem is no recording at all. An empty file is a recording of no turn (a scenario
in which the model must not be asked). Neither written nor read is a line with a key, a token or an API's host in it.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Literal, cast, get_args

from dm_evals.replay.digests import Digests, TakenRequest

Origin = Literal["authored", "recorded"]
Address = tuple[str, int]
"""Scenario and trial."""

_KEYS: Final = (
    *("scenario", "trial", "turn", "origin", "model", "date", "latency_ms", "usage"),
    *("digests", "request", "response"),
)
_DIGEST_KEYS: Final = ("model", "config", "system", "tools", "profile", "contents")
_FILE: Final = re.compile(r"t([1-9]\d*)\.jsonl")
_SECRETS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("an API key", re.compile(r"AIza[0-9A-Za-z_\-]{30,}|sandbox-gemini-key|x-goog-api-key", re.IGNORECASE)),
    ("a bearer token", re.compile(r"\bBearer\s+[\w.\-~+/]{8,}|\bya29\.[\w\-]{10,}|\bauthorization\s*:", re.IGNORECASE)),
    ("an access token", re.compile(r"\b(?:EAA|IGAA|IGQ)[0-9A-Za-z]{20,}")),
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("a host", re.compile(r"[\w.\-]*googleapis\.com|\b127\.0\.0\.1\b|\blocalhost:\d+", re.IGNORECASE)),
)


class BadRecording(Exception):
    """A recording can't be used; each argument is one problem, with its place."""

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(str(problem) for problem in self.args)


@dataclass(frozen=True, slots=True)
class RecordedTurn:
    """One model turn. ``response`` is the wire's body; ``latency_ms`` and ``usage`` are the model's, if there was one.

    ``date`` is the day it was made, ISO.
    """

    scenario: str
    trial: int
    turn: int
    origin: Origin
    model: str
    date: str
    latency_ms: int | None
    usage: Mapping[str, object] | None
    request: TakenRequest
    response: Mapping[str, object]

    def line(self) -> str:
        """The turn as a line of the file. Raises BadRecording when something secret is in it."""
        fields: dict[str, object] = {
            "scenario": self.scenario,
            "trial": self.trial,
            "turn": self.turn,
            "origin": self.origin,
            "model": self.model,
            "date": self.date,
            "latency_ms": self.latency_ms,
            "usage": self.usage,
            "digests": self.request.digests.as_json(),
            "request": {"contents": [dict(content) for content in self.request.contents]},
            "response": self.response,
        }
        found = secret_in(fields)
        if found:
            raise BadRecording(
                f"{self.scenario} trial {self.trial} turn {self.turn}: holds {found}, and is not written"
            )
        return json.dumps(fields, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Recording:
    """All turns of one trial, 1 to n."""

    scenario: str
    trial: int
    turns: tuple[RecordedTurn, ...]

    def write(self, folder: Path) -> Path:
        """Write ``<folder>/<scenario>/t<trial>.jsonl``, whole or not at all. Raises BadRecording."""
        lines = [turn.line() for turn in self.turns]
        path = recording_path(folder, self.scenario, self.trial)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        draft.replace(path)
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


def recording_path(folder: Path, scenario: str, trial: int) -> Path:
    """Where a trial's recording is kept."""
    return folder / scenario / f"t{trial}.jsonl"


def load_recordings(folder: Path, scenarios: Iterable[str], only: Collection[str] | None = None) -> Recordings:
    """Read every file of a folder. A recording of no known scenario is a problem: it would test nothing.

    ``only``: read nothing but the recordings of these scenarios.
    """
    known = sorted(scenarios)
    found: dict[Address, Recording] = {}
    problems: list[str] = []
    broken: set[str] = set()
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        if only is not None and entry.name not in only:
            continue
        if not entry.is_dir():
            problems.append(f"{_place(entry)}: not a folder of a scenario's recordings")
        elif entry.name not in known:
            problems.append(f"{_place(entry)}: no scenario has this name{nearest(entry.name, known)}")
        else:
            for path in sorted(entry.iterdir()):
                try:
                    recording = read_recording(path)
                    found[recording.scenario, recording.trial] = recording
                except BadRecording as error:
                    broken.add(entry.name)
                    problems += error.problems
    return Recordings(found, tuple(problems), frozenset(broken))


def read_recording(path: Path) -> Recording:
    """Read one file. Raises BadRecording with all its problems."""
    named = _FILE.fullmatch(path.name)
    if not named or not path.is_file():
        raise BadRecording(f"{_place(path)}: a recording is a file named t<trial>.jsonl, such as t1.jsonl")
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise BadRecording(f"{_place(path)}: can't be read ({type(error).__name__})") from None
    scenario, trial = path.parent.name, int(named.group(1))
    turns: list[RecordedTurn] = []
    problems: list[str] = []
    lines = text.removesuffix("\n").split("\n") if text else []
    for number, line in enumerate(lines, start=1):
        try:
            turns.append(_turn(line, scenario, trial, number))
        except BadRecording as error:
            problems += [f"{_place(path)}:{number}: {problem}" for problem in error.problems]
    if problems:
        raise BadRecording(*problems)
    return Recording(scenario, trial, tuple(turns))


def nearest(word: str, known: Sequence[str]) -> str:
    """``, did you mean "…"?`` where something is close."""
    close = get_close_matches(word, known, n=1, cutoff=0.5)
    return f', did you mean "{close[0]}"?' if close else ""


def secret_in(value: object) -> str | None:
    """What kind of secret is in a value, if any; thought signatures are random text and not looked at."""
    match value:
        case str():
            return next((word for word, pattern in _SECRETS if pattern.search(value)), None)
        case dict():
            fields = cast("Mapping[str, object]", value)
            parts = [part for key, each in fields.items() for part in ((key, each) if _looked_at(key) else (key,))]
            return next((found for part in parts if (found := secret_in(part))), None)
        case list() | tuple():
            items = cast("Sequence[object]", value)
            return next((found for item in items if (found := secret_in(item))), None)
        case _:
            return None


def _looked_at(key: str) -> bool:
    return key.replace("_", "").lower() != "thoughtsignature"


def _place(path: Path) -> str:
    """A path as people know it: from ``evals/`` or the recordings folder on, not where the repository lies."""
    parts = path.parts
    start = len(parts) - 1 - parts[::-1].index("evals") if "evals" in parts else max(0, len(parts) - 3)
    return "/".join(parts[start:])


def _turn(line: str, scenario: str, trial: int, turn: int) -> RecordedTurn:
    """One line as a value. Raises BadRecording."""
    if not line.strip():
        raise BadRecording("an empty line")
    try:
        value: object = json.loads(line, object_pairs_hook=_unique)
    except ValueError as error:
        raise BadRecording(f"not valid JSON ({error})") from None
    if not isinstance(value, dict):
        raise BadRecording("not a JSON object")
    fields = cast("Mapping[str, object]", value)
    problems = _key_problems(fields, _KEYS, "")
    if not problems:
        problems = [*_address_problems(fields, scenario, trial, turn), *_value_problems(fields)]
    found = secret_in(fields)
    if found:
        problems.append(f"holds {found}: take it out, or record again")
    if problems:
        raise BadRecording(*problems)
    return _typed(fields)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A key given twice would hide one of its values."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadRecording("a key is given twice")
    return fields


def _key_problems(fields: Mapping[str, object], keys: Sequence[str], where: str) -> list[str]:
    missing = [key for key in keys if key not in fields]
    problems = [f'unknown key "{where}{key}"{nearest(key, missing or keys)}' for key in fields if key not in keys]
    return problems + [f'the key "{where}{key}" is missing' for key in missing]


def _address_problems(fields: Mapping[str, object], scenario: str, trial: int, turn: int) -> list[str]:
    expected: Mapping[str, object] = {"scenario": scenario, "trial": trial, "turn": turn}
    return [
        f"{key} is {fields[key]!r}, but its place says {value!r}"
        for key, value in expected.items()
        if fields[key] != value or isinstance(fields[key], bool)
    ]


def _value_problems(fields: Mapping[str, object]) -> list[str]:
    problems: list[str] = []
    if fields["origin"] not in get_args(Origin):
        problems.append(f'origin is {fields["origin"]!r}, not "authored" or "recorded"')
    problems += [
        f"{key} must be a text" for key in ("model", "date") if not (isinstance(fields[key], str) and fields[key])
    ]
    if not (fields["latency_ms"] is None or _whole(fields["latency_ms"])):
        problems.append("latency_ms must be a whole number, or null")
    if not (fields["usage"] is None or isinstance(fields["usage"], dict)):
        problems.append("usage must be an object, or null")
    if fields["origin"] == "authored" and (fields["usage"], fields["latency_ms"]) != (None, None):
        problems.append("an authored turn has no usage and no latency: no model made it")
    if not isinstance(fields["response"], dict):
        problems.append("response must be an object")
    return problems + _request_problems(fields["digests"], fields["request"])


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _request_problems(digests: object, request: object) -> list[str]:
    if not isinstance(digests, dict) or not isinstance(request, dict):
        return ["digests and request must be objects"]
    parts, shown = cast("Mapping[str, object]", digests), cast("Mapping[str, object]", request)
    problems = _key_problems(parts, _DIGEST_KEYS, "digests.") + _key_problems(shown, ("contents",), "request.")
    if problems:
        return problems
    if not all(isinstance(parts[key], str) and parts[key] for key in _DIGEST_KEYS[:-1]) or not _texts(
        parts["contents"]
    ):
        return ["each digest must be a text, and contents a list of them"]
    if not _shown(shown["contents"]):
        return ["request.contents must be a list of objects with the texts role and text"]
    if len(cast("list[object]", parts["contents"])) != len(cast("list[object]", shown["contents"])):
        return ["request.contents and digests.contents are not of one length"]
    return []


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(_text(item) for item in cast("list[object]", value))


def _shown(value: object) -> bool:
    if not isinstance(value, list):
        return False
    for item in cast("list[object]", value):
        if not isinstance(item, dict) or set(cast("dict[str, object]", item)) != {"role", "text"}:
            return False
        if not all(isinstance(each, str) for each in cast("dict[str, object]", item).values()):
            return False
    return True


def _typed(fields: Mapping[str, object]) -> RecordedTurn:
    """A line whose values were checked."""
    digests = cast("Mapping[str, str]", fields["digests"])
    contents = cast("Mapping[str, list[str]]", fields["digests"])["contents"]
    parts = Digests(*(digests[key] for key in _DIGEST_KEYS[:-1]), contents=tuple(contents))
    shown = cast("Mapping[str, list[Mapping[str, str]]]", fields["request"])["contents"]
    return RecordedTurn(
        scenario=cast("str", fields["scenario"]),
        trial=cast("int", fields["trial"]),
        turn=cast("int", fields["turn"]),
        origin=cast("Origin", fields["origin"]),
        model=cast("str", fields["model"]),
        date=cast("str", fields["date"]),
        latency_ms=cast("int | None", fields["latency_ms"]),
        usage=cast("Mapping[str, object] | None", fields["usage"]),
        request=TakenRequest(parts, tuple(shown)),
        response=cast("Mapping[str, object]", fields["response"]),
    )
