"""A human's reply from the command line: stored, and sent by the processor like a manager's from WhatsApp."""

import asyncio
import contextlib
from typing import Final

from dm_admin.desk import Desk, Plan, Refused
from dm_core.agent.guards import MAX_PARTS
from dm_core.agent.texts import split_text, without_controls
from dm_core.errors import QueueUnavailable
from dm_core.outbox import ADMIN, OutboxItem, OutboxState, outbox_id
from dm_core.queue.wakeup import plan_outbox
from dm_core.webhook.manager import MAX_TEXT_CHARS

NO_QUEUE: Final = "no queue is configured, so nothing can be sent from here: use make admin STACK=…"
POLL_SECONDS: Final = 0.5
ON_ITS_WAY: Final = "on its way; `dm-admin show` tells later whether it arrived"


async def reply(desk: Desk, reference: str, text: str, why: str, wait_seconds: float) -> Plan:
    """Send these words to a thread's person as a human, which takes the thread over. Raises Refused."""
    thread = await desk.thread(reference)
    parts = split_text(without_controls(text))
    if not parts:
        raise Refused("there are no words to send: type them in quotes behind the thread")
    if len(parts) > MAX_PARTS or len(text) > MAX_TEXT_CHARS:
        raise Refused(f"this is too long for Instagram: at most {MAX_PARTS} messages of 1,000 bytes")
    if not thread.window_open(desk.clock()):
        raise Refused(f"{thread.id}: Instagram takes no reply any more, for the person's last DM is over 24 hours old")
    if desk.queue is None:
        raise Refused(NO_QUEUE)
    queue = desk.queue

    async def act() -> str:
        now = desk.clock()
        item = OutboxItem(
            id=outbox_id(ADMIN, desk.ids()),
            sender=desk.operator,
            text=text,
            created_at=now,
            expire_at=now + desk.settings.retention_ms,
            origin=ADMIN,
            thread_id=thread.id,
        )
        await desk.store.create_outbox(item, (desk.line("reply asked for", why, thread.id),))
        try:
            await queue.get().schedule(plan_outbox(item.id, now))
        except QueueUnavailable:
            return (
                f"reply: stored as {item.id[:12]}; no task could be made, so the sweep takes it up within two minutes"
            )
        return f"reply to {thread.id}: {await _outcome(desk, item.id, wait_seconds)}"

    sends = f"{len(parts)} messages" if len(parts) > 1 else "one message"
    return Plan(f"{thread.id}: send {sends} as a human, and leave the thread to humans for a while", act)


async def _outcome(desk: Desk, item_id: str, wait_seconds: float) -> str:
    """What the processor made of it, as soon as it says so. Whoever presses Ctrl-C stops the waiting, not the reply.

    Raises Refused where it did not arrive for sure.
    """
    ends_at = desk.clock() + round(wait_seconds * 1000)
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            stored = await desk.store.get_outbox(item_id)
            if stored is None:
                return "gone, for the person was erased"
            if stored.item.state is OutboxState.DONE:
                return stored.item.answer
            if stored.item.is_over:
                raise Refused(stored.item.answer)
            if desk.clock() >= ends_at:
                break
            await asyncio.sleep(POLL_SECONDS)
    return ON_ITS_WAY
