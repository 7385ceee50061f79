"""The loop in virtual time ends whatever runs on it."""

import asyncio
from itertools import count

import pytest

from dm_sandbox.simulation.loop import Livelock, VirtualLoop, run_virtual


async def _round_and_round() -> None:
    for _ in count():
        await asyncio.sleep(0)


def test_a_loop_that_goes_round_and_round_is_closed_with_all_that_ran_on_it() -> None:
    loop = VirtualLoop(most_steps=100)
    others = list[asyncio.Task[None]]()

    async def work() -> None:
        others.append(asyncio.ensure_future(_round_and_round()))
        await _round_and_round()

    with pytest.raises(Livelock):
        run_virtual(work(), loop)

    assert loop.is_closed()
    assert others[0].cancelled()
