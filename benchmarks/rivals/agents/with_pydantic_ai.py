# /// script
# requires-python = ">=3.13"
# dependencies = ["pydantic-ai-slim[google]==2.68.0"]
# ///
"""pydantic-ai: an agent with two functions on its Google model."""

from collections.abc import Awaitable, Callable

from driver import Job, serve
from pydantic_ai import Agent
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.providers.google import GoogleProvider


def make(job: Job) -> Callable[[], Awaitable[object]]:
    """A conversation."""
    model = GoogleModel(job.model, provider=GoogleProvider(api_key=job.api_key, base_url=job.base_url))
    agent = Agent(model, instructions=job.system, tools=[job.get_net_session_dates, job.send_instagram_message])
    return lambda: agent.run(job.text)


if __name__ == "__main__":
    serve(make)
