"""The tool that calls a human, over WhatsApp. Who that is, is not the model's business."""

from dataclasses import dataclass

from dm_core.agent.tools.declare import choice_argument, text_argument, yes_no_argument
from dm_core.alerts import Urgency

URGENCIES: tuple[Urgency, ...] = ("normal", "urgent")


@dataclass(frozen=True, slots=True)
class SendManagerNotification:
    """Alert the manager, a human who then reads the conversation and answers there. The person does not see it: send
    them a message too. Once is enough."""

    text: str = text_argument(
        "What the manager must know, in a few sentences: what was asked, and why you alert them.", max_chars=2_000
    )
    urgency: Urgency = choice_argument(  # noqa: RUF009 - a dataclass field
        "urgent only where somebody may come to harm or must be reached today.", URGENCIES, "normal"
    )
    hand_over: bool = yes_no_argument(
        "true if a human must go on with this conversation and you should not answer in it until they did.",
        default=False,
    )
