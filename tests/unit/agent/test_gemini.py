"""The Gemini adapter, over HTTP to a local server that speaks ``generateContent``."""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.genai import Client, types

from dm_core.agent.gemini import MAX_OUTPUT_TOKENS, GeminiModel
from dm_core.agent.gemini_turns import MAX_CONTENT_BYTES, NOT_AN_OBJECT, contents, declarations
from dm_core.agent.tools.registry import DECLARATIONS
from dm_core.errors import AccountStopped, ModelRefused, ModelUnavailable, PlatformError, Service
from dm_core.media import Media, MediaKind
from dm_core.runs import Finish, ModelTurn, ToolResult, ToolTurn, Usage, UserTurn
from dm_core.settings import ModelSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "AIzaTestKey-123"
SIGNATURE = base64.b64encode(bytes(range(256))).decode()
Json = dict[str, object]


@dataclass(slots=True)
class Gemini:
    """A server that gives the answers set, the last one for ever, and keeps what it was asked."""

    answers: list[tuple[int, str | bytes] | None] = field(default_factory=list[tuple[int, str | bytes] | None])
    asked: list[Json] = field(default_factory=list[Json])
    paths: list[str] = field(default_factory=list[str])
    headers: list[Mapping[str, str]] = field(default_factory=list[Mapping[str, str]])
    url: str = ""
    more: str = ""
    content_type: str = "application/json"

    def answer(self, *bodies: Json) -> None:
        self.answers = [(200, json.dumps(body)) for body in bodies]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    await self._one(reader, writer)
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.paths.append(lines[0])
        self.headers.append(headers)
        self.asked.append(json.loads(body) if body.startswith(b"{") else {})
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:  # a stall
            await asyncio.Event().wait()
            return
        status, body = answer
        payload = body.encode() if isinstance(body, str) else body
        head = f"content-type: {self.content_type}\r\ncontent-length: {len(payload)}\r\n{self.more}\r\n"
        writer.write(f"HTTP/1.1 {status} X\r\n{head}".encode())
        writer.write(payload)
        await writer.drain()


def settings(url: str, timeout: float = 5, thinking: str = "") -> ModelSettings:
    return ModelSettings("gemini-3.8-flash", KEY, False, "project", "", url, timeout, thinking)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server() -> AsyncIterator[Gemini]:
    gemini = Gemini()
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.get_running_loop().create_task(gemini.serve(reader, writer)))

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    gemini.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    yield gemini
    listening.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def model(server: Gemini) -> AsyncIterator[GeminiModel]:
    """One for all: making a client loads certificates."""
    model = GeminiModel(settings(server.url))
    yield model
    await model.close()


@pytest.fixture
def gemini(server: Gemini) -> Gemini:
    server.answers, server.asked, server.paths, server.headers, server.more = [], [], [], [], ""
    server.content_type = "application/json"
    return server


def candidate(*parts: Json, finish: str = "STOP") -> Json:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": finish}]}


def call(name: str, args: Json | None = None, call_id: str | None = None, **part: object) -> Json:
    inner: Json = {"name": name, "args": args or {}}
    return {"functionCall": inner | ({"id": call_id} if call_id else {}), **part}


async def ask(model: GeminiModel, *turns: UserTurn | ModelTurn | ToolTurn) -> ModelTurn:
    return await model.generate(turns or (UserTurn("hi"),), DECLARATIONS, "You are the club.")


async def test_one_request_a_turn_with_everything_set(gemini: Gemini, model: GeminiModel) -> None:
    gemini.answer(
        candidate(call("send_instagram_message", {"text": "Tuesday"}, "fc1"))
        | {
            "usageMetadata": {
                "promptTokenCount": 900,
                "cachedContentTokenCount": 800,
                "candidatesTokenCount": 20,
                "thoughtsTokenCount": 7,
            },
            "modelVersion": "gemini-3.8-flash-002",
        }
    )

    turn = await ask(model)

    assert [(c.name, dict(c.arguments), c.id) for c in turn.calls] == [
        ("send_instagram_message", {"text": "Tuesday"}, "fc1")
    ]
    assert (turn.finish, turn.usage, turn.model_version) == (
        Finish.COMPLETE,
        Usage(900, 800, 20, 7),
        "gemini-3.8-flash-002",
    )
    assert gemini.paths == ["POST /v1beta/models/gemini-3.8-flash:generateContent HTTP/1.1"]
    assert gemini.headers[0]["x-goog-api-key"] == KEY
    asked = gemini.asked[0]
    assert asked["systemInstruction"] == {"parts": [{"text": "You are the club."}], "role": "user"}
    assert asked["contents"] == [{"parts": [{"text": "hi"}], "role": "user"}]
    declared = json.loads(json.dumps(asked["tools"]))[0]["functionDeclarations"]
    assert [tool["name"] for tool in declared] == [tool.name for tool in DECLARATIONS]
    assert "functionCallingConfig" in str(asked["toolConfig"])


