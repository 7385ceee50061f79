"""What a run shows the model when it begins, and when it goes on with all that is there now. Pure."""

from dataclasses import replace

from dm_core.agent.agent import Agent, Situation
from dm_core.agent.rebuild import done_so_far
from dm_core.processing.freshness import Stale, shown
from dm_core.runs import Asked, Run, UserTurn


def opened(agent: Agent, run: Run, situation: Situation) -> Run:
    """A run whose turns show the situation, and nothing else yet."""
    opening = agent.opening(replace(situation, run=run))
    return replace(
        run,
        turns=(UserTurn(opening.text),),
        handles=opening.handles,
        asked=Asked(situation.thread.revision),
        shown=shown(situation.messages),
    )


def rebuilt(agent: Agent, run: Run, situation: Situation, why: Stale) -> Run:
    """A run that goes on with this situation.

    Nothing of it went out: as if it were new, with its model turns from 0. Else it is told what was done.
    """
    number = run.next_turn
    if not run.acted:
        fresh = replace(run, actions=(), notes=(), model_calls=0, repairs=0, dropped_turns=number, fresh_from=number)
        return opened(agent, replace(fresh, turns=()), situation)
    fresh_from = run.fresh_from if why is Stale.OLD else number
    again = opened(agent, replace(run, dropped_turns=number, fresh_from=fresh_from, turns=()), situation)
    return replace(again, turns=(*again.turns, done_so_far(run)))
