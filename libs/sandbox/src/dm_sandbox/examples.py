"""Values to try a store with: messages, events, a claim, and a run that uses every field."""

from dataclasses import replace

from dm_core.alerts import AskedAlert
from dm_core.durations import DAY_MS
from dm_core.media import MediaLook
from dm_core.messages import Attachment, Content, Direction, EventKind, Message, Status, message_id
from dm_core.runs import (
    Action,
    ActionKind,
    ActionState,
    Asked,
    Finish,
    ModelTurn,
    Run,
    ToolCall,
    ToolResult,
    ToolTurn,
    Usage,
    UserTurn,
)
from dm_core.settings import RunLimits
from dm_core.store.port import MessageChange, Snapshot, ThreadChange, ThreadEvents
from dm_core.threads import Lease
from dm_core.usage import Spent

NOW = 1_800_000_000_000
"""The moment examples are about, in ms since 1970."""

THREAD = "17840000000000001_5550001"
LEASE_MS = 330_000
EXPIRES = NOW + 90 * DAY_MS
LIMITS = RunLimits(
    function_timeout=300,
    lease_seconds=330,
    max_attempts=5,
    max_model_turns=6,
    max_sends=3,
    max_notifications=1,
    runs_per_hour=60,
    runs_per_day=300,
    uncertain_sends="hold",
    echo_wait=2,
    look_ups=3,
)


def dm(number: int, thread_id: str = THREAD, *, sent_at: int | None = None, created_at: int | None = None) -> Message:
    """A pending DM; the platform's time and the arrival grow with its number unless given."""
    mid = f"m_{thread_id}_{number}"
    arrived = NOW + number if created_at is None else created_at
    return Message(
        id=message_id(EventKind.MESSAGE, mid),
        thread_id=thread_id,
        mid=mid,
        direction=Direction.INBOUND,
        status=Status.PENDING,
        content=Content(text=f"text {number}"),
        sent_at=NOW - 1_000 + number if sent_at is None else sent_at,
        created_at=arrived,
        updated_at=arrived,
        expire_at=EXPIRES,
    )


def closed(message: Message) -> Message:
    """The message as history: nobody has to answer it."""
    return replace(message, status=Status.PROCESSED, processed_at=message.created_at)


def full_message() -> Message:
    """A message in which every field is set."""
    content = Content(
        kind=EventKind.POSTBACK,
        text="a\nb \U0001f600",
        attachments=(Attachment("image", "https://example.com/a.jpg", "a title", ("b", "c")), Attachment("share")),
        quick_reply="qr",
        postback="pb",
        referral="ref",
        reply_to_mid="m_0",
        reply_to_story="story",
        unsupported=True,
        words=("more", "words"),
    )
    changed = {"processed_at": NOW + 1, "attempts": 2, "unsent_at": NOW + 2, "edited_at": NOW + 3, "edit_number": 2}
    return replace(dm(7), content=content, error="why", run_id="r1", **changed)


def events(*messages: Message, thread_id: str = THREAD, now: int = NOW) -> ThreadEvents:
    """One webhook request's DMs of one thread, with its wake-up 10 s ahead."""
    account_id, user_id = thread_id.split("_")
    return ThreadEvents(
        thread_id=thread_id,
        account_id=account_id,
        user_id=user_id,
        now=now,
        messages=messages,
        last_inbound_at=max((message.sent_at for message in messages), default=None),
        due_at=now + 10_000,
    )


def claim(snapshot: Snapshot, run_id: str, *, now: int = NOW) -> ThreadChange:
    """The conditional commit by which a run takes all unprocessed messages of a thread."""
    messages = snapshot.unprocessed
    return ThreadChange(
        thread_id=snapshot.thread.id,
        version=snapshot.version,
        token=f"{run_id}-claim",
        now=now,
        lease=Lease(run_id, f"task-{run_id}", now + LEASE_MS),
        run=Run(run_id, f"task-{run_id}", now, tuple(message.id for message in messages), "hash"),
        due_at=now + LEASE_MS,
        pending_count=len(messages),
        messages=tuple(
            MessageChange(message.id, Status.PROCESSING, now, attempts=message.attempts + 1, run_id=run_id)
            for message in messages
        ),
    )


def full_run(run_id: str = "r1") -> Run:
    """A run in which every field is set, with a thought signature, odd arguments and each kind of turn."""
    answer = ModelTurn(
        content='{"role":"model","parts":[{"thoughtSignature":"c2lnbmF0dXJl","functionCall":{"name":"x"}}]}',
        text="a thought",
        calls=(
            ToolCall("send_instagram_message", {"text": "Hi \U0001f600", "": [[1, [2.5]], None]}, "call-1"),
            ToolCall("no_reply", {}),
        ),
        finish=Finish.TRUNCATED,
        usage=Usage(10, 4, 3, 2, 6, 7, 8),
        model_version="gemini-x",
        detail="detail",
        latency_ms=1_234,
    )
    results = ToolTurn((ToolResult("a", "call-1", {"sessions": [[1], {"__b__": 2}]}), ToolResult("b", None, {}, "no")))
    sent = Action(
        f"{run_id}/1/0", ActionKind.SEND, "Hi", 0, 1, None, "normal", ActionState.DONE, NOW, NOW + 9, "mid.out", None
    )
    told = Action(
        f"{run_id}/1/1",
        ActionKind.NOTIFY,
        "Help",
        1,
        1,
        "m_1",
        "urgent",
        ActionState.REFUSED,
        NOW,
        NOW,
        None,
        "131047",
        NOW,
    )
    return Run(
        id=run_id,
        task_name="task-1",
        started_at=NOW,
        message_ids=("a", "b"),
        prompt_hash="hash",
        handles={"m1": "m_1", "m2": "m_2"},
        turns=(
            UserTurn("what the person wrote", ("m_1",)),
            answer,
            results,
            replace(answer, usage=Usage()),
            UserTurn("nudge"),
        ),
        actions=(sent, told),
        guards=("link",),
        notes=("likes tennis",),
        alerts=(AskedAlert("r1/1/2", "Help", urgency="urgent", hand_over=True),),
        asked=Asked(7, NOW),
        shown="digest",
        restarts=1,
        repairs=2,
        dropped_turns=3,
        fresh_from=2,
        ending="answered",
        error="an error",
        model_calls=2,
        spent=Spent(3, 2_010, 4, 503, 2, usd=0.0034),
        timings={"model": 1_234},
        looks=(MediaLook("m_1", 1, "image/png", 9, "digest"), MediaLook("m_1", 2, why="expired")),
    )
