"""Small trials for the tests of recordings: the production client asks, with a prompt and tools a test can change."""

from dataclasses import dataclass, field

from dm_core.agent.gemini import GeminiModel
from dm_core.agent.model import ToolDeclaration
from dm_core.agent.tools.registry import DECLARATIONS
from dm_core.errors import PlatformError
from dm_core.runs import ModelTurn, ToolResult, ToolTurn, Turn, UserTurn
from dm_core.settings import ModelSettings
from dm_evals.replay.author import Script, ScriptedTurn
from dm_evals.replay.digests import Prompt, own_prompt
from dm_evals.replay.recordings import Recording
from dm_sandbox.platforms.server import as_object

DATE = "2026-11-22"
TURNS = (
    ScriptedTurn(calls=(("get_net_session_dates", {}),)),
    ScriptedTurn(calls=(("send_instagram_message", {"text": "Thursday at 18:30."}),)),
)


@dataclass
class Asking:
    """One trial of two turns, asked by the production client; a test changes what it is made of."""

    prompt: Prompt = field(default_factory=own_prompt)
    tools: tuple[ToolDeclaration, ...] = DECLARATIONS
    opening: str = "hello\nare there nets?"
    model: str = "gemini-test"
    result: str = "Thursday"
    turns: int = 2

    async def ask(self, url: str) -> list[ModelTurn | str]:
        """The answers; a text is the error that ended it."""
        settings = ModelSettings(self.model, "key", False, "", "", url, 20.0)
        model, said = GeminiModel(settings), list[ModelTurn | str]()
        turns: list[Turn] = [UserTurn(self.opening)]
        try:
            for _ in range(self.turns):
                turn = await model.generate(turns, self.tools, self.prompt.text)
                said.append(turn)
                answers = tuple(ToolResult(call.name, call.id, {"day": self.result}) for call in turn.calls)
                turns += [turn, ToolTurn(answers)]
        except PlatformError as error:
            body = as_object(getattr(error.__context__, "body", None))  # the client itself quotes nothing
            said.append(f"{error}: {as_object(body.get('error')).get('message')}")
        finally:
            await model.close()
        return said


async def recorded(trial: int = 1, asking: Asking | None = None) -> Recording:
    """The recording of that trial."""
    made = asking or Asking()
    async with Script("say_hi", trial, TURNS, DATE, made.prompt) as script:
        await made.ask(script.base_url)
    return script.recording
