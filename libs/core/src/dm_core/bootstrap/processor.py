"""Composition root of the processor: from settings and its folder's files to an app. It knows every adapter.

Nothing connects here: each client is made on its first use, because the server forks after this module is imported.
"""

from dataclasses import dataclass
from pathlib import Path

from dm_core.agent.agent import Agent
from dm_core.agent.gemini import GeminiModel
from dm_core.agent.guards import Guards
from dm_core.agent.model import Model
from dm_core.agent.prices import ListPrices, Prices
from dm_core.agent.rules import Rules
from dm_core.bootstrap.files import Files, load_files
from dm_core.bootstrap.parts import open_alert_queue, open_queue, open_store
from dm_core.clients.http import HttpClient
from dm_core.clients.instagram_accounts import InstagramClients
from dm_core.clients.media.fetcher import MediaClient
from dm_core.clients.port import InstagramAccounts, MediaFiles, Spond, TokenStore, WhatsApp
from dm_core.clients.schedule import JoinedSchedule
from dm_core.clients.spond import SpondClient
from dm_core.clients.token_renewal import InstagramTokens, RenewedAccounts
from dm_core.clients.token_store import open_token_store
from dm_core.clients.whatsapp import WhatsAppClient
from dm_core.clock import Clock, Ids, random_ids, system_clock
from dm_core.durations import DAY_MS, HOUR_MS, MINUTE_MS
from dm_core.erasing.eraser import Eraser
from dm_core.messages import Direction
from dm_core.processing.alert_ticks import AlertTicks
from dm_core.processing.alerts import Alerts
from dm_core.processing.app import ProcessorApp
from dm_core.processing.attached_media import LOOKED_AT
from dm_core.processing.brake import Brake
from dm_core.processing.delivery import Delivery
from dm_core.processing.maintenance import Maintenance
from dm_core.processing.outbox.commands import Commands
from dm_core.processing.outbox.drafts import DraftWords
from dm_core.processing.outbox.order import Order
from dm_core.processing.outbox.outbox import Outbox
from dm_core.processing.outbox.steps import Steps
from dm_core.processing.processor import Processor
from dm_core.processing.runtime import Runtime
from dm_core.processing.sweeper import Sweeper
from dm_core.processing.switches import SwitchReader
from dm_core.processing.timing import Timing
from dm_core.queue.port import AlertQueue, WakeUpQueue
from dm_core.settings import ProcessorSettings
from dm_core.store.port import Store


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything of the outside that the processor uses."""

    store: Store
    queue: WakeUpQueue
    alert_queue: AlertQueue
    model: Model
    instagram: InstagramAccounts
    whatsapp: WhatsApp
    spond: Spond | None
    token_store: TokenStore
    clock: Clock
    ids: Ids
    media: MediaFiles | None = None

    async def close(self) -> None:
        """Release every connection. A function never does: its process ends with them."""
        platforms = (self.model, self.instagram, self.media, self.whatsapp, self.spond)
        for port in (*platforms, self.queue, self.alert_queue, self.store):
            if port is not None:
                await port.close()


def open_ports(settings: ProcessorSettings, clock: Clock = system_clock) -> Ports:
    """The production adapters; the three platform clients share one connection pool."""
    http = HttpClient(clock=clock)
    return Ports(
        store=open_store(settings.store, clock),
        queue=open_queue(settings.queue),
        alert_queue=open_alert_queue(settings.alerts.queue),
        model=GeminiModel(settings.model),
        instagram=InstagramClients(settings.instagram, clock, http=http),
        whatsapp=WhatsAppClient(settings.whatsapp, clock, http=http),
        spond=SpondClient(settings.spond, clock, http=http) if settings.spond else None,
        token_store=open_token_store(settings.instagram),
        clock=clock,
        ids=random_ids,
        media=MediaClient(settings.media.base_url) if settings.media.kinds != "off" else None,
    )


def processor_app(settings: ProcessorSettings, folder: Path, ports: Ports | None = None) -> ProcessorApp:
    """The app of a deployment; ``folder`` as in ``load_files``. Raises Misconfigured."""
    return compose(settings, load_files(folder), ports or open_ports(settings))


def compose(settings: ProcessorSettings, files: Files, ports: Ports, prices: Prices | None = None) -> ProcessorApp:
    """The processor's parts over any ports: in production, in the sandbox and in the simulation.

    ``prices``: instead of the list that a thread of its own loads.
    """
    tokens = InstagramTokens(ports.instagram, ports.token_store, settings.instagram)
    instagram = RenewedAccounts(ports.instagram, tokens)
    rules = Rules.of(files.profile, settings.disclosure_days, settings.handover)
    alerts = Alerts(ports.store, ports.alert_queue, ports.clock, settings.alerts.limits)
    groups = settings.spond.groups if settings.spond else ()
    agent = Agent(
        files.profile,
        files.system_md,
        Guards(secrets=settings.secrets, manager_number=",".join(settings.whatsapp.manager_numbers)),
        settings.limits,
        JoinedSchedule.of(ports.spond, groups, ports.store, ports.clock, alerts.calendar_stopped),
        ports.store,
        instagram,
        rules=rules,
    )
    tokens.protect = agent.protect
    timing = Timing(settings.queue.debounce_min, settings.queue.debounce_max, settings.store.retention_days * DAY_MS)
    switches = SwitchReader(ports.store, ports.clock)
    runtime = Runtime(
        store=ports.store,
        queue=ports.queue,
        alerts=alerts,
        model=ports.model,
        prices=prices or ListPrices(settings.model.model),
        agent=agent,
        instagram=instagram,
        tokens=tokens,
        clock=ports.clock,
        ids=ports.ids,
        limits=settings.limits,
        timing=timing,
        brake=Brake(ports.clock),
        switches=switches,
        rules=rules,
        media=ports.media,
        media_kinds=LOOKED_AT[settings.media.kinds],
    )
    eraser = Eraser(ports.store, ports.clock, timing.retention_ms)
    sweeper = Sweeper(ports.store, ports.queue, ports.clock, timing, alerts, eraser)
    maintenance = Maintenance(
        instagram, tokens, ports.store, ports.clock, settings.instagram, ports.whatsapp, ports.store
    )
    return ProcessorApp(
        Processor(runtime), sweeper, maintenance, alert_ticks(settings, ports), outbox(settings, files, ports, runtime)
    )


def outbox(settings: ProcessorSettings, files: Files, ports: Ports, runtime: Runtime) -> Outbox:
    """What reads and sends what humans write."""
    said_by = frozenset({Direction.OUTBOUND, Direction.HUMAN})
    retention_ms = runtime.timing.retention_ms
    return Outbox(
        store=ports.store,
        queue=ports.queue,
        delivery=Delivery(ports.store, runtime.instagram, ports.clock, settings.limits, said_by),
        whatsapp=ports.whatsapp,
        steps=Steps(ports.store, runtime.switches, runtime.rules, ports.clock, ports.ids, retention_ms),
        commands=Commands.of(files.profile.languages),
        drafts=DraftWords(ports.store, ports.queue, runtime.switches, ports.clock, ports.ids, retention_ms),
        order=Order(ports.store, ports.clock),
        alerts=runtime.alerts,
        clock=ports.clock,
        ids=ports.ids,
        takeover_ms=round(settings.takeover_minutes * MINUTE_MS),
        retention_ms=retention_ms,
        run_ms=runtime.timing.run_ms(settings.limits),
        claim_ms=round(settings.limits.lease_seconds * 1000),
        wait_ms=round(settings.limits.max_wait_hours * HOUR_MS),
    )


def alert_ticks(settings: ProcessorSettings, ports: Ports) -> AlertTicks:
    """What answers the tasks of the alerts' queue."""
    return AlertTicks(
        ports.store,
        ports.alert_queue,
        ports.whatsapp,
        ports.instagram,
        ports.clock,
        ports.ids,
        settings.alerts,
        settings.handover,
    )
