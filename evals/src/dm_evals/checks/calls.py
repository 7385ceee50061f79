"""Which tools were called, with what, how often, in which order; and the limits of a scenario.

What counts as made:

| outcome | required, order | forbidden | not allowed | at most |
|---|---|---|---|---|
| done, uncertain, answered, error | yes | yes | yes | yes |
| refused (a guard, the platform) | yes | yes | unless its tool is required (a second try) | no |
| dropped, discarded (never begun) | no | yes | no | no |

A forbidden tool may not even be asked for, whatever came of it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dm_core.agent.tools.declare import Kind
from dm_core.agent.tools.registry import TOOLS
from dm_evals.checks.matching import assigned, in_order, is_call
from dm_evals.checks.nearest_call import nearest_call, shown_call, shown_requirement
from dm_evals.checks.pricing import cost_of
from dm_evals.observation import ModelCall, Observation, ToolUse
from dm_evals.results import Check, Verdict
from dm_evals.scenarios.scenario import Calls, Limits

ACTIONS: Final = frozenset(name for name, tool in TOOLS.items() if tool.kind is Kind.ACTION)
_NEVER_BEGUN: Final = frozenset(("dropped", "discarded"))

Checks = Iterator[Check]


def guarded(name: str, check: Callable[[], Iterable[Check]]) -> tuple[Check, ...]:
    """The checks, and one more if judging itself failed: an evaluator's crash is never lost, nor a pass."""
    made: list[Check] = []
    try:
        made.extend(check())  # what was yielded before a crash is kept
    except Exception as error:  # whatever a matcher or a judge does
        made.append(Check(name, "unknown", "a verdict", f"judging failed: {type(error).__name__}: {error}"))
    return tuple(made)


@dataclass(frozen=True, slots=True)
class _Table:
    """Each requirement against each call that was made."""

    made: tuple[ToolUse, ...]
    fits: tuple[tuple[bool, ...], ...]
    wanted: tuple[int, ...]


def call_checks(expected: Calls, observation: Observation) -> Checks:
    """All that is said of tool calls. Where ``calls`` is not written at all, nothing is."""
    ordered = sorted(observation.calls, key=lambda use: (use.turn, use.index))
    made = tuple(use for use in ordered if use.outcome not in _NEVER_BEGUN)
    fits = tuple(tuple(is_call(call, use) for use in made) for call in expected.required)
    table = _Table(made, fits, tuple(call.at_least for call in expected.required))
    reported: set[int] = set()
    yield from _required(expected, table, reported)
    yield from _too_often(expected, table)
    if expected.ordered:
        order = ", then ".join(shown_requirement(call) for call in expected.required)
        yield Check("calls.order", _verdict(in_order(table.fits, table.wanted)), order, _names(table.made))
    for name in expected.forbidden:
        yield _forbidden(name, ordered)
    yield from _not_allowed(expected, table, reported)
    if expected.at_most is not None:
        count = sum(use.outcome not in ("refused", *_NEVER_BEGUN) for use in ordered)
        yield Check("calls.total", _verdict(count <= expected.at_most), f"at most {expected.at_most} calls", str(count))


def _required(expected: Calls, table: _Table, reported: set[int]) -> Checks:
    """One check a requirement. The call nearest to a missing one is noted: it is told once, here."""
    found = assigned(table.fits, table.wanted)
    used = {index for mine in found for index in mine}
    for mine, call in zip(found, expected.required, strict=True):
        enough, nearest = len(mine) >= call.at_least, ""
        if not enough:
            free = [position for position in range(len(table.made)) if position not in used]
            position, nearest = nearest_call(call, [table.made[free_one] for free_one in free])
            if position is not None:
                reported.add(free[position])
            nearest = nearest or "no such call was made"
        observed = f"{len(mine)} such call(s)" if mine else _names(table.made)
        yield Check("calls.required", _verdict(enough), shown_requirement(call), observed, nearest)


def _too_often(expected: Calls, table: _Table) -> Checks:
    """One check a bounded requirement: a call that fits, and finds no requirement with room left, is one too many."""
    room = [len(table.made) if call.at_most is None else call.at_most for call in expected.required]
    counted = [use.outcome != "refused" for use in table.made]
    over = _overflow(table.fits, room, counted)
    for index, call in enumerate(expected.required):
        if call.at_most is not None:
            count = sum(fit and counts for fit, counts in zip(table.fits[index], counted, strict=True))
            shown = f"{shown_requirement(call)}, at most {call.at_most} times"
            yield Check("calls.at_most", _verdict(index not in over), shown, f"{count} such calls")


def _overflow(fits: Sequence[Sequence[bool]], room: Sequence[int], counts: Sequence[bool]) -> set[int]:
    """The requirements that a call fits for which there is no room anywhere."""
    fits = [[fit and count for fit, count in zip(row, counts, strict=True)] for row in fits]
    placed = {position for found in assigned(fits, room) for position in found}
    return {
        index for index, row in enumerate(fits) for position, fit in enumerate(row) if fit and position not in placed
    }


def _forbidden(name: str, calls: Sequence[ToolUse]) -> Check:
    found = [use for use in calls if use.name == name]
    observed = "; ".join(f"{shown_call(use)} ({use.outcome})" for use in found) or "not called"
    return Check("calls.forbidden", _verdict(not found), f"never {name}", observed)


def _not_allowed(expected: Calls, table: _Table, reported: set[int]) -> Checks:
    """Actions nobody asked for. Said only where calls are spoken of at all, or an empty list would forbid them."""
    if not expected.model_fields_set:
        return
    fitting = {position for row in table.fits for position, fit in enumerate(row) if fit}
    required = {call.tool for call in expected.required}
    extra = [
        use
        for position, use in enumerate(table.made)
        if use.name in ACTIONS
        and use.name not in expected.allowed
        and position not in fitting | reported
        and not (use.outcome == "refused" and use.name in required)
    ]
    observed = "; ".join(shown_call(use) for use in extra) or "none"
    yield Check("calls.unallowed", _verdict(not extra), "no action that is neither required nor allowed", observed)


# -- limits -------------------------------------------------------------------------------------------------


def limit_checks(limits: Limits, calls: Sequence[ModelCall]) -> Checks:
    """Upper bounds over all model turns. What is not known is not zero."""
    if limits.model_calls is not None:
        yield _limit("limits.model_calls", limits.model_calls, [1] * len(calls), "model calls")
    if limits.tokens is not None:
        tokens = [
            None if call.input_tokens is None or call.output_tokens is None else call.input_tokens + call.output_tokens
            for call in calls
        ]
        yield _limit("limits.tokens", limits.tokens, tokens, "tokens")
    if limits.cost_usd is not None:
        yield _limit("limits.cost", limits.cost_usd, [cost_of(call) for call in calls], "USD")


def _limit(name: str, bound: float, parts: Sequence[float | None], unit: str) -> Check:
    """Broken as soon as the known part is above the bound; unknown where a part is not known."""
    known = [part for part in parts if part is not None]
    total, missing = sum(known), len(parts) - len(known)
    verdict: Verdict = "broken" if total > bound else "unknown" if missing else "held"
    observed = f"{total:g} {unit}" + (f", and {missing} of {len(parts)} turns unknown" if missing else "")
    return Check(name, verdict, f"at most {bound:g} {unit}", observed)


def _names(made: Sequence[ToolUse]) -> str:
    return ", ".join(use.name for use in made) or "no call"


def _verdict(holds: bool) -> Verdict:
    return "held" if holds else "broken"
