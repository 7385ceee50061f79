"""The commit whose prompt a run was asked with, found in a repository's history by the prompt's hash."""

import shutil
import subprocess
from pathlib import Path

import pytest

from dm_admin import prompts
from dm_core.agent.profile import load_profile
from dm_core.agent.prompt import prompt_hash
from tests.unit.docs.repository import ROOT

WHO = ("-c", "user.name=Tom", "-c", "user.email=tom@club.example", "-c", "commit.gpgsign=false")


def commit(repository: Path, subject: str) -> None:
    subprocess.run(["git", "add", "-A"], cwd=repository, check=True)  # noqa: S607
    subprocess.run(["git", *WHO, "commit", "--quiet", "-m", subject], cwd=repository, check=True)  # noqa: S603, S607


def hash_now(repository: Path) -> str:
    folder = repository / "functions" / "processor"
    template = (folder / "prompts" / "system.md").read_text("utf-8")
    return prompt_hash(template, load_profile(folder / "profile"))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with what a prompt is made of, and nothing else."""
    for part in ("functions/processor/prompts", "functions/processor/profile", "libs/core/src/dm_core"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)  # noqa: S603, S607
    commit(tmp_path, "Begin")
    return tmp_path


def test_a_prompt_is_found_at_its_commit_however_the_files_changed_since(repository: Path) -> None:
    first = hash_now(repository)
    persona = repository / "functions" / "processor" / "profile" / "persona.md"
    persona.write_text(persona.read_text("utf-8") + "\nBe brief.\n", "utf-8")
    commit(repository, "Speak briefly")
    second = hash_now(repository)
    tool = repository / "libs" / "core" / "src" / "dm_core" / "agent" / "tools" / "no_reply.py"
    tool.write_text(tool.read_text("utf-8").replace('"""', '"""Rarely: ', 1), "utf-8")
    commit(repository, "Touch a tool's file, and no word that the model is told")

    assert first != second
    assert prompts.describe(second, repository).startswith("as in this checkout (")
    assert prompts.describe(first, repository).endswith(": Begin")
    assert prompts.describe("0" * 64, repository).startswith("as in none of the last 40 commits")


def test_a_prompt_that_is_not_committed_yet_is_that_of_this_checkout(repository: Path) -> None:
    facts = repository / "functions" / "processor" / "profile" / "knowledge.md"
    facts.write_text(facts.read_text("utf-8") + "\nThe bar closes at ten.\n", "utf-8")

    assert "-dirty)" in prompts.describe(hash_now(repository), repository)


def test_without_a_repository_it_says_so(tmp_path: Path) -> None:
    assert "this is no checkout" in prompts.describe("0" * 64, tmp_path)
