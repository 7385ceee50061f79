"""Scores the agent against recorded DM scenarios (design.md section 15)."""
