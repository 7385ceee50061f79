"""Runs as documents: the live run inside its thread, and the archived one in ``runs/{runId}``.

Tool arguments and results are of unknown shape, so they are kept as JSON text (see ``document_values``). Missing
optional fields and unknown ones are tolerated: a document may be older or newer than this code.
"""

from collections.abc import Mapping

from dm_core.alerts import AskedAlert, Urgency
from dm_core.media import MediaLook
from dm_core.runs import (
    Action,
    ActionKind,
    ActionState,
    Asked,
    Draft,
    DraftState,
    ModelTurn,
    Run,
    Turn,
)
from dm_core.store.document_values import (
    Document,
    as_list,
    as_map,
    document,
    flag,
    maps,
    optional,
    text,
    text_or_none,
    texts,
    to_json,
    whole,
    whole_or_none,
    word,
)
from dm_core.store.turn_documents import parse_turn, turn_document
from dm_core.usage import Spent, parse_spent


def run_document(run: Run) -> Document:
    """The live run, whole: what a resumed run needs to continue."""
    return document(
        id=run.id,
        taskName=run.task_name,
        startedAt=run.started_at,
        messageIds=run.message_ids,
        promptHash=run.prompt_hash,
        handles=run.handles,
        turns=[turn_document(turn) for turn in run.turns],
        actions=[action_document(action) for action in run.actions],
        alerts=[_alert_document(alert) for alert in run.alerts],
        guards=run.guards,
        notes=run.notes,
        asked=None if run.asked is None else {"at": run.asked.at, "revision": run.asked.revision},
        shown=run.shown,
        restarts=run.restarts,
        repairs=run.repairs,
        droppedTurns=run.dropped_turns,
        freshFrom=run.fresh_from,
        ending=run.ending,
        error=run.error,
        modelCalls=run.model_calls,
        cost=run.spent.cost,
        tokens=run.spent.tokens,
        timings=run.timings,
        script=run.script,
        draft=run.draft and _draft_document(run.draft),
        looks=[_look_document(look) for look in run.looks] or None,
    )


def _draft_document(draft: Draft) -> Document:
    return document(
        turn=draft.turn, alertId=draft.alert_id, state=draft.state, by=draft.by, at=draft.at, itemId=draft.item_id
    )


def _parse_draft(doc: Mapping[str, object]) -> Draft:
    """A state that this version does not know waits: nothing of it is sent."""
    return Draft(
        turn=whole(doc, "turn"),
        alert_id=text(doc, "alertId"),
        state=word(doc, "state", DraftState.WAITING),
        by=text(doc, "by"),
        at=whole_or_none(doc, "at"),
        item_id=text(doc, "itemId"),
    )


QUOTES_MESSAGES = "get_thread_messages"
"""The one tool whose result is people's words."""


def archive_document(run: Run, thread_id: str, now: int, expire_at: int) -> Document:
    """The archived run: why it answered as it did, without the people's words.

    The user turns keep their place and lose their text (the message ids stay), and so does what ``get_thread_messages``
    brought, so that an unsent or erased message does not survive here. Other tool results are kept: they are what
    explains an answer.
    """
    archived = run_document(run)
    for turn in maps(archived, "turns"):
        if turn.get("type") == "user":
            turn |= {"text": "", "media": None}
        for result in maps(turn, "results"):
            if result.get("name") == QUOTES_MESSAGES:
                result["output"] = to_json({"omitted": "messages of the thread"})
    results = [_result(action) for action in run.actions]
    facts = {"mids": sorted(set(run.handles.values())), "results": results}
    archived |= document(conversationId=thread_id, **facts, endedAt=now, expireAt=expire_at or None)
    return archived | emptied_fields(archived, now) if run.withdrawn else archived


def emptied_fields(doc: Mapping[str, object], now: int) -> Document:
    """What an archived run loses when one of the messages it was shown is taken back: every word, of anybody.

    Ids, names of tools, states, tokens and times stay. It is not found by that message any more.
    """
    turns = [{key: _emptied_part(key, value) for key, value in turn.items()} for turn in maps(doc, "turns")]
    actions, alerts = ([each | {"text": ""} for each in maps(doc, kind)] for kind in ("actions", "alerts"))
    return document(turns=turns, actions=actions, alerts=alerts, notes=[], mids=[], looks=[], emptiedAt=now)


def _emptied_part(key: str, value: object) -> object:
    match key:
        case "content" | "text" | "detail":
            return ""
        case "calls":
            return [as_map(call) | {"arguments": "{}"} for call in as_list(value)]
        case "results":
            return [as_map(result) | {"output": "{}", "error": None} for result in as_list(value)]
        case _:
            return value


def _result(action: Action) -> Mapping[str, object]:
    """What became of one action."""
    fields = {"action": action.key, "state": action.state.value, "platformId": action.platform_id}
    return fields | {"error": action.error}


