"""The Makefile where paths hold blanks, where a person has no folder of their own, and where a variable is a typo."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from dm_core.settings.table import SETTINGS
from tests.unit.docs.repository import ROOT

SHOW = 'show: ; @echo "$${UV_CACHE_DIR-}"'


def _make(*words: str, **environment: str) -> str:
    """What it prints."""
    made = _made(*words, **environment)
    assert made.returncode == 0, made.stderr
    return made.stdout


def _made(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = ["make", "--no-print-directory", "-C", str(ROOT), *words]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "XDG_", "MAKE", "MFLAGS"))}
    return subprocess.run(command, env=kept | environment, capture_output=True, text=True, check=False)  # noqa: S603


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


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("evals SCENARIOS=x", "make evals takes no SCENARIOS: did you mean SCENARIO?"),
        ("admin STACK=dev ARG=threads", "make admin takes no ARG: did you mean ARGS?"),
        ("up stack=dev", "make up takes no stack: did you mean STACK?"),
    ],
)
def test_a_variable_that_is_nearly_one_of_the_targets_is_refused_in_one_line(words: str, says: str) -> None:
    made = _made("--dry-run", *words.split())

    assert (made.returncode, made.stdout) == (2, "")
    assert re.sub(r"Makefile:\d+: ", "", made.stderr) == f"*** {says}.  Stop.\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("fuzz SECONDS=3", "make fuzz takes no SECONDS; it takes: TARGET, RUNS, SEED, ENGINE"),
        ("test SEED=3", "make test takes no SEED; it takes no variable"),
        ("ARGS=threads", "make help takes no ARGS; it takes no variable"),
    ],
)
def test_another_targets_variable_is_told_and_lets_the_target_run(words: str, says: str) -> None:
    made = _made("--dry-run", *words.split())

    assert made.returncode == 0 and made.stdout
    assert re.sub(r"Makefile:\d+: ", "", made.stderr) == f"note: {says}\n"


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        ("fuzz", {"SECONDS": "3"}),  # of the shell, which has one
        ("fuzz SECONDS=3", {"MAKELEVEL": "1"}),  # of a make that calls this one
        ("fuzz chaos SECONDS=3", {}),
        ("dev " + " ".join(f"{each.name}=1" for each in SETTINGS if each.set_by == "stack"), {}),
        ("evals PREFIX=/usr GEMINI_API_KEY=x", {}),
    ],
)
def test_what_may_be_meant_for_somebody_else_is_let_through(words: str, environment: dict[str, str]) -> None:
    assert "-m" in _make("--dry-run", *words.split(), **environment)


def test_every_line_of_the_documentation_is_taken() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    lines = {line for page in pages for line in re.findall(r"make [a-z-]+(?: [A-Z_]+=[\w.:/-]+)+", page.read_text())}
    refused = {line: _made("--dry-run", *line.split()[1:]).stderr for line in lines}

    assert len(lines) > 20
    assert not {line: said for line, said in refused.items() if " takes no " in said}
