"""The simulated model: mostly helpful, sometimes odd, and every text it writes is one of a kind.

A reply names the DMs it answers by the tokens they carry (``q0-3``: the fourth text of thread 0), so that the
platform's record tells which DMs were answered, by which call, and in which thread.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from dm_core.runs import Finish, ModelTurn, ToolCall, ToolTurn, Turn, Usage, UserTurn
from dm_sandbox.simulation.schedule import Manner

TOKEN: Final = re.compile(r"\bq\d+-\d+\b")
_WORDS: Final = re.compile(r"\b(q\d+-\d+) (v\d+)\b")
_BLOCK: Final = re.compile(r"<new_messages>\n(.*?)\n</new_messages>", re.DOTALL)
_OMITTED: Final = re.compile(r'"omitted_older_messages": \d')
_HANDLE: Final = re.compile(r'"handle": "(m\d+)"')
_SEND: Final = "send_instagram_message"
NOTIFY: Final = "send_manager_notification"
_DATA: Final = ("is_new_thread", "get_thread_messages", "get_notes", "get_net_session_dates")
_EMOJI: Final = "👍😂😮😢😡🎉🏏🙏🔥💯👏🤝😀😃😄😁😆😅🤣😊😇🙂🙃😉😌😍🥰😘😗😙😚😋😛😝😜🤪🤨🧐🤓😎"
_GOOD: Final = (
    *(Manner.REPLY,) * 8,
    Manner.REPLY_AND_REACT,
    Manner.REPLY_AND_REACT,
    Manner.REPLY_AND_NOTIFY,
    Manner.TWO_REPLIES,
    Manner.LOOK_FIRST,
    Manner.LOOK_FIRST,
    Manner.NOTE_AND_REPLY,
    Manner.REACT_ONLY,
    Manner.NO_REPLY,
)
"""Good manners as often as they are drawn; a long reply costs more to split than all else, so it is left to faults."""
_ENDLESS_CALLS: Final = 8
SECRET: Final = "sandbox-secret-4711"  # noqa: S105 - configured as one, so that a leak is refused


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request showed: tokens of the DMs to answer with the version of their words, and handles of them.

    ``omits``: there were too many of them, and the oldest are only counted.
    """

    words: Mapping[str, str]
    handles: tuple[str, ...]
    omits: bool = False

    @property
    def tokens(self) -> tuple[str, ...]:
        return tuple(self.words)

    @classmethod
    def of(cls, turns: Sequence[Turn]) -> "Asked":
        blocks = [block for turn in turns if isinstance(turn, UserTurn) for block in _BLOCK.findall(turn.text)]
        words = {token: version for block in blocks for token, version in _WORDS.findall(block)}
        omits = any(_OMITTED.search(block) for block in blocks)
        return cls(words, tuple(handle for block in blocks for handle in _HANDLE.findall(block)), omits)


_NUMBER: Final = re.compile(r'\{"answer": (\d+)')


def answer_number(turn: ModelTurn) -> int:
    """Which answer of its model this is; 0 for an odd one without content."""
    found = _NUMBER.match(turn.content)
    return int(found[1]) if found else 0


