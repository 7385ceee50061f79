"""Which commit's prompt a run was asked with: the hash that a run keeps, made anew from the repository's history.

A prompt is its files and the tools' words, which stand in code: so each candidate is hashed by its own code, in a
process of its own. Candidates are the commits that changed one of the two, the newest first, each content once.
"""

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

FOLDERS: Final = ("functions/processor/prompts", "functions/processor/profile", "libs/core/src/dm_core")
"""What a prompt is made of; of the last, all that the tools' words may import."""
MADE_OF: Final = (*FOLDERS[:2], "libs/core/src/dm_core/agent")
"""Where a change makes another prompt."""
MOST: Final = 40
"""Most commits that are hashed."""
SECONDS: Final = 20.0

_HASH: Final = """
from pathlib import Path
from dm_core.agent.profile import load_profile
from dm_core.agent.prompt import prompt_hash
folder = Path("functions/processor")
print(prompt_hash((folder / "prompts" / "system.md").read_text("utf-8"), load_profile(folder / "profile")))
"""


def describe(prompt_hash: str, repository: Path) -> str:
    """The commit, or why it can't be told, in words."""
    if not (repository / ".git").exists():
        return "its commit can't be told: this is no checkout of the repository"
    if _hash_in(repository) == prompt_hash:
        return f"as in this checkout ({_git(repository, 'describe', '--always', '--dirty').decode().strip()})"
    for commit in _candidates(repository):
        if _hash_of(repository, commit) == prompt_hash:
            said = _git(repository, "show", "--no-patch", "--format=%h of %cs: %s", commit).decode("utf-8", "replace")
            return f"as in {said.strip()}"
    return f"as in none of the last {MOST} commits that changed it: fetch more history, or look at a deployed branch"


def _candidates(repository: Path) -> Iterator[str]:
    """Commits with another prompt each, the newest first."""
    listed = _git(repository, "log", "--format=%H", f"--max-count={MOST}", "--", *MADE_OF).decode().split()
    seen: set[bytes] = set()
    for commit in listed:
        content = _git(repository, "ls-tree", commit, *MADE_OF)
        if content not in seen:
            seen.add(content)
            yield commit


def _hash_of(repository: Path, commit: str) -> str:
    """The prompt's hash at a commit; empty where its code can't tell."""
    archive = _git(repository, "archive", "--format=tar", commit, *FOLDERS)
    if not archive:
        return ""
    with tempfile.TemporaryDirectory(prefix="dm-prompt-") as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(folder, filter="data")
        return _hash_in(Path(folder))


def _hash_in(folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder / "libs" / "core" / "src")}
    return _output([sys.executable, "-c", _HASH], folder, environment).decode().strip()


def _git(repository: Path, *arguments: str) -> bytes:
    """What git says, nothing where it fails."""
    return _output(["git", *arguments], repository, None)


def _output(command: list[str], folder: Path, environment: dict[str, str] | None) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - our own words, and a hash of git's
            command, cwd=folder, env=environment, capture_output=True, check=True, timeout=SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return b""
    return done.stdout
