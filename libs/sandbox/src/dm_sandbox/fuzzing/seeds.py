"""Real shapes to begin with: the corpus of webhook items, answers of the platforms and the model."""

from collections.abc import Mapping
from typing import Any, Final

from dm_sandbox.corpus import ACCOUNT, NOW, PERSON, cases, items

__all__ = ("ACCOUNT", "GRAPH_ERRORS", "ITEMS", "MODEL_ANSWERS", "NOW", "PERSON", "PLATFORM_ANSWERS")

ITEMS: Final = tuple(item for case in cases() for item in items(case.body))
"""Every item of the corpus."""


def _answer(*parts: object, finish: str = "STOP") -> dict[str, object]:
    content = {"role": "model", "parts": list(parts)}
    usage = {"promptTokenCount": 800, "candidatesTokenCount": 20, "thoughtsTokenCount": 32, "totalTokenCount": 852}
    return {
        "candidates": [{"content": content, "finishReason": finish, "index": 0, "safetyRatings": []}],
        "usageMetadata": usage,
        "modelVersion": "gemini-3.8-flash",
        "responseId": "r1",
    }


def _call(name: str, **args: object) -> dict[str, object]:
    return {"functionCall": {"id": f"c-{name}", "name": name, "args": args}, "thoughtSignature": "c2ln"}


WRITTEN_CALLS: Final = (
    'print(default_api.send_instagram_message(text="Hi"))',
    '```tool_code\nprint(no_reply(reason="x"))\n```',
    '<tool_call>{"name": "send_instagram_message", "arguments": {"text": "Hi"}}</tool_call>',
    "call:default_api:send_instagram_message{text:<ctrl46>Hi<ctrl46>}",
    '{"text": "Hi"}',
    'x(text="Hi")',
    "<|channel|>commentary to=functions.get_notes<|message|>{}",
    '[TOOL_CALLS]send_instagram_message[ARGS]{"text": "Hi"}',
    "<\uff5ctool\u2581calls\u2581begin\uff5c>",
    '<invoke name="send_instagram_message"><parameter name="text">Hi</parameter></invoke>',
    'Sure!\nsendInstagramMessage({"text": "Hi"})',
    "no_reply",
)
"""Calls as text, of several families of models (tests/unit/agent/data/written_calls.jsonl has all that are known)."""

ODD_ANSWERS: Final[tuple[dict[str, object], ...]] = (
    *(_answer({"text": text}) for text in WRITTEN_CALLS),
    _answer(_call("send_instagram_message", text=WRITTEN_CALLS[0])),
    _answer({"text": "It is on Tuesday."}, _call("react_to_instagram_message", message_id="m1", reaction="love")),
    _answer({"text": "It is on Tuesday."}, _call("no_reply", reason="answered")),
    _answer(_call("send_instagram_message", text="Hi"), _call("send_instagram_message", text="Hi"), _call("get_notes")),
    _answer(_call("send_instagram_message", text="Nets:\\n- Tuesday"), {"text": "I have sent the message."}),
    _answer({}, {"newThing": {"a": 1}}, {"thoughtSignature": "c2ln"}, _call("get_notes")),
    _answer({"functionCall": {"name": "get_notes", "args": {}}, "thoughtSignature": "!!"}),
    _answer({"functionCall": {"name": "send_instagram_message", "args": '{"text": "Hi"}'}}),
    _answer({"functionCall": {"name": "send_instagram_message", "args": [{"text": "Hi"}]}}),
    _answer({"functionCall": {"name": "send_instagram_message", "args": ["Hi"]}}),
    _answer({"text": "To be or not"}, finish="RECITATION"),
)
"""What models answer beside the point; each of it was reported of a real one."""

MODEL_ANSWERS: Final[tuple[dict[str, object], ...]] = (
    _answer({"text": "Hello!"}),
    _answer({"text": "thinking", "thought": True}, {"text": "Hello!"}),
    _answer(_call("send_instagram_message", text="Tuesday at 18:00.")),
    _answer(*[_call("send_instagram_message", text=f"part {n}") for n in range(9)]),
    _answer(_call("react_to_instagram_message", message_id="m1", reaction="love")),
    _answer(_call("send_manager_notification", text="please look", urgency="urgent"), _call("get_notes")),
    _answer(_call("get_net_session_dates", days_ahead=14), _call("get_thread_messages", limit=30)),
    _answer(_call("is_new_thread"), _call("save_note", text="likes nets"), _call("no_reply", reason="ok")),
    _answer(_call("no_reply", reason="nothing to say")),
    _answer(_call("drop_tables", everything=True)),
    *ODD_ANSWERS,
    _answer(finish="MAX_TOKENS"),
    {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}},
    {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": "x"}]},
    {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}},
    {},
)


def parts_of(answer: Mapping[str, Any]) -> list[object]:
    """The parts of an answer's first candidate."""
    return answer["candidates"][0]["content"]["parts"]


def _graph_error(code: int, subcode: int = 0, **parts: object) -> dict[str, object]:
    told = {"message": "(#1) told", "type": "IGApiException", "code": code, "error_subcode": subcode, **parts}
    return {"error": {**told, "fbtrace_id": "AbC"}}


THROTTLED: Final = _graph_error(4)
GRAPH_ERRORS: Final = tuple(
    _graph_error(code, subcode)
    for code, subcode in (
        *((1, 0), (2, 1545133), (1200, 2018024), (-1, 2018012)),
        *((4, 0), (190, 463), (368, 0), (230, 0)),
        *((10, 2534022), (10, 2018065), (100, 2534014), (551, 1545041), (9010, 0)),
        (100, 0),
    )
)
"""Some of each owner; the first row says nothing of whether a send went out."""

_MOMENT: Final = "2026-09-21T13:33:20+0000"
PLATFORM_ANSWERS: Final[dict[str, object]] = {
    "send": {"recipient_id": PERSON, "message_id": "aWdOut1"},
    "conversations": {
        "data": [
            {
                "id": "t1",
                "messages": {
                    "data": [
                        {"id": "o1", "created_time": _MOMENT, "from": {"id": PERSON}, "message": "older"},
                        {"id": "o2", "created_time": _MOMENT, "from": {"id": ACCOUNT}, "message": "ours"},
                    ]
                },
            }
        ]
    },
    "profile": {"name": "Ana", "username": "ana.bowls", "id": PERSON},
    "refresh": {"access_token": "IGAAfresh", "token_type": "bearer", "expires_in": 5_184_000},
    "subscribed": {"data": [{"id": "1", "subscribed_fields": ["messages", {"name": "standby"}]}]},
    "notify": {"messaging_product": "whatsapp", "contacts": [{"wa_id": "4477"}], "messages": [{"id": "wamid.1"}]},
    "login": {"accessToken": {"token": "eyJ.a.b", "expiration": "2026-09-23T00:00:00Z"}},
    "sponds": [
        {
            "id": "E1",
            "heading": "Net session",
            "type": "RECURRING",
            "startTimestamp": "2026-09-23T17:00:00Z",
            "endTimestamp": "2026-09-23T19:00:00Z",
            "responses": {"acceptedIds": ["A", "B"]},
            "maxAccepted": 16,
            "location": {"feature": "Hall", "address": "Mill Lane 4"},
        }
    ],
}
"""A success of every operation the clients use."""