def action_document(action: Action) -> Document:
    return document(
        key=action.key,
        kind=action.kind,
        text=action.text,
        callIndex=action.call_index,
        turn=action.turn,
        target=action.target,
        urgency=action.urgency,
        state=action.state,
        startedAt=action.started_at,
        endedAt=action.ended_at,
        platformId=action.platform_id,
        error=action.error,
        lookedAt=action.looked_at,
        resent=action.resent or None,
    )


def _look_document(look: MediaLook) -> Document:
    return document(
        mid=look.mid, place=look.place, mimeType=look.mime_type, size=look.size, digest=look.digest, why=look.why
    )


def _parse_look(doc: Mapping[str, object]) -> MediaLook:
    return MediaLook(
        mid=text(doc, "mid"),
        place=whole(doc, "place"),
        mime_type=text(doc, "mimeType"),
        size=whole(doc, "size"),
        digest=text(doc, "digest"),
        why=text(doc, "why"),
    )


def _alert_document(alert: AskedAlert) -> Document:
    return document(key=alert.key, text=alert.text, urgency=alert.urgency, handOver=alert.hand_over, cause=alert.cause)


def parse_run(doc: Mapping[str, object]) -> Run:
    """A run from its document, live or archived."""
    turns = tuple(parse_turn(turn) for turn in maps(doc, "turns"))
    return Run(
        id=text(doc, "id"),
        task_name=text(doc, "taskName"),
        started_at=whole(doc, "startedAt"),
        message_ids=texts(doc, "messageIds"),
        prompt_hash=text(doc, "promptHash"),
        handles={key: value for key, value in as_map(doc.get("handles")).items() if isinstance(value, str)},
        turns=turns,
        actions=tuple(parse_action(action) for action in maps(doc, "actions")),
        alerts=tuple(_parse_alert(alert) for alert in maps(doc, "alerts")),
        guards=texts(doc, "guards"),
        notes=texts(doc, "notes"),
        asked=optional(doc, "asked", lambda asked: Asked(whole(asked, "revision"), whole(asked, "at"))),
        shown=text(doc, "shown"),
        restarts=whole(doc, "restarts"),
        repairs=whole(doc, "repairs"),
        dropped_turns=whole(doc, "droppedTurns"),
        fresh_from=whole(doc, "freshFrom"),
        ending=text_or_none(doc, "ending"),
        error=text_or_none(doc, "error"),
        model_calls=whole(doc, "modelCalls"),
        spent=_parse_spent(doc, turns),
        timings={key: value for key, value in as_map(doc.get("timings")).items() if isinstance(value, int)},
        script=text_or_none(doc, "script"),
        draft=optional(doc, "draft", _parse_draft),
        looks=tuple(_parse_look(look) for look in maps(doc, "looks")),
    )


def _parse_spent(doc: Mapping[str, object], turns: tuple[Turn, ...]) -> Spent:
    """A live run of an older revision says nothing of it: its turns tell the tokens, and the price is unknown."""
    if "cost" in doc:
        return parse_spent(as_map(doc.get("cost")), as_map(doc.get("tokens")))
    usages = [turn.usage for turn in turns if isinstance(turn, ModelTurn)]
    return Spent(
        len(usages),
        sum(usage.input_tokens or 0 for usage in usages),
        sum(usage.cached_tokens or 0 for usage in usages),
        sum(usage.output_tokens or 0 for usage in usages),
        sum(usage.thought_tokens or 0 for usage in usages),
        usd=None if usages else 0.0,
    )


def parse_action(doc: Mapping[str, object]) -> Action:
    """An unknown state reads as uncertain, never as surely unsent; an unknown kind is never performed."""
    return Action(
        key=text(doc, "key"),
        kind=word(doc, "kind", ActionKind.UNKNOWN),
        text=text(doc, "text"),
        call_index=whole(doc, "callIndex"),
        turn=whole(doc, "turn"),
        target=text_or_none(doc, "target"),
        urgency=_urgency(doc),
        state=word(doc, "state", ActionState.UNCERTAIN),
        started_at=whole_or_none(doc, "startedAt"),
        ended_at=whole_or_none(doc, "endedAt"),
        platform_id=text_or_none(doc, "platformId"),
        error=text_or_none(doc, "error"),
        looked_at=whole_or_none(doc, "lookedAt"),
        resent=flag(doc, "resent"),
    )


def _urgency(doc: Mapping[str, object]) -> Urgency:
    return "urgent" if doc.get("urgency") == "urgent" else "normal"


def _parse_alert(doc: Mapping[str, object]) -> AskedAlert:
    return AskedAlert(
        key=text(doc, "key"),
        text=text(doc, "text"),
        urgency=_urgency(doc),
        hand_over=flag(doc, "handOver"),
        cause=text(doc, "cause", "model"),
    )