async def test_files_follow_the_words_as_inline_data_and_are_counted(gemini: Gemini, model: GeminiModel) -> None:
    details = [
        {"modality": name, "tokenCount": count} for name, count in (("TEXT", 5), ("IMAGE", 1_120), ("AUDIO", 64))
    ]
    odd: list[Json] = [{"modality": 7}, {"tokenCount": 3}, {"modality": "HOLOGRAM", "tokenCount": 9}]
    gemini.answer(candidate({"text": "a"}) | {"usageMetadata": {"promptTokensDetails": [*details, *odd, None]}})
    picture = Media(MediaKind.PICTURE, "image/png", "digest", b"\xff\xfe picture")

    turn = await ask(model, UserTurn("hi", ("mid",), ('{"attached_to": "m1"}', picture, "left out")))

    contents = json.loads(json.dumps(gemini.asked[0]["contents"]))
    inline = {"data": base64.urlsafe_b64encode(picture.data).decode(), "mime_type": "image/png"}
    assert contents[0]["parts"] == [
        {"text": "hi"},
        {"text": '{"attached_to": "m1"}'},
        {"inlineData": inline},
        {"text": "left out"},
    ]
    assert turn.usage == Usage(image_tokens=1_120, audio_tokens=64)


@pytest.mark.parametrize("thinking", ["", "low"])
async def test_what_is_sent_is_what_the_sdks_own_types_would_send(gemini: Gemini, thinking: str) -> None:
    conversation = (
        UserTurn("Når er det trening? 🏏"),
        ModelTurn('{"parts": [{"functionCall": {"name": "get_notes", "args": {"a": [1, null]}, "id": "f1"}}]}'),
        ToolTurn((ToolResult("get_notes", "f1", {"notes": []}), ToolResult("is_new_thread", error="no"))),
    )
    gemini.answer(candidate({"text": "y"}))
    model = GeminiModel(settings(gemini.url, thinking=thinking))
    options = types.HttpOptions(base_url=gemini.url, api_version="v1beta")
    client = Client(vertexai=False, api_key=KEY, http_options=options)

    await model.generate(conversation, DECLARATIONS, "You are the club.")
    await client.aio.models.generate_content(
        model="gemini-3.8-flash",
        contents=[types.Content.model_validate(content) for content in contents(conversation)],
        config=types.GenerateContentConfig(
            thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW) if thinking else None,
            system_instruction="You are the club.",
            tools=[
                types.Tool(
                    function_declarations=[
                        types.FunctionDeclaration.model_validate(each) for each in declarations(DECLARATIONS)
                    ]
                )
            ],
            tool_config=types.ToolConfig(
                function_calling_config=types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.AUTO)
            ),
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            max_output_tokens=MAX_OUTPUT_TOKENS,
        ),
    )

    await model.close()
    await client.aio.aclose()
    ours, theirs = gemini.asked
    assert ours == theirs
    assert gemini.paths[0] == gemini.paths[1]


async def test_signatures_and_ids_go_back_as_they_came(gemini: Gemini, model: GeminiModel) -> None:
    signed = call("get_notes", {}, "fc1", thoughtSignature=SIGNATURE)
    gemini.answer(
        candidate({"text": "hm", "thought": True}, signed, call("is_new_thread", {}, "fc2")),
        candidate(call("send_instagram_message", {"text": "x"})),
    )
    first = await ask(model)
    answers = ToolTurn(
        (ToolResult("get_notes", "fc1", {"notes": []}), ToolResult("is_new_thread", "fc2", error="unavailable"))
    )

    await ask(model, UserTurn("hi"), first, answers, UserTurn("and?"))

    contents = json.loads(json.dumps(gemini.asked[1]["contents"]))
    assert [content["role"] for content in contents] == ["user", "model", "user", "user"]
    thought, returned, second = contents[1]["parts"]
    assert thought == {"text": "hm", "thought": True}
    assert base64.urlsafe_b64decode(returned["thoughtSignature"].replace("+", "-").replace("/", "_")) == bytes(
        range(256)
    )
    assert (returned["functionCall"]["id"], second["functionCall"]["id"]) == ("fc1", "fc2")
    assert contents[2]["parts"] == [
        {"functionResponse": {"id": "fc1", "name": "get_notes", "response": {"output": {"notes": []}}}},
        {"functionResponse": {"id": "fc2", "name": "is_new_thread", "response": {"error": "unavailable"}}},
    ]


async def test_nothing_of_an_answer_holds_half_a_character(gemini: Gemini, model: GeminiModel) -> None:
    parts: tuple[Json, ...] = ({"text": "a\ud83d"}, call("get_\ud83dnotes", {"b\ud83d": ["\udfcf"]}, "f\ud83d"))
    gemini.answer(candidate(*parts, finish="NEW\ud83d") | {"modelVersion": "gemini\ud83d"})

    turn = await ask(model)

    kept = (turn.text, turn.detail, turn.model_version, json.loads(turn.content), turn.calls)
    assert str(kept).encode()  # a lone half can't be encoded
    assert "\\ud83d" not in repr(kept)


async def test_thoughts_are_not_text(gemini: Gemini, model: GeminiModel) -> None:
    gemini.answer(candidate({"text": "secret plan", "thought": True}, {"text": "Hello "}, {"text": "there"}))

    turn = await ask(model)

    assert (turn.text, turn.finish) == ("Hello there", Finish.COMPLETE)


