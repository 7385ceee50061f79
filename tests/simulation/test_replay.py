"""A seed is the whole truth about its simulation: the same timeline every time, in every process."""

import os
import subprocess
import sys

import pytest

from dm_sandbox.simulation.play import simulate
from dm_sandbox.simulation.runner import story
from dm_sandbox.simulation.schedule import make_schedule


@pytest.mark.parametrize("seed", [3, 17, 41])
def test_a_seed_replays_to_the_identical_timeline(seed: int) -> None:
    first = simulate(make_schedule(seed), traced=True)
    second = simulate(make_schedule(seed), traced=True)

    assert first.entries
    assert first.entries == second.entries
    assert first.states == second.states


def test_neither_hashes_nor_the_machines_clock_decide_anything() -> None:
    stories = {_elsewhere(hash_seed) for hash_seed in ("1", "2")}

    assert len(stories) == 1
    assert story(simulate(make_schedule(7), traced=True)) + "\n" in stories


def test_tracing_changes_nothing() -> None:
    plain, traced = simulate(make_schedule(5)), simulate(make_schedule(5), traced=True)

    assert (plain.states, plain.faults, plain.ended_at) == (traced.states, traced.faults, traced.ended_at)


def _elsewhere(hash_seed: str) -> str:
    """The story of seed 7 as another process tells it."""
    command = [sys.executable, "-m", "dm_sandbox.simulation", "--seed", "7"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)  # noqa: S603
    return done.stdout.decode()
