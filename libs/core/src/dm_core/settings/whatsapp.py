"""How the manager is reached, and what comes back: WhatsApp's number, token, template and webhook."""

import re
from dataclasses import dataclass
from typing import Final

from dm_core.settings import table
from dm_core.settings.reader import Reader

MAX_TEMPLATE_CHARS: Final = 1_024
"""Longest body of a template, fixed text and variable together (docs/platforms/whatsapp.md#template). Counted in UTF-16
units, which are never fewer than whatever WhatsApp counts."""
UNKNOWN_FIXED_CHARS: Final = 200
"""What is kept free for the fixed text when the body is not configured."""

_VARIABLE: Final = re.compile(r"\{\{\s*([A-Za-z0-9_]*)\s*\}\}")
_NAME: Final = re.compile(r"[a-z0-9_]{1,512}")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(_[A-Za-z]{2,4})?")
_NUMBER: Final = re.compile(r"\+?[0-9 ()-]{5,25}")


@dataclass(frozen=True, slots=True)
class Template:
    """The approved template for outside the manager's 24 hours; it has one variable, in its body.

    ``variable`` is the name of a named one, None for ``{{1}}``. ``room``: how long the variable's text may be.
    """

    name: str
    language: str = "en"
    variable: str | None = None
    room: int = MAX_TEMPLATE_CHARS - UNKNOWN_FIXED_CHARS


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
        template=_template(reader),
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


def utf16_length(text: str) -> int:
    """The length in UTF-16 units: characters outside the basic plane, such as emoji, count two."""
    return len(text) + sum(char > "\uffff" for char in text)


def _numbers(reader: Reader) -> tuple[str, ...]:
    """One number, or several with commas between."""
    setting = table.MANAGER_WHATSAPP_NUMBER
    value = reader.read(setting)
    if not value:
        return ()
    numbers = [part.strip() for part in value.split(",") if part.strip()]
    if not numbers or not all(_NUMBER.fullmatch(number) and digits(number) for number in numbers):
        reader.problem(setting, "must be a phone number with its country code (or several, with commas between)")
        return ()
    return tuple(dict.fromkeys(digits(number) for number in numbers))


def _template(reader: Reader) -> Template | None:
    setting = table.WHATSAPP_TEMPLATE
    value = reader.read(setting)
    if not value:
        return None
    template, _, rest = value.partition(":")
    language, _, body = rest.partition(":")
    template, language = template.strip(), language.strip() or "en"
    if not _NAME.fullmatch(template) or not _LANGUAGE.fullmatch(language):
        reader.problem(setting, "must be name, name:language or name:language:body (as in dm_alert:en_GB)")
        return None
    return Template(template, language) if not body.strip() else _with_body(reader, Template(template, language), body)


def _with_body(reader: Reader, template: Template, body: str) -> Template | None:
    """The template with what its body says about its variable."""
    setting = table.WHATSAPP_TEMPLATE
    variables = _VARIABLE.findall(body)
    if len(variables) != 1:
        reader.problem(setting, f"must have one variable in its body, such as {{{{1}}}}; it has {len(variables)}")
        return None
    variable = str(variables[0])
    positional = variable.isdecimal()
    if not variable or (positional and variable != "1"):
        reader.problem(setting, "must call the variable in its body {{1}} or by a name")
        return None
    room = MAX_TEMPLATE_CHARS - utf16_length(_VARIABLE.sub("", body))
    if room < 1:
        reader.problem(setting, f"leaves no room for its variable: its body may have {MAX_TEMPLATE_CHARS} characters")
        return None
    return Template(template.name, template.language, None if positional else variable, room)
