"""Something slow that happens once a test run, also when pytest-xdist's workers share the tests of this folder."""

import fcntl
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest


def once[T](factory: pytest.TempPathFactory, name: str, make: Callable[[Path], T]) -> T:
    """`make(a new folder)`, or what another worker's made; the second one waits for the first."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return make(factory.mktemp(name))
    shared = factory.getbasetemp().parent
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = shared / f"{name}.pickle"
        if not kept.exists():
            kept.write_bytes(pickle.dumps(make(factory.mktemp(name))))
        return pickle.loads(kept.read_bytes())  # noqa: S301 - written above
