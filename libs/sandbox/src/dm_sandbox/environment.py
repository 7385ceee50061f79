"""The variables of both functions in a sandbox (docs/architecture.md#a-setting). Every value is made up."""

from collections.abc import Mapping
from dataclasses import dataclass

from dm_sandbox.platforms.instagram import Instagram
from dm_sandbox.platforms.spond import Spond
from dm_sandbox.platforms.whatsapp import WhatsApp

PROJECT = "demo-dm-agent"
"""Google's emulators talk to no real project when its name starts with ``demo-``."""
VERIFY_TOKEN = "sandbox-verify-token"  # noqa: S105
APP_SECRET = "sandbox-app-secret"  # noqa: S105
WHATSAPP_APP_SECRET = "sandbox-meta-app-secret"  # noqa: S105
MANAGER_NUMBER = "+44 7700 900123"
WAKE_UP_QUEUE, ALERTS_QUEUE = "dm-processing", "dm-alerts"
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
    env = {
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "STORE_URL": addresses.store_url,
        "CLOUD_TASKS_LOCATION": "europe-west2",
        "CLOUD_TASKS_QUEUE": WAKE_UP_QUEUE,
        "ALERTS_QUEUE": ALERTS_QUEUE,
        "CLOUD_TASKS_EMULATOR_HOST": addresses.queue,
        "TASKS_INVOKER_EMAIL": f"tasks@{PROJECT}.iam.gserviceaccount.com",
        "PROCESS_MESSAGE_URL": f"{addresses.processor}/",
        "DEBOUNCE_MIN_SECONDS": f"{pace.debounce_min:g}",
        "DEBOUNCE_MAX_SECONDS": f"{pace.debounce_max:g}",
        "ECHO_WAIT_SECONDS": f"{pace.echo_wait:g}",
        "INSTAGRAM_API_FLAVOR": instagram.flavor,
        "INSTAGRAM_API_BASE_URL": instagram.base_url,
        "INSTAGRAM_PAGE_ID": instagram.node,
        "INSTAGRAM_ACCOUNT_IDS": instagram.account_id,
        "INSTAGRAM_ACCESS_TOKEN": instagram.tokens[0],
        "INSTAGRAM_VERIFY_TOKEN": VERIFY_TOKEN,
        "INSTAGRAM_APP_SECRET": APP_SECRET,
        "WHATSAPP_API_BASE_URL": whatsapp.base_url,
        "WHATSAPP_ACCESS_TOKEN": whatsapp.token,
        "WHATSAPP_PHONE_NUMBER_ID": whatsapp.phone_number_id,
        "WHATSAPP_TEMPLATE": template_setting(whatsapp),
        "WHATSAPP_APP_SECRET": WHATSAPP_APP_SECRET,
        "MANAGER_WHATSAPP_NUMBER": MANAGER_NUMBER,
        "SPOND_API_BASE_URL": spond.api_url,
        "SPOND_USERNAME": spond.username,
        "SPOND_PASSWORD": spond.password,
        "SPOND_GROUP_ID": spond.group_id,
        "PYTHONUNBUFFERED": "1",
        **model,
    }
    if addresses.firestore:
        env["FIRESTORE_EMULATOR_HOST"] = addresses.firestore
    if addresses.gemini:
        env["GOOGLE_GEMINI_BASE_URL"] = addresses.gemini
    return {**env, **extra}


def template_setting(whatsapp: WhatsApp) -> str:
    """WHATSAPP_TEMPLATE for the first template of the simulator."""
    approved = whatsapp.approved[whatsapp.templates[0]]
    return f"{approved.name}:{approved.language}:{approved.body}"


def model_variables(ambient: Mapping[str, str]) -> dict[str, str]:
    """The real Gemini when a key is at hand, else the scripted one's key. Vertex is switched off either way."""
    key = ambient.get("GEMINI_API_KEY", "").strip()
    variables = {"GEMINI_API_KEY": key or SANDBOX_MODEL_KEY, "GOOGLE_GENAI_USE_VERTEXAI": "false"}
    if ambient.get("GEMINI_MODEL"):
        variables["GEMINI_MODEL"] = ambient["GEMINI_MODEL"]
    return variables


def answers_for_real(ambient: Mapping[str, str]) -> bool:
    """Whether the real Gemini answers."""
    return bool(ambient.get("GEMINI_API_KEY", "").strip())
