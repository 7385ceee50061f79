"""Steering as part of a thread's document, and back (docs/architecture.md#the-thread-document)."""

from collections.abc import Mapping

from dm_core.steering import Handover, Mode, Pause, Steering
from dm_core.store.document_values import Document, as_map, document, optional, text, whole, whole_or_none


def steering_document(steering: Steering) -> Document:
    """The map under a thread's ``steering``."""
    pause, handover = steering.pause, steering.handover
    return document(
        mode=steering.mode,
        pause=pause and {"by": pause.by, "since": pause.since},
        handover=handover and {"key": handover.key, "since": handover.since, "toldAt": handover.told_at},
        stoppedAt=steering.stopped_at,
        disclosedAt=steering.disclosed_at,
        modeBefore=steering.mode_before,
    )


def parse_steering(value: object) -> Steering:
    """A mode that this version does not know reads as the deployment's."""
    doc = as_map(value)
    return Steering(
        mode=_mode(doc.get("mode")),
        mode_before=_mode(doc.get("modeBefore")),
        pause=optional(doc, "pause", lambda each: Pause(text(each, "by"), whole(each, "since"))),
        handover=optional(doc, "handover", _parse_handover),
        stopped_at=whole_or_none(doc, "stoppedAt"),
        disclosed_at=whole_or_none(doc, "disclosedAt"),
    )


def _mode(value: object) -> Mode | None:
    return next((known for known in Mode if known.value == value), None)


def _parse_handover(doc: Mapping[str, object]) -> Handover:
    return Handover(text(doc, "key"), whole(doc, "since"), whole_or_none(doc, "toldAt"))