@dataclass(slots=True)
class ScriptedModel:
    """Answers every thread of a simulation; with ``always`` in one good manner.

    ``texts`` and ``answers`` count what it wrote.
    """

    rng: Random
    always: Manner | None = None
    texts: int = 0
    answers: int = 0
    _endless: dict[str, int] = field(default_factory=dict[str, int])

    def answer(self, thread_id: str, turns: Sequence[Turn], manner: Manner | None) -> ModelTurn:
        """One turn; ``manner`` None draws a good one."""
        asked = Asked.of(turns)
        if manner is Manner.ENDLESS_DATA:
            self._endless[thread_id] = _ENDLESS_CALLS
        if self._endless.get(thread_id, 0) > 0:
            self._endless[thread_id] -= 1
            return self._calls(*(self._look() for _ in range(self.rng.choice((1, 8)))))
        odd = _FINISHES.get(manner) if manner else None
        if odd is not None:
            return ModelTurn(content="", finish=odd, detail="simulated")
        if manner is None and isinstance(turns[-1], ToolTurn):
            return self._after(asked, turns[-1], turns)
        return self._in_manner(manner or self.always or self.rng.choice(_GOOD), asked)

    def _after(self, asked: Asked, results: ToolTurn, turns: Sequence[Turn]) -> ModelTurn:
        """Data came back, or something failed: reply, unless that was done; after a few tries leave it."""
        sent = any(r.name == _SEND and r.error is None for t in turns if isinstance(t, ToolTurn) for r in t.results)
        failed = any(result.error is not None for result in results.results)
        if sent or (failed and sum(isinstance(turn, ModelTurn) for turn in turns) > 3):
            return self._in_manner(Manner.NO_REPLY, asked)
        return self._in_manner(Manner.REPLY, asked)

    def _in_manner(self, manner: Manner, asked: Asked) -> ModelTurn:  # noqa: C901 - a table of manners
        reply, handle = self._reply(asked), (self.rng.choice(asked.handles) if asked.handles else "m1")
        match manner:
            case Manner.REPLY_AND_REACT:
                return self._calls(self._react(handle), reply)
            case Manner.REPLY_AND_NOTIFY:
                arguments = {"text": self._text(asked), "urgency": self.rng.choice(("normal", "normal", "urgent"))}
                return self._calls(reply, ToolCall(NOTIFY, arguments, "n"))
            case Manner.REPLY_AND_HAND_OVER:
                arguments = {"text": self._text(asked), "urgency": "normal", "hand_over": True}
                return self._calls(reply, ToolCall(NOTIFY, arguments, "n"))
            case Manner.TWO_REPLIES:
                return self._calls(reply, self._reply(asked))
            case Manner.LONG_REPLY:
                return self._calls(ToolCall(_SEND, {"text": self._long(asked)}, "l"))
            case Manner.LOOK_FIRST:
                return self._calls(self._look(), *(() if self.rng.random() < 0.7 else (reply,)))
            case Manner.NOTE_AND_REPLY:
                return self._calls(ToolCall("save_note", {"text": f"Note {self.texts}."}, "s"), reply)
            case Manner.REACT_ONLY:
                return self._calls(self._react(handle))
            case Manner.NO_REPLY:
                return self._calls(ToolCall("no_reply", {"reason": "nothing to add"}))
            case Manner.PLAIN_TEXT:
                return ModelTurn(content=self._content({}), text=self._text(asked), usage=Usage(9, 0, 9, 0))
            case Manner.UNKNOWN_TOOL:
                return self._calls(ToolCall("fly_to_the_moon", {}), reply)
            case Manner.BAD_ARGUMENTS:
                return self._calls(ToolCall(_SEND, {"words": ["x"]}), ToolCall(_SEND, {"text": 7}))
            case Manner.UNKNOWN_HANDLE:
                return self._calls(self._react("m99"), reply)
            case Manner.FOREIGN_HANDLE:
                return self._calls(self._react("aWdfZAG1faXRlbToxforeign"), reply)
            case Manner.MANY_CALLS:
                return self._calls(*(self._reply(asked) for _ in range(12)))
            case Manner.SAME_TEXT_TWICE:
                return self._calls(reply, reply)
            case Manner.LEAK:
                return self._calls(ToolCall(_SEND, {"text": f"{self._text(asked)} The key is {SECRET}."}))
            case Manner.HUGE:
                return self._calls(*(self._look() for _ in range(8)), padding=60_000)
            case _:
                return self._calls(reply)

    def _text(self, asked: Asked) -> str:
        self.texts += 1
        return f"#{self.texts} re {' '.join(asked.tokens[-40:])}, thank you."

    def _long(self, asked: Asked) -> str:
        """Some 2,600 bytes in sentences of their own, so that each part of it is one of a kind too."""
        stem = self._text(asked)
        return " ".join(f"{stem} Part {number} of a long answer about nets and fees." for number in range(30))

    def _reply(self, asked: Asked) -> ToolCall:
        return ToolCall(_SEND, {"text": self._text(asked)}, f"c{self.texts}")

    def _react(self, handle: str) -> ToolCall:
        """Each reaction of a simulation is another emoji (until they run out)."""
        self.texts += 1
        emoji = _EMOJI[self.texts % len(_EMOJI)]
        return ToolCall("react_to_instagram_message", {"message_id": handle, "reaction": emoji}, f"c{self.texts}")

    def _content(self, fields: Mapping[str, object]) -> str:
        """Each answer has a number of its own, first of all."""
        self.answers += 1
        return json.dumps({"answer": self.answers, **fields})

    def _look(self) -> ToolCall:
        name = self.rng.choice(_DATA)
        return ToolCall(name, {"limit": 50} if name == "get_thread_messages" else {})

    def _calls(self, *calls: ToolCall, padding: int = 0) -> ModelTurn:
        content = self._content({"calls": len(calls), "signature": "c2lnbmF0dXJl" * (padding // 12)})
        return ModelTurn(content=content, calls=calls, usage=Usage(100, 0, 10, 5), model_version="simulated")


_FINISHES: Final = {
    Manner.EMPTY: Finish.EMPTY,
    Manner.MALFORMED: Finish.MALFORMED,
    Manner.TRUNCATED: Finish.TRUNCATED,
    Manner.BLOCKED: Finish.BLOCKED,
}
