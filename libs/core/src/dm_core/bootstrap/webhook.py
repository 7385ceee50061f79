"""Composition root of the webhook: from settings to an app.

The adapters are imported here, at start, where the platform waits (and lends its start-up CPU); nothing connects before
the first request, because the server forks after this module is imported and clients belong to their event loop.
"""

from pathlib import Path

from dm_core.bootstrap.parts import open_alert_queue, open_queue, open_store
from dm_core.clock import Clock, system_clock
from dm_core.durations import DAY_MS
from dm_core.erasing.requests import DeletionRequests
from dm_core.queue.port import AlertQueue, WakeUpQueue
from dm_core.settings import WebhookSettings
from dm_core.store.port import Store
from dm_core.telemetry import emit
from dm_core.webhook.app import WebhookApp
from dm_core.webhook.automatic import NOTHING_LISTED, AutomaticTexts, load_automatic_texts
from dm_core.webhook.learnt import LearntAlerts
from dm_core.webhook.manager import ManagerMessages
from dm_core.webhook.receiver import Receiver
from dm_core.webhook.whatsapp import WhatsAppReceiver
from dm_core.webhook.work import ReceiverPolicy


def webhook_app(settings: WebhookSettings, folder: Path, clock: Clock = system_clock) -> WebhookApp:
    """The app of a deployment. ``folder`` is the function's own: the deployer's ``profile/`` stands in it, or, in a
    checkout, in the processor's beside it."""
    texts = automatic_texts(folder)
    if settings.whatsapp.secret_is_instagrams:
        emit("whatsapp_secret_missing", "WARNING", setting="WHATSAPP_APP_SECRET")
    if settings.own_account_left_out:
        emit("own_account_left_out", "WARNING", setting="INSTAGRAM_ACCOUNT_IDS")
    store, queue = open_store(settings.store, clock), open_queue(settings.queue)
    return compose(settings, store, queue, open_alert_queue(settings.alert_queue), clock, texts)


def automatic_texts(folder: Path) -> AutomaticTexts:
    """What the deployer says of the account's automatic messages. Raises Misconfigured."""
    own = folder / "profile"
    return load_automatic_texts(own if own.is_dir() else folder.parent / "processor" / "profile")


def compose(
    settings: WebhookSettings,
    store: Store,
    queue: WakeUpQueue,
    alert_queue: AlertQueue,
    clock: Clock,
    texts: AutomaticTexts = NOTHING_LISTED,
) -> WebhookApp:
    """The app over any store and queues."""
    policy = ReceiverPolicy(
        debounce_min=settings.queue.debounce_min,
        debounce_max=settings.queue.debounce_max,
        takeover_minutes=settings.takeover_minutes,
        retention_days=settings.store.retention_days,
        account_ids=settings.account_ids,
        automatic=texts,
    )
    learnt = LearntAlerts(store, alert_queue, clock, settings.store.retention_days)
    messages = ManagerMessages(store, queue, clock, settings.store.retention_days)
    whatsapp = WhatsAppReceiver(store, alert_queue, clock, settings.whatsapp, messages, store)
    deletions = DeletionRequests(store, clock, settings.store.retention_days * DAY_MS)
    receiver = Receiver(store, queue, clock, policy, learnt)
    return WebhookApp(settings.verify_token, settings.app_secrets, receiver, store, deletions, whatsapp, clock)
