"""How the manager is reached, and what comes back: WhatsApp's number, token, template and webhook."""

import re
from dataclasses import dataclass
from typing import Final

from dm_core.settings import table
from dm_core.settings.reader import Reader
from dm_core.settings.table import Template

_NUMBER: Final = re.compile(r"\+?([ ()-]*[0-9]){5,20}[ ()-]*")


@dataclass(frozen=True, slots=True)
class WhatsAppSettings:
    """How the manager is reached. ``manager_numbers``: digits, country code first; alerts go to the first."""

    base_url: str
    version: str
    access_token: str
    phone_number_id: str
    manager_numbers: tuple[str, ...]
    template: Template | None

    @property
    def manager_number(self) -> str:
        """The number that alerts go to."""
        return self.manager_numbers[0]


@dataclass(frozen=True, slots=True)
class WhatsAppWebhookSettings:
    """What WhatsApp's webhook is believed by.

    ``secret_is_instagrams``: no secret of its own is set, which is right only where Instagram's is the Meta app's too.
    ``phone_number_id`` and ``manager_numbers`` are empty where the deployment does not name them.
    """

    verify_token: str
    app_secrets: tuple[str, ...]
    phone_number_id: str = ""
    manager_numbers: tuple[str, ...] = ()
    secret_is_instagrams: bool = False


def read_whatsapp(reader: Reader) -> WhatsAppSettings:
    return WhatsAppSettings(
        base_url=reader.base_url(table.WHATSAPP_API_BASE_URL),
        version=reader.read(table.GRAPH_API_VERSION),
        access_token=reader.read(table.WHATSAPP_ACCESS_TOKEN),
        phone_number_id=reader.read(table.WHATSAPP_PHONE_NUMBER_ID),
        manager_numbers=_numbers(reader) or ("",),
        template=reader.read(table.WHATSAPP_TEMPLATE),
    )


def read_whatsapp_webhook(
    reader: Reader, verify_token: str, instagram_secrets: tuple[str, ...]
) -> WhatsAppWebhookSettings:
    """Everything here has a default, so that a webhook without WhatsApp starts; Instagram's serve where none is set."""
    own = reader.read(table.WHATSAPP_APP_SECRET)
    return WhatsAppWebhookSettings(
        verify_token=reader.read(table.WHATSAPP_VERIFY_TOKEN) or verify_token,
        app_secrets=own or instagram_secrets,
        phone_number_id=reader.read(table.WHATSAPP_PHONE_NUMBER_ID),
        manager_numbers=_numbers(reader),
        secret_is_instagrams=not own and reader.read(table.INSTAGRAM_API_FLAVOR) == "instagram",
    )


def digits(number: str) -> str:
    """A number as WhatsApp writes it: country code first, digits alone."""
    return re.sub(r"[^0-9]", "", number).removeprefix("00")


def _numbers(reader: Reader) -> tuple[str, ...]:
    """One number, or several with commas between."""
    setting = table.MANAGER_WHATSAPP_NUMBER
    value = reader.read(setting)
    if not value:
        return ()
    numbers = [part.strip() for part in value.split(",") if part.strip()]
    if not numbers or not all(_NUMBER.fullmatch(number) and len(digits(number)) >= 5 for number in numbers):
        reader.problem(setting, "must be a phone number with its country code (or several, with commas between)")
        return ()
    return tuple(dict.fromkeys(digits(number) for number in numbers))
