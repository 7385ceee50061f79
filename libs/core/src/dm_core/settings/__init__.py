"""Typed settings, read once from the environment.

``WebhookSettings.load`` and ``ProcessorSettings.load`` read everything, collect what is missing or malformed and raise
one ``Misconfigured`` whose message is one line that names each of them. No value is ever printed: it may be a secret.
"""

from dm_core.settings.conversation import HandoverSettings, MediaKinds, MediaSettings
from dm_core.settings.functions import ProcessorSettings, WebhookSettings
from dm_core.settings.platforms import (
    INSTAGRAM_HOSTS,
    Flavor,
    InstagramSettings,
    ModelSettings,
    SpondSettings,
)
from dm_core.settings.system import AlertSettings, QueueSettings, RunLimits, StoreSettings, UncertainSends
from dm_core.settings.table import Template
from dm_core.settings.whatsapp import WhatsAppSettings, WhatsAppWebhookSettings

__all__ = [
    "INSTAGRAM_HOSTS",
    "AlertSettings",
    "Flavor",
    "HandoverSettings",
    "InstagramSettings",
    "MediaKinds",
    "MediaSettings",
    "ModelSettings",
    "ProcessorSettings",
    "QueueSettings",
    "RunLimits",
    "SpondSettings",
    "StoreSettings",
    "Template",
    "UncertainSends",
    "WebhookSettings",
    "WhatsAppSettings",
    "WhatsAppWebhookSettings",
]
