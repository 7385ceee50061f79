# /// script
# requires-python = ">=3.13"
# dependencies = ["google-genai==3.4.0"]
# ///
"""google-genai alone: its types, its client, and a loop around them."""

from collections.abc import Awaitable, Callable

from driver import Job, serve
from google.genai import Client, types


def _declared(tool: Callable[..., object], argument: str, kind: str) -> types.FunctionDeclaration:
    schema = {"type": "object", "properties": {argument: {"type": kind}}, "required": [argument]}
    return types.FunctionDeclaration(name=tool.__name__, description=tool.__doc__, parameters_json_schema=schema)


def make(job: Job) -> Callable[[], Awaitable[object]]:
    """A conversation."""
    options = types.HttpOptions(base_url=job.base_url, api_version="v1beta")
    client = Client(api_key=job.api_key, http_options=options)
    tools = {tool.__name__: tool for tool in (job.get_net_session_dates, job.send_instagram_message)}
    declared = [
        _declared(job.get_net_session_dates, "days_ahead", "integer"),
        _declared(job.send_instagram_message, "text", "string"),
    ]
    config = types.GenerateContentConfig(
        system_instruction=job.system,
        tools=[types.Tool(function_declarations=declared)],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )

    async def converse() -> None:
        contents = [types.Content(role="user", parts=[types.Part(text=job.text)])]
        while True:
            answer = await client.aio.models.generate_content(model=job.model, contents=contents, config=config)
            calls = answer.function_calls
            if not calls:
                return
            contents.append(answer.candidates[0].content)
            results = [(call.name, tools[call.name](**call.args)) for call in calls]
            parts = [types.Part.from_function_response(name=name, response=result) for name, result in results]
            contents.append(types.Content(role="user", parts=parts))

    return converse


if __name__ == "__main__":
    serve(make)
