"""What a month costs: the table of docs/deploy.md#9-what-a-month-costs, made from a price list with a date and from what was measured.

Not part of the program: it weighs what the processor sends, so it alone in this folder imports the core.
"""
