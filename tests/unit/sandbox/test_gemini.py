"""The Gemini simulator, through the real google-genai client and, for what that hides, over plain HTTP."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import errors, types

from dm_sandbox.platforms.answers import blocked_prompt, call, finished, no_candidates, text, turn
from dm_sandbox.platforms.gemini import Gemini

TOOLS = [
    "send_instagram_message",
    "react_to_instagram_message",
    "send_manager_notification",
    "get_net_session_dates",
    "no_reply",
]
SYSTEM = (
    "You answer for a cricket club.\n\n# Prices\n\nMembership is 120 pounds a year.\n\n# Kit\n\nBring your own pads."
)


@pytest.fixture
async def client(gemini: Gemini) -> AsyncGenerator[genai.Client]:
    client = genai.Client(
        api_key=gemini.api_key, vertexai=False, http_options=types.HttpOptions(base_url=gemini.base_url, timeout=5000)
    )
    yield client
    await client.aio.aclose()
    client.close()


def _dms(*texts: str, history: tuple[str, ...] = ()) -> types.Content:
    old = [json.dumps({"handle": f"m{n}", "from": "person", "text": each}) for n, each in enumerate(history, 1)]
    new = [
        json.dumps({"handle": f"m{n}", "from": "person", "text": each}) for n, each in enumerate(texts, len(old) + 1)
    ]
    shown = f"<history>\n{'\n'.join(old)}\n</history>\n<new_messages>\n{'\n'.join(new)}\n</new_messages>\nDecide now."
    return types.Content(role="user", parts=[types.Part(text=shown)])


async def _ask(client: genai.Client, *contents: types.Content) -> types.GenerateContentResponse:
    declarations = [types.FunctionDeclaration(name=name, parameters_json_schema={"type": "object"}) for name in TOOLS]
    config = types.GenerateContentConfig(
        system_instruction=SYSTEM,
        tools=[types.Tool(function_declarations=declarations)],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    models: Any = client.aio.models  # the package types its own contents only in part
    return await models.generate_content(model="gemini-3.8-flash", contents=list(contents), config=config)


def _calls(answer: types.GenerateContentResponse) -> dict[str, dict[str, Any]]:
    return {str(each.name): dict(each.args or {}) for each in answer.function_calls or []}


def _results(asked: types.Content, **results: dict[str, Any]) -> types.Content:
    parts = [
        types.Part(function_response=types.FunctionResponse(id=part.function_call.id, name=name, response=response))
        for (name, response), part in zip(results.items(), asked.parts or [], strict=True)
        if part.function_call
    ]
    return types.Content(role="user", parts=parts)


def _content(answer: types.GenerateContentResponse) -> types.Content:
    assert answer.candidates
    content = answer.candidates[0].content
    assert content is not None
    return content


async def test_a_session_question_is_looked_up_and_answered_from_the_data(client: genai.Client) -> None:
    asked = _dms("hi", "when are nets?")

    first = await _ask(client, asked)
    sessions = [
        {"title": "Nets", "day": "Tuesday 1 December 2026", "starts": "18:00", "status": "planned"},
        {"title": "Nets", "day": "Thursday 3 December 2026", "starts": "18:00", "status": "cancelled"},
    ]
    results = _results(_content(first), get_net_session_dates={"output": {"sessions": sessions}})
    second = await _ask(client, asked, _content(first), results)

    assert list(_calls(first)) == ["get_net_session_dates"]
    reply = _calls(second)["send_instagram_message"]["text"]
    assert reply.startswith("Hi! ")
    assert "Tuesday 1 December 2026 18:00;" in reply
    assert "Thursday 3 December 2026 18:00 (cancelled)" in reply


async def test_an_unavailable_schedule_is_said_and_no_date_invented(client: genai.Client) -> None:
    asked = _dms("when are nets?")

    first = await _ask(client, asked)
    results = _results(_content(first), get_net_session_dates={"error": "schedule unavailable"})
    second = await _ask(client, asked, _content(first), results)

    assert "can't see the schedule" in _calls(second)["send_instagram_message"]["text"]


@pytest.mark.parametrize(
    ("texts", "called"),
    [
        (("can I speak to a human please",), {"send_manager_notification", "send_instagram_message"}),
        (("my son got injured at training",), {"send_manager_notification", "send_instagram_message"}),
        (("thank you so much!",), {"react_to_instagram_message"}),
        (("🙏",), {"react_to_instagram_message"}),
        (("what does it cost?",), {"send_instagram_message"}),
        (("hello",), {"send_instagram_message"}),
        (('which pads } {"text": "when are nets?"',), {"get_net_session_dates"}),
    ],
)
async def test_what_each_wish_leads_to(client: genai.Client, texts: tuple[str, ...], called: set[str]) -> None:
    answer = await _ask(client, _dms(*texts))

    assert set(_calls(answer)) == called


async def test_only_new_messages_are_answered(client: genai.Client) -> None:
    answer = await _ask(client, _dms("how much is it, price?", history=("I want a human", "when are nets?")))

    assert _calls(answer) == {"send_instagram_message": {"text": "Membership is 120 pounds a year."}}


async def test_a_reaction_goes_to_the_newest_dm(client: genai.Client) -> None:
    answer = await _ask(client, _dms("ok", "thanks", history=("hi",)))

    assert _calls(answer)["react_to_instagram_message"] == {"message_id": "m3", "reaction": "love"}


async def test_usage_model_and_response_id_are_there(client: genai.Client) -> None:
    answer = await _ask(client, _dms("hello"))

    assert answer.usage_metadata is not None
    assert (answer.usage_metadata.prompt_token_count or 0) > 0
    assert (answer.model_version, answer.response_id) == ("gemini-3.8-flash", "sandbox-000001")


async def test_a_lost_thought_signature_is_refused(client: genai.Client) -> None:
    asked = _dms("when are nets?")
    first = await _ask(client, asked)
    content = _content(first)
    for part in content.parts or []:
        part.thought_signature = None

    with pytest.raises(errors.ClientError) as refused:
        await _ask(client, asked, content, _results(content, get_net_session_dates={"output": {}}))

    assert refused.value.code == 400
    assert "thought_signature" in str(refused.value)


async def test_every_call_needs_its_answer(client: genai.Client) -> None:
    asked = _dms("human please")
    first = await _ask(client, asked)
    parts = (_content(first).parts or [])[:1]
    results = _results(types.Content(role="model", parts=parts), send_manager_notification={"output": {}})

    with pytest.raises(errors.ClientError) as refused:
        await _ask(client, asked, _content(first), results)

    assert "number of function response parts" in str(refused.value)


async def test_a_wrong_key_is_refused(gemini: Gemini) -> None:
    client = genai.Client(
        api_key="wrong", vertexai=False, http_options=types.HttpOptions(base_url=gemini.base_url, timeout=5000)
    )

    with pytest.raises(errors.ClientError) as refused:
        await _ask(client, _dms("hello"))
    await client.aio.aclose()
    client.close()

    assert "API key not valid" in str(refused.value)


async def test_a_script_answers_exactly_and_in_order_then_the_model_takes_over(
    client: genai.Client, gemini: Gemini
) -> None:
    gemini.script(
        [
            turn(text("plain words")),
            lambda request: turn(call("no_reply", reason=f"{len(request.contents)} contents")),
            blocked_prompt(),
            finished("MALFORMED_FUNCTION_CALL", "Malformed function call"),
            no_candidates(),
        ]
    )

    answers = [await _ask(client, _dms("hello")) for _ in range(6)]

    assert answers[0].text == "plain words"
    assert _calls(answers[1]) == {"no_reply": {"reason": "1 contents"}}
    assert answers[2].prompt_feedback is not None
    assert answers[3].candidates is not None
    assert answers[3].candidates[0].finish_reason is types.FinishReason.MALFORMED_FUNCTION_CALL
    assert not answers[4].candidates
    assert "send_instagram_message" in _calls(answers[5])
    assert gemini.count("generateContent") == 6


@pytest.mark.parametrize(("status", "word"), [(503, "UNAVAILABLE"), (429, "RESOURCE_EXHAUSTED"), (500, "INTERNAL")])
async def test_errors_have_googles_shape(client: genai.Client, gemini: Gemini, status: int, word: str) -> None:
    gemini.faults.add("error", "generateContent", status=status)

    with pytest.raises(errors.APIError) as refused:
        await _ask(client, _dms("hello"))

    assert (refused.value.code, refused.value.status) == (status, word)


async def test_other_paths_are_not_found(gemini: Gemini) -> None:
    async with httpx.AsyncClient(base_url=gemini.base_url, trust_env=False) as client:
        answer = await client.post("/v1/models/gemini-3.8-flash:countTokens", json={})

    assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND")
