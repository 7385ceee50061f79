"""``preview``, ``up`` and ``down``: Pulumi's own commands, after what they need was looked at."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from configuration import Configuration
from operations.doctor import ready
from operations.running import Refused, ask, hand_over, keep
from operations.stacks import json_object, read_values, short_name
from production import is_production

PACK = ("--policy-pack", "policy")


def preview(stack: str, *, policies: bool, into: Path | None = None) -> int:
    """What `up` would change; changes nothing. ``into``: a file that gets the text too, without colours."""
    ready(stack)
    flags = PACK if policies else ()
    if into is None:
        return _pulumi("preview", stack, *flags)
    return keep(
        ["pulumi", "preview", "--stack", stack, *flags, "--diff", "--color", "never", "--non-interactive"], into
    )


def drift(stack: str, *, into: Path | None = None) -> int:
    """What somebody changed since the last `up`: Google is asked for everything. 0 if all is the same."""
    ready(stack)
    flags = ("--refresh", "--expect-no-changes", "--diff", "--color", "never", "--non-interactive")
    command = ["pulumi", "preview", "--stack", stack, *flags]
    return hand_over(command) if into is None else keep(command, into)


def outputs(stack: str) -> Mapping[str, object]:
    """The stack's outputs; empty where nothing is deployed, or where it can't be asked."""
    answer = ask(["pulumi", "stack", "output", "--json", "--stack", stack, "--non-interactive"])
    return json_object(answer.out) if answer.good else {}


def is_running(stack: str) -> bool:
    """Whether an `up` of everything has finished once."""
    return bool(outputs(stack).get("webhookUrl"))


def up(stack: str, *, yes: bool, policies: bool) -> int:
    """Make it so. Pulumi shows the plan and asks, unless ``yes``. Raises Refused where what runs would be lost."""
    ready(stack)
    _must_stay(stack, read_values(stack).configuration(), outputs(stack))
    code = _pulumi("up", stack, *(PACK if policies else ()), *(("--yes",) if yes else ()))
    if code:
        print("it stopped half-way. Fix what is named above and run the same command again; it goes on from there.")
        print(f"if it says that an operation is under way and none is: cd infra && pulumi cancel --stack {stack}")
    return code


def _must_stay(stack: str, configuration: Configuration, running: Mapping[str, object]) -> None:
    """Raises Refused where what runs would go: all but its containers, or what is named by the project, the prefix or
    the region. Half-way Google would refuse a name that is taken, and queues and secrets would be deleted with what is
    in them."""
    if not running.get("webhookUrl"):
        return
    if configuration.secrets_only:
        run = f"cd infra && pulumi config rm dm-agent:secretsOnly --stack {configuration.stack}"
        raise Refused(f"dm-agent:secretsOnly would take down what runs: it is for the first `up` alone. Run: {run}")
    for key, now, wanted in _fixed(configuration, running):
        if now not in (None, wanted):
            run = f"cd infra && pulumi config set {key} {now} --stack {configuration.stack}"
            raise Refused(f"what runs has the {key} {now} and keeps it (docs/deploy.md#moving-a-region). Run: {run}")
    for key in _given_away(stack, configuration):
        run = f"cd infra && pulumi config rm dm-agent:{key} --stack {configuration.stack}"
        why = "this stack made the queue, which would be deleted with what waits in it, its name blocked for 3 days"
        raise Refused(f"dm-agent:{key}: {why}. Run: {run}")


def _given_away(stack: str, configuration: Configuration) -> Iterator[str]:
    """The keys that call a queue another stack's although this one's state has it."""
    flags = {
        "existingQueue": (configuration.existing_queue, "queue"),
        "existingAlertsQueue": (configuration.existing_alerts_queue, "alerts-queue"),
    }
    named = {key: name for key, (wanted, name) in flags.items() if wanted}
    state = ask(["pulumi", "stack", "--show-urns", "--stack", stack, "--non-interactive"]).out if named else ""
    return (key for key, name in named.items() if f"gcp:cloudtasks/queue:Queue::{name}\n" in f"{state}\n")


def _fixed(configuration: Configuration, running: Mapping[str, object]) -> Iterator[tuple[str, str | None, str]]:
    """What a deployment keeps for good: the key, what runs has, what the stack's file says."""
    address = re.fullmatch(r"https://.+-[0-9]+\.([a-z0-9-]+)\.run\.app", str(running["webhookUrl"]))
    identity = re.fullmatch(r"(.+)-tasks@(.+)\.iam\.gserviceaccount\.com", str(running.get("tasksInvoker")))
    yield "dm-agent:region", address[1] if address else None, configuration.region
    yield "dm-agent:prefix", identity[1] if identity else None, configuration.prefix
    yield "gcp:project", identity[2] if identity else None, configuration.project


def down(stack: str, *, yes: bool) -> int:
    """Remove everything. Raises Refused for a stack whose data is protected."""
    ready(stack)
    configuration = read_values(stack).configuration()
    if configuration.database.protected:
        raise Refused(_protected(stack))
    code = _pulumi("destroy", stack, *(("--yes",) if yes else ()))
    if code:
        print("it stopped half-way. Fix what is named above and run the same command again.")
        return code
    for line in _afterwards(configuration):
        print(line)
    return 0


def _afterwards(configuration: Configuration) -> Iterator[str]:
    """What somebody who deploys again has to know."""
    yield f"gone too: the secrets' values. make deploy STACK={configuration.stack} asks for them anew"
    queues = () if configuration.existing_queue else configuration.queue_names
    queues += () if configuration.existing_alerts_queue else (configuration.alerts_queue_name,)
    if queues:
        other = "another dm-agent:prefix, or dm-agent:queueName and alertsQueueName, before that"
        yield f"blocked for up to 3 days: the queues' names {', '.join(queues)} ({other})"
    yield "left over: docs/deploy.md#teardown"


def _protected(stack: str) -> str:
    if is_production(short_name(stack)):
        return f"the data of stack {stack} is protected, as that of every production stack: docs/deploy.md#teardown"
    unprotect = f"cd infra && pulumi config set dm-agent:protectData false --stack {stack}"
    return f"the data of stack {stack} is protected. To delete it too: {unprotect}; make up STACK={stack}; then this"


def _pulumi(verb: str, stack: str, *flags: str) -> int:
    print(f"pulumi {verb} --stack {stack}", flush=True)
    return hand_over(["pulumi", verb, "--stack", stack, *flags])
