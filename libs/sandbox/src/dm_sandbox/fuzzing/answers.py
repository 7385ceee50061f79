"""What the wild server says as a well-behaved platform, and what a run is held to afterwards."""

import json
from collections.abc import Iterator, Mapping
from typing import Final, cast

from dm_core.agent.guards import MAX_PARTS
from dm_core.agent.texts import same_form
from dm_core.agent.written_calls import is_written_call
from dm_core.alerts import MODEL
from dm_core.messages import Status
from dm_core.processing.task_result import RunStatus
from dm_core.runs import Run
from dm_core.store.run_documents import run_document
from dm_sandbox.fuzzing.campaign import Broken
from dm_sandbox.fuzzing.seeds import PLATFORM_ANSWERS
from dm_sandbox.fuzzing.stage import MANAGER, MODEL_KEY, TOKEN, Stage
from dm_sandbox.fuzzing.wire import Asked, answered
from dm_sandbox.platforms.server import as_list, as_object

ATTEMPTS: Final = 5
WAITS: Final = 12
"""Tries over more than ``MAX_WAIT_HOURS``, with ``_BETWEEN_SECONDS`` between them: what waits for a service that stays
down ends by then."""
_BETWEEN_SECONDS: Final = 4_000
TURNS: Final = 6
SENDS: Final = 3
ALERTS: Final = 1
_DATA: Final = {"text", "functionCall", "functionResponse"}
MAX_RUN_CHARS: Final = 900_000
_ERRORS: Final = """ModelUnavailable ModelRefused StoreUnavailable QueueUnavailable Refused Unreachable AccountStopped
Uncertain RetryLater OutOfTime TooManyConflicts"""
ERRORS: Final = frozenset(_ERRORS.split())
"""What may be the reason for a run to be tried again."""


def operation(asked: Asked) -> str:
    """Which of ``PLATFORM_ANSWERS`` a request is for; ``model`` for the model's."""
    path = asked.path
    if path.startswith("/model"):
        return "model"
    if path.startswith("/wa"):
        return "notify"
    if path.startswith("/spond"):
        return "login" if path.endswith("login") else "sponds"
    last = path.rpartition("/")[2]
    named = {"messages": "send", "conversations": "conversations", "subscribed_apps": "subscribed"}
    return named.get(last, "refresh" if last == "refresh_access_token" else "profile")


def proper(asked: Asked) -> bytes:
    """The platform's own answer."""
    return answered(json.dumps(PLATFORM_ANSWERS[operation(asked)]).encode())


async def run_to_the_end(stage: Stage, person: str) -> str:
    """Tasks for a person's DM as the queue would bring them, until it is over; the last status."""
    app, thread_id, status = stage.instance(), await stage.says(person, "hello?"), ""
    for attempt in range(ATTEMPTS + WAITS):
        http, result = await stage.task(app, thread_id, f"t{attempt}")
        status = str(result["status"])
        if http != RunStatus(status).http_status:
            raise Broken(f"a task that ended {status} was answered {http}")
        if status == "error" and (error := str(result["error"]).partition(":")[0].partition(" ")[0]) not in ERRORS:
            raise Broken(f"a run failed with {error}")
        if status not in ("error", "retry_later"):
            break
        stage.clock.forward(_BETWEEN_SECONDS)
    else:
        raise Broken(f"a run never ended: still {status}")
    await stage.close_ports()
    if status not in ("processed", "failed"):
        raise Broken(f"a run ended as {status}")
    check_thread(stage, thread_id)
    return status


def check_thread(stage: Stage, thread_id: str) -> None:
    """Nothing is left open in the thread, and its runs are bounded."""
    database = stage.store.database
    thread = database.threads[thread_id]
    if thread.lease is not None or thread.run is not None or thread.due_at is not None:
        raise Broken("something is left open in the thread")
    if any(
        message.status not in (Status.PROCESSED, Status.FAILED) for message in database.messages[thread_id].values()
    ):
        raise Broken("a DM was left unprocessed")
    for run in database.runs.get(thread_id, {}).values():
        check_run(run)


def check_run(run: Run) -> None:
    """The limits of one run, by its own record; it can be written down."""
    calls = {(action.turn, action.call_index) for action in run.actions if action.went_out and action.kind == "send"}
    if len(calls) > SENDS:
        raise Broken(f"{len(calls)} sends of one run")
    if sum(alert.cause == MODEL for alert in run.alerts) > ALERTS:
        raise Broken("more alerts than a run may ask for")
    if len(json.dumps(run_document(run))) > MAX_RUN_CHARS:
        raise Broken("a run too large for its document")


def check_outside(stage: Stage, person: str, runs: int, secrets: tuple[str, ...]) -> None:
    """What left: only to the person of the thread and the manager, nothing secret, no more than allowed."""
    sends = 0
    digits = "".join(char for char in MANAGER if char.isdigit())
    for asked in stage.asked:
        what = operation(asked)
        if what not in ("send", "notify"):
            continue
        body = as_object(json.loads(asked.body))
        to = as_object(body.get("recipient")).get("id") if what == "send" else body.get("to")
        if to != (person if what == "send" else digits):
            raise Broken(f"a {what} to somebody else")
        told = "\n".join(texts_in(body.get("message") or body.get("text") or body.get("payload")))
        if any(secret in told for secret in (TOKEN, MODEL_KEY, *secrets)):
            raise Broken(f"a secret left in a {what}")
        if what == "send" and digits[-8:] in "".join(char for char in told if char.isdigit()):
            raise Broken("the manager's number left")
        sends += "message" in body
    if sends > runs * SENDS * MAX_PARTS:
        raise Broken(f"{sends} messages for {runs} runs")


def check_words(stage: Stage) -> None:
    """What one model said to one person: no call written out, and nothing twice."""
    bodies = [as_object(json.loads(asked.body)) for asked in stage.asked if operation(asked) == "send"]
    sent = ["\n".join(texts_in(body["message"])) for body in bodies if "message" in body]
    if any(is_written_call(text) for text in sent):
        raise Broken("a call written out was sent")
    if len({same_form(text) for text in sent}) < len(sent):
        raise Broken("the same text was sent twice")


def check_conversation(request: Mapping[str, object]) -> None:
    """Every part holds data, every call of the model is answered once, in its order, under its own name and id."""
    contents = [as_object(content) for content in as_list(request.get("contents"))]
    for content, after in zip(contents, [*contents[1:], {}], strict=True):
        calls = [_named(part, "functionCall") for part in _parts(content) if "functionCall" in part]
        results = [_named(part, "functionResponse") for part in _parts(after) if "functionResponse" in part]
        if any(not (_DATA & part.keys()) for part in _parts(content)):
            raise Broken("a part without data was sent to the model")
        if content.get("role") == "model" and calls != results:
            raise Broken("a call was not answered once")


def _named(part: Mapping[str, object], key: str) -> tuple[object, object]:
    found = as_object(part.get(key))
    return found.get("name"), found.get("id")


def _parts(content: Mapping[str, object]) -> list[Mapping[str, object]]:
    return [as_object(part) for part in as_list(content.get("parts"))]


def texts_in(value: object) -> Iterator[str]:
    """Every text inside a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in cast("dict[str, object]", value).values():
            yield from texts_in(inner)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from texts_in(inner)
