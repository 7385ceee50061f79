"""Answers of the model as Gemini's REST protocol writes them, for scripts and for the scripted model."""

import base64
import hashlib
import json
from collections.abc import Mapping

from dm_sandbox.platforms.model_request import Part

Body = Mapping[str, object]
"""The JSON body of one answer."""


def turn(*parts: Part, finish: str = "STOP") -> Body:
    """A model turn of these parts (see ``text`` and ``call``); the first call gets a thought signature."""
    signed: list[Part] = []
    for part in parts:
        first_call = "functionCall" in part and not any("functionCall" in each for each in signed)
        if first_call and "thoughtSignature" not in part:
            mark = hashlib.sha512(json.dumps([dict(part), len(signed)], default=str).encode()).digest()
            part = {**part, "thoughtSignature": base64.b64encode(mark).decode()}
        signed.append(part)
    candidate = {"content": {"role": "model", "parts": signed}, "finishReason": finish, "index": 0}
    return {"candidates": [candidate]}


def text(words: str) -> Part:
    """A text part."""
    return {"text": words}


def call(name: str, **args: object) -> Part:
    """A function call part, with an id made of its content."""
    mark = hashlib.sha256(json.dumps([name, args], default=str, sort_keys=True).encode()).hexdigest()[:12]
    return {"functionCall": {"id": f"call_{mark}", "name": name, "args": args}}


def blocked_prompt(reason: str = "PROHIBITED_CONTENT") -> Body:
    """The prompt was withheld: no candidates at all."""
    return {"promptFeedback": {"blockReason": reason}}


def finished(reason: str, message: str = "") -> Body:
    """A candidate without content, such as MALFORMED_FUNCTION_CALL or SAFETY."""
    candidate = {"finishReason": reason, "index": 0} | ({"finishMessage": message} if message else {})
    return {"candidates": [candidate]}


def no_candidates() -> Body:
    """An answer with nothing in it."""
    return {}
