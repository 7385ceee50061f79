"""The turns of a run as documents and back: what was said to the model, what it answered, what its tools brought."""

from collections.abc import Mapping

from dm_core.runs import Finish, ModelTurn, ToolCall, ToolResult, ToolTurn, Turn, Usage, UserTurn
from dm_core.store.document_values import (
    Document,
    as_map,
    document,
    from_json,
    maps,
    text,
    text_or_none,
    texts,
    to_json,
    whole,
    whole_or_none,
    word,
)


def turn_document(turn: Turn) -> Document:
    match turn:
        case UserTurn():
            return document(type="user", text=turn.text, media=list(turn.mids) or None)
        case ModelTurn():
            return document(
                type="model",
                content=turn.content,
                text=turn.text,
                calls=[{"name": c.name, "arguments": to_json(c.arguments), "id": c.id} for c in turn.calls],
                finish=turn.finish,
                usage=_usage_document(turn.usage),
                modelVersion=turn.model_version,
                detail=turn.detail,
                latencyMs=turn.latency_ms,
            )
        case ToolTurn():
            return document(
                type="tool",
                results=[
                    {"name": r.name, "id": r.id, "output": to_json(r.output), "error": r.error} for r in turn.results
                ],
            )


def _usage_document(usage: Usage) -> Document:
    return document(
        inputTokens=usage.input_tokens,
        cachedTokens=usage.cached_tokens,
        outputTokens=usage.output_tokens,
        thoughtTokens=usage.thought_tokens,
        imageTokens=usage.image_tokens,
        audioTokens=usage.audio_tokens,
        videoTokens=usage.video_tokens,
    )


def parse_turn(doc: Mapping[str, object]) -> Turn:
    match doc.get("type"):
        case "model":
            return _parse_model_turn(doc)
        case "tool":
            return ToolTurn(tuple(_parse_result(result) for result in maps(doc, "results")))
        case _:
            return UserTurn(text(doc, "text"), texts(doc, "media"))


def _parse_model_turn(doc: Mapping[str, object]) -> ModelTurn:
    usage = as_map(doc.get("usage"))
    return ModelTurn(
        content=text(doc, "content"),
        text=text(doc, "text"),
        calls=tuple(
            ToolCall(text(call, "name"), from_json(text(call, "arguments")), text_or_none(call, "id"))
            for call in maps(doc, "calls")
        ),
        finish=word(doc, "finish", Finish.COMPLETE),
        usage=Usage(
            input_tokens=whole_or_none(usage, "inputTokens"),
            cached_tokens=whole_or_none(usage, "cachedTokens"),
            output_tokens=whole_or_none(usage, "outputTokens"),
            thought_tokens=whole_or_none(usage, "thoughtTokens"),
            image_tokens=whole_or_none(usage, "imageTokens"),
            audio_tokens=whole_or_none(usage, "audioTokens"),
            video_tokens=whole_or_none(usage, "videoTokens"),
        ),
        model_version=text(doc, "modelVersion"),
        detail=text(doc, "detail"),
        latency_ms=whole(doc, "latencyMs"),
    )


def _parse_result(doc: Mapping[str, object]) -> ToolResult:
    return ToolResult(
        name=text(doc, "name"),
        id=text_or_none(doc, "id"),
        output=from_json(text(doc, "output")),
        error=text_or_none(doc, "error"),
    )
