"""The plain environment of each function. Secrets come beside it, as references.

Every variable here is read by that function's settings, and every one it requires is here or a secret
(tests/infra/rights/test_settings_agree.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from configuration import Configuration
from variables import REFRESHED, secret_id, tuned

type Environment = Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What both functions are told about the rest of the deployment."""

    database: pulumi.Input[str]
    queue: pulumi.Input[str]
    queue_shards: pulumi.Input[str]
    alerts_queue: pulumi.Input[str]
    tasks_invoker: pulumi.Input[str]
    processor_url: pulumi.Input[str]


def webhook_environment(config: Configuration, around: Surroundings) -> Environment:
    """The webhook is told of WhatsApp what it takes statuses and the manager's own messages by."""
    accounts = {"INSTAGRAM_ACCOUNT_IDS": ",".join(config.account_ids)} if config.account_ids else {}
    return {**_common(config, around), **tuned(config.settings, "webhook"), **accounts}


def processor_environment(config: Configuration, around: Surroundings) -> Environment:
    return {
        **_common(config, around),
        **tuned(config.settings, "processor"),
        **_model(config),
        **({"SPOND_GROUP_ID": config.spond_group} if config.spond_group else {}),
        **_token(config),
        "LEASE_SECONDS": str(config.lease_seconds),
    }


def _common(config: Configuration, around: Surroundings) -> Environment:
    """The timeout is the processor's in both: the webhook needs it for the deadline it gives a task."""
    return {
        "GOOGLE_CLOUD_PROJECT": config.project,
        "FIRESTORE_DATABASE": around.database,
        "CLOUD_TASKS_LOCATION": config.region,
        "CLOUD_TASKS_QUEUE": around.queue,
        "QUEUE_SHARDS": around.queue_shards,
        "ALERTS_QUEUE": around.alerts_queue,
        "PROCESS_MESSAGE_URL": around.processor_url,
        "TASKS_INVOKER_EMAIL": around.tasks_invoker,
        "FUNCTION_TIMEOUT_SECONDS": str(config.processor.timeout),
        "INSTAGRAM_PAGE_ID": config.page_id,
        "WHATSAPP_PHONE_NUMBER_ID": config.phone_number_id,
        "MANAGER_WHATSAPP_NUMBER": config.manager_number,
        # The platform sets this one by itself; unless it is stated, every plan would want to take it away.
        "LOG_EXECUTION_ID": "true",
    }


def _model(config: Configuration) -> Environment:
    if config.vertex_location is None:
        return {}
    return {"GOOGLE_GENAI_USE_VERTEXAI": "true", "GOOGLE_CLOUD_LOCATION": config.vertex_location}


def _token(config: Configuration) -> Environment:
    """The secret that refreshed tokens are added to: the one that also holds the first, whose latest version counts."""
    if not config.refreshes_token:
        return {}
    return {"INSTAGRAM_TOKEN_SECRET": f"projects/{config.project}/secrets/{secret_id(config.prefix, REFRESHED)}"}
