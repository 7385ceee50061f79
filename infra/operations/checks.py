"""Single checks of what a deployment needs from this machine, each one question to one tool."""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from configuration import Configuration, ConfigurationError
from operations.running import INFRA, MISSING, TIMED_OUT, Answer, Refused, ask
from operations.stacks import StackValues, json_object, passphrase_needed, read_values, short_name
from variables import secret_id


def _version(text: str) -> tuple[int, ...] | None:
    """The first `1.2.3` in a tool's or a file's line."""
    found = re.search(r"\d+(\.\d+)+", text)
    return tuple(map(int, found[0].split("."))) if found else None


def _oldest_pulumi() -> tuple[int, ...]:
    lines = (INFRA / "Pulumi.yaml").read_text(encoding="utf-8").splitlines()
    return _version(next(line for line in lines if line.startswith("requiredPulumiVersion:"))) or ()


OLDEST: Final[Mapping[str, tuple[int, ...]]] = {"uv": (0, 9, 0), "pulumi": _oldest_pulumi(), "gcloud": (450, 0, 0)}
"""The oldest we would start with: uv as pyproject.toml wants it, pulumi as Pulumi.yaml does."""

INSTALL: Final[Mapping[str, str]] = {
    "uv": "make setup",
    "pulumi": "curl -fsSL https://get.pulumi.com | sh",
    "gcloud": "see https://cloud.google.com/sdk/docs/install",
}
BOOTSTRAP_APIS: Final = ("cloudresourcemanager.googleapis.com", "serviceusage.googleapis.com")
"""The program enables every other API itself, through these two."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. ``run``: the command that mends it; None: nothing to mend."""

    name: str
    said: str
    run: str | None = None

    @property
    def good(self) -> bool:
        return self.run is None


@dataclass(frozen=True, slots=True)
class Context:
    """What a check knows: the stack, its plain values and typed configuration once they could be read."""

    stack: str
    values: StackValues | None = None
    configuration: Configuration | None = None

    @property
    def project(self) -> str:
        return self.values.project if self.values else ""


type Check = Callable[[Context], Finding]


def tool(program: str) -> Check:
    """Installed, and not too old."""

    def check(_: Context) -> Finding:
        answer = ask([program, "version" if program == "pulumi" else "--version"])
        if answer.code == MISSING:
            return Finding(program, "is not installed", INSTALL[program])
        version = _version(answer.out)
        if not answer.good or version is None:
            return Finding(program, f"does not start: {answer.reason}", INSTALL[program])
        said, oldest = (".".join(map(str, each)) for each in (version, OLDEST[program]))
        if version < OLDEST[program]:
            return Finding(program, f"{said} is too old, {oldest} is needed", INSTALL[program])
        return Finding(program, said)

    return check


def backend(_: Context) -> Finding:
    answer = ask(["pulumi", "whoami", "--json", "--non-interactive"])
    if not answer.good:
        return Finding("pulumi login", failed(answer, "not logged in"), "pulumi login gs://YOUR-STATE-BUCKET")
    found = json_object(answer.out)
    return Finding("pulumi login", f"{found.get('user', 'somebody')} at {found.get('url', 'the default backend')}")


def stack_exists(context: Context) -> Finding:
    answer = ask(["pulumi", "stack", "ls", "--json", "--non-interactive"])
    make = f"cd infra && pulumi stack init {context.stack}"
    if not answer.good:
        return Finding("stack", failed(answer, "the stacks can't be listed"), "pulumi login")
    try:
        listed = cast("list[Mapping[str, object]]", json.loads(answer.out))
        names = {short_name(str(entry["name"])) for entry in listed}
    except (ValueError, TypeError, KeyError):
        return Finding("stack", "pulumi's list of stacks can't be read", "pulumi stack ls")
    if short_name(context.stack) not in names:
        there = ", ".join(sorted(names)) or "none"
        return Finding("stack", f"{context.stack} does not exist (there are: {there})", make)
    return Finding("stack", context.stack)


