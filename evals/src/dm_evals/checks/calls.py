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
from dm_evals.checks.matching import Means, assigned, call_verdict, in_order
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
    verdicts: tuple[tuple[Verdict, ...], ...]
    wanted: tuple[int, ...]

    def fits(self, *verdicts: Verdict) -> list[list[bool]]:
        return [[verdict in verdicts for verdict in row] for row in self.verdicts]


def call_checks(expected: Calls, observation: Observation, means: Means) -> Checks:
    """All that is said of tool calls. Where ``calls`` is not written at all, nothing is."""
    ordered = sorted(observation.calls, key=lambda use: (use.turn, use.index))
    made = tuple(use for use in ordered if use.outcome not in _NEVER_BEGUN)
    verdicts: tuple[tuple[Verdict, ...], ...] = tuple(
        tuple(call_verdict(call, use, means) for use in made) for call in expected.required
    )
    table = _Table(made, verdicts, tuple(call.at_least for call in expected.required))
    reported: set[int] = set()
    yield from _required(expected, table, reported, means)
    yield from _too_often(expected, table)
    if expected.ordered:
        yield _order(expected, table)
    for name in expected.forbidden:
        yield _forbidden(name, ordered)
    yield from _not_allowed(expected, table, reported)
    if expected.at_most is not None:
        count = sum(use.outcome not in ("refused", *_NEVER_BEGUN) for use in ordered)
        yield Check("calls.total", _verdict(count <= expected.at_most), f"at most {expected.at_most} calls", str(count))


def _required(expected: Calls, table: _Table, reported: set[int], means: Means) -> Checks:
    """One check a requirement. The call nearest to a missing one is noted: it is told once, here."""
    sure = assigned(table.fits("held"), table.wanted)
    perhaps = assigned(table.fits("held", "unknown"), table.wanted)
    used = {index for found in sure for index in found}
    decided = all(len(found) >= count for found, count in zip(perhaps, table.wanted, strict=True))
    for index, call in enumerate(expected.required):
        enough = len(sure[index]) >= call.at_least
        possible = decided or len(perhaps[index]) >= call.at_least
        verdict: Verdict = "held" if enough else "unknown" if possible else "broken"
        nearest = ""
        if not enough:
            free = [position for position in range(len(table.made)) if position not in used]
            position, nearest = nearest_call(call, [table.made[free_one] for free_one in free], means)
            if position is not None:
                reported.add(free[position])
            nearest = nearest or "no such call was made"
        observed = f"{len(sure[index])} such call(s)" if sure[index] else _names(table.made)
        yield Check("calls.required", verdict, shown_requirement(call), observed, nearest)


def _too_often(expected: Calls, table: _Table) -> Checks:
    """One check a bounded requirement: a call that fits, and finds no requirement with room left, is one too many."""
    if all(call.at_most is None for call in expected.required):
        return
    room = [len(table.made) if call.at_most is None else call.at_most for call in expected.required]
    counted = [use.outcome != "refused" for use in table.made]
    sure = [counts and any(row[at] == "held" for row in table.verdicts) for at, counts in enumerate(counted)]
    certain, possible = (_overflow(table.fits("held", "unknown"), room, calls) for calls in (sure, counted))
    for index, call in enumerate(expected.required):
        if call.at_most is not None:
            verdict: Verdict = "broken" if index in certain else "unknown" if index in possible else "held"
            count = sum(fit and counts for fit, counts in zip(table.fits("held")[index], counted, strict=True))
            shown = f"{shown_requirement(call)}, at most {call.at_most} times"
            yield Check("calls.at_most", verdict, shown, f"{count} such calls")


def _overflow(fits: Sequence[Sequence[bool]], room: Sequence[int], counts: Sequence[bool]) -> set[int]:
    """The requirements that a call fits for which there is no room anywhere."""
    fits = [[fit and count for fit, count in zip(row, counts, strict=True)] for row in fits]
    placed = {position for found in assigned(fits, room) for position in found}
    return {
        index for index, row in enumerate(fits) for position, fit in enumerate(row) if fit and position not in placed
    }


def _order(expected: Calls, table: _Table) -> Check:
    if in_order(table.fits("held"), table.wanted):
        verdict: Verdict = "held"
    else:
        verdict = "unknown" if in_order(table.fits("held", "unknown"), table.wanted) else "broken"
    order = ", then ".join(shown_requirement(call) for call in expected.required)
    return Check("calls.order", verdict, order, _names(table.made))


def _forbidden(name: str, calls: Sequence[ToolUse]) -> Check:
    found = [use for use in calls if use.name == name]
    observed = "; ".join(f"{shown_call(use)} ({use.outcome})" for use in found) or "not called"
    return Check("calls.forbidden", _verdict(not found), f"never {name}", observed)


def _not_allowed(expected: Calls, table: _Table, reported: set[int]) -> Checks:
    """Actions nobody asked for. Said only where calls are spoken of at all, or an empty list would forbid them."""
    if not expected.model_fields_set:
        return
    fitting = {position for row in table.verdicts for position, verdict in enumerate(row) if verdict != "broken"}
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
