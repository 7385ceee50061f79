"""The real functions on real stores, killed at random under load; and the load without the killing.

    python -m dm_sandbox.chaos            people write, instances die, the store and the queue stop and come back
    python -m dm_sandbox.chaos load       200 threads of five DMs at once, with a model that takes a second

What is judged at the end is the simulators' own record against the store: nothing lost, nothing sent twice.

    people ─signed webhooks─▶ relay ─▶ webhooks ────┐                    ┌─▶ Instagram, WhatsApp, Gemini (the record)
                                                    ├─ store, queue ─┐   │
                              relay ─▶ processors ◀──────────────────┘───┘
                 kills, freezes ───────▲  stops, restarts ──▲
"""
