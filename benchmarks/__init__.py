"""The budgets (docs/promises.md#budgets), measured: ``python -m benchmarks`` from the repository's root."""
