"""Hostile inputs for every border of the system, and a runner: ``python -m dm_sandbox.fuzzing``.

A target takes bytes and checks what must hold whatever they are. Its strategy (``inputs``) makes them of real shapes
(``seeds``) for hypothesis, or for libFuzzer (``libfuzzer``), which goes where the core's branches lead it.
Everything comes from one seed number, so a finding can be had again.
"""
