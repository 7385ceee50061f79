"""The agent: prompt, tools and guards around a model that is not trusted.

It never calls the model and never acts: the run does both, with what this makes of the conversation (``opening``,
``more``), of a model turn (``plan``) and of its outcome (``results``). Only ``read`` does I/O.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from dm_core.agent.files import shows_files
from dm_core.agent.guards import MAX_CALLS_A_TURN, Guards, Refusal
from dm_core.agent.plan import PlannedCall, PlannedTurn, Situation, TurnPlan
from dm_core.agent.profile import BusinessProfile
from dm_core.agent.prompt import Opening, more_text, opening_text, system_prompt
from dm_core.agent.reading import NUDGE, replied
from dm_core.agent.results import answers
from dm_core.agent.rules import NO_RULES, Rules
from dm_core.agent.sources import Conversations, LookUp, Schedule, Sources, known_before
from dm_core.agent.tools.arguments import BadArguments
from dm_core.agent.tools.declare import DataTool, Kind
from dm_core.agent.tools.registry import DECLARATIONS, SEND, TOOLS
from dm_core.agent.written_calls import is_written_call
from dm_core.clients.port import InstagramAccounts
from dm_core.errors import PlatformError, Unavailable
from dm_core.messages import Message, Status
from dm_core.runs import ModelTurn, Run, ToolCall, ToolResult, ToolTurn, Turn, UserTurn
from dm_core.settings import RunLimits
from dm_core.store.port import ThreadStore
from dm_core.telemetry import emit

__all__ = ["READ_SECONDS", "Agent", "Opening", "Situation", "TurnPlan"]

READ_SECONDS: Final = 10.0
"""Longest time a data tool may take."""


class Agent:
    """Everything of the agent that does not change between runs. Raises Misconfigured when made of a bad prompt."""

    declarations = DECLARATIONS
    results = staticmethod(answers)

    def __init__(
        self,
        profile: BusinessProfile,
        system_md: str,
        guards: Guards,
        limits: RunLimits,
        schedule: Schedule,
        store: ThreadStore,
        instagram: InstagramAccounts,
        *,
        read_seconds: float = READ_SECONDS,
        rules: Rules = NO_RULES,
    ) -> None:
        prompt = system_prompt(system_md, profile)
        self.system = prompt.text
        self.prompt_hash = prompt.hash
        self._zone, self._hours = profile.time_zone, profile.hours
        self.rules = rules
        self._guards = replace(guards, canary=prompt.canary, instructions=prompt.instructions, allowed=profile.allowed)
        if self._guards.public:
            emit("guarded_value_is_public", "WARNING", values=len(self._guards.public), see="profile.toml")
        self._limits = limits
        self._sources = Sources(schedule, store, Conversations(instagram), profile.time_zone)
        self._read_seconds = read_seconds

    def protect(self, secret: str) -> None:
        """Guard one more value from now on, such as a refreshed token."""
        if secret not in self._guards.secrets:
            self._guards = replace(self._guards, secrets=(*self._guards.secrets, secret))

    def opening(self, situation: Situation) -> Opening:
        """The first user turn: the context, what was said before, and the DMs to answer."""
        own, ids = sorted(situation.own, key=lambda message: message.order), situation.own_ids
        before = tuple(m for m in situation.recent if m.id not in ids and m.status is not Status.PENDING)
        opening = opening_text(
            situation.thread,
            now=situation.now,
            zone=self._zone,
            new=own,
            history=sorted(before, key=lambda message: message.order),
            first_contact=not known_before(situation.thread, ids, situation.recent),
            notes=len(situation.thread.notes),
            release_ms=self.rules.handover.release_ms,
            hours=self._hours,
        )
        return replace(opening, mids=shows_files(own, before, opening.handles))

    def more(self, situation: Situation, new: Sequence[Message]) -> Opening:
        """What a run that goes on is shown: the time, and DMs that came since, with handles that go on from its own."""
        ordered = sorted(new, key=lambda message: message.order)
        opening = more_text(ordered, situation.run.handles, now=situation.now, zone=self._zone)
        return replace(opening, mids=shows_files(ordered, situation.recent, opening.handles))

    def plan(self, situation: Situation, turn: ModelTurn) -> TurnPlan:
        """What becomes of each call, settled exactly once; of a plain text as if it had been its one call, and of words
        beside calls as if they had been its last where a nudge was in vain.

        ``situation.run`` is as before ``turn``; limits count its earlier actions and alerts.
        """
        calls = turn.calls
        if not calls or _speaks_in_vain(situation.run, turn):
            calls = (*calls, ToolCall(SEND, {"text": turn.text}))
        known = _looked_up(situation.run.turns)
        planned = PlannedTurn(situation, self._guards, self._limits, is_written_call, self.rules.disclosure, known)
        for index, call in enumerate(calls):
            one = PlannedCall(planned, index, call)
            if index >= MAX_CALLS_A_TURN and any(_is_same(call, earlier) for earlier in calls[:MAX_CALLS_A_TURN]):
                one.answer({"status": "asked for before in this turn"})
            elif (refusal := _settle(one)) is not None:
                one.refuse(refusal)
        return planned.done(calls)

    async def read(self, situation: Situation, call: ToolCall) -> ToolResult:
        """Answer a data call. Never raises PlatformError or Unavailable: the model is told, and can do without."""
        tool = TOOLS.get(call.name)
        if not isinstance(tool, DataTool):
            return ToolResult(call.name, call.id, error="there is no such data tool")
        try:
            async with asyncio.timeout(self._read_seconds):
                output = await tool.answer(call.arguments, LookUp(situation, self._sources))
        except BadArguments as error:
            return ToolResult(call.name, call.id, error=str(error))
        except (PlatformError, Unavailable, TimeoutError, OSError):
            output = None
        if output is None:
            return ToolResult(call.name, call.id, error=tool.unavailable)
        return ToolResult(call.name, call.id, output)


def _looked_up(turns: Sequence[Turn]) -> list[ToolCall]:
    """Look-ups that were answered, and nothing that could have changed the answer came or was done since."""
    known: list[ToolCall] = []
    for turn in turns:
        match turn:
            case ModelTurn(calls=calls):
                data = [call for call in calls if isinstance(TOOLS.get(call.name), DataTool)]
                known = [*(known if len(data) == len(calls) else ()), *data]
            case ToolTurn(results=results):
                failed = {result.name for result in results if result.error is not None}
                known = [call for call in known if call.name not in failed]
            case UserTurn():
                known = []
    return known


def _speaks_in_vain(run: Run, turn: ModelTurn) -> bool:
    """It was told that words beside calls are seen by nobody, and answers so again: that is its reply."""
    if not turn.text.strip() or NUDGE not in run.turns or replied(run):
        return False
    tools = [TOOLS.get(call.name) for call in turn.calls]
    return all(tool is not None and tool.kind is Kind.ACTION and tool.name != SEND for tool in tools)


def _is_same(call: ToolCall, other: ToolCall) -> bool:
    """Nothing to mend: models repeat themselves (https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/1756)."""
    return (call.name, call.arguments) == (other.name, other.arguments)


def _settle(one: PlannedCall) -> Refusal | None:
    """Hand a call to its tool."""
    call = one.call
    if one.index >= MAX_CALLS_A_TURN:
        return Refusal("too_many_calls", f"too many calls: only the first {MAX_CALLS_A_TURN} of a turn are handled.")
    tool = TOOLS.get(call.name)
    if tool is None:
        return Refusal("unknown_tool", f"there is no such tool. The tools are: {', '.join(TOOLS)}.")
    if tool.unknown(call.arguments):
        one.turn.guards_acted.append("extra_arguments")
    try:
        return tool.settle(one)
    except BadArguments as error:
        return Refusal("bad_arguments", str(error))