ODD_ANSWERS: list[tuple[Json, Finish, str]] = [
    ({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, Finish.BLOCKED, "prompt: PROHIBITED_CONTENT"),
    ({"promptFeedback": {"blockReason": "NEW_REASON"}}, Finish.BLOCKED, "prompt: NEW_REASON"),
    ({"promptFeedback": {"blockReason": "OTHER"}}, Finish.MALFORMED, "prompt: OTHER"),
    ({"promptFeedback": {"blockReason": "BLOCK_REASON_UNSPECIFIED"}}, Finish.MALFORMED, "prompt: BLOCK_REASON"),
    (candidate({"text": "x"}, finish="SAFETY"), Finish.BLOCKED, "SAFETY"),
    ({"candidates": [{"finishReason": "RECITATION"}]}, Finish.MALFORMED, "RECITATION"),
    (candidate({"text": "To be or"}, finish="LANGUAGE"), Finish.MALFORMED, "LANGUAGE"),
    (candidate({"text": "The next is on Tue"}, finish="OTHER"), Finish.MALFORMED, "OTHER"),
    (candidate({"text": "I hate"}, finish="safety"), Finish.BLOCKED, "SAFETY"),
    (candidate({}, {"newThing": {"a": 1}}), Finish.EMPTY, "no text"),
    (candidate({"text": {"a": 1}}, {"functionCall": "get_notes"}), Finish.EMPTY, "no text"),
    ({"candidates": [{"content": {"parts": "x"}}]}, Finish.EMPTY, "no text"),
    ({"candidates": ["x"]}, Finish.EMPTY, "no text"),
    (candidate(call("get_notes"), {"functionCall": {"name": 7}}), Finish.MALFORMED, "without a name"),
    ({"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]}, Finish.MALFORMED, "MALFORMED_FUNCTION_CALL"),
    ({"candidates": [{"finishReason": "UNEXPECTED_TOOL_CALL"}]}, Finish.MALFORMED, "UNEXPECTED_TOOL_CALL"),
    ({"candidates": [{"finishReason": "MISSING_THOUGHT_SIGNATURE"}]}, Finish.MALFORMED, "MISSING_THOUGHT"),
    (candidate(call("get_notes"), finish="MAX_TOKENS"), Finish.TRUNCATED, "MAX_TOKENS"),
    (candidate({"text": "half"}, finish="CONTINUATION"), Finish.TRUNCATED, "CONTINUATION"),
    ({}, Finish.EMPTY, "no candidates"),
    ({"candidates": []}, Finish.EMPTY, "no candidates"),
    ({"candidates": [{"finishReason": "STOP"}]}, Finish.EMPTY, "no text"),
    ({"candidates": [{"content": {}, "finishReason": "STOP"}]}, Finish.EMPTY, "no text"),
    ({"candidates": [{"content": {"role": "model"}}]}, Finish.EMPTY, "no text"),
    (candidate({"text": " \n"}), Finish.EMPTY, "no text"),
    (candidate({"text": "only thinking", "thought": True}), Finish.EMPTY, "no text"),
    ({"candidates": [{"finishReason": "SOMETHING_NEW"}]}, Finish.EMPTY, "SOMETHING_NEW"),
    (candidate({"functionCall": {"args": {}}}), Finish.MALFORMED, "without a name"),
    (candidate(call("save_note", {"text": "x" * MAX_CONTENT_BYTES})), Finish.MALFORMED, "bytes"),
    (candidate(call("save_note", {"text": "한" * (MAX_CONTENT_BYTES // 3)})), Finish.MALFORMED, "bytes"),
]


@pytest.mark.filterwarnings("ignore:.* is not a valid")
@pytest.mark.parametrize(("body", "finish", "detail"), ODD_ANSWERS)
async def test_an_odd_answer_is_a_turn_that_says_so(
    gemini: Gemini, model: GeminiModel, body: Json, finish: Finish, detail: str
) -> None:
    gemini.answer(body)

    turn = await ask(model)

    assert (turn.finish, turn.calls) == (finish, ())
    assert detail in turn.detail
    assert len(gemini.asked) == 1


WHOLE = candidate({"text": "Tuesday"})["candidates"]
assert isinstance(WHOLE, list)
WHOLE_ANSWERS: list[Json] = [
    {"candidates": [{"finishReason": "SAFETY"}, *WHOLE]},
    {"candidates": [{"finishReason": "MAX_TOKENS", "content": {"parts": [{"text": "Tue"}]}}, *WHOLE]},
    {"candidates": WHOLE, "promptFeedback": {"blockReason": "BLOCK_REASON_UNSPECIFIED"}},
]


@pytest.mark.filterwarnings("ignore:.* is not a valid")
@pytest.mark.parametrize("body", WHOLE_ANSWERS)
async def test_the_candidate_that_is_whole_is_the_answer(gemini: Gemini, model: GeminiModel, body: Json) -> None:
    gemini.answer(body)

    turn = await ask(model)

    assert (turn.text, turn.finish) == ("Tuesday", Finish.COMPLETE)


async def test_a_tool_that_the_api_did_not_know_is_called_as_it_was_meant(gemini: Gemini, model: GeminiModel) -> None:
    gemini.answer(candidate(call("default_api:getNotes"), call("send_money"), finish="UNEXPECTED_TOOL_CALL"))

    turn = await ask(model)

    assert ([each.name for each in turn.calls], turn.finish) == (["get_notes", "send_money"], Finish.COMPLETE)


@pytest.mark.parametrize(("beside", "made"), [((call("is_new_thread"),), "is_new_thread"), ((), "get_notes")])
async def test_a_call_in_a_thought_is_only_thought_of_where_another_is_made(
    gemini: Gemini, model: GeminiModel, beside: tuple[Json, ...], made: str
) -> None:
    gemini.answer(candidate(call("get_notes", thought=True), *beside))

    assert [each.name for each in (await ask(model)).calls] == [made]


async def test_thirty_calls_and_odd_arguments_are_passed_on_as_they_are(gemini: Gemini, model: GeminiModel) -> None:
    gemini.answer(candidate(*(call("get_notes", {"limit": [n, None, {"a": 1.5}]}) for n in range(30))))

    turn = await ask(model)

    assert len(turn.calls) == 30
    assert turn.calls[29].arguments == {"limit": [29, None, {"a": 1.5}]}
    assert turn.calls[0].id is None


ARGUMENTS: list[tuple[object, Json]] = [
    ('{"text": "Tuesday"}', {"text": "Tuesday"}),
    ([{"text": "Tuesday"}], {"text": "Tuesday"}),
    ('[{"text": "Tuesday"}]', {"text": "Tuesday"}),
    (None, {}),
    ("", {}),
    ([], {}),
    ("Tuesday", {NOT_AN_OBJECT: "Tuesday"}),
    (["Tuesday", 18], {NOT_AN_OBJECT: ["Tuesday", 18]}),
    (True, {NOT_AN_OBJECT: True}),
    ({"text": "half \ud83d"}, {"text": "half "}),
]


@pytest.mark.parametrize(("given_args", "taken"), ARGUMENTS)
async def test_arguments_are_an_object_whatever_came(
    gemini: Gemini, model: GeminiModel, given_args: object, taken: Json
) -> None:
    gemini.answer(candidate({"functionCall": {"name": "get_notes", "args": given_args}}), candidate({"text": "ok"}))

    turn = await ask(model)
    await ask(model, UserTurn("hi"), turn, ToolTurn((ToolResult("get_notes"),)))

    assert [(called.name, dict(called.arguments)) for called in turn.calls] == [("get_notes", taken)]
    assert returned(gemini) == [{"functionCall": {"name": "get_notes", "args": taken}}]


def returned(gemini: Gemini) -> object:
    """The parts of the model's own turn in the second request."""
    return json.loads(json.dumps(gemini.asked[1]["contents"]))[1]["parts"]


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"text": ""},
        {"thoughtSignature": SIGNATURE},
        {"newThing": {"a": 1}},
        {"executableCode": {"code": "print()", "language": "PYTHON"}},
        {"text": None, "thought": True},
        {"text": "", "thoughtSignature": ""},
    ],
)
async def test_a_part_the_api_would_refuse_does_not_go_back(gemini: Gemini, model: GeminiModel, odd: Json) -> None:
    gemini.answer(candidate(odd, call("get_notes", {}, "fc1"), odd), candidate({"text": "ok"}))

    turn = await ask(model)
    await ask(model, UserTurn("hi"), turn, ToolTurn((ToolResult("get_notes", "fc1"),)))

    assert turn.finish is Finish.COMPLETE
    assert returned(gemini) == [{"functionCall": {"id": "fc1", "name": "get_notes", "args": {}}}]


@pytest.mark.parametrize("signature", ["", "!!not base64", "c2lnb", 7, None, ["x"]])
async def test_a_broken_signature_does_not_go_back(gemini: Gemini, model: GeminiModel, signature: object) -> None:
    gemini.answer(candidate(call("get_notes", thoughtSignature=signature)), candidate({"text": "ok"}))

    turn = await ask(model)
    await ask(model, UserTurn("hi"), turn, ToolTurn((ToolResult("get_notes"),)))

    assert returned(gemini) == [{"functionCall": {"name": "get_notes", "args": {}}}]


@pytest.mark.parametrize("signature", ["c2ln", "c2lnbg==", "c2lnbg", "-_-_", "+/+/"])
async def test_a_signature_goes_back_in_whichever_base64_it_came(
    gemini: Gemini, model: GeminiModel, signature: str
) -> None:
    gemini.answer(candidate(call("get_notes", thoughtSignature=signature)), candidate({"text": "ok"}))

    turn = await ask(model)
    await ask(model, UserTurn("hi"), turn, ToolTurn((ToolResult("get_notes"),)))

    assert returned(gemini) == [{"functionCall": {"name": "get_notes", "args": {}}, "thoughtSignature": signature}]


async def test_a_signature_on_an_empty_text_goes_back(gemini: Gemini, model: GeminiModel) -> None:
    gemini.answer(candidate({"text": "Hello"}, {"text": "", "thoughtSignature": SIGNATURE}), candidate({"text": "ok"}))

    turn = await ask(model)
    await ask(model, UserTurn("hi"), turn, UserTurn("go on"))

    parts = json.loads(json.dumps(returned(gemini)))
    assert [part["text"] for part in parts] == ["Hello", ""]
    assert "thoughtSignature" in parts[1]


async def test_a_turn_kept_by_an_older_version_is_mended_on_its_way_back(gemini: Gemini, model: GeminiModel) -> None:
    gemini.answer(candidate({"text": "ok"}))
    kept = json.dumps({"role": "model", "parts": [{}, {"text": "Hello"}]})

    await ask(model, UserTurn("hi"), ModelTurn(kept, "Hello"), UserTurn("go on"), ModelTurn("script", "Bye"))

    contents = json.loads(json.dumps(gemini.asked[0]["contents"]))
    assert [content["parts"] for content in contents] == [
        [{"text": "hi"}],
        [{"text": "Hello"}],
        [{"text": "go on"}],
        [{"text": "Bye"}],
    ]


async def test_an_unusable_turn_is_not_sent_back(gemini: Gemini, model: GeminiModel) -> None:
    gemini.answer(candidate(call("get_notes"), finish="MAX_TOKENS"), candidate({"text": "ok"}))
    cut = await ask(model)

    await ask(model, UserTurn("hi"), cut, ToolTurn((ToolResult("get_notes"),)), UserTurn("again"))

    assert [content["parts"] for content in json.loads(json.dumps(gemini.asked[1]["contents"]))] == [
        [{"text": "hi"}],
        [{"text": "again"}],
    ]


def refused(status: int, word: str = "", message: str = "", *details: Json) -> tuple[int, str]:
    error = {"code": status, "status": word, "message": message, "details": list(details)}
    return status, json.dumps({"error": error})


def retry_info(delay: object) -> Json:
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


def error_info(reason: str) -> Json:
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}


@pytest.mark.parametrize(
    "answer",
    [
        refused(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
        refused(500, "INTERNAL"),
        refused(504, "DEADLINE_EXCEEDED"),
        refused(499, "CANCELLED"),
        refused(408),
        refused(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan and billing"),
        (429, "slow down"),
        refused(429, "RESOURCE_EXHAUSTED", "Quota exceeded for metric: x, limit: 20, model: y"),
        (502, "<html>oops</html>"),
        (520, ""),
        (400, ""),
        (400, "<html>bad gateway in disguise</html>"),
        (400, "[]"),
        (418, "7"),
        (204, ""),
    ],
)
async def test_an_outage_is_told_after_one_request(gemini: Gemini, model: GeminiModel, answer: tuple[int, str]) -> None:
    gemini.answers = [answer]

    with pytest.raises(ModelUnavailable) as caught:
        await ask(model)

    assert len(gemini.asked) == 1
    assert (caught.value.service, caught.value.code) == (Service.MODEL, answer[0])
    assert caught.value.wait_seconds is None


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [
        ("37s", 37.0),
        ("45.837906927s", 45.837906927),
        ("31536000s", 3_600.0),
        ("9" * 20 + "s", 3_600.0),
        ("0s", None),
        ("-5s", None),
        ("37", None),
        ("NaNs", None),
        ("", None),
        (37, None),
        (None, None),
        ({"seconds": 37}, None),
    ],
)
async def test_the_wait_of_a_throttle_is_google_rpcs(
    gemini: Gemini, model: GeminiModel, delay: object, seconds: float | None
) -> None:
    gemini.answers = [refused(429, "RESOURCE_EXHAUSTED", "quota", error_info("X"), retry_info(delay))]

    with pytest.raises(ModelUnavailable) as caught:
        await ask(model)

    assert caught.value.wait_seconds == seconds


@pytest.mark.parametrize(
    ("message", "details", "seconds"),
    [
        ("Quota exceeded. Please retry in 373.801628ms.", (), 0.373801628),
        ("Quota exceeded. Please retry in 1m2.5s.", (), 62.5),
        ("You have exhausted your capacity. Your quota will reset after 18h31m10s.", (), 3_600.0),
        ("Please retry in 38.9s.", (retry_info("38s"),), 38.9),
        ("busy", ({**error_info("RATE_LIMIT_EXCEEDED"), "metadata": {"quotaResetDelay": "373.8ms"}},), 0.3738),
        ("busy", (retry_info("2s"), retry_info("7s")), 7.0),
        ("Please retry in 5 minutes.", (), None),
        ("Please retry in 3stones.", (), None),
    ],
)
async def test_other_forms_of_a_wait_count_too(
    gemini: Gemini, model: GeminiModel, message: str, details: tuple[Json, ...], seconds: float | None
) -> None:
    gemini.answers = [refused(429, "RESOURCE_EXHAUSTED", message, *details)]

    with pytest.raises(ModelUnavailable) as caught:
        await ask(model)

    assert caught.value.wait_seconds == (seconds if seconds is None else pytest.approx(seconds))


async def test_a_wait_may_be_in_words_or_in_the_header(gemini: Gemini, model: GeminiModel) -> None:
    gemini.answers = [refused(429, "RESOURCE_EXHAUSTED", "Quota exceeded. Please retry in 47.434392449s.")]
    with pytest.raises(ModelUnavailable) as in_words:
        await ask(model)
    gemini.answers, gemini.more = [(503, "busy")], "Retry-After: 12\r\n"
    with pytest.raises(ModelUnavailable) as in_header:
        await ask(model)

    assert in_words.value.wait_seconds == 47.434392449
    assert in_header.value.wait_seconds == 12


@pytest.mark.parametrize(
    "answer",
    [
        refused(401, "UNAUTHENTICATED"),
        refused(403, "PERMISSION_DENIED", "denied", error_info("SERVICE_DISABLED")),
        refused(404, "NOT_FOUND", "models/gemini-0 is not found"),
        refused(402),
        (403, "<html>forbidden</html>"),
        refused(
            400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", error_info("API_KEY_INVALID")
        ),
        refused(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
        refused(400, "INVALID_ARGUMENT", "API key expired. Please renew the API key."),
        refused(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
        refused(400, "FAILED_PRECONDITION", "Please enable billing on your project"),
        refused(400, "INVALID_ARGUMENT", "Thinking level is not supported for this model."),
        refused(400, "INVALID_ARGUMENT", "Unable to submit request because thinking_level MEDIUM is not supported"),
        refused(400, "INVALID_ARGUMENT", "Thinking is not enabled for models/gemini-2.0-flash"),
        refused(400, "INVALID_ARGUMENT", "Function calling is not enabled for models/gemma-3-27b-it"),
        refused(400, "INVALID_ARGUMENT", "Developer instruction is not enabled for models/gemma-3-27b-it"),
        refused(400, "INVALID_ARGUMENT", "* GenerateContentRequest.tools[0].function_declarations[1].name: Invalid"),
        refused(400, "INVALID_ARGUMENT", 'Invalid JSON payload received. Unknown name "system_instruction": no field'),
        refused(400, "INVALID_ARGUMENT", 'Unknown name "toolConfig": Cannot find field.'),
        refused(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted. Please go to AI Studio."),
        refused(429, "RESOURCE_EXHAUSTED", "Your project has exceeded its monthly spending cap."),
        refused(429, "RESOURCE_EXHAUSTED", "Quota exceeded for metric: x, limit: 0, model: y\nPlease retry in 25s."),
        refused(429, "RESOURCE_EXHAUSTED", "Gemini 2.5 Pro Preview doesn't have a free quota tier."),
        refused(
            429, "RESOURCE_EXHAUSTED", "x", {"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel"}]}
        ),
        refused(429, "RESOURCE_EXHAUSTED", "Quota exceeded for metric: generate_requests_per_model_per_day"),
        refused(410, "", "This model was retired."),
        refused(400, "INVALID_ARGUMENT", "models/gemini-0 is no longer available. Please use a newer model."),
        refused(400, "INVALID_ARGUMENT", "API Key must be set when using the Google AI API."),
        refused(400, "INVALID_ARGUMENT", "Invalid resource", error_info("RESOURCE_PROJECT_INVALID")),
    ],
)
async def test_a_key_or_a_permission_stops_the_deployment(
    gemini: Gemini, model: GeminiModel, answer: tuple[int, str]
) -> None:
    gemini.answers = [answer]

    with pytest.raises(AccountStopped) as caught:
        await ask(model)

    assert (caught.value.service, caught.value.code) == (Service.MODEL, answer[0])
    assert len(gemini.asked) == 1


async def test_a_stopped_deployment_is_asked_again_when_the_model_says(gemini: Gemini, model: GeminiModel) -> None:
    day: Json = {"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel"}]}
    gemini.answers.append(refused(429, "RESOURCE_EXHAUSTED", "x", day, {"retryDelay": "1800s"}))

    with pytest.raises(AccountStopped) as caught:
        await ask(model)

    assert caught.value.wait_seconds == 1_800


@pytest.mark.parametrize(
    "answer",
    [
        refused(400, "INVALID_ARGUMENT", "Please ensure that function call turn comes immediately after a user turn"),
        refused(400, "INVALID_ARGUMENT", "Function call `f` in the current turn is missing a thought_signature."),
        refused(400, "INVALID_ARGUMENT", "Unknown name \"id\" at 'contents[1].parts[0].function_call': no field."),
        refused(400, "INVALID_ARGUMENT", "Audio input modality is not enabled for models/gemini-3.8-flash"),
        refused(
            400, "INVALID_ARGUMENT", "The input token count (1200000) exceeds the maximum number of tokens allowed"
        ),
        refused(400, "INVALID_ARGUMENT", "Request contains an invalid argument."),
        refused(413, "", "Request payload size exceeds the limit"),
        refused(413, "INTERNAL", "too large"),
    ],
)
async def test_a_history_the_api_does_not_take_is_the_requests(
    gemini: Gemini, model: GeminiModel, answer: tuple[int, str]
) -> None:
    gemini.answers = [answer]

    with pytest.raises(ModelRefused) as caught:
        await ask(model)

    assert (caught.value.service, caught.value.code) == (Service.MODEL, answer[0])


IN_A_LIST = "[" + refused(403, "PERMISSION_DENIED", "Your API key was reported as leaked.")[1] + "]"
WRITTEN_INTO = json.dumps({"error": {"message": refused(400, "INVALID_ARGUMENT", "x")[1], "code": 400, "status": "No"}})


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((200, refused(503, "UNAVAILABLE", "overloaded")[1]), ModelUnavailable),
        ((200, "[" + refused(429, "RESOURCE_EXHAUSTED", "slow down")[1] + "]"), ModelUnavailable),
        ((200, '{"error": {"status": "INTERNAL"}, "candidates": []}'), ModelUnavailable),
        ((200, "<html>sign in</html>"), ModelUnavailable),
        ((200, '{"candidates": [{"content": {"par'), ModelUnavailable),
        ((200, refused(401, "UNAUTHENTICATED")[1]), AccountStopped),
        ((200, IN_A_LIST), AccountStopped),
        ((403, IN_A_LIST), AccountStopped),
        ((403, "Accès refusé".encode("latin-1")), AccountStopped),
        ((403, b"\xff\xfe\x00"), AccountStopped),
        ((403, b"\xef\xbb\xbf" + refused(403)[1].encode()), AccountStopped),
        ((502, "Fehler: überlastet".encode("latin-1")), ModelUnavailable),
        ((301, ""), ModelUnavailable),
        ((400, WRITTEN_INTO), ModelRefused),
        ((400, "[" + WRITTEN_INTO + "]"), ModelRefused),
        ((200, WRITTEN_INTO), ModelRefused),
        ((400, "[" * 3_000), ModelUnavailable),
    ],
)
async def test_an_error_is_found_wherever_it_is_written(
    gemini: Gemini, model: GeminiModel, answer: tuple[int, str | bytes], kind: type[PlatformError]
) -> None:
    gemini.answers = [answer]

    with pytest.raises(kind):
        await ask(model)


async def test_a_wait_counts_wherever_it_is_written(gemini: Gemini, model: GeminiModel) -> None:
    asked: list[float | None] = []
    inner = refused(429, "RESOURCE_EXHAUSTED", "quota", retry_info("37s"))[1]
    for answer in ((200, inner), (429, f"[{inner}]"), (429, json.dumps({"error": {"message": inner, "code": 429}}))):
        gemini.answers = [answer]
        with pytest.raises(ModelUnavailable) as caught:
            await ask(model)
        asked.append(caught.value.wait_seconds)
    gemini.answers, gemini.more = [(429, "Größe".encode("latin-1"))], "Retry-After: 12\r\n"
    with pytest.raises(ModelUnavailable) as in_header:
        await ask(model)

    assert [*asked, in_header.value.wait_seconds] == [37, 37, 37, 12]


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=ISO-8859-1", "text/html", "text/plain; charset=nonsense"]
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
async def test_an_answer_is_read_as_utf_8_whatever_it_says(
    gemini: Gemini, model: GeminiModel, content_type: str, mark: bytes
) -> None:
    gemini.answers = [(200, mark + json.dumps(candidate({"text": "Nå 🏏"}), ensure_ascii=False).encode())]
    gemini.content_type = content_type

    assert (await ask(model)).text == "Nå 🏏"


async def test_an_answer_alone_in_a_list_is_the_answer(gemini: Gemini, model: GeminiModel) -> None:
    gemini.answers = [(200, json.dumps([candidate({"text": "Hello"})]))]

    assert (await ask(model)).text == "Hello"


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        ("default_api.get_notes", "get_notes"),
        ("default_api:get_notes", "get_notes"),
        ("default_api_get_notes", "get_notes"),
        ("riverside.cricket.get_notes", "get_notes"),
        ("functions/get_notes()", "get_notes"),
        ("mcp__club__get_notes", "get_notes"),
        (" get_notes\n", "get_notes"),
        ("sendInstagramMessage", "send_instagram_message"),
        ("send-instagram-message", "send_instagram_message"),
        ("Get_Notes", "get_notes"),
        ("print(default_api.get_notes())", "print(default_api.get_notes())"),
        ("get_notes.delete", "get_notes.delete"),
        ("forget_notes", "forget_notes"),
        ("send_money", "send_money"),
    ],
)
async def test_a_tool_is_known_under_an_invented_namespace(
    gemini: Gemini, model: GeminiModel, name: str, tool: str
) -> None:
    gemini.answer(candidate(call(name, {}, "fc1")), candidate({"text": "ok"}))

    turn = await ask(model)
    await ask(model, UserTurn("hi"), turn, ToolTurn((ToolResult(turn.calls[0].name, "fc1"),)))

    assert [called.name for called in turn.calls] == [tool]
    assert returned(gemini) == [{"functionCall": {"id": "fc1", "name": tool, "args": {}}}]


