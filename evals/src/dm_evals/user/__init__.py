"""A simulated user: writes on after the scenario's events, until the goal is reached or patience ends.

    with GeminiUser(model, key) as model:                        # any ``UserModel``; waits for a network
        await run_trial(scenario, 1, url, user=model)            # a scenario without ``user`` never asks it

In a replay ``RecordedUser`` says what ``t1.jsonl`` of its folder in ``evals/users/`` holds;
``RecordingUser`` keeps what another one says.
"""

from dm_evals.user.user import GeminiUser, RecordedUser, RecordingUser, Said, UserModel

__all__ = ["GeminiUser", "RecordedUser", "RecordingUser", "Said", "UserModel"]
