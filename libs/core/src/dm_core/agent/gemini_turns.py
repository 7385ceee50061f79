"""Turns on Gemini's wire: what an answer's JSON says, and what of it goes back.

Read from the JSON itself, part by part: one that is empty, of a kind we did not ask for, or broken is left out of what
goes back, because the API refuses a part without data ("required oneof field 'data' must have one initialized field")
and answers the whole conversation with 400 from then on. A usable part goes back as it came: thought signatures must
return byte for byte (https://ai.google.dev/gemini-api/docs/thought-signatures), also those on an empty text.
"""

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Final, cast

from dm_core.agent.model import ToolDeclaration
from dm_core.agent.tools.registry import NAMES
from dm_core.media import Media
from dm_core.runs import Finish, ModelTurn, ToolCall, ToolResult, ToolTurn, Turn, Usage, UserTurn

MAX_CONTENT_BYTES: Final = 64 * 1024
"""Largest model turn that is kept; the run's document holds several."""
NOT_AN_OBJECT: Final = "(arguments that are not an object)"
"""The name under which arguments of a wrong shape are kept; no tool has it, so that the model is told."""

_FILTER_WORDS: Final = """SAFETY BLOCKLIST PROHIBITED_CONTENT SPII IMAGE_SAFETY IMAGE_PROHIBITED_CONTENT ESCALATION
PUP_LIMITED_DISABLED MODEL_ARMOR"""
_BROKEN_WORDS: Final = """MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS MISSING_THOUGHT_SIGNATURE
MALFORMED_RESPONSE RECITATION IMAGE_RECITATION IMAGE_OTHER NO_IMAGE LANGUAGE OTHER"""
_UNDECLARED: Final = "UNEXPECTED_TOOL_CALL"
"""It called a tool by a name that was not declared; the call stands in the answer
(https://github.com/epam/ai-dial-adapter-vertexai/issues/325)."""
_BLOCKED: Final = frozenset(_FILTER_WORDS.split())
_MALFORMED: Final = frozenset(_BROKEN_WORDS.split())
_TRUNCATED: Final = frozenset(("MAX_TOKENS", "CONTINUATION"))
_UNEXPLAINED: Final = frozenset(("OTHER", "BLOCK_REASON_UNSPECIFIED"))
"""Blocks of a prompt without a reason, seen of harmless ones at random: worth a second try
(https://github.com/google-gemini/deprecated-generative-ai-python/issues/54)."""

_NAMESPACES: Final = re.compile(r"[.:/]|__")
_TOOLS_BY_LETTERS: Final = {name.replace("_", ""): name for name in NAMES}

type Json = Mapping[str, object]


def contents(turns: Sequence[Turn]) -> list[Json]:
    """The conversation on the wire. An unusable model turn is left out, with the answers to it."""
    sent: list[Json] = []
    usable = True
    for turn in turns:
        match turn:
            case UserTurn(text=text, attached=attached):
                sent.append({"parts": [{"text": text}, *map(_attached, attached)], "role": "user"})
            case ModelTurn():
                back = _sent_back(turn)
                usable = back is not None
                if back is not None:
                    sent.append(back)
            case ToolTurn(results=results):
                if usable and results:
                    sent.append({"parts": [_response(result) for result in results], "role": "user"})
    return sent


def declarations(tools: Sequence[ToolDeclaration]) -> list[Json]:
    """The tools on the wire. Without arguments there is no schema: an object without properties is not accepted
    everywhere."""
    return [
        {"name": tool.name, "description": tool.description}
        | ({"parameters_json_schema": dict(tool.parameters)} if tool.parameters.get("properties") else {})
        for tool in tools
    ]


