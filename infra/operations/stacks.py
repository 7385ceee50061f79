"""A stack as its files and its backend know it, without running the program."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from configuration import Configuration
from operations.running import INFRA, Refused, ask

NAMESPACE: Final = "dm-agent:"
PROVIDER: Final = "gcp:"
NAME: Final = re.compile(r"([A-Za-z0-9_.-]+/){0,2}[A-Za-z0-9_.-]{1,100}")


@dataclass(frozen=True, slots=True)
class StackValues:
    """The stack's plain configuration: the program's own keys and the provider's, without their namespaces."""

    stack: str
    values: Mapping[str, str]
    provider: Mapping[str, str]

    @property
    def project(self) -> str:
        """The Google Cloud project's id."""
        return self.provider.get("project", "")

    def configuration(self, *, before_secrets: bool = False) -> Configuration:
        """Typed. ``before_secrets``: not yet pinned versions are no problem. Raises ConfigurationError."""
        values = {**self.values, "secretsOnly": "true"} if before_secrets else self.values
        return Configuration.read(values, self.project, short_name(self.stack))


def short_name(stack: str) -> str:
    """``organization/dm-agent/prod`` is the stack ``prod``."""
    return stack.rsplit("/", 1)[-1]


def read_values(stack: str) -> StackValues:
    """Asks pulumi for the stack's configuration. Secret entries have no value here: none is needed. Raises Refused."""
    answer = ask(["pulumi", "config", "--json", "--stack", stack, "--non-interactive"])
    if not answer.good:
        why = f"the configuration of stack {stack} can't be read ({answer.reason})"
        raise Refused(f"{why}. Run: make doctor STACK={stack}")
    entries = json_object(answer.out)
    plain = {key: _value(entry) for key, entry in entries.items()}
    return StackValues(stack, _inside(plain, NAMESPACE), _inside(plain, PROVIDER))


def _inside(plain: Mapping[str, str], namespace: str) -> dict[str, str]:
    return {key.removeprefix(namespace): value for key, value in plain.items() if key.startswith(namespace)}


def _value(entry: object) -> str:
    value = cast("Mapping[str, object]", entry).get("value") if isinstance(entry, dict) else None
    return value if isinstance(value, str) else ""


def json_object(text: str) -> Mapping[str, object]:
    """A JSON object, or an empty one where there is none."""
    try:
        found: object = json.loads(text)
    except ValueError:
        return {}
    return cast("Mapping[str, object]", found) if isinstance(found, dict) else {}


def passphrase_needed(stack: str) -> bool:
    """The stack's file says that its secrets are locked with a passphrase."""
    file = INFRA / f"Pulumi.{short_name(stack)}.yaml"
    return file.is_file() and re.search(r"^encryptionsalt:", file.read_text("utf-8"), re.MULTILINE) is not None
