"""What a run shows the model when it begins, and when it goes on with all that is there now. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from dm_core.agent.agent import Agent, Opening, Situation
from dm_core.agent.rebuild import done_so_far
from dm_core.processing.freshness import Stale, shown
from dm_core.processing.leased_thread import LeasedThread
from dm_core.runs import ActionState, Asked, Run, Turn, UserTurn


def opened(agent: Agent, run: Run, situation: Situation) -> Run:
    """A run whose turns show the situation, and nothing else yet."""
    return _showing(replace(run, turns=()), situation, agent.opening(replace(situation, run=run)))


def reopened(
    agent: Agent, run: Run, leased: LeasedThread, situation: Situation, why: Stale, untold: Sequence[Turn] | None
) -> Run:
    """A run that goes on with this situation, whose DMs are now all its own.

    Nothing of it went out: as if it were new, with its model turns from 0. Else the model is asked again with what was
    done: in the conversation it had, as far as what that shows still holds (``untold`` completes its newest turn), and
    else, as an edited or unsent DM must not be shown again, in a new one that tells of it. So too after a wait
    (``untold`` is None), however many there are: neither its model turns nor what it dropped add up.
    """
    number = run.next_turn
    holds = why is not Stale.CHANGED and shown(leased.own) == run.shown
    run = replace(run, draft=None, message_ids=tuple(message.id for message in (*leased.own, *leased.others)))
    if not run.acted:
        kept = tuple(action for action in run.actions if action.resent)  # so that nothing else is sent twice
        fresh = replace(run, actions=kept, notes=(), model_calls=0, repairs=0, dropped_turns=number, fresh_from=number)
        return opened(agent, fresh, situation)
    run = replace(run, fresh_from=run.fresh_from if why is Stale.OLD else number)
    if untold is None:
        old = (action for action in run.actions if action.state is ActionState.DROPPED and action.turn < number - 1)
        forgotten = {action.key for action in old if not action.resent}
        actions = tuple(action for action in run.actions if action.key not in forgotten)
        run = replace(run, model_calls=0, repairs=0, actions=actions)
    if untold is None or not holds:
        again = opened(agent, replace(run, dropped_turns=number), situation)
        return replace(again, turns=(*again.turns, done_so_far(run)))
    told = replace(run, turns=(*run.turns, *untold))
    return _showing(told, situation, agent.more(situation, leased.others))


def _showing(run: Run, situation: Situation, opening: Opening) -> Run:
    """The run with one turn more, after which the model has seen all of this situation."""
    return replace(
        run,
        turns=(*run.turns, UserTurn(opening.text, opening.mids)),
        handles=opening.handles,
        asked=Asked(situation.thread.revision),
        shown=shown(situation.messages),
    )
