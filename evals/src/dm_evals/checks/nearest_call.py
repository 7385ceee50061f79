"""Calls and requirements in words, and which call came nearest to one that is missing."""

import json
from collections.abc import Sequence
from difflib import SequenceMatcher

from dm_evals.checks.matching import as_text, differing
from dm_evals.observation import ToolUse
from dm_evals.scenarios.scenario import Call, Matcher

MAX_SHOWN = 160
"""Longest value shown, in characters."""


def shown_matcher(matcher: Matcher) -> str:
    """As in the scenario: ``contains "Tuesday"``."""
    if matcher.source:
        return matcher.source
    (name,) = matcher.model_fields_set
    value: object = getattr(matcher, name)
    if name in ("absent", "anything"):
        return name if value else f"not {name}"
    return f"{name} {_json(value)}"


def shown_requirement(call: Call) -> str:
    """``send_instagram_message(text contains "Tuesday")``."""
    arguments = ", ".join(f"{name} {shown_matcher(matcher)}" for name, matcher in call.args.items())
    times = f" at least {call.at_least} times" if call.at_least > 1 else ""
    return f"{call.tool}({arguments}){times}"


def shown_call(use: ToolUse) -> str:
    """``send_instagram_message(text="See you on Tuesday")``."""
    arguments = ", ".join(f"{name}={_json(value)}" for name, value in use.arguments.items())
    return f"{use.name}({arguments})"


def nearest_call(call: Call, made: Sequence[ToolUse]) -> tuple[int | None, str]:
    """Position and words of the call of this tool that fits best; (None, …) where no call is of this tool.

    Best: fewest arguments that differ, then the texts most alike.
    """
    same = [(position, use) for position, use in enumerate(made) if use.name == call.tool]
    if not same:
        return None, ""
    position, best = min(same, key=lambda entry: (len(differing(call, entry[1])), -_likeness(call, entry[1])))
    reasons = [
        f"{name}: wanted {shown_matcher(call.args[name])}, "
        + (f"got {_json(best.arguments[name])}" if best.arguments.get(name) is not None else "not given")
        for name in differing(call, best)
    ]
    return position, f"turn {best.turn}, {shown_call(best)}" + (f": {'; '.join(reasons)}" if reasons else "")


def _likeness(call: Call, use: ToolUse) -> float:
    """How alike the expected and the given arguments are, in words."""
    wanted = " ".join(shown_matcher(matcher) for matcher in call.args.values())
    given = " ".join(as_text(use.arguments.get(name, "")) for name in call.args)
    return SequenceMatcher(None, wanted, given, autojunk=False).ratio()


def _json(value: object) -> str:
    written = json.dumps(value, ensure_ascii=False, default=str)
    return written if len(written) <= MAX_SHOWN else written[: MAX_SHOWN - 1] + "…"
