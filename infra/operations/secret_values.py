"""``secrets``: adds secret values out of band. A value goes from the prompt or file to gcloud's standard input only:
never onto a command line, into the environment, a log, a file or Pulumi's state.
"""

import getpass
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from configuration import ConfigurationError
from operations.dotenv import read_private
from operations.running import TIMED_OUT, Refused, ask, find
from operations.stacks import read_values
from variables import SETTINGS, secret_id


@dataclass(frozen=True, slots=True)
class Target:
    """Where a stack's values go. ``variables``: those its functions read, in a stable order."""

    stack: str
    project: str
    prefix: str
    flavor: str
    variables: tuple[str, ...]


def main(stack: str, chosen: tuple[str, ...], file: Path | None, *, pin: bool) -> int:
    """Add a version for each value, say which to pin, and pin it if asked. 1 if one could not be added."""
    for program in ("pulumi", "gcloud"):
        if find(program) is None:
            raise Refused(f"{program} is not installed. Run: make doctor STACK={stack}")
    target = _target(stack)
    unknown = sorted(set(chosen) - set(target.variables))
    if unknown:
        raise Refused(f"{unknown[0]} is not a secret of stack {stack}; its secrets: {', '.join(target.variables)}")
    wanted = chosen or target.variables
    failed = added = 0
    for variable, value in _from_file(file, wanted, target) if file else _prompted(wanted, target):
        version = _add(target, variable, value)
        added += version is not None
        failed += version is None or not _pinned(target, variable, version, pin=pin)
    print(f"{added} added, {failed} failed" + (f"; then: make up STACK={stack}" if added else ""))
    return 1 if failed else 0


def _target(stack: str) -> Target:
    values = read_values(stack)
    try:
        configuration = values.configuration(before_secrets=True)
    except ConfigurationError as error:
        raise Refused(str(error)) from error
    read = tuple(name for name in configuration.secrets if name not in configuration.kept_secrets)
    flavor = configuration.settings.get("INSTAGRAM_API_FLAVOR", "instagram")
    return Target(stack, configuration.project, configuration.prefix, flavor, read)


def _from_file(path: Path, wanted: tuple[str, ...], target: Target) -> Iterator[tuple[str, str]]:
    found: Mapping[str, str] = read_private(path)
    present = [name for name in wanted if found.get(name)]
    if not present:
        raise Refused(f"{path} has none of: {', '.join(wanted)}")
    for name in present:
        _check(name, found[name], target)
    absent = [name for name in wanted if name not in present]
    if absent:
        print(f"not in the file, left as they are: {', '.join(absent)}")
    return ((name, found[name]) for name in present)


def _prompted(wanted: tuple[str, ...], target: Target) -> Iterator[tuple[str, str]]:
    if not sys.stdin.isatty():
        raise Refused("there is no terminal to ask at. Run: make secrets STACK=… FILE=a-file-of-NAME=value-lines")
    print("type or paste each value (it is not shown); press Enter alone to leave one as it is")
    for name in wanted:
        value = getpass.getpass(f"{name}: ").strip()
        if value:
            _check(name, value, target)
            yield name, value


_TOKEN: Final = re.compile(r"(?:^|[,=] *)(IGAA|EAA)[A-Za-z0-9_-]{40,}")
_OF: Final = {"IGAA": "Instagram's (IGAA…)", "EAA": "Facebook's (EAA…)"}
"""How a token of each login begins (docs/platforms/instagram.md#two-flavours)."""


def _misplaced(name: str, value: str, target: Target) -> str | None:
    """What is wrong with a value that is certainly another secret's; a password may be anything."""
    of_instagram = "IGAA" if target.flavor == "instagram" else "EAA"
    wanted = {"INSTAGRAM_ACCESS_TOKEN": of_instagram, "WHATSAPP_ACCESS_TOKEN": "EAA"}.get(name)
    for begins in _TOKEN.findall(value) if "PASSWORD" not in name else ():
        if begins != wanted:
            return f"is a token of {_OF[begins]}; {f'one of {_OF[wanted]}' if wanted else 'no token'} belongs here"
    return None


def _check(name: str, value: str, target: Target) -> None:
    """A stray newline or an ellipsis from a paste makes a token that fails only in production, and what a function does
    not start with would be seen only after the next build."""
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):
        raise Refused(f"{name} holds a control character; paste it again")
    problem = SETTINGS[name].problem(value) or _misplaced(name, value, target)
    if problem is not None:
        raise Refused(f"{name} {problem}; paste it again")


def _add(target: Target, variable: str, value: str) -> int | None:
    """The new version's number, or None after a line that says why not."""
    container = secret_id(target.prefix, variable)
    command = ["gcloud", "secrets", "versions", "add", container, f"--project={target.project}", "--data-file=-"]
    answer = ask([*command, "--format=value(name)"], given=value)
    number = re.search(r"(?:versions/|^)(\d+)\s*$", answer.out.strip())
    if answer.good and number:
        print(f"{variable}: version {number[1]} of {container}")
        return int(number[1])
    look = f"gcloud secrets versions list {container} --project={target.project}"
    if answer.code == TIMED_OUT or answer.good:
        print(f"{variable}: not sure that it was added. Run: {look}")
    elif "NOT_FOUND" in answer.error:
        print(f"{variable}: {container} does not exist yet. Run make up STACK={target.stack} (docs/deploy.md#6-deploy)")
    else:
        print(f"{variable}: not added ({answer.reason.replace(value, '…')})")
    return None


def _pinned(target: Target, variable: str, version: int, *, pin: bool) -> bool:
    key = f"dm-agent:secretVersions.{variable}"
    command = ["pulumi", "config", "set", "--path", key, str(version), "--stack", target.stack]
    if not pin:
        print(f"  pin it: (cd infra && {' '.join(command)})")
        return True
    answer = ask([*command, "--non-interactive"])
    failure = f"not pinned ({answer.reason}). Run: {' '.join(command)}"
    print(f"  pinned {key} to {version}" if answer.good else f"  {failure}")
    return answer.good
