"""The page of ``make dev``: people and their phones, the manager's phone, what ran and why, and what can be broken."""
