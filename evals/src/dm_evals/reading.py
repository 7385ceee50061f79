"""What people write, or a run wrote, read as pydantic models; what can't be used is a line that says where and why."""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from dm_evals.scenarios.yaml_lines import BrokenYaml, read_yaml


class Unusable(Exception):
    """What was typed, or lies in a file, or is asked, can't be used; each argument is a line that says why."""


class Strict(BaseModel):
    """Whatever is read from a file: an unknown key is an error, and nothing is changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def nearest(word: str, known: Iterable[str]) -> str:
    """``, did you mean "…"?`` where something is near."""
    names = list(known)
    close = get_close_matches(word.lower(), names, 1, 0.5) or get_close_matches(word, names, 1, 0.5)
    return f', did you mean "{close[0]}"?' if close else ""


def first_problem(error: ValidationError) -> str:
    return problem(error.errors()[0])


def problem(found: ErrorDetails, keys: Iterable[str] = ()) -> str:
    """What pydantic found and where: ``rules.0.tag: Field required``. ``keys``: those there are.

    The place in a list is left out: the line tells it.
    """
    steps = found["loc"][1:] if found["loc"] and isinstance(found["loc"][0], int) else found["loc"]
    place, word = ".".join(map(str, steps)), str(steps[-1] if steps else "")
    match found["type"]:
        case "extra_forbidden":
            return f'{place}: unknown key "{word}"{nearest(word, keys)}'
        case "literal_error":
            choices = re.findall("'([^']*)'", str((found.get("ctx") or {}).get("expected", "")))
            return f'{place}: unknown {word} "{found["input"]}"{nearest(str(found["input"]), choices)}'
        case "too_short":
            return f"{place}: must not be empty".removeprefix(": ")
        case "model_type":
            return f"{place}: must be a mapping".removeprefix(": ")
        case "tuple_type":
            return f"{place}: must be a list".removeprefix(": ")
        case _:
            return f"{place}: {found['msg'].removeprefix('Value error, ')}".removeprefix(": ")


def text_of(path: Path) -> str:
    """The file's text, without a byte order mark. Raises Unusable."""
    try:
        return decoded(path.read_bytes(), path)
    except OSError as error:
        raise Unusable(f"{path} can't be read ({error.strerror})") from None


def decoded(data: bytes, where: object) -> str:
    """UTF-8 as text, lines as on any system. Raises Unusable with the line."""
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise Unusable(f"{where}:{data[: error.start].count(b'\n') + 1}: is not UTF-8") from None


def typed(where: object) -> str:
    """What is on standard input. Raises Unusable."""
    binary = getattr(sys.stdin, "buffer", None)
    return sys.stdin.read() if binary is None else decoded(binary.read(), where)


def json_lines[M: BaseModel](path: Path, kind: type[M]) -> Iterator[tuple[str, M]]:
    """Each line as ``FILE:NUMBER`` and its value; none where there is no file. Raises Unusable.

    Only a line feed ends a line: a text may hold the others (U+2028 and its like), as JSON does.
    """
    lines = text_of(path).split("\n") if path.exists() else []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield f"{path}:{number}", kind.model_validate_json(line)
            except ValidationError as error:
                raise Unusable(f"{path}:{number}: {first_problem(error)}") from None


def write_whole(path: Path, text: str) -> None:
    """Whole or not at all, in a folder that is made where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def write_json_lines(path: Path, values: Iterable[BaseModel]) -> None:
    """One a line; what says nothing is left out."""
    lines = (json.dumps(each.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False) for each in values)
    write_whole(path, "".join(f"{line}\n" for line in lines))


def from_yaml[T](text: str, kind: TypeAdapter[T], where: object, keys: Iterable[str] = ()) -> T:
    """``where`` names the text, ``keys`` are those a mapping of it may have. Raises Unusable: a line a problem."""
    try:
        value, lines = read_yaml(text)
    except BrokenYaml as error:
        raise Unusable(f"{where}:{error.line}: {error}") from None
    try:
        return kind.validate_python(value)
    except ValidationError as error:
        found = error.errors()
        broken = [each for each in found if each["type"] != "too_short"] or found  # short of what is broken in it
        raise Unusable(*(f"{where}:{lines.of(each['loc'])}: {problem(each, keys)}" for each in broken)) from None


def yaml_list[M: BaseModel](text: str, kind: type[M], where: object) -> tuple[M, ...]:
    """A list of models, none where there is nothing but comments. Raises Unusable."""
    if all(line.lstrip().startswith("#") or not line.strip() for line in text.splitlines()):
        return ()
    many: TypeAdapter[tuple[M, ...]] = TypeAdapter(tuple[kind, ...])  # pyright: ignore[reportInvalidTypeForm, reportUnknownArgumentType]
    return from_yaml(text, many, where, kind.model_fields)
