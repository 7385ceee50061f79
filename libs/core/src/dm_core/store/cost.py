"""What a store's work costs, counted where it happens: budgets are tests (design.md section 12)."""

from dataclasses import dataclass


@dataclass(slots=True)
class Cost:
    """Since the store was made: documents read, and remote calls (for SQLite: transactions), attempts included."""

    reads: int = 0
    calls: int = 0