async def test_a_key_that_no_header_can_carry_stops_the_deployment(gemini: Gemini) -> None:
    gemini.answer(candidate({"text": "ok"}))
    model = GeminiModel(replace(settings(gemini.url), api_key="AIza schlüssel"))

    with pytest.raises(AccountStopped) as caught:
        await ask(model)

    assert "schlüssel" not in str(caught.value)
    assert gemini.asked == []
    await model.close()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
async def test_no_error_quotes_the_key_or_a_person(gemini: Gemini, model: GeminiModel, status: int) -> None:
    message = f"Bad key {KEY} for my private DM, retry in 5s"
    info: Json = {**error_info("my private DM"), "retryDelay": "my private DM"}
    gemini.answers = [refused(status, "my private DM", message, info)]

    with pytest.raises(PlatformError) as caught:
        await ask(model)

    assert str(caught.value) == f"the model answered {status}"


@pytest.mark.parametrize(
    "body",
    ["", "not json", "[]", "[1]", '"text"', "null", "7", '{"candidates": 7}', '{"candidates": [{"content": []}]}'],
)
async def test_a_body_of_another_shape_is_an_odd_turn_or_no_answer(
    gemini: Gemini, model: GeminiModel, body: str
) -> None:
    gemini.answers = [(200, body)]

    if body.startswith("{"):
        assert (await ask(model)).finish is Finish.EMPTY
    else:
        with pytest.raises(ModelUnavailable, match="answered 200"):
            await ask(model)


