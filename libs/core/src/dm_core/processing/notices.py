"""What the manager, or another channel, is told of DMs that could not be answered."""

from collections.abc import Sequence

from dm_core.durations import MINUTE_MS
from dm_core.messages import Message
from dm_core.processing import waits
from dm_core.telemetry import emit

EXPIRED_NOTICE = "I could not answer this person in time: their message waited too long. Please answer."
NOBODY_REACHED = (
    "Instagram takes my replies to nobody ({code}): people who wrote just now got no answer. Please answer in the "
    "inbox, and have the app's access to messages looked at; see docs/deploy.md#8-the-first-dm."
)
UNSURE_NOTICE = "I can't tell whether this reply arrived, so I did not repeat it: “{text}”"
CUT_SHORT = "every attempt was cut short"
FAILED_NOTICE = "I could not answer this person after {attempts} attempts ({error}). Please answer."


def unsure(text: str, follows: Sequence[str]) -> str:
    """Of a reply that may have gone out, so that a human can say it; and what was to follow it."""
    unsent = f" Nor did I send what follows it: “{' '.join(follows)}”" if follows else ""
    return UNSURE_NOTICE.format(text=text) + unsent


def tell_if_prolonged(thread_id: str, messages: Sequence[Message], now: int, reason: str) -> None:
    """Ring on another channel when DMs wait for long."""
    waited = now - min((message.created_at for message in messages), default=now)
    if waited >= waits.PROLONGED_MS:
        emit("wait_prolonged", "ERROR", thread_id=thread_id, minutes=waited // MINUTE_MS, reason=reason)
