"""Rulings of a judge on what only a reader can tell."""