@pytest.mark.parametrize("status", [200, 400, 429, 500])
@pytest.mark.parametrize(
    "body", ['{"error": "odd"}', '{"error": [1]}', '{"error": {"details": 7, "message": [], "status": {}}}', "[[]]"]
)
async def test_an_error_of_another_shape_is_sorted_all_the_same(
    gemini: Gemini, model: GeminiModel, status: int, body: str
) -> None:
    gemini.answers = [(status, body)]

    try:
        turn = await ask(model)
    except PlatformError as error:
        assert isinstance(error, ModelUnavailable)
    else:
        assert turn.finish is Finish.EMPTY


async def test_a_stall_ends_with_the_timeout(gemini: Gemini) -> None:
    gemini.answers = [None]
    model = GeminiModel(settings(gemini.url, timeout=0.2))

    with pytest.raises(ModelUnavailable):
        await ask(model)

    assert len(gemini.asked) <= 1
    await model.close()


async def test_a_surrounding_deadline_is_not_the_models_fault(gemini: Gemini, model: GeminiModel) -> None:
    gemini.answers = [None]

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await ask(model)


async def test_nobody_there_is_unavailable() -> None:
    model = GeminiModel(settings("http://127.0.0.1:1"))

    with pytest.raises(ModelUnavailable, match="could not be asked"):
        await ask(model)

    await model.close()


