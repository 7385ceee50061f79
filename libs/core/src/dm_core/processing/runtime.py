"""What every run of an instance shares."""

from dataclasses import dataclass, field

from dm_core.agent.agent import Agent
from dm_core.agent.model import Model
from dm_core.agent.prices import Prices
from dm_core.agent.rules import Rules
from dm_core.clients.port import InstagramAccounts, MediaFiles, Tokens
from dm_core.clock import Clock, Ids
from dm_core.media import MediaKind
from dm_core.processing.alerts import Alerts
from dm_core.processing.brake import Brake
from dm_core.processing.local_leases import LocalLeases
from dm_core.processing.switches import SwitchReader
from dm_core.processing.timing import Timing
from dm_core.queue.port import WakeUpQueue
from dm_core.settings import RunLimits
from dm_core.store.port import ThreadStore


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts of the processor. ``brake`` and ``local_leases`` are all that an instance keeps between tasks."""

    store: ThreadStore
    queue: WakeUpQueue
    alerts: Alerts
    model: Model
    prices: Prices
    agent: Agent
    instagram: InstagramAccounts
    tokens: Tokens
    clock: Clock
    ids: Ids
    limits: RunLimits
    timing: Timing
    brake: Brake
    switches: SwitchReader
    rules: Rules = field(default_factory=Rules)
    local_leases: LocalLeases = field(default_factory=LocalLeases)
    media: MediaFiles | None = None
    media_kinds: frozenset[MediaKind] = frozenset()
