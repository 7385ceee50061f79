"""Scenarios: who writes what, in which world, and what is expected; read from YAML, or refused with the line."""
