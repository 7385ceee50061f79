"""The load: everybody writes at once, the model takes its time, nothing is broken. Everybody is answered exactly once.

One instance of each function, as the platform would start with. Memory and CPU are read from /proc; where there is
none they are not shown.
"""

import asyncio
import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median

from dm_sandbox.chaos.fake_model import FakeModel, numbers_in
from dm_sandbox.chaos.fleet import children
from dm_sandbox.chaos.ledger import Ledger
from dm_sandbox.chaos.people import Redelivery, Senders
from dm_sandbox.chaos.report import Report, outcome_figures
from dm_sandbox.chaos.settling import PATIENCE_SECONDS, settled
from dm_sandbox.chaos.verdict import Evidence, judge
from dm_sandbox.environment import Pace
from dm_sandbox.launcher import FunctionProcess
from dm_sandbox.world import Sandbox, StoreName

PACE = Pace(debounce_min=1.0, debounce_max=3.0)
SETTINGS: Mapping[str, str] = {"FUNCTION_TIMEOUT_SECONDS": "45", "LEASE_SECONDS": "50"}
"""A run whose instance could not even give it back is taken up within the patience of whoever waits for the end."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """``threads`` people write ``each`` DMs in one moment; the model takes ``model_seconds`` a call."""

    threads: int = 200
    each: int = 5
    model_seconds: float = 1.0
    store: StoreName = "firestore"
    seed: int = 1
    patience: float = PATIENCE_SECONDS


async def load(crowd: Crowd) -> Report:
    """One load, judged. Raises FunctionDidNotStart, EmulatorUnavailable."""
    random, loop = Random(crowd.seed), asyncio.get_running_loop()
    async with Sandbox(store=crowd.store, pace=PACE, extra=SETTINGS) as sandbox:
        model = FakeModel(random, steady=True)
        sandbox.gemini.model, sandbox.gemini.latency = model, crowd.model_seconds
        sender = Redelivery(f"{sandbox.webhook.url}/", random, duplicates=0)
        sandbox.instagram.connect(sender)
        senders = Senders(sandbox.instagram, sender, crowd.threads, random)
        ledger = Ledger(sandbox.environment)
        idle = Footprint.of(sandbox.processor)
        begun_at, begun = sandbox.clock(), loop.time()
        await senders.all_at_once(crowd.each)
        delivered = loop.time()
        came_to_rest = await settled(ledger, senders.dms, crowd.patience)
        ended = loop.time()
        busy = Footprint.of(sandbox.processor)
        refused = sum(delivery.status != 200 for delivery in sender.deliveries)
        accounts = {name: await ledger.read(name) for name in {dm.thread_id for dm in senders.dms}}
        await ledger.close()
        await sandbox.instagram.settle()
        await sender.close()
    sent = sandbox.instagram.sent
    evidence = Evidence(
        senders.dms, frozenset(model.shown), sent, sandbox.instagram.reactions, sandbox.whatsapp.alerts, accounts
    )
    findings = judge(evidence)
    waits = sorted((message.at - begun_at) / 1000 for message in sent for _ in numbers_in(message.text))
    figures = {
        "threads x DMs, store": f"{crowd.threads} x {crowd.each}, {crowd.store}",
        "seconds of one model call": crowd.model_seconds,
        "seconds until all acknowledged / all at rest": f"{delivered - begun:.1f} / {ended - begun:.1f}",
        "seconds until a DM was answered, median / last": f"{median(waits or [0]):.1f} / {max(waits or [0]):.1f}",
        "threads without an answer": crowd.threads - len({message.to_id for message in sent}),
        "webhook deliveries / not acknowledged": f"{len(sender.deliveries)} / {refused}",
        "model calls": len(sandbox.gemini.requests),
        "processor's memory, MiB, idle / most": f"{idle.most_mib:.0f} / {busy.most_mib:.0f}",
        "processor's CPU, ms a DM": f"{(busy.cpu_seconds - idle.cpu_seconds) * 1000 / max(1, len(senders.dms)):.1f}",
        **outcome_figures(evidence, findings),
        "DMs a second": f"{len(senders.dms) / (ended - begun):.1f}",
    }
    return Report("load", figures, findings, came_to_rest)


@dataclass(frozen=True, slots=True)
class Footprint:
    """A function's worker process: the most memory it ever had, in MiB, and its CPU time so far. 0 if unknown."""

    most_mib: float = 0.0
    cpu_seconds: float = 0.0

    @classmethod
    def of(cls, function: FunctionProcess) -> "Footprint":
        for pid in children(function.pid):
            with contextlib.suppress(OSError, ValueError, IndexError):
                status = Path(f"/proc/{pid}/status").read_text()
                most = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
                spent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks = int(spent[11]) + int(spent[12])
                return cls(int(most) / 1024, ticks / os.sysconf("SC_CLK_TCK"))
        return cls()
