"""One instance's end of the network, and the lines to everything it calls: how slow each is, and how each fails."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from dm_core.errors import (
    AccountStopped,
    ModelRefused,
    ModelUnavailable,
    QueueUnavailable,
    Refused,
    RetryLater,
    Service,
    StoreUnavailable,
    Uncertain,
    Unreachable,
)
from dm_sandbox.memory_database import MemoryDatabase
from dm_sandbox.simulation.cloud_tasks import SimulatedQueue
from dm_sandbox.simulation.model import ScriptedModel
from dm_sandbox.simulation.monitor import Monitor
from dm_sandbox.simulation.network import Line, Network, Process, Trouble
from dm_sandbox.simulation.phone import OUTSIDE_WINDOW, Phone
from dm_sandbox.simulation.platforms import Platforms
from dm_sandbox.simulation.schedule import Fault, FaultKind
from dm_sandbox.simulation.ticks import TickQueue


def _stopped(service: Service, kind: FaultKind) -> AccountStopped | None:
    codes = {FaultKind.STOP: 403 if service is Service.MODEL else 190, FaultKind.FORBIDDEN: 10}
    return AccountStopped("simulated", service=service, code=codes[kind]) if kind in codes else None


def _acting(service: Service) -> Trouble:
    """Errors of a call that does something: only a clear no is certain."""

    def trouble(kind: FaultKind, seconds: float) -> Exception:
        window = OUTSIDE_WINDOW if service is Service.WHATSAPP else 10

        def throttle() -> Exception:
            return RetryLater("simulated", wait_seconds=seconds, service=service, code=80002)

        known: dict[FaultKind, Callable[[], Exception]] = {
            FaultKind.DOWN: lambda: RetryLater("simulated", service=service),
            FaultKind.THROTTLE: throttle,
            FaultKind.THROTTLE_AFTER: throttle,
            FaultKind.REFUSE: lambda: Refused("simulated", service=service, code=100),
            FaultKind.DENIED: lambda: Refused("simulated", service=service, code=100),
            FaultKind.BLOCKED: lambda: Unreachable("simulated", service=service, code=551, subcode=1545041),
            FaultKind.WINDOW: lambda: Unreachable("simulated", window=True, service=service, code=window),
        }
        if kind in known:
            return known[kind]()
        return _stopped(service, kind) or Uncertain("simulated", service=service, code=2)

    return trouble


def _reading(service: Service) -> Trouble:
    """Errors of a call that only reads: nothing can have happened."""

    def trouble(kind: FaultKind, seconds: float) -> Exception:
        wait = seconds if kind is FaultKind.THROTTLE else None
        return _stopped(service, kind) or RetryLater("simulated", wait_seconds=wait, service=service, code=2)

    return trouble


def _thinking(kind: FaultKind, seconds: float) -> Exception:
    """Errors of the model."""
    if kind is FaultKind.REFUSE:
        return ModelRefused("simulated", code=400)
    if kind is FaultKind.THROTTLE:
        return ModelUnavailable("simulated", wait_seconds=seconds, code=429)
    code = 503 if kind is FaultKind.FAIL else 0
    return _stopped(Service.MODEL, kind) or ModelUnavailable(f"simulated: {kind}", code=code)


def _reading_tokens(kind: FaultKind, _: float) -> Exception:
    """Errors of the vault's client, before they are sorted."""
    return _stopped(Service.VAULT, kind) or OSError(f"simulated: {kind}")


READ: Final = Line(0.004, 0.03, 30.0, lambda kind, _: StoreUnavailable(f"simulated: {kind}"))
WRITE: Final = Line(0.005, 0.04, 10.0, lambda kind, _: StoreUnavailable(f"simulated: {kind}"))
QUEUE: Final = Line(0.01, 0.05, 10.0, lambda kind, _: QueueUnavailable(f"simulated: {kind}"))
MODEL: Final = Line(0.2, 2.0, 60.0, _thinking)
ACT: Final = Line(0.05, 0.4, 30.0, _acting(Service.INSTAGRAM))
LOOK: Final = Line(0.05, 0.4, 30.0, _reading(Service.INSTAGRAM))
MANAGER: Final = Line(0.05, 0.4, 30.0, _acting(Service.WHATSAPP))
SPOND: Final = Line(0.05, 0.4, 30.0, _reading(Service.SPOND))
MEDIA: Final = Line(0.05, 0.4, 20.0, lambda kind, _: OSError(f"simulated: {kind}"))
VAULT: Final = Line(0.02, 0.2, 30.0, _reading_tokens)
"""Latencies each way and the real clients' own timeouts, in s."""

TORN_READS: Final = 0.3
"""How many of the reads of a thread see its messages later than its version, as Firestore's may."""


@dataclass(slots=True)
class Shared:
    """What lies behind the network."""

    database: MemoryDatabase
    queue: SimulatedQueue
    ticks: TickQueue
    platforms: Platforms
    phone: Phone
    model: ScriptedModel
    monitor: Monitor
    rng: Random
    torn_reads: float = TORN_READS


@dataclass(frozen=True, slots=True)
class Wire:
    """One instance's end of the network. ``function`` is ``processor`` or ``webhook``."""

    network: Network
    process: Process
    function: str
    shared: Shared

    async def call[T](self, site: str, line: Line, effect: Callable[[Fault | None], T]) -> T:
        return await self.network.call(self.process, site, line, effect)

    async def store[T](self, site: str, line: Line, effect: Callable[[], T]) -> T:
        return await self.network.call(self.process, f"{self.function}.store.{site}", line, lambda _: effect())