async def test_the_environment_decides_nothing(gemini: Gemini, monkeypatch: pytest.MonkeyPatch) -> None:
    ambient = {
        "GOOGLE_GENAI_USE_VERTEXAI": "true",
        "GOOGLE_GENAI_USE_ENTERPRISE": "true",
        "GOOGLE_API_KEY": "ambient",
        "GEMINI_API_KEY": "ambient",
        "GOOGLE_CLOUD_PROJECT": "ambient",
        "GOOGLE_CLOUD_LOCATION": "ambient",
        "GOOGLE_GENAI_CLIENT_MODE": "replay",
        "GOOGLE_GENAI_API_VERSION": "v1",
        "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:1",
        "GOOGLE_GENAI_HTTP_CLIENT": "httpx",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "ALL_PROXY": "http://127.0.0.1:1",
    }
    for name, value in ambient.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("google.genai._api_client.has_aiohttp", True)  # as if something had installed it
    gemini.answer(candidate({"text": "ok"}))
    model = GeminiModel(settings(gemini.url))

    turn = await ask(model)

    assert turn.text == "ok"
    assert gemini.headers[0]["x-goog-api-key"] == KEY
    assert gemini.paths[0].startswith("POST /v1beta/models/")
    assert "aiohttp" not in sys.modules
    await model.close()