def passphrase(context: Context) -> Finding:
    """One may be empty, but then it has to be said (https://github.com/pulumi/pulumi/issues/7001)."""
    if not passphrase_needed(context.stack):
        return Finding("passphrase", "not needed")
    run = "export PULUMI_CONFIG_PASSPHRASE_FILE=/a/file/only/you/can/read"
    given, file = os.environ.get("PULUMI_CONFIG_PASSPHRASE"), os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    if file and not given and not Path(file).is_file():
        return Finding("passphrase", "what PULUMI_CONFIG_PASSPHRASE_FILE names is not a file", run)
    if not given and not file:
        empty = Finding("passphrase", "set, to an empty one")
        return empty if given == "" else Finding("passphrase", "the stack is locked with one and none is set", run)
    return Finding("passphrase", "set")


def stack_configuration(context: Context) -> Finding:
    """The program's own reading of it: every missing or malformed key at once."""
    try:
        (context.values or read_values(context.stack)).configuration()
    except ConfigurationError as error:
        return Finding("configuration", f"{len(error.problems)} to fix", "\n      ".join(error.problems))
    except Refused as refused:
        return Finding("configuration", str(refused), f"cd infra && pulumi config --stack {context.stack}")
    return Finding("configuration", "complete")


def login(_: Context) -> Finding:
    answer = ask(["gcloud", "auth", "list", "--filter=status:ACTIVE", "--format=value(account)"])
    account = answer.out.strip()
    if not answer.good or not account:
        return Finding("gcloud login", failed(answer, "nobody is logged in"), "gcloud auth login")
    return Finding("gcloud login", account)


def default_credentials(_: Context) -> Finding:
    """Pulumi's provider uses these, not gcloud's own login. The token that is printed is thrown away."""
    answer = ask(["gcloud", "auth", "application-default", "print-access-token"])
    if not answer.good or not answer.out.strip():
        said = "took too long" if answer.code == TIMED_OUT else "there are none, or they ended"
        return Finding("application default credentials", said, "gcloud auth application-default login")
    return Finding("application default credentials", "valid")


def project(context: Context) -> Finding:
    answer = ask(["gcloud", "projects", "describe", context.project, "--format=json"])
    found = json_object(answer.out)
    state = found.get("lifecycleState")
    if not answer.good:
        run = f"gcloud projects create {context.project}  (or be granted a role on it)"
        return Finding("project", failed(answer, f"{context.project} can't be reached"), run)
    if state != "ACTIVE":
        return Finding("project", f"{context.project} is {state}", f"gcloud projects undelete {context.project}")
    number = str(found.get("projectNumber"))
    configured = context.configuration.project_number if context.configuration else None
    if configured not in (None, number):
        run = f"pulumi config set dm-agent:projectNumber {number} --stack {context.stack}"
        return Finding("project", f"{context.project} has the number {number}, dm-agent:projectNumber is another", run)
    return Finding("project", f"{context.project}, number {number}")


def billing(context: Context) -> Finding:
    answer = ask(["gcloud", "billing", "projects", "describe", context.project, "--format=value(billingEnabled)"])
    if answer.good and answer.out.strip().lower() == "true":
        return Finding("billing", "enabled")
    run = f"gcloud billing projects link {context.project} --billing-account=YOUR-ACCOUNT"
    return Finding("billing", failed(answer, "the project has no billing account"), run)


def apis(context: Context) -> Finding:
    enabled = _enabled(context)
    missing = [name for name in BOOTSTRAP_APIS if name not in enabled]
    if missing:
        run = f"gcloud services enable {' '.join(missing)} --project={context.project}"
        return Finding("APIs", f"off: {', '.join(missing)}", run)
    return Finding("APIs", "the program can enable the others")


def budget(context: Context) -> Finding:
    """The budgets' API answers a person's login with 403 unless a project is named that the calls are counted for."""
    if context.configuration is None or context.configuration.budget is None or context.values is None:
        return Finding("budget", "not wanted by this stack")
    given = context.values.provider
    if given.get("userProjectOverride") == "true" and given.get("billingProject"):
        return Finding("budget", "its calls are counted for a project")
    stack, project = context.stack, context.project
    commands = (f"gcp:userProjectOverride true --stack {stack}", f"gcp:billingProject {project} --stack {stack}")
    run = " && ".join(f"pulumi config set {command}" for command in commands)
    return Finding("budget", "a budget can't be created with a person's login as it is set up", f"cd infra && {run}")


