"""What a month costs: the table of docs/deploy.md#9-what-a-month-costs, from a dated price list and what was measured.

Not part of the program: it weighs what the processor sends, so it alone in this folder imports the core.
"""
