"""``deploy``: from nothing to the first answer of ``/health``, step by step; stopped anywhere it goes on from there.

    machine ▶ stack and its lock ▶ configuration ▶ project ▶ containers ▶ values ▶ pins ▶ up ▶ /health ▶ what to enter

Each step looks at what there is and does only what is missing, so nothing is remembered between two runs.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from configuration import Configuration
from operations import checks, deploying, secret_values, smoke
from operations.checks import Check, Context, Finding
from operations.doctor import ACCOUNT, MACHINE, PROJECT
from operations.running import Refused, ask, hand_over
from operations.stacks import read_values
from variables import secret_id

NEEDED: tuple[Check, ...] = (*MACHINE, checks.backend, *ACCOUNT)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What may be said on the command line. ``lock``: the stack's secrets provider; ``values``: a file of secrets."""

    lock: str | None
    values: Path | None
    yes: bool


def main(stack: str, wishes: Wishes) -> int:
    """0 once ``/health`` has answered. Raises Refused, or ConfigurationError, with what to do before the next run."""
    for check in NEEDED:
        _must(check(Context(stack)))
    _stack(stack, wishes)
    configuration = read_values(stack).configuration(before_secrets=True)
    for check in PROJECT:
        _must(check(Context(stack, read_values(stack), configuration)))
    if not deploying.is_running(stack):
        _containers(stack, configuration)
        _values(stack, configuration, wishes)
        _pins(stack, configuration)
        _set(stack, "secretsOnly", None)
    _step("everything else")
    code = deploying.up(stack, yes=wishes.yes, policies=False)
    if code:
        return code
    code = smoke.main(stack)
    for line in _to_enter(deploying.outputs(stack)):
        print(line)
    return code


def _step(what: str) -> None:
    print(f"\n== {what}", flush=True)


def _must(finding: Finding) -> None:
    print(f"{'OK      ' if finding.good else 'PROBLEM '}{finding.name}: {finding.said}", flush=True)
    if finding.run is not None:
        raise Refused(f"{finding.name}: {finding.said}. Run: {finding.run}")


def _stack(stack: str, wishes: Wishes) -> None:
    """Made with its lock, which can't be left to a default: a lost passphrase is a lost state."""
    if not checks.stack_exists(Context(stack)).good:
        _step(f"stack {stack}")
        phrase = any(os.environ.get(f"PULUMI_CONFIG_PASSPHRASE{end}") for end in ("", "_FILE"))
        if wishes.lock is None and not phrase:
            raise Refused(
                f"stack {stack} does not exist, and nothing says what locks it. Run: make deploy STACK={stack} "
                "LOCK=gcpkms://…  (docs/deploy.md#2-pulumi; or set PULUMI_CONFIG_PASSPHRASE_FILE first)"
            )
        lock = ("--secrets-provider", wishes.lock) if wishes.lock else ()
        if hand_over(["pulumi", "stack", "init", stack, *lock, "--non-interactive"]):
            raise Refused("the stack could not be made, see above. Run: make doctor STACK=" + stack)
    _must(checks.passphrase(Context(stack)))


def _containers(stack: str, configuration: Configuration) -> None:
    listed = ask(["gcloud", "secrets", "list", f"--project={configuration.project}", "--format=value(name)"])
    there = {line.rsplit("/", 1)[-1] for line in listed.out.split()} if listed.good else set[str]()
    if {secret_id(configuration.prefix, name) for name in configuration.secrets} <= there:
        return
    _step("the secrets' containers")
    _set(stack, "secretsOnly", "true")
    if hand_over(["pulumi", "up", "--stack", stack, "--yes"]):
        raise Refused(f"the containers could not be made, see above. Run: make deploy STACK={stack}  (it goes on)")


def _values(stack: str, configuration: Configuration, wishes: Wishes) -> None:
    missing = tuple(name for name in configuration.needed_secrets if _latest(configuration, name) is None)
    if not missing:
        return
    _step("the secrets' values")
    if secret_values.main(stack, missing, wishes.values, pin=True):
        raise Refused(f"not every value was added, see above. Run: make deploy STACK={stack}  (it goes on)")
    left = [name for name in missing if _latest(configuration, name) is None]
    if left:
        raise Refused(f"still without a value: {', '.join(left)}. Run: make deploy STACK={stack}")


def _pins(stack: str, configuration: Configuration) -> None:
    """The newest version of what has a value and no pin; a pin that is there is somebody's decision."""
    for name in configuration.secrets:
        version = None if name in configuration.secret_versions else _latest(configuration, name)
        if version is not None:
            _set(stack, f"secretVersions.{name}", version, path=True)


def _latest(configuration: Configuration, name: str) -> str | None:
    container = secret_id(configuration.prefix, name)
    command = ["gcloud", "secrets", "versions", "list", container, f"--project={configuration.project}"]
    answer = ask([*command, "--filter=state=ENABLED", "--sort-by=~createTime", "--limit=1", "--format=value(name)"])
    found = re.search(r"([1-9][0-9]*)\s*$", answer.out)
    return found[1] if answer.good and found else None


def _set(stack: str, key: str, value: str | None, *, path: bool = False) -> None:
    words = ["rm", f"dm-agent:{key}"] if value is None else ["set", f"dm-agent:{key}", value]
    answer = ask(["pulumi", "config", *words, *(["--path"] if path else []), "--stack", stack, "--non-interactive"])
    if not answer.good:
        raise Refused(f"dm-agent:{key} could not be written ({answer.reason}). Run: make doctor STACK={stack}")


def _to_enter(outputs: Mapping[str, object]) -> Iterator[str]:
    url = outputs.get("webhookUrl", "")
    yield "\n== enter at Meta (docs/deploy.md#7-meta-webhook-live-subscription): API setup, Configure webhooks"
    yield f"callback URL     {url}"
    yield "verify token     the value of INSTAGRAM_VERIFY_TOKEN"
    yield f"deauthorize      {url}/deauthorize"
    yield f"data deletion    {url}/data-deletion"
    yield "\n== enter at Meta: WhatsApp, Configuration, Webhook"
    yield f"callback URL     {url}/whatsapp"
    yield "verify token     the value of WHATSAPP_VERIFY_TOKEN, or Instagram's where that has none"
    yield "field            messages"
    yield "\nthen subscribe the account (docs/deploy.md#7-meta-webhook-live-subscription, step 3) and write it a DM"
