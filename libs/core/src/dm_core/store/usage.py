"""What a store is asked for, counted where it happens: budgets are tests (``tests/integration/budgets``)."""

from dataclasses import dataclass


@dataclass(slots=True)
class StoreUsage:
    """Since the store was made: documents read, and remote calls (for SQLite: transactions), attempts included."""

    reads: int = 0
    calls: int = 0
