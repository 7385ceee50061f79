"""What the tests deploy: the program itself, a dev and a prod configuration, and bundles of a tree that changes."""

import json
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from bundling import FUNCTIONS, Bundle, bundle
from configuration import Configuration
from tests.infra.checkouts import copy_checkout
from tests.infra.engine.program_host import Program

type Values = Mapping[str, str]
type Sources = Mapping[str, Bundle]

PROJECT = "club-dms-test"
PROJECT_NUMBER = "123456789012"

VERSIONS = {
    "INSTAGRAM_ACCESS_TOKEN": "1",
    "INSTAGRAM_APP_SECRET": "2",
    "INSTAGRAM_VERIFY_TOKEN": "1",
    "WHATSAPP_ACCESS_TOKEN": "1",
}
_COMMON = {
    "instagramPageId": "17841400000000000",
    "whatsappPhoneNumberId": "100000000000000",
    "managerWhatsappNumber": "+447700900123",
    "settleSeconds": "0",
}
DEV: Values = _COMMON | {
    "region": "europe-west2",
    "protectData": "false",
    "backupDays": "0",
    "secretVersions": json.dumps(VERSIONS | {"GEMINI_API_KEY": "1"}),
}
"""The least: the Gemini API's key, no Spond, nobody to alert, data that may go."""
PROD: Values = _COMMON | {
    "region": "europe-west1",
    "prefix": "club",
    "runtime": "python314",
    "databaseLocation": "eur3",
    "model": "vertex",
    "spondGroupId": "0123456789ABCDEF0123456789ABCDEF",
    "secretVersions": json.dumps(VERSIONS | {"SPOND_USERNAME": "1", "SPOND_PASSWORD": "3"}),
    "webhookMinInstances": "1",
    "alertEmail": "ops@club.example",
    "budgetMonthly": "50",
    "billingAccount": "012345-6789AB-CDEF01",
    "labels": json.dumps({"team": "bookings"}),
    "projectNumber": PROJECT_NUMBER,
}
"""The most: Vertex AI, Spond, alerts, budget, warm webhook, protected data."""


def program(stack: str, values: Values, sources: Sources) -> Program:
    """What `__main__` does, with bundles that are made already."""
    return partial(_deploy, stack, values, sources)


def _deploy(stack: str, values: Values, sources: Sources) -> None:
    import pulumi  # here and not above: only the program's own process needs them

    from declaration import declare

    for name, value in declare(Configuration.read(values, PROJECT, stack), sources).items():
        pulumi.export(name, value)


def small_sources(folder: Path) -> Sources:
    """Two small files in place of bundles, where what is in them makes no difference."""
    return {name: _small_bundle(folder, name, digit) for name, digit in (("webhook", "a"), ("processor", "b"))}


def _small_bundle(folder: Path, name: str, digit: str) -> Bundle:
    path = folder / f"{name}.zip"
    path.write_bytes(digit.encode() * 64)
    return Bundle(name, path, digit * 64)


def pinned(values: Values, **versions: str) -> Values:
    """The same configuration with other versions of some secrets."""
    return {**values, "secretVersions": json.dumps(json.loads(values["secretVersions"]) | versions)}


class Tree:
    """A copy of what bundling reads, to change; `sources` are its bundles at this moment."""

    def __init__(self, root: Path) -> None:
        self.root = copy_checkout(root / "tree")
        self._bundles = root / "bundles"

    def sources(self) -> Sources:
        """Bundles both functions."""
        return {name: bundle(name, self.root, self._bundles) for name in FUNCTIONS}

    def touch(self) -> None:
        """New dates and modes, the same contents; the kept wheels go too, so that one is really built again."""
        for path in self.root.rglob("*.py"):
            path.touch()
            path.chmod(0o755)
        shutil.rmtree(self._bundles / "wheels")

    def change(self, pattern: str) -> None:
        """Adds a line to the first file that matches, which must be there."""
        path = min(self.root.glob(pattern))
        path.write_text(path.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
