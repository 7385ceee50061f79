"""The Makefile where paths hold blanks and where a person has no folder of their own."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.unit.docs.repository import ROOT

SHOW = 'show: ; @echo "$${UV_CACHE_DIR-}"'


def _make(*words: str, **environment: str) -> str:
    """What it prints."""
    command = ["make", "--no-print-directory", "-C", str(ROOT), *words]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "XDG_", "MAKE", "MFLAGS"))}
    return subprocess.run(command, env=kept | environment, capture_output=True, text=True, check=True).stdout  # noqa: S603


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["bundle", "INTO=in to"], "in to"),
        (["preview", "STACK=dev", "INTO=in to"], "in to"),
        (["secrets", "STACK=dev", "FILE=my values.env"], "my values.env"),
        (["evals", "BEFORE=last report.json", "HTML=a page.html"], "a page.html"),
        (["scenario-from", "THREAD=1_2", "STORE_URL=sqlite:///my state/store.db"], "sqlite:///my state/store.db"),
        (["actionlint", "CURDIR=/my clone", "ACTIONLINT=none"], "GOBIN=/my clone/.tools/actionlint"),
    ],
)
def test_a_path_with_blanks_is_one_word(words: list[str], kept: str) -> None:
    printed = _make("--dry-run", *words)

    assert kept in [word for line in printed.replace("\\\n", " ").splitlines() for word in shlex.split(line)]


def test_a_home_folder_is_left_to_the_shell() -> None:
    assert " ~/values.env" in _make("--dry-run", "secrets", "STACK=dev", "FILE=~/values.env")


@pytest.mark.parametrize(
    ("environment", "cache"),
    [
        ({"HOME": "/proc/nobody"}, f"{ROOT}/.tools/uv-cache"),
        ({"HOME": "/proc/nobody", "UV_CACHE_DIR": "/elsewhere"}, "/elsewhere"),
        ({"HOME": "/proc/nobody", "XDG_CACHE_HOME": "{}"}, ""),
        ({"HOME": ""}, ""),
        ({"HOME": "{}"}, ""),
    ],
)
def test_uv_caches_in_the_repository_only_where_nothing_else_can_be_written_to(
    tmp_path: Path, environment: dict[str, str], cache: str
) -> None:
    there = {name: value.format(tmp_path) for name, value in environment.items()}

    assert _make("--eval", SHOW, "show", **there).strip() == cache


def test_uvs_variables_of_another_project_reach_no_target() -> None:
    others = dict.fromkeys(("UV_PROJECT_ENVIRONMENT", "UV_PROJECT", "UV_NO_DEV", "UV_PYTHON", "UV_RESOLUTION"), "x")
    sources = dict.fromkeys(("UV_DEFAULT_INDEX", "UV_INDEX_MINE_PASSWORD", "UV_OFFLINE", "UV_HTTP_TIMEOUT"), "x")

    printed = _make("--eval", "show: ; @env", "show", HOME="", **others, **sources)

    assert {line.partition("=")[0] for line in printed.splitlines() if line.startswith("UV_")} == set(sources)
