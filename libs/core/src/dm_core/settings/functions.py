"""What each of the two functions reads."""

from collections.abc import Mapping
from dataclasses import dataclass

from dm_core.settings import table
from dm_core.settings.conversation import (
    HandoverSettings,
    MediaSettings,
    read_handover,
    read_media,
)
from dm_core.settings.platforms import (
    InstagramSettings,
    ModelSettings,
    SpondSettings,
    read_instagram,
    read_model,
    read_spond,
)
from dm_core.settings.reader import Reader
from dm_core.settings.system import (
    AlertSettings,
    QueueSettings,
    RunLimits,
    StoreSettings,
    read_alert_queue,
    read_alerts,
    read_limits,
    read_queue,
    read_store,
)
from dm_core.settings.whatsapp import WhatsAppSettings, WhatsAppWebhookSettings, read_whatsapp, read_whatsapp_webhook


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """What the webhook function reads. ``own_account_left_out``: whose DMs are taken is said, and the account that
    answers is not among them."""

    store: StoreSettings
    queue: QueueSettings
    alert_queue: QueueSettings
    whatsapp: WhatsAppWebhookSettings
    verify_token: str
    app_secrets: tuple[str, ...]
    account_ids: frozenset[str]
    takeover_minutes: float
    own_account_left_out: bool = False

    @classmethod
    def load(cls, env: Mapping[str, str]) -> "WebhookSettings":
        """Raises Misconfigured with one line that names every missing or malformed variable."""
        reader = Reader(env, "webhook")
        store, queue = read_store(reader), read_queue(reader)
        verify_token = reader.read(table.INSTAGRAM_VERIFY_TOKEN)
        app_secrets = reader.read(table.INSTAGRAM_APP_SECRET)
        account_ids = frozenset(reader.read(table.INSTAGRAM_ACCOUNT_IDS))
        takeover = reader.read(table.HUMAN_TAKEOVER_MINUTES)
        left_out = _leaves_own_out(reader, account_ids)
        alert_queue = read_alert_queue(reader, queue)
        whatsapp = read_whatsapp_webhook(reader, verify_token, app_secrets)
        return reader.done(
            lambda: cls(store, queue, alert_queue, whatsapp, verify_token, app_secrets, account_ids, takeover, left_out)
        )


def _leaves_own_out(reader: Reader, account_ids: frozenset[str]) -> bool:
    """A page's id is not its account's, and an account has a second id by which it can send but is never named in an
    event (docs/platforms/instagram.md#two-flavours): so it is said, not refused."""
    own, flavor = reader.read(table.INSTAGRAM_PAGE_ID), reader.read(table.INSTAGRAM_API_FLAVOR)
    return flavor == "instagram" and bool(account_ids) and own not in account_ids


@dataclass(frozen=True, slots=True)
class ProcessorSettings:
    """What the processor function reads."""

    store: StoreSettings
    queue: QueueSettings
    alerts: AlertSettings
    model: ModelSettings
    instagram: InstagramSettings
    whatsapp: WhatsAppSettings
    spond: SpondSettings | None
    limits: RunLimits
    handover: HandoverSettings
    disclosure_days: int
    media: MediaSettings
    takeover_minutes: float

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every configured value that must never go out."""
        spond = (self.spond.password, self.spond.username) if self.spond else ()
        tokens = (*self.instagram.tokens.values(), self.whatsapp.access_token)
        values = (self.model.api_key or "", *tokens, *spond)
        return tuple(value for value in values if value)

    @classmethod
    def load(cls, env: Mapping[str, str]) -> "ProcessorSettings":
        """Raises Misconfigured with one line that names every missing or malformed variable."""
        reader = Reader(env, "processor")
        store, queue, model = read_store(reader), read_queue(reader), read_model(reader)
        instagram, whatsapp = read_instagram(reader), read_whatsapp(reader)
        spond, limits = read_spond(reader), read_limits(reader)
        alerts = read_alerts(reader, queue, store)
        handover, media = read_handover(reader), read_media(reader)
        disclosure, takeover = reader.read(table.DISCLOSURE_DAYS), reader.read(table.HUMAN_TAKEOVER_MINUTES)
        return reader.done(
            lambda: cls(
                store, queue, alerts, model, instagram, whatsapp, spond, limits, handover, disclosure, media, takeover
            )
        )
