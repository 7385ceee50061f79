"""Events in words, for people: of a simulator, of the queue, of a function."""

from collections.abc import Mapping

from dm_sandbox.cloud_tasks import QueueEvent
from dm_sandbox.platforms.record import Record
from dm_sandbox.platforms.server import as_list, as_object

PLATFORM_WORDS: Mapping[str, str] = {
    "send": "reply sent",
    "react": "reaction set",
    "unreact": "reaction taken back",
    "typing_on": "typing…",
    "typing_off": "typing ended",
    "mark_seen": "marked as seen",
    "conversations": "conversation read",
    "profile": "profile read",
    "subscribed_apps": "subscription read",
    "refresh_access_token": "token refreshed",
    "media": "file of a message fetched",
    "login": "logged in",
    "sponds": "calendar read",
    "groups": "groups read",
    "generateContent": "model asked",
}


def platform_words(record: Record) -> str:
    facts = record.facts
    words = PLATFORM_WORDS.get(record.operation, record.operation)
    if record.platform == "whatsapp" and record.operation in ("send", "template"):
        words = "manager alerted" + (" by template" if record.operation == "template" else "")
    if not record.ok:
        failed = f"{words}: refused" if record.status else f"{words}: connection cut"
        done = " (but it was processed)" if record.processed and "fault" in facts else ""
        return f"{failed} {facts.get('error', '')}".rstrip() + done
    for name in ("text", "reaction", "answer", "events"):
        if facts.get(name):
            suffix = " sessions" if name == "events" else ""
            return f"{words}: {_short(facts[name])}{suffix}"
    return words


def queue_words(event: QueueEvent, what: str) -> str:
    detail = event.detail
    if event.kind == "created":
        at = detail.get("fire_at")
        ahead = f" for t+{max(0, at - event.at) / 1000:.1f} s" if isinstance(at, int) else ""
        return f"{what} scheduled{ahead}"
    words = {
        "deduplicated": f"{what} joined the one already scheduled",
        "dispatched": f"{what} fired",
        "succeeded": f"{what} done",
        "failed": f"{what} failed, it will be retried",
        "given_up": f"{what} given up",
    }.get(event.kind, event.kind)
    facts = [f"{name} {detail[name]}" for name in ("attempt", "status", "ms", "reason") if detail.get(name)]
    return f"{words} ({', '.join(facts)})" if facts else words


FUNCTION_WORDS: Mapping[str, str] = {
    "webhook_received": "request stored",
    "webhook_not_stored": "not stored, Meta will deliver again",
    "webhook_rejected": "request rejected",
    "run_claimed": "run started",
    "run_finished": "run finished",
    "run_failed": "run failed",
    "task_answered": "task answered",
    "task_failed": "task failed",
    "human_took_over": "a human took over",
    "send_looked_up": "uncertain reply looked up",
    "tick_answered": "tick answered",
    "media_looked_at": "file shown to the model",
    "media_not_shown": "file not shown to the model",
    "media_withheld": "files left out",
    "alert_tried": "alert attempted",
    "digest_made": "alerts joined in a digest",
    "model_called": "model answered",
    "prompt_shown": "prompt composed",
    "profile_changed": "profile changed: used from now on",
    "profile_broken": "profile can't be used, the old one stays",
    "thread_waits": "thread waits",
    "outbox_answered": "the manager's message was dealt with",
    "human_reply_sent": "the manager's words were sent",
    "alert_undelivered": "ALARM: an alert did not reach the manager",
    "whatsapp_received": "WhatsApp's statuses stored",
}


def function_words(fields: Mapping[str, object]) -> str:
    event = str(fields.get("message", ""))
    words = FUNCTION_WORDS.get(event, event.replace("_", " "))
    shown = [f"{name} {_value(value)}" for name, value in fields.items() if name not in _HIDDEN and value]
    return f"{words} ({', '.join(shown)})" if shown else words


_HIDDEN = frozenset(("severity", "message", "time", "thread", "threads", "run_id", "runId", "secret", "code")) | {
    "promptHash",
    "timings",
    "inputTokens",
    "cachedTokens",
    "outputTokens",
    "turns",
    "tools",
    "system",
    "answer",
    "begunAt",
}


def _value(value: object) -> str:
    counts = as_object(value)
    if counts:
        return " ".join(f"{name} {number}" for name, number in counts.items() if number)
    return _short(", ".join(str(each) for each in as_list(value)) or str(value))


def _short(text: str, most: int = 110) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"
