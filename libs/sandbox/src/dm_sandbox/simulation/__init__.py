"""The production core under a simulated clock: thousands of random schedules of messages and faults, each checked.

    seed ──▶ schedule (what people do, what goes wrong) ──▶ world (one event loop in virtual time)
                                                              ├ webhook and processor instances: the real apps
                                                              ├ store, queue, Instagram, WhatsApp, model: simulated
                                                              └ monitor (at every step) + invariants (at the end)

``python -m dm_sandbox.simulation --help`` runs it. Nothing here reads the machine's clock, the order of a hash or of an
address: a seed replays to the same timeline everywhere.
"""
