"""A ``generateContent`` request as a value: who said what, and what the tools answered in the current turn."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from dm_sandbox.platforms.server import as_list, as_object

Part = Mapping[str, object]
"""One part of a content, as on the wire: ``text``, ``functionCall``, ``functionResponse``, ``thoughtSignature``."""


@dataclass(frozen=True, slots=True)
class ShownDm:
    """A DM as the prompt shows it: its handle (``m3``) where it has one, and its text."""

    handle: str
    text: str


@dataclass(frozen=True, slots=True)
class InlineFile:
    """A picture, sound or video in a request. ``data`` is empty where it is not base64; ``size`` as written."""

    mime_type: str
    data: bytes
    size: int


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request. ``size`` in characters, without its ``files``; ``declarations`` are the tools' as on the wire."""

    system: str
    contents: tuple[Mapping[str, object], ...]
    declarations: tuple[Mapping[str, object], ...]
    size: int
    files: tuple[InlineFile, ...] = ()

    @classmethod
    def parse(cls, body: object) -> "ModelRequest":
        """Read the parts this project uses; both spellings of a name are accepted."""
        fields = as_object(body)
        system = as_object(fields.get("systemInstruction", fields.get("system_instruction")))
        contents = [as_object(content) for content in as_list(fields.get("contents"))]
        declared: list[Mapping[str, object]] = []
        for tool in as_list(fields.get("tools")):
            functions = as_object(tool).get("functionDeclarations", as_object(tool).get("function_declarations"))
            declared += [as_object(function) for function in as_list(functions)]
        written = "\n".join(str(part.get("text", "")) for part in parts_of(system))
        parts = (part for content in contents for part in parts_of(content))
        files = tuple(inline for part in parts if (inline := inline_file(part)) is not None)
        size = len(json.dumps(body)) - sum(inline.size for inline in files)
        return cls(written, tuple(contents), tuple(declared), size, files)

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of the declared tools."""
        return tuple(str(each.get("name", "")) for each in self.declarations)

    @property
    def current_turn(self) -> tuple[Mapping[str, object], ...]:
        """Everything after the last content in which the user wrote, rather than a tool answered."""
        for position in range(len(self.contents) - 1, -1, -1):
            content = self.contents[position]
            if content.get("role") == "user" and any("text" in part for part in parts_of(content)):
                return self.contents[position + 1 :]
        return self.contents

    @property
    def user_texts(self) -> list[str]:
        """What the user's side wrote, in order."""
        own = (content for content in self.contents if content.get("role") == "user")
        return [str(part["text"]) for content in own for part in parts_of(content) if "text" in part]

    @staticmethod
    def results(contents: Sequence[Mapping[str, object]]) -> Mapping[str, Mapping[str, object]]:
        """What tools answered in these contents, by name; the last one counts."""
        answers: dict[str, Mapping[str, object]] = {}
        for content in contents:
            for part in parts_of(content):
                answer = as_object(part.get("functionResponse"))
                if answer:
                    answers[str(answer.get("name"))] = as_object(answer.get("response"))
        return answers


def parts_of(content: Mapping[str, object]) -> list[Part]:
    """The parts of a content."""
    return [as_object(part) for part in as_list(content.get("parts"))]


def inline_file(part: Part) -> InlineFile | None:
    """The file in a part; both spellings are accepted, and both base64 alphabets."""
    inline = as_object(part.get("inlineData", part.get("inline_data")))
    if not inline:
        return None
    written = str(inline.get("data", ""))
    try:
        data = base64.b64decode(written.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        data = b""
    return InlineFile(str(inline.get("mimeType", inline.get("mime_type", ""))), data, len(written))


def json_objects(written: str) -> list[Mapping[str, object]]:
    """Every JSON object in a text, whatever is around it."""
    decoder = json.JSONDecoder()
    found: list[Mapping[str, object]] = []
    position = 0
    while (start := written.find("{", position)) >= 0:
        try:
            value, position = decoder.raw_decode(written, start)
        except ValueError:
            position = start + 1
            continue
        if isinstance(value, dict):
            found.append(cast("Mapping[str, object]", value))
    return found