def model_turn(response: Json, latency_ms: int) -> ModelTurn:
    """Any answer as a turn; what can't be used says so in ``finish`` and ``detail``."""
    finish, detail, content = _finish(response)
    parts = _usable(content.get("parts"))
    text, calls = _said(parts)
    if finish is Finish.COMPLETE and not text.strip() and not calls:
        finish, detail = Finish.EMPTY, detail or "no text and no call"
    if finish is Finish.COMPLETE and any(not call.name for call in calls):
        finish, detail = Finish.MALFORMED, "a function call without a name"
    kept = json.dumps({"parts": parts, "role": "model"}) if parts else ""  # in ASCII: its length is its size
    if len(kept) > MAX_CONTENT_BYTES:
        finish, detail, kept, text, calls = Finish.MALFORMED, f"a turn of {len(kept)} bytes", "", "", ()
    return ModelTurn(
        content=kept,
        text=text,
        calls=calls if finish is Finish.COMPLETE else (),
        finish=finish,
        usage=_usage(_object(response.get("usageMetadata"))),
        model_version=_text(response.get("modelVersion"))[:200],
        detail=detail,
        latency_ms=latency_ms,
    )


def _finish(response: Json) -> tuple[Finish, str, Json]:
    """How the answer ended, in a word of the API's, and its content."""
    candidates = [_object(candidate) for candidate in _list(response.get("candidates"))]
    candidate = next(filter(_is_whole, candidates), candidates[0] if candidates else {})
    blocked = _word(_object(response.get("promptFeedback")).get("blockReason"))
    if blocked and not _is_whole(candidate):
        return Finish.MALFORMED if blocked in _UNEXPLAINED else Finish.BLOCKED, f"prompt: {blocked}", {}
    if not candidates:
        return Finish.EMPTY, "no candidates", {}
    word = _word(candidate.get("finishReason")).upper()
    content = _object(candidate.get("content"))
    if word == _UNDECLARED and any(_calls_a_tool(_object(part)) for part in _list(content.get("parts"))):
        return Finish.COMPLETE, word, content
    for finish, words in ((Finish.BLOCKED, _BLOCKED), (Finish.MALFORMED, _MALFORMED), (Finish.TRUNCATED, _TRUNCATED)):
        if word in words:
            return finish, word, content
    return Finish.COMPLETE, "" if word == "STOP" else word, content


def _is_whole(candidate: Json) -> bool:
    """It was not withheld: of several candidates, one can be (https://ai.google.dev/gemini-api/docs/safety-settings)."""
    return _word(candidate.get("finishReason")).upper() == "STOP" and bool(
        _usable(_object(candidate.get("content")).get("parts"))
    )


def _calls_a_tool(part: Json) -> bool:
    """The API knew no tool of that name, but we know which is meant, or say that there is none."""
    return bool(_object(_part(part).get("functionCall")).get("name"))


def _usable(parts: object) -> list[Json]:
    """The parts that say something and can go back, in the shape in which the API takes them. Beside a call that was
    made, one in a thought was only thought of."""
    given = [_object(part) for part in _list(parts)]
    made = any("functionCall" in part and not part.get("thought") for part in given)
    said = (part for part in given if not (made and part.get("thought") and "functionCall" in part))
    return [usable for part in said if (usable := _part(part))]


def _part(part: Json) -> Json:
    """A text (a thought's too) or a function call; empty for any other."""
    signature = part.get("thoughtSignature")
    kept = {"thoughtSignature": signature} if _is_base64(signature) else {}
    call = part.get("functionCall")
    if isinstance(call, dict):
        return {"functionCall": _call(cast("Json", call)), **kept}
    text = part.get("text")
    if not isinstance(text, str) or not (text or kept):
        return {}
    return {"text": _storable(text), **({"thought": True} if part.get("thought") else {}), **kept}


def _call(call: Json) -> Json:
    number = _text(call.get("id"))
    identity = {"id": number} if number else {}
    return {**identity, "name": _tool_name(_text(call.get("name"))), "args": _arguments(call.get("args"))}


def _tool_name(given: str) -> str:
    """The tool that is meant by a name with an invented namespace (``default_api.get_notes``, ``riverside:getNotes``):
    https://github.com/google-gemini/cookbook/issues/1374. Any other name as it came."""
    last = _NAMESPACES.split(given.strip().removesuffix("()").removeprefix("default_api_"))[-1]
    return _TOOLS_BY_LETTERS.get(_letters(last), given)


