"""``scenarios``: a sample of the stack's threads, to be reviewed. Reads as whoever is logged in."""

import os
import subprocess
import sys
from collections.abc import Sequence

from operations.admin import ELSEWHERE
from operations.deploying import outputs
from operations.running import ROOT, Refused
from operations.stacks import read_values


def main(stack: str, arguments: Sequence[str]) -> int:
    """The evals' own exit code. Raises Refused where the stack is not deployed."""
    database = outputs(stack).get("database")
    if not database:
        raise Refused(f"stack {stack} is not deployed, or its outputs can't be read. Run: make doctor STACK={stack}")
    told = {"GOOGLE_CLOUD_PROJECT": read_values(stack).project, "FIRESTORE_DATABASE": str(database)}
    command = [sys.executable, "-m", "dm_evals", "scenarios-from", "--store-url", "firestore:", *arguments]
    ambient = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    return subprocess.run(command, env={**ambient, **told}, cwd=ROOT, check=False).returncode
