"""``recordings/digests.json``: what the recorded answers were answers to, apart from the answers.

    {"version": 1,
     "prompts": [{"model": …, "config": …, "system": …, "persona": …, "tools": …, "prose": …,
                  "paragraphs": {DIGEST: [names of the facts that are referred to there]}}],
     "recordings": {"SCENARIO/t1": {"contents": [[a digest for each content], one such list for each turn]}}}

A prompt stands there once, whatever number of recordings were made with it: those made with another than the first have
its position (``"prompt": 1``). So an edited prompt is a line of this file, and a refresh touches no recording.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, ValidationError

from dm_evals.reading import Strict, Unusable, first_problem, write_whole
from dm_evals.replay.digests import Digests

NAME: Final = "digests.json"
VERSION: Final = 1


class _Prompt(Strict):
    model: str
    config: str
    system: str
    persona: str
    tools: str
    prose: str
    paragraphs: dict[str, list[str]]

    @property
    def digests(self) -> Digests:
        knowledge = {fact: paragraph for paragraph, facts in self.paragraphs.items() for fact in facts}
        return Digests(**self.model_dump(exclude={"paragraphs"}), knowledge=knowledge)


class _Turns(Strict):
    contents: tuple[tuple[str, ...], ...]
    prompt: int = Field(default=0, ge=0)


class _File(Strict):
    version: Literal[1]
    prompts: list[_Prompt]
    recordings: dict[str, _Turns]


@dataclass(frozen=True, slots=True)
class Kept:
    """What one recording was made with: the prompt, and the digests of each turn's contents."""

    prompt: Digests
    contents: tuple[tuple[str, ...], ...]


@dataclass(slots=True)
class DigestFile:
    """All of them, by ``scenario/t1``. ``write`` puts them back."""

    path: Path
    kept: dict[str, Kept] = field(default_factory=dict[str, Kept])

    @classmethod
    def read(cls, folder: Path) -> "DigestFile":
        """Those of a folder of recordings; none where there is no file. Raises Unusable."""
        path = folder / NAME
        where = f"{folder.name}/{NAME}"
        if not path.exists():
            return cls(path)
        try:
            found: object = json.loads(path.read_bytes())
            if isinstance(found, dict) and found.get("version", VERSION) != VERSION:  # pyright: ignore[reportUnknownMemberType]
                raise Unusable(f"{where} is of a newer version: update this checkout, or record anew")
            file = _File.model_validate(found)
            prompts = [prompt.digests for prompt in file.prompts]
            kept = {name: Kept(prompts[turns.prompt], turns.contents) for name, turns in file.recordings.items()}
        except ValidationError as error:
            raise Unusable(f"{where}: {first_problem(error)}") from None
        except (OSError, ValueError, IndexError) as error:
            raise Unusable(f"{where} can't be read ({type(error).__name__}): take it from git again") from None
        return cls(path, kept)

    def write(self) -> None:
        """Whole or not at all; a line for each part, paragraph and recording."""
        names = {name: _fields(kept.prompt) for name, kept in self.kept.items()}
        prompts = [prompt for prompt, _ in Counter(names.values()).most_common()]
        lines = [_block(json.loads(prompt)) for prompt in prompts]
        recordings = {
            name: {"contents": kept.contents} | ({"prompt": place} if (place := prompts.index(names[name])) else {})
            for name, kept in sorted(self.kept.items())
        }
        body = (
            f'{{\n "version": {VERSION},\n "prompts": [{", ".join(lines)}],\n "recordings": {_block(recordings)}\n}}\n'
        )
        write_whole(self.path, body)


def _fields(prompt: Digests) -> str:
    """As it is written, on one line: equal prompts are equal texts."""
    paragraphs: dict[str, list[str]] = {}
    for fact, paragraph in sorted(prompt.knowledge.items()):
        paragraphs.setdefault(paragraph, []).append(fact)
    fields = {name: value for name, value in asdict(prompt).items() if name != "knowledge"}
    return json.dumps({**fields, "paragraphs": dict(sorted(paragraphs.items(), key=lambda each: each[1]))})


def _block(fields: Mapping[str, object]) -> str:
    """An object with a line for each key, and one for each key of an object in it that is no recording."""
    inner = (
        f"  {json.dumps(key)}: {_block(value) if key == 'paragraphs' else json.dumps(value)}"  # pyright: ignore[reportArgumentType]
        for key, value in fields.items()
    )
    return "{\n" + ",\n".join(inner) + "\n }"