def _letters(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()


def _arguments(given: object) -> Json:
    """An object. Some answers hold it as its JSON text, or alone in a list; any other value is kept under a name."""
    if given is None:
        return {}
    value = given
    if isinstance(value, str):
        try:
            value = cast("object", json.loads(value))
        except (ValueError, RecursionError):
            value = given
    if isinstance(value, list) and len(cast("list[object]", value)) == 1:
        value = cast("list[object]", value)[0]
    if isinstance(value, dict):
        return _object(_plain_json(cast("object", value)))
    return {NOT_AN_OBJECT: _plain_json(given)} if given else {}


def _said(parts: Sequence[Json]) -> tuple[str, tuple[ToolCall, ...]]:
    """Text and calls; thoughts are neither."""
    texts: list[str] = []
    calls: list[ToolCall] = []
    for part in parts:
        if "functionCall" in part:
            call = _object(part["functionCall"])
            calls.append(ToolCall(_text(call["name"]), _object(call["args"]), _text(call.get("id")) or None))
        elif not part.get("thought"):
            texts.append(_text(part["text"]))
    return "".join(texts), tuple(calls)


def _sent_back(turn: ModelTurn) -> Json | None:
    """A model turn as it came, without what the API would refuse; None if nothing is left of it.

    One that was made elsewhere (a script, an older format) goes as its text and calls.
    """
    if turn.finish is not Finish.COMPLETE or not turn.content:
        return None
    try:
        parts = _usable(_object(json.loads(turn.content)).get("parts"))
    except (ValueError, RecursionError):
        parts = []
    if not parts:
        calls = [{"functionCall": {"id": c.id, "name": c.name, "args": dict(c.arguments)}} for c in turn.calls]
        parts = _usable([{"text": turn.text}, *calls])
    return {"parts": parts, "role": "model"} if parts else None


def _attached(part: str | Media) -> Json:
    """Words about a file, or the file as the SDK writes it."""
    if isinstance(part, str):
        return {"text": part}
    data = base64.urlsafe_b64encode(part.data).decode("ascii")
    return {"inlineData": {"data": data, "mime_type": part.mime_type}}


def _response(result: ToolResult) -> Json:
    response = {"error": result.error} if result.error is not None else {"output": dict(result.output)}
    identity = {"id": result.id} if result.id is not None else {}
    return {"functionResponse": {**identity, "name": result.name, "response": response}}


def _usage(usage: Json) -> Usage:
    details = map(_object, _list(usage.get("promptTokensDetails")))
    by_modality = {_word(detail.get("modality")): _count(detail.get("tokenCount")) for detail in details}
    return Usage(
        input_tokens=_count(usage.get("promptTokenCount")),
        cached_tokens=_count(usage.get("cachedContentTokenCount")),
        output_tokens=_count(usage.get("candidatesTokenCount")),
        thought_tokens=_count(usage.get("thoughtsTokenCount")),
        image_tokens=by_modality.get("IMAGE"),
        audio_tokens=by_modality.get("AUDIO"),
        video_tokens=by_modality.get("VIDEO"),
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def _is_base64(value: object) -> bool:
    if not isinstance(value, str) or not value:
        return False
    try:
        padded = value + "=" * (-len(value) % 4)
        return bool(base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True))
    except (binascii.Error, ValueError):
        return False


def _word(value: object) -> str:
    """A word of the API's; a newer one than we know is passed on."""
    return _text(value)[:80]


def _plain_json(value: object) -> object:
    """The value with nothing in it that JSON between two computers does not know."""
    match value:
        case str():
            return _storable(value)
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {_storable(str(key)): _plain_json(item) for key, item in cast("dict[str, object]", value).items()}
        case list():
            return [_plain_json(item) for item in cast("list[object]", value)]
        case _:
            return value


def _storable(text: str) -> str:
    """Without halves of characters, which no store takes."""
    return text.encode("utf-8", "ignore").decode()


def _text(value: object) -> str:
    return _storable(value) if isinstance(value, str) else ""


def _object(value: object) -> Json:
    return cast("Json", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
