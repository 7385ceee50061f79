"""``admin``: the operator's tool, told where the stack's store and queues are. It runs as whoever is logged in."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from configuration import Configuration
from operations.deploying import outputs
from operations.running import ROOT, Refused
from operations.stacks import read_values

TOLD: Final = (
    "RETENTION_DAYS",
    "HANDOVER_HOURS",
    "HUMAN_TAKEOVER_MINUTES",
    "DEBOUNCE_MIN_SECONDS",
    "DEBOUNCE_MAX_SECONDS",
)
"""What the stack may set that the tool goes by as well."""
ELSEWHERE: Final = ("STORE_URL", "FIRESTORE_EMULATOR_HOST", "CLOUD_TASKS_EMULATOR_HOST")
"""What would point the tool at a sandbox although a stack was named."""


def main(stack: str, arguments: Sequence[str]) -> int:
    """The tool's own exit code. Raises Refused where the stack is not deployed."""
    found = outputs(stack)
    if not found.get("processorUrl"):
        raise Refused(f"stack {stack} is not deployed, or its outputs can't be read. Run: make doctor STACK={stack}")
    ambient = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    environment = {**ambient, **told(read_values(stack).configuration(), found)}
    command = [sys.executable, "-m", "dm_admin", *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode


def told(configuration: Configuration, found: Mapping[str, object]) -> dict[str, str]:
    """The tool's variables, from the stack's outputs and configuration."""
    accounts = {"INSTAGRAM_ACCOUNT_IDS": ",".join(configuration.account_ids)} if configuration.account_ids else {}
    return {
        "GOOGLE_CLOUD_PROJECT": configuration.project,
        "FIRESTORE_DATABASE": str(found["database"]),
        "CLOUD_TASKS_LOCATION": configuration.region,
        "CLOUD_TASKS_QUEUE": str(found["queue"]),
        "QUEUE_SHARDS": str(configuration.queue_shards),
        "ALERTS_QUEUE": str(found["alertsQueue"]),
        "PROCESS_MESSAGE_URL": str(found["processorUrl"]),
        "TASKS_INVOKER_EMAIL": str(found["tasksInvoker"]),
        "FUNCTION_TIMEOUT_SECONDS": str(configuration.processor.timeout),
        **{name: value for name, value in configuration.settings.items() if name in TOLD},
        **accounts,
    }
