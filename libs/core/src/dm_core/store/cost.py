"""What a store's work costs, counted where it happens, so that budgets can be tests (docs/promises.md#budgets)."""

from dataclasses import dataclass


@dataclass(slots=True)
class Cost:
    """Since the store was made: documents read, and remote calls (for SQLite: transactions), attempts included."""

    reads: int = 0
    calls: int = 0
