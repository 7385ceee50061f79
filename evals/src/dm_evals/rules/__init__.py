"""Rules that hold in every scenario, in code; each check has the rule's name, ``rule.<name>``.

| module | rules |
|---|---|
| manners | disclosed, plain_text, emoji, no_repeats, one_question, language, reaction |
| people | contacts, others, not_human, instructions |
| promises | booked, no_deadline, prices, notes |
| calendar | dates, hours, places, cancelled, full |
| usual | usual |
| facts | facts |
| sources | sources |

A rule rather misses a fault than fails a good answer: what it cannot read (another language, irony) is the judge's.
"""
