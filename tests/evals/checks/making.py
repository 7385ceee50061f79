"""Scenarios and observations of a few words, for the scoring tests."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from dm_evals.checks.outcome import judge_trial
from dm_evals.observation import ModelCall, Observation, ToolUse
from dm_evals.results import Check, Outcome, TrialResult
from dm_evals.scenarios.scenario import Scenario

NOW = "2026-11-22T12:00:00+00:00"
SESSIONS = ("2026-11-24T18:00:00+00:00", "2026-11-26T18:00:00+00:00", "2026-12-01T18:00:00+00:00")
CALENDAR = tuple({"starts": start, "ends": start.replace("T18", "T20")} for start in SESSIONS)
WRITTEN_BEFORE = ({"by": "person", "text": "Is there parking?", "ago": "2d"},)
SEND, REACT, NOTIFY = "send_instagram_message", "react_to_instagram_message", "send_manager_notification"
DATES = "get_net_session_dates"


def scenario(
    expect: Mapping[str, object],
    name: str = "nets_today",
    reviewed: bool = True,
    sessions: Sequence[Mapping[str, object]] = CALENDAR,
) -> Scenario:
    return Scenario.model_validate(
        {
            "name": name,
            "tags": ["sessions"],
            "about": "Somebody asks for nets.",
            "reviewed": reviewed,
            "now": datetime.fromisoformat(NOW),
            "events": [{"text": "When are nets?"}],
            "world": {"sessions": sessions, "history": WRITTEN_BEFORE},
            "expect": expect,
        }
    )


def use(name: str, turn: int = 1, index: int = 0, outcome: str = "done", **arguments: object) -> ToolUse:
    return ToolUse(turn, index, name, arguments, outcome)


def observed(*calls: ToolUse, **more: object) -> Observation:
    fields: dict[str, object] = {"sessions": SESSIONS, "now": NOW, "time_zone": "Europe/London", "calls": calls}
    return Observation("nets_today", 1, **(fields | more))  # pyright: ignore[reportArgumentType]


def replied(text: str, *more: str) -> Observation:
    return observed(use(SEND, text=text), replies=(text, *more))


def judged(expect: Mapping[str, object], observation: Observation) -> TrialResult:
    return judge_trial(scenario(expect), observation)


def check(expect: Mapping[str, object], observation: Observation, name: str) -> Check:
    """The one check of this name."""
    (found,) = (check for check in judged(expect, observation).checks if check.name == name)
    return found


def verdict(expect: Mapping[str, object], observation: Observation, name: str) -> str:
    return check(expect, observation, name).verdict


def outcome(expect: Mapping[str, object], observation: Observation) -> Outcome:
    return judged(expect, observation).outcome


def model_call(tokens: int | None = 100, cost: float | None = None, model: str = "gemini-3.8-flash") -> ModelCall:
    return ModelCall(1, "live", model, tokens, None if tokens is None else 10, 5, cost)
