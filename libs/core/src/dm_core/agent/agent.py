"""The agent: prompt, tools and guards around a model that is not trusted.

It never calls the model and never acts: the run does both, with what this makes of the conversation (``opening``,
``more``), of a model turn (``plan``) and of its outcome (``results``). Only ``read`` does I/O.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from dm_core.agent.guards import Guards
from dm_core.agent.plan import Situation, TurnPlan, plan_turn
from dm_core.agent.profile import BusinessProfile
from dm_core.agent.prompt import Opening, more_text, opening_text, system_prompt
from dm_core.agent.results import answers
from dm_core.agent.rules import NO_RULES, Rules
from dm_core.agent.tools.declare import Arguments, BadArguments, Kind
from dm_core.agent.tools.instagram import GetThreadMessages, IsNewThread, ThreadReader, known_before
from dm_core.agent.tools.notes import notes_result
from dm_core.agent.tools.registry import DECLARATIONS, TOOLS
from dm_core.agent.tools.spond import UNAVAILABLE, GetNetSessionDates, Schedule, session_dates
from dm_core.clients.port import InstagramAccounts
from dm_core.errors import PlatformError, Unavailable
from dm_core.messages import Message, Status
from dm_core.runs import Action, ModelTurn, ToolCall, ToolResult, ToolTurn, UserTurn
from dm_core.settings import RunLimits
from dm_core.store.port import ThreadStore
from dm_core.telemetry import emit

__all__ = ["READ_SECONDS", "Agent", "Opening", "Situation", "TurnPlan"]

READ_SECONDS: Final = 10.0
"""Longest time a data tool may take."""


class Agent:
    """Everything of the agent that does not change between runs. Raises Misconfigured when made of a bad prompt."""

    declarations = DECLARATIONS

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
        self._guards = replace(guards, canary=prompt.canary, allowed=profile.allowed)
        if self._guards.public:
            emit("guarded_value_is_public", "WARNING", values=len(self._guards.public), see="profile.toml")
        self._limits = limits
        self._schedule = schedule
        self._reader = ThreadReader(store, instagram, profile.time_zone)
        self._read_seconds = read_seconds

    def protect(self, secret: str) -> None:
        """Guard one more value from now on, such as a refreshed token."""
        if secret not in self._guards.secrets:
            self._guards = replace(self._guards, secrets=(*self._guards.secrets, secret))

    def opening(self, situation: Situation) -> Opening:
        """The first user turn: the context, what was said before, and the DMs to answer."""
        own = situation.own
        ids = frozenset((*situation.run.message_ids, *(message.id for message in own)))
        before = tuple(m for m in situation.recent if m.id not in ids and m.status is not Status.PENDING)
        return opening_text(
            situation.thread,
            now=situation.now,
            zone=self._zone,
            new=sorted(own, key=lambda message: message.order),
            history=sorted(before, key=lambda message: message.order),
            first_contact=not known_before(situation.thread, ids, situation.recent),
            notes=len(situation.thread.notes),
            release_ms=self.rules.handover.release_ms,
            hours=self._hours,
        )

    def more(self, situation: Situation, new: Sequence[Message]) -> Opening:
        """What a run that goes on is shown: the time, and DMs that came since, with handles that go on from its own."""
        ordered = sorted(new, key=lambda message: message.order)
        return more_text(ordered, situation.run.handles, now=situation.now, zone=self._zone)

    def plan(self, situation: Situation, turn: ModelTurn) -> TurnPlan:
        """What becomes of each call, or of a plain text (as its one call). ``situation.run`` is as before ``turn``;
        limits count its earlier actions and alerts."""
        return plan_turn(situation, turn, self._guards, self._limits, self.rules.disclosure)

    async def read(self, situation: Situation, call: ToolCall) -> ToolResult:
        """Answer a data call. Never raises PlatformError or Unavailable: the model is told, and can do without."""
        tool = TOOLS.get(call.name)
        if tool is None or tool.kind is not Kind.DATA:
            return ToolResult(call.name, call.id, error="there is no such data tool")
        try:
            arguments = tool.parse(call.arguments)
            async with asyncio.timeout(self._read_seconds):
                output = await self._output(situation, arguments)
        except BadArguments as error:
            return ToolResult(call.name, call.id, error=str(error))
        except (PlatformError, Unavailable, TimeoutError, OSError):
            output = None
        if output is not None:
            return ToolResult(call.name, call.id, output)
        unavailable = "unavailable just now. Go on without it, and don't guess what it would have said."
        return ToolResult(
            call.name, call.id, error=UNAVAILABLE if tool.arguments is GetNetSessionDates else unavailable
        )

    async def _output(self, situation: Situation, arguments: Arguments) -> Mapping[str, object] | None:
        run, thread = situation.run, situation.thread
        own = frozenset((*run.message_ids, *(message.id for message in situation.own)))
        match arguments:
            case GetNetSessionDates():
                return await session_dates(self._schedule, arguments, situation.now, self._zone)
            case GetThreadMessages(limit=limit):
                return await self._reader.messages(thread, own, run.handles, limit, situation.now)
            case IsNewThread():
                return await self._reader.is_new(thread, own, situation.recent, situation.now)
            case _:
                return notes_result(thread.notes, run.notes, self._zone)

    def results(
        self, turn: ModelTurn, plan: TurnPlan, data: Mapping[int, ToolResult], actions: Sequence[Action]
    ) -> ToolTurn | UserTurn:
        """One result a call, in their order; for a plain text, why it was not sent. ``actions``: the turn's, as now."""
        return answers(turn, plan, data, actions)
