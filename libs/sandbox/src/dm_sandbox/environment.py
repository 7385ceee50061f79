"""The variables of both functions in a sandbox (docs/architecture.md#a-setting). Every value is made up."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dm_core.settings import table
from dm_core.settings.table import Setting
from dm_sandbox.platforms.instagram import Instagram
from dm_sandbox.platforms.spond import Spond
from dm_sandbox.platforms.whatsapp import WhatsApp

PROJECT = "demo-dm-agent"
"""Google's emulators talk to no real project when its name starts with ``demo-``."""
VERIFY_TOKEN = "sandbox-verify-token"  # noqa: S105
APP_SECRET = "sandbox-app-secret"  # noqa: S105
WHATSAPP_APP_SECRET = "sandbox-meta-app-secret"  # noqa: S105
MANAGER_NUMBER = "+44 7700 900123"
WAKE_UP_QUEUE, ALERTS_QUEUE = table.CLOUD_TASKS_QUEUE.default, table.ALERTS_QUEUE.default
SANDBOX_MODEL_KEY = "sandbox-gemini-key"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the parts of a sandbox listen; ``queue`` and ``firestore`` are host:port, the others URLs."""

    processor: str
    queue: str
    store_url: str
    firestore: str | None = None
    gemini: str | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How soon things happen, in seconds."""

    debounce_min: float = 1.0
    debounce_max: float = 2.0
    echo_wait: float = 1.0


@dataclass(frozen=True, slots=True)
class Platforms:
    """The simulators both functions are pointed at."""

    instagram: Instagram
    whatsapp: WhatsApp
    spond: Spond


def function_environment(
    platforms: Platforms, addresses: Addresses, pace: Pace, model: Mapping[str, str], extra: Mapping[str, str]
) -> dict[str, str]:
    """One set of variables that starts either function; ``model`` says which Gemini answers."""
    instagram, whatsapp, spond = platforms.instagram, platforms.whatsapp, platforms.spond
    values: dict[Setting[Any], str] = {
        table.GOOGLE_CLOUD_PROJECT: PROJECT,
        table.STORE_URL: addresses.store_url,
        table.CLOUD_TASKS_LOCATION: "europe-west2",
        table.CLOUD_TASKS_QUEUE: WAKE_UP_QUEUE,
        table.ALERTS_QUEUE: ALERTS_QUEUE,
        table.CLOUD_TASKS_EMULATOR_HOST: addresses.queue,
        table.TASKS_INVOKER_EMAIL: f"tasks@{PROJECT}.iam.gserviceaccount.com",
        table.PROCESS_MESSAGE_URL: f"{addresses.processor}/",
        table.DEBOUNCE_MIN_SECONDS: f"{pace.debounce_min:g}",
        table.DEBOUNCE_MAX_SECONDS: f"{pace.debounce_max:g}",
        table.ECHO_WAIT_SECONDS: f"{pace.echo_wait:g}",
        table.INSTAGRAM_API_FLAVOR: instagram.flavor,
        table.INSTAGRAM_API_BASE_URL: instagram.base_url,
        table.INSTAGRAM_PAGE_ID: instagram.node,
        table.INSTAGRAM_ACCOUNT_IDS: instagram.account_id,
        table.INSTAGRAM_ACCESS_TOKEN: instagram.tokens[0],
        table.INSTAGRAM_VERIFY_TOKEN: VERIFY_TOKEN,
        table.INSTAGRAM_APP_SECRET: APP_SECRET,
        table.WHATSAPP_API_BASE_URL: whatsapp.base_url,
        table.WHATSAPP_ACCESS_TOKEN: whatsapp.token,
        table.WHATSAPP_PHONE_NUMBER_ID: whatsapp.phone_number_id,
        table.WHATSAPP_TEMPLATE: template_setting(whatsapp),
        table.WHATSAPP_APP_SECRET: WHATSAPP_APP_SECRET,
        table.MANAGER_WHATSAPP_NUMBER: MANAGER_NUMBER,
        table.SPOND_API_BASE_URL: spond.api_url,
        table.SPOND_USERNAME: spond.username,
        table.SPOND_PASSWORD: spond.password,
        table.SPOND_GROUP_ID: spond.group_id,
    }
    if addresses.firestore:
        values[table.FIRESTORE_EMULATOR_HOST] = addresses.firestore
    if addresses.gemini:
        values[table.GOOGLE_GEMINI_BASE_URL] = addresses.gemini
    named = {setting.name: value for setting, value in values.items()}
    return {"PYTHONUNBUFFERED": "1", **named, **model, **extra}


def operators_environment(env: Mapping[str, str]) -> dict[str, str]:
    """What the operator's tool needs of the functions' variables: where things are, and no secret."""
    needed = (
        table.STORE_URL,
        table.GOOGLE_CLOUD_PROJECT,
        table.FIRESTORE_EMULATOR_HOST,
        table.CLOUD_TASKS_EMULATOR_HOST,
        table.CLOUD_TASKS_LOCATION,
        table.TASKS_INVOKER_EMAIL,
        table.PROCESS_MESSAGE_URL,
        table.INSTAGRAM_ACCOUNT_IDS,
    )
    return {setting.name: env[setting.name] for setting in needed if env.get(setting.name)}


def template_setting(whatsapp: WhatsApp) -> str:
    """WHATSAPP_TEMPLATE for the first template of the simulator."""
    approved = whatsapp.approved[whatsapp.templates[0]]
    return f"{approved.name}:{approved.language}:{approved.body}"


def model_variables(ambient: Mapping[str, str]) -> dict[str, str]:
    """The real Gemini when a key is at hand, else the scripted one's key. Vertex is switched off either way."""
    key = ambient.get(table.GEMINI_API_KEY.name, "").strip()
    variables = {table.GEMINI_API_KEY.name: key or SANDBOX_MODEL_KEY, table.GOOGLE_GENAI_USE_VERTEXAI.name: "false"}
    if ambient.get(table.GEMINI_MODEL.name):
        variables[table.GEMINI_MODEL.name] = ambient[table.GEMINI_MODEL.name]
    return variables


def answers_for_real(ambient: Mapping[str, str]) -> bool:
    """Whether the real Gemini answers."""
    return bool(ambient.get(table.GEMINI_API_KEY.name, "").strip())