def database(context: Context) -> Finding:
    """One of this name that no `up` of this stack made stands in its way: a create would be answered with 409."""
    name = context.configuration.database.name if context.configuration else ""
    command = ["gcloud", "firestore", "databases", "describe", f"--database={name}", f"--project={context.project}"]
    found = ask([*command, "--format=value(name)"])
    if not found.good or not found.out.strip():
        return Finding("database", f"{name}, not there yet")
    known = ask(["pulumi", "stack", "--show-urns", "--stack", context.stack, "--non-interactive"])
    if "firestore/database:Database" in known.out:
        return Finding("database", f"{name}, of this stack")
    run = f"pulumi config set dm-agent:databaseName ANOTHER --stack {context.stack}"
    return Finding("database", f"{name} exists already and is not this stack's", run)


def region(context: Context) -> Finding:
    """Whether Google offers Cloud Tasks there to this project; before its API is on, only our own list says so."""
    wanted = context.configuration.region if context.configuration else ""
    if "cloudtasks.googleapis.com" not in _enabled(context):
        return Finding("region", f"{wanted} (by infra/regions.py; Google is asked after the first `make up`)")
    answer = ask(["gcloud", "tasks", "locations", "list", f"--project={context.project}", "--format=value(locationId)"])
    if not answer.good or wanted not in answer.out.split():
        run = f"pulumi config set dm-agent:region ANOTHER --stack {context.stack}"
        return Finding("region", failed(answer, f"{wanted} offers this project no Cloud Tasks"), run)
    return Finding("region", wanted)


def secret_versions(context: Context) -> Finding:
    """A pin of a version that is destroyed, disabled or was never there stops an instance at its start, after the build
    (https://github.com/google-github-actions/deploy-cloud-functions/issues/407). Before the first `up` there is none.
    """
    pins: Mapping[str, str] = context.configuration.secret_versions if context.configuration else {}
    bad = [each for name, pinned in pins.items() for each in _unusable(context, name, pinned)]
    if not bad:
        return Finding("secrets", "every pinned version is enabled, or not made yet")
    return Finding("secrets", "; ".join(said for said, _ in bad), "\n      ".join(run for _, run in bad))


def secret_containers(context: Context) -> Finding:
    """Versions that are pinned before there is a container are another project's: a stack's file was copied."""
    name, configuration = "containers", context.configuration
    if configuration is None or context.values is None or context.values.values.get("secretsOnly") == "true":
        return Finding(name, "made by the first `up`")
    listed = ask(["gcloud", "secrets", "list", f"--project={context.project}", "--format=value(name)"])
    if not listed.good and "secretmanager.googleapis.com" in _enabled(context):
        return Finding(name, "not to be seen")
    there = {line.rsplit("/", 1)[-1] for line in listed.out.split()} if listed.good else set[str]()
    missing = sorted({secret_id(configuration.prefix, each) for each in configuration.secret_versions} - there)
    if missing:
        said = f"versions are pinned of secrets that this project has not: {', '.join(missing)}"
        return Finding(name, said, f"make deploy STACK={context.stack}")
    return Finding(name, "there is one for every pinned version")


def _unusable(context: Context, name: str, pinned: str) -> list[tuple[str, str]]:
    """What is wrong with a pin, and the command that mends it."""
    secret = secret_id(context.configuration.prefix if context.configuration else "", name)
    command = ["gcloud", "secrets", "versions", "list", secret, f"--project={context.project}"]
    answer = ask([*command, "--format=value(name,state)"])
    listed = re.finditer(r"(\d+)\s+([A-Za-z]+)\s*$", answer.out if answer.good else "", re.MULTILINE)
    states = {each[1]: each[2] for each in listed}
    state = states.get(pinned, "not there").lower()
    if not states or state == "enabled":
        return []
    run = f"make secrets STACK={context.stack} NAMES={name} PIN=1"
    if state == "disabled":
        run = f"gcloud secrets versions enable {pinned} --secret={secret} --project={context.project}"
    return [(f"{name}: version {pinned} is {state}", run)]


def _enabled(context: Context) -> set[str]:
    command = ["gcloud", "services", "list", "--enabled", f"--project={context.project}", "--format=value(config.name)"]
    answer = ask(command)
    return set(answer.out.split()) if answer.good else set()


def failed(answer: Answer, otherwise: str) -> str:
    """What was found, with the tool's own complaint where it made one."""
    return otherwise if answer.good else f"{otherwise} ({answer.reason})"
