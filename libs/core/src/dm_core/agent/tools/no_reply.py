"""End the run without an answer, on purpose."""

from dataclasses import dataclass

from dm_core.agent.guards import Refusal
from dm_core.agent.plan import PlannedCall
from dm_core.agent.tools.arguments import text_argument
from dm_core.agent.tools.declare import Kind, PlannedTool


@dataclass(frozen=True, slots=True)
class NoReply:
    """End without (further) answer, on purpose: the messages need none, such as a lone "ok thanks" or spam."""

    reason: str = text_argument("Why no answer is needed, in a few words.", max_chars=500)


def plan(arguments: NoReply, call: PlannedCall) -> Refusal | None:
    call.turn.ends[call.index] = arguments.reason
    call.answer({"status": "ended"})
    return None


TOOL = PlannedTool(
    name="no_reply",
    kind=Kind.END,
    arguments=NoReply,
    plan=plan,
    prompt="""\
- If nothing needs an answer (a lone "thanks", an emoji, obvious spam), call `no_reply`, or react with
  `react_to_instagram_message` where a person would. A question always gets an answer in words.""",
)
