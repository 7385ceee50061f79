"""Call a human, over WhatsApp. Who that is, is not the model's business."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dm_core.agent.guards import Refusal
from dm_core.agent.plan import PlannedCall
from dm_core.agent.texts import same_form
from dm_core.agent.tools.arguments import choice_argument, text_argument, yes_no_argument
from dm_core.agent.tools.declare import Example, Kind, PlannedTool
from dm_core.alerts import MODEL, AskedAlert, Urgency

URGENCIES: tuple[Urgency, ...] = ("normal", "urgent")
_MEANT: Final[Mapping[str, Urgency]] = dict.fromkeys(
    ("high", "critical", "emergency", "immediate", "asap", "true"), "urgent"
)
STORED: Final = "stored; the manager will be told"
_HURT: Final = r"\b(injur\w*|hurt|ambulance|accident|concuss\w*|urgent\w*|skadet)\b"
_HUMAN: Final = (
    r"\b(human|real person|(speak|talk|chat)(ing)? (to|with) (a|an|the|someone|somebody)|call me|ring me|manager|owner|"
    r"complain\w*|complaint|refund|lawyer|menneske|snakke med|klage|mensch(en)?|"
    r"beschwer\w*|erstattung|persona real|hablar con (una|alguna) persona|queja|reembolso)\b"
)


@dataclass(frozen=True, slots=True)
class SendManagerNotification:
    """Alert the manager, a human who then reads the conversation and answers there. The person does not see it: send
    them a message too. Once is enough."""

    text: str = text_argument(
        "What the manager must know, in a few sentences: what was asked, and why you alert them.",
        max_chars=2_000,
        is_cut=True,
    )
    urgency: Urgency = choice_argument(  # noqa: RUF009 - a dataclass field
        "urgent only where somebody may come to harm or must be reached today.", URGENCIES, "normal", _MEANT
    )
    hand_over: bool = yes_no_argument(
        "true if a human must go on with this conversation and you should not answer in it until they did.",
        default=False,
    )


def plan(arguments: SendManagerNotification, call: PlannedCall) -> Refusal | None:
    """Counted against what the run has asked in earlier turns; the same words again are one alert."""
    turn = call.turn
    earlier = [a for a in turn.situation.run.alerts if a.cause == MODEL and not a.key.startswith(f"{turn.key}/")]
    if any(same_form(alert.text) == same_form(arguments.text) for alert in (*earlier, *turn.alerts)):
        call.answer({"status": STORED})
        return None
    limit = turn.limits.max_notifications
    if len(earlier) + len(turn.alerts) >= limit:
        reason = "the manager has been alerted already" if limit else "the manager can't be alerted"
        return Refusal("notification_limit", f"not sent: {reason}.")
    refusal = turn.guards.refusal(arguments.text, to_person=False)
    if refusal is None:
        asked = AskedAlert(call.key, arguments.text, urgency=arguments.urgency, hand_over=arguments.hand_over)
        turn.alerts.append(asked)
        call.answer({"status": STORED})
    return refusal


def _passed_on(_: Mapping[str, object]) -> str:
    return "I've passed this on to our manager, who will get back to you here."


TOOL = PlannedTool(
    name="send_manager_notification",
    kind=Kind.ACTION,
    arguments=SendManagerNotification,
    plan=plan,
    examples=tuple(
        Example(when, {"text": "Somebody asks for a human: {words}", "urgency": urgency}, _passed_on)
        for when, urgency in ((_HURT, "urgent"), (_HUMAN, "normal"))
    ),
    prompt="""\
# When a human must know

Call `send_manager_notification`, and tell the person that you have passed it on and that somebody from the club will
answer here, when

- somebody is hurt, ill or in danger, or may harm themselves or others: `urgent`. In an emergency also tell them to
  ring the local emergency number now.
- there is any worry about the safety or treatment of a child or a vulnerable person, however small or unsure:
  `urgent`. Ask no questions about it, give no opinion, promise no secrecy.
- somebody complains, is angry at the club, disputes a payment, or speaks of a lawyer, the police or the press.
- somebody asks for a human, for the manager, or for something only a human can decide: membership, selection, refunds,
  exceptions, hire, sponsoring, access to or deletion of their data.
- someone wants to book, cancel or change something. You cannot do that yourself.
- you don't know the answer, or two things you know contradict each other, and it matters to the person.

Say in the notification what was asked and what you already answered. Use `urgent` for nothing else. It is stored at
once and reaches the manager by itself: don't wait for it. Set `hand_over` where only a human should go on in this
conversation: danger, safeguarding, a complaint or a dispute. Never name or
describe the manager, and give out no private number or address. If the manager was already alerted about the same thing
in this conversation, say that it has been passed on, and don't alert again.""",
)
