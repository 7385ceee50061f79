"""React with an emoji to one of the person's messages: best effort, never a reply."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import regex

from dm_core.agent.guards import Refusal
from dm_core.agent.plan import PlannedCall, Situation
from dm_core.agent.texts import cut, graphemes
from dm_core.agent.tools.arguments import text_argument
from dm_core.agent.tools.declare import Example, Kind, PlannedTool
from dm_core.messages import Direction
from dm_core.runs import ActionKind

MAX_REACTION_CODE_POINTS: Final = 8
_AROUND_A_HANDLE: Final = " \"'`[](){}<>#@"
_REACTION_WORDS: Final[Mapping[str, str]] = {
    "love": "love",
    "heart": "love",
    "❤": "love",
    "❤️": "love",
    "like": "👍",
    "thumbs_up": "👍",
    "thumbsup": "👍",
    "+1": "👍",
    "laugh": "😂",
    "haha": "😂",
    "wow": "😮",
    "sad": "😢",
    "angry": "😡",
}
"""Every flavour takes ``love``, some take any emoji, none takes other words (docs/platforms/instagram.md#sending)."""
_EMOJI: Final = regex.compile(r"\p{Extended_Pictographic}|\p{Regional_Indicator}|\u20e3")


@dataclass(frozen=True, slots=True)
class ReactToInstagramMessage:
    """React with an emoji to one of the person's messages, for instance to a thank-you that needs no words. A reaction
    does not answer a question."""

    message_id: str = text_argument("Handle of the person's message, such as m3.", max_chars=40)
    reaction: str = text_argument('"love" or a single emoji.', max_chars=40)


def plan(arguments: ReactToInstagramMessage, call: PlannedCall) -> Refusal | None:
    handle = arguments.message_id
    mid = target(call.turn.situation, handle)
    if mid is None:
        return Refusal("unknown_handle", f"there is no message {cut(handle, 40)!r}. Use a handle you were shown.")
    if not _may_react_to(call.turn.situation, mid):
        return Refusal("unknown_handle", f"{handle} can't be reacted to: choose one of the person's own messages.")
    value = normal_reaction(arguments.reaction)
    if value is None:
        return Refusal("bad_arguments", "'reaction' must be \"love\" or a single emoji. Call it again.")
    call.act(ActionKind.REACT, value, target=mid)
    return None


def target(situation: Situation, handle: str) -> str | None:
    """The platform's id of a message the model was shown (``m3``, ``[M3]``); it never names one itself."""
    return situation.run.handles.get(handle.strip(_AROUND_A_HANDLE).lower())


def _may_react_to(situation: Situation, mid: str) -> bool:
    """Only the person's messages. One that scrolled out of the page since it was shown is left to the platform."""
    known = [message for message in (*situation.recent, *situation.own) if message.mid == mid]
    return not known or any(m.direction is Direction.INBOUND and m.unsent_at is None for m in known)


def normal_reaction(reaction: str) -> str | None:
    """The reaction as the platform takes it, or None if it is no reaction."""
    if word := _REACTION_WORDS.get(reaction.strip(": ").lower().replace(" ", "_")):
        return word
    is_emoji = len(graphemes(reaction)) == 1 and _EMOJI.search(reaction) is not None
    return reaction if is_emoji and len(reaction) <= MAX_REACTION_CODE_POINTS else None


TOOL = PlannedTool(
    name="react_to_instagram_message",
    kind=Kind.ACTION,
    arguments=ReactToInstagramMessage,
    plan=plan,
    examples=(
        Example(
            r"\A\W*(?:\b(?:thanks?|thx|thanx|ty|you|so|very|much|lot|cheers|ta|great|perfect|ok|okay|takk|danke|dir|schön|vielen|dank|super|gracias|vale|muchas|genial)\b\W*)*\Z",
            {"message_id": "{handle}", "reaction": "love"},
            alone=True,
        ),
    ),
)
