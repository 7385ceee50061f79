"""Configurations that tests declare: as a stack's file would hold them, without their namespace."""

import json
from collections.abc import Mapping
from pathlib import Path

from bundling import Bundle
from configuration import Configuration

PROJECT = "club-dms-test"
PROJECT_NUMBER = "123456789012"

PINS = {
    "INSTAGRAM_APP_SECRET": "1",
    "INSTAGRAM_VERIFY_TOKEN": "2",
    "INSTAGRAM_ACCESS_TOKEN": "3",
    "WHATSAPP_ACCESS_TOKEN": "4",
}
WHATSAPP_PINS = {"WHATSAPP_APP_SECRET": "8", "WHATSAPP_VERIFY_TOKEN": "8"}
SPOND_PINS = {"SPOND_USERNAME": "6", "SPOND_PASSWORD": "7"}

MINIMAL: Mapping[str, str] = {
    "region": "europe-west2",
    "instagramPageId": "17841400000000001",
    "whatsappPhoneNumberId": "100000000000001",
    "managerWhatsappNumber": "+447700900123",
    "secretVersions": json.dumps({**PINS, "GEMINI_API_KEY": "5"}),
}
"""What every stack has to say, and nothing else."""

DEV: Mapping[str, str] = {**MINIMAL, "protectData": "false", "backupDays": "0"}

PROD: Mapping[str, str] = {
    **MINIMAL,
    "projectNumber": PROJECT_NUMBER,
    "model": "vertex",
    "spondGroupId": "ABCDEF0123456789",
    "secretVersions": json.dumps(PINS | SPOND_PINS | WHATSAPP_PINS),
    "instagramAccountIds": "17841400000000001,17841400000000002",
    "settings": json.dumps({"MAX_ATTEMPTS": "7", "HUMAN_TAKEOVER_MINUTES": "30", "RETENTION_DAYS": "30"}),
    "labels": json.dumps({"team": "bookings"}),
    "alertEmail": "ops@club.example",
    "budgetMonthly": "50",
    "billingAccount": "012345-6789AB-CDEF01",
    "timeZone": "Europe/London",
    "readers": "group:desk@club.example",
    "operators": "user:sam@club.example,user:kim@club.example",
}
"""Everything that changes the graph."""


def dev(**changes: str) -> Configuration:
    return Configuration.read({**DEV, **changes}, PROJECT, "dev")


def prod(**changes: str) -> Configuration:
    return Configuration.read({**PROD, **changes}, PROJECT, "prod")


def extreme() -> Configuration:
    """The longest name, the longest timeout, the most attempts."""
    return dev(processorName="p" * 30, processorTimeout="1795", settings=json.dumps({"MAX_ATTEMPTS": 100}))


def sources(webhook: str = "a" * 64, processor: str = "b" * 64) -> Mapping[str, Bundle]:
    """Bundles by their digests alone: nothing is built, and a mocked engine opens no file."""
    digests = {"webhook": webhook, "processor": processor}
    return {name: Bundle(name, Path(f"{name}-{digest}.zip"), digest) for name, digest in digests.items()}


def closed() -> Configuration:
    """A production stack in a domain-restricted organisation, with a Page's token, sharing a queue."""
    return prod(
        public="false",
        existingQueue="true",
        webhookInvokers="serviceAccount:gateway@club-edge.iam.gserviceaccount.com",
        settings=json.dumps({"INSTAGRAM_API_FLAVOR": "page"}),
    )
