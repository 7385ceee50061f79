"""Hostile inputs for every border of the system, and a runner: ``python -m dm_sandbox.fuzzing``.

A target takes bytes and checks what must hold whatever they are. ``engine`` makes the bytes: it mutates seeds
(``seeds``) by their structure and byte by byte (``mutation``) and keeps what reached new lines of the core
(``coverage``). Everything comes from one seed number, so a finding can be had again.
"""