async def test_a_closed_model_opens_again(gemini: Gemini, model: GeminiModel) -> None:
    gemini.answer(candidate({"text": "ok"}))
    await ask(model)

    await model.close()
    turn = await ask(model)

    assert turn.text == "ok"


async def test_vertex_is_asked_as_the_project_and_never_with_a_key(
    gemini: Gemini, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    account = {
        "type": "service_account",
        "client_email": "processor@project.iam.gserviceaccount.com",
        "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "token_uri": f"{gemini.url}/token",
        "project_id": "project",
    }
    (tmp_path / "account.json").write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
    gemini.answer({"access_token": "t0", "expires_in": 3600, "token_type": "Bearer"}, candidate({"text": "ok"}))
    vertex = ModelSettings("gemini-3.8-flash", KEY, True, "project", "europe-west2", gemini.url, 5)
    model = GeminiModel(vertex)

    turn = await ask(model)

    assert turn.text == "ok"
    assert gemini.paths[-1] == (
        "POST /v1beta1/projects/project/locations/europe-west2/publishers/google/models/gemini-3.8-flash"
        ":generateContent HTTP/1.1"
    )
    assert gemini.headers[-1]["authorization"] == "Bearer t0"
    assert "x-goog-api-key" not in gemini.headers[-1]
    await model.close()


@pytest.mark.parametrize(("thinking", "asked"), [("", ""), ("low", "LOW"), ("medium", "MEDIUM"), ("high", "HIGH")])
async def test_a_level_of_thinking_is_asked_for_only_where_one_is_configured(
    gemini: Gemini, thinking: str, asked: str
) -> None:
    gemini.answer(candidate({"text": "ok"}))
    model = GeminiModel(settings(gemini.url, thinking=thinking))

    await model.generate((UserTurn("hello"),), (), "")
    await model.close()

    sent = json.dumps(gemini.asked[0]["generationConfig"])
    assert ("thinking" in sent, f'"{asked}"' in sent) == (bool(asked), bool(asked))
