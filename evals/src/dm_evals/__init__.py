"""Scores the agent against recorded DM scenarios (docs/evals.md#what-replay-can-tell-and-what-not)."""
