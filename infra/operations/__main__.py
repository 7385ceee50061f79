"""``PYTHONPATH=infra python -m operations COMMAND --stack NAME``: what the Makefile's targets call."""

import argparse
import sys
from pathlib import Path

from configuration import ConfigurationError
from operations import admin, deploying, doctor, guided, secret_values, smoke, switching
from operations.running import Refused
from operations.stacks import NAME


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0 done, 1 refused or something is missing, Pulumi's own otherwise."""
    options = _parser().parse_args(arguments)
    stack: str = options.stack
    if not NAME.fullmatch(stack):
        print("a stack's name is letters, digits, - _ and .: for example STACK=dev", file=sys.stderr)
        return 1
    try:
        return _run(options.command, stack, options)
    except (Refused, ConfigurationError) as refused:
        print(f"{options.command}: {refused}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{options.command}: interrupted; run it again", file=sys.stderr)
        return 130


def _run(command: str, stack: str, options: argparse.Namespace) -> int:
    match command:
        case "doctor":
            return doctor.main(stack)
        case "secrets":
            return secret_values.main(stack, tuple(options.names), options.from_file, pin=options.pin)
        case "deploy":
            return guided.main(stack, guided.Wishes(options.lock, options.from_file, options.yes))
        case "smoke":
            return smoke.main(stack)
        case "admin":
            return admin.main(stack, options.words[options.words[:1] == ["--"] :])
        case "switch":
            return switching.main(stack, options.database)
        case "drift":
            return deploying.drift(stack, into=options.into)
        case "preview":
            return deploying.preview(stack, policies=options.policies, into=options.into)
        case "up":
            return deploying.up(stack, yes=options.yes, policies=options.policies)
        case _:
            return deploying.down(stack, yes=options.yes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="operations", description="what a deployment needs, and what is done with it")
    commands = parser.add_subparsers(dest="command", required=True)
    parts = {
        "doctor": "check what a deployment needs from this machine; changes nothing",
        "secrets": "add secret values out of band",
        "preview": "what `up` would change; changes nothing",
        "up": "deploy",
        "deploy": "the first deployment, from nothing to the first /health; goes on where it was stopped",
        "smoke": "ask what is deployed whether it is alive",
        "admin": "the operator's tool, with this stack's store and queues",
        "drift": "what is no longer as deployed; changes nothing",
        "switch": "another database in place of the stack's own; changes the state and nothing at Google",
        "down": "remove everything; refuses while the data is protected",
    }
    made = {name: commands.add_parser(name, help=said, description=said) for name, said in parts.items()}
    for name, command in made.items():
        command.add_argument("--stack", required=True, help="the Pulumi stack, for example dev")
        if name in ("up", "down", "deploy"):
            command.add_argument("--yes", action="store_true", help="do not ask")
        if name in ("preview", "up"):
            command.add_argument("--policies", action="store_true", help="enforce infra/policy in the engine too")
    for name in ("preview", "drift"):
        made[name].add_argument("--into", type=Path, metavar="FILE", help="write the plan into a file too")
    made["switch"].add_argument("--database", required=True, help="the database that takes over")
    made["admin"].add_argument("words", nargs=argparse.REMAINDER, help="what `dm-admin` is given")
    secrets = made["secrets"]
    secrets.add_argument("names", nargs="*", metavar="NAME", help="which; all that the stack needs otherwise")
    made["deploy"].add_argument("--lock", help="a new stack's secrets provider, for example gcpkms://…")
    made["deploy"].add_argument("--from-file", type=Path, help="secret values, as for `secrets`")
    secrets.add_argument("--from-file", type=Path, help="NAME=value lines, mode 0600, instead of asking")
    secrets.add_argument("--pin", action="store_true", help="write the new versions' numbers into the stack's file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
