"""The grounded judge: what only a reader can tell, ruled on evidence, with a quote of it.

    with GeminiJudge(model, key) as judge:                  # it waits for a network: call it off the event loop
        judge.check()                                       # one call; raises Unusable with what to do
        result = judge_trial(scenario, observation, judge)  # rubric and GENERAL together, one request a vote
        judge.calls                                         # a ModelCall for each request, for cost and budget

Three judges: ``GeminiJudge`` asks a model, ``RecordedJudge`` answers from ``evals/rulings/`` and asks nobody,
``RecordingJudge`` keeps what another one says. A ruling holds by two votes of three; a vote whose quote does not stand
in the evidence is none.
"""

from dm_evals.judge.evidence import Evidence
from dm_evals.judge.judge import GENERAL, Judge, Ruling, Vote
from dm_evals.judge.recorded import RecordedJudge, RecordingJudge

__all__ = [
    "GENERAL",
    "Evidence",
    "Judge",
    "RecordedJudge",
    "RecordingJudge",
    "Ruling",
    "Vote",
]
