"""One trial judged: every check made, and the outcome that follows from them.

| what | outcome |
|---|---|
| the recording answers another request, or has no such turn | stale |
| the trial was not played to its end | errored |
| a check is broken (recorded turns nobody asked for are one) | fail |
| a check is unknown (no judge, no price, an evaluator that crashed) | errored |
| nothing was checked but the rules and the rubric of every scenario | errored |
| every check was made and held | pass |

The first line that fits decides. Whatever the outcome, all checks are kept and shown.
"""

from collections.abc import Iterator
from dataclasses import replace

from dm_evals.checks.calls import call_checks, guarded, limit_checks
from dm_evals.checks.effects import effect_checks
from dm_evals.checks.named import Named, Unknown
from dm_evals.checks.reply import reply_checks
from dm_evals.checks.state import state_checks
from dm_evals.judge import GENERAL, Evidence, Judge
from dm_evals.observation import Observation
from dm_evals.replay.digests import own_prompt
from dm_evals.results import Check, Outcome, TrialResult
from dm_evals.rules.rules import rule_checks
from dm_evals.scenarios.scenario import Scenario


def judge_trial(
    scenario: Scenario,
    observation: Observation,
    judge: Judge | None = None,
    *,
    exact: bool = False,
) -> TrialResult:
    """The verdict on one trial. Never raises: what can't be judged is an ``unknown`` check with its name.

    ``exact``: what left the system is held against what the turns asked for, too (a replay of its own recording).
    """
    known = own_prompt().profile.facts if observation.facts is None else observation.facts
    try:
        expect = Named.of(scenario, known, observation.time_zone).resolved(scenario.expect)
        checks = _checks(scenario.model_copy(update={"expect": expect}), observation, judge, exact=exact)
    except Unknown as error:
        checks = (Check("facts", "unknown", "what the expectations name", str(error)),)
    played = tuple(_recording_checks(observation))
    outcome, reason = _outcome(checks, played, observation)
    return TrialResult(
        scenario=scenario.name,
        trial=observation.trial,
        tags=scenario.tags,
        outcome=outcome,
        checks=(*played, *checks),
        observation=observation,
        reason=reason,
        counts=scenario.reviewed,
    )


def _checks(scenario: Scenario, observation: Observation, judge: Judge | None, *, exact: bool) -> tuple[Check, ...]:
    expect = scenario.expect
    return (
        *guarded("calls", lambda: call_checks(expect.calls, observation)),
        *guarded("state", lambda: state_checks(expect.state, observation)),
        *guarded("reply", lambda: reply_checks(expect.reply, scenario, observation)),
        *guarded("others", lambda: _others(scenario, observation)),
        *guarded("rules", lambda: rule_checks(scenario, observation)),
        *guarded("rubric", lambda: _rubric(scenario, observation, judge)),
        *(guarded("effects", lambda: effect_checks(scenario, observation)) if exact else ()),
        *guarded("limits", lambda: limit_checks(expect.limits, observation.model_calls)),
    )


def _others(scenario: Scenario, observation: Observation) -> Iterator[Check]:
    """What each of the others saw, as if the scenario were about them."""
    for name, expected in scenario.expect.others.items():
        seen = replace(observation, replies=observation.others.get(name, ()))
        if expected.replies is not None:
            observed = f"{len(seen.replies)}: {' | '.join(seen.replies)}"
            held = "held" if len(seen.replies) == expected.replies else "broken"
            yield Check(f"others.{name}", held, f"{expected.replies} replies", observed)
        for check in reply_checks(expected, scenario, seen):
            yield replace(check, name=f"others.{name}.{check.name}")


def _rubric(scenario: Scenario, observation: Observation, judge: Judge | None) -> Iterator[Check]:
    """One check an item of the scenario's, and of the general rubric where the judge asks it: all in one question."""
    lines = [("rubric", item) for item in scenario.expect.rubric]
    if judge is None:
        yield from (Check(name, "unknown", item, "there is no judge") for name, item in lines)
        return
    if judge.asks_in_general(scenario.name):
        lines += [(f"general.{name}", says) for name, says in GENERAL.items()]
    if lines:
        rulings = judge.rule([says for _, says in lines], Evidence.of(scenario, observation))
        for (name, says), ruling in zip(lines, rulings, strict=True):
            yield ruling.check(name, says)


def _recording_checks(observation: Observation) -> Iterator[Check]:
    """What kept the trial from being the recorded one; nothing where all is well."""
    if observation.crash is not None:
        yield Check("play.finished", "unknown", "the trial is played to its end", observation.crash)
    for stale in observation.stale:
        changed = f"turn {stale.turn} is stale: changed {', '.join(stale.changed) or 'something'}"
        yield Check("recording.stale", "unknown", "the recorded request", changed, stale.diff)
    if observation.missing_turns:
        turns = ", ".join(map(str, observation.missing_turns))
        yield Check("recording.missing", "unknown", "a recorded answer to each turn", f"none for turn {turns}")
    if observation.unused_turns:
        turns = ", ".join(map(str, observation.unused_turns))
        yield Check("recording.unused", "broken", "every recorded turn is asked for", f"turn {turns} was not")


def _outcome(checks: tuple[Check, ...], played: tuple[Check, ...], observation: Observation) -> tuple[Outcome, str]:
    """Outcome and reason, by the table above."""
    stale = [check.observed for check in played if check.name in ("recording.stale", "recording.missing")]
    every = (*played, *checks)
    unknown = [check for check in every if check.verdict == "unknown"]
    if stale:
        again = f"; then it crashed: {observation.crash}" if observation.crash is not None else ""
        return Outcome.STALE, "; ".join(stale) + again
    if observation.crash is not None:
        return Outcome.ERRORED, observation.crash or "it crashed without a reason"
    if any(check.verdict == "broken" for check in every):
        return Outcome.FAIL, ""
    if unknown:
        return Outcome.ERRORED, "; ".join(f"{check.name}: {check.observed}" for check in unknown)
    if all(check.name.startswith(("rule.", "general.")) for check in checks):
        return Outcome.ERRORED, "nothing was checked"
    return Outcome.PASS, ""
