"""The model is down for ten minutes while a thousand threads wait, in simulated time: calls, CPU, and how it drains.

The production code on two simulated instances, with the real queue's backoff (``make simulate`` plays the same world
with random faults); no time is measured here but the CPU of the whole simulation, which bounds the program's.
"""

import asyncio
import time

from benchmarks.harness.figures import Figure
from dm_core.errors import Service
from dm_sandbox.simulation.outages import LATE, Ordeal, endure
from dm_sandbox.simulation.schedule import FaultKind

SECONDS = 600.0


async def measure(threads: int) -> list[Figure]:
    """One outage. Raises RuntimeError where a DM was lost, answered twice, or an invariant broke."""
    begun = time.process_time()
    fared = await asyncio.to_thread(endure, Ordeal(Service.MODEL, FaultKind.FAIL, SECONDS, threads))
    cpu = time.process_time() - begun
    if fared.violations or fared.twice or fared.answered != fared.dms:
        raise RuntimeError(f"{fared}; {fared.violations[:3]}")
    note = (
        f"{fared.dms} DMs, all answered once; at most {fared.rate:.1f} a second and instance; {cpu:.0f} s CPU simulated"
    )
    return [
        Figure(f"10 minutes without a model, {threads} threads: calls in vain", fared.vain, note=note),
        Figure("  wake-ups a DM", fared.wake_ups / fared.dms, note=f"{fared.wake_ups} in all"),
        Figure("  the last answer after the model's return", fared.last, "s", LATE),
    ]
