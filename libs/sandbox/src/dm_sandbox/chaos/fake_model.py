"""The model of a storm: answers every DM it is shown as new by its number, in words it never uses twice.

So the simulators' record alone tells which DM was answered how often: ``numbers_in`` a text that was sent.
"""

import itertools
import re
from collections.abc import Sequence
from random import Random

from dm_sandbox.platforms.answers import call, text
from dm_sandbox.platforms.model_request import ModelRequest, Part, ShownDm, json_objects, parts_of
from dm_sandbox.platforms.scripted_model import newest_dms
from dm_sandbox.platforms.server import as_object

NUMBER = re.compile(r"\bDM (\d+)\b")
SEND, REACT, NOTIFY = "send_instagram_message", "react_to_instagram_message", "send_manager_notification"


def numbers_in(words: str) -> list[int]:
    """The numbers of the DMs that a text names."""
    return [int(number) for number in NUMBER.findall(words)]


class FakeModel:
    """The model behind the Gemini simulator. ``shown`` are the numbers it has seen as new.

    With ``steady`` it only ever answers with one message; else it also asks for data first, reacts, notifies, splits
    its answer in two, or forgets to call a tool.
    """

    def __init__(self, random: Random, *, steady: bool = False) -> None:
        self.shown: set[int] = set()
        self._random, self._steady = random, steady
        self._serials = itertools.count(1)

    def __call__(self, request: ModelRequest) -> list[Part]:
        """The next model turn."""
        new = [dm for dm in newest_dms(request.user_texts) if numbers_in(dm.text)]
        self.shown |= {number for dm in new for number in numbers_in(dm.text)}
        said = _said(request)
        open_dms = [dm for dm in new if not said & set(numbers_in(dm.text))]
        if not open_dms:
            return [call("no_reply", reason="everything has been answered")]
        if self._steady:
            return [self._send(open_dms)]
        if not request.results(request.contents) and self._random.random() < 0.15:
            return [call("is_new_thread")]
        if self._random.random() < 0.05:
            return [text(self._words(open_dms))]
        return self._turn(open_dms)

    def _turn(self, dms: Sequence[ShownDm]) -> list[Part]:
        """Sends, sometimes with a reaction or an alert, in any order."""
        half = len(dms) // 2 if self._random.random() < 0.3 else 0
        parts = [self._send(share) for share in (dms[:half], dms[half:]) if share]
        if dms[-1].handle and self._random.random() < 0.3:
            parts.append(call(REACT, message_id=dms[-1].handle, reaction="love"))
        if self._random.random() < 0.15:
            parts.append(call(NOTIFY, text=f"Please look at this, note {next(self._serials)}", urgency="normal"))
        self._random.shuffle(parts)
        return parts

    def _send(self, dms: Sequence[ShownDm]) -> Part:
        return call(SEND, text=self._words(dms))

    def _words(self, dms: Sequence[ShownDm]) -> str:
        named = ", ".join(f"DM {number}" for dm in dms for number in numbers_in(dm.text))
        return f"Answer {next(self._serials)}: thank you for {named}"


def _said(request: ModelRequest) -> set[int]:
    """The numbers this run has answered already: its own calls that were not given up, and what it is told it did."""
    parts = [part for content in request.contents for part in parts_of(content)]
    responses = [as_object(part.get("functionResponse")) for part in parts]
    given_up = {str(each.get("id")) for each in responses if "error" in as_object(each.get("response"))}
    calls = [as_object(part.get("functionCall")) for part in parts]
    texts = [
        str(as_object(each.get("args")).get("text", ""))
        for each in calls
        if each.get("name") == SEND and str(each.get("id")) not in given_up
    ]
    told = [line for words in request.user_texts for line in json_objects(words) if line.get("action") == "send"]
    texts += [str(line.get("text", "")) for line in told if not str(line.get("became")).startswith("not sent")]
    return {number for words in texts for number in numbers_in(words)}
