"""The budgets of design.md section 12, measured: ``python -m benchmarks`` from the repository's root."""
