# /// script
# requires-python = ">=3.13"
# dependencies = ["google-adk==2.13.0"]
# ///
"""google-adk: an agent with two functions, run by its in-memory runner, a session a conversation."""

import os
from collections.abc import Awaitable, Callable

from driver import Job, serve
from google.adk.agents import LlmAgent
from google.adk.runners import InMemoryRunner
from google.genai import types


def make(job: Job) -> Callable[[], Awaitable[object]]:
    """A conversation."""
    os.environ.update(GOOGLE_API_KEY=job.api_key, GOOGLE_GEMINI_BASE_URL=job.base_url)
    agent = LlmAgent(
        name="club",
        model=job.model,
        instruction=lambda _: job.system,
        tools=[job.get_net_session_dates, job.send_instagram_message],
    )
    runner = InMemoryRunner(agent=agent, app_name="club")

    async def converse() -> None:
        session = await runner.session_service.create_session(app_name="club", user_id="person")
        said = types.Content(role="user", parts=[types.Part(text=job.text)])
        async for _ in runner.run_async(user_id="person", session_id=session.id, new_message=said):
            pass
        await runner.session_service.delete_session(app_name="club", user_id="person", session_id=session.id)

    return converse


if __name__ == "__main__":
    serve(make)
