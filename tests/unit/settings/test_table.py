"""The table of settings: what it says is what the loaders, the infrastructure program and the page say."""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import dm_core
from dm_core.errors import Misconfigured
from dm_core.settings import ProcessorSettings, WebhookSettings, reader, table
from dm_core.settings.table import SETTINGS, Function, Setting
from dm_sandbox.settings_page import PAGE, page

CORE = Path(dm_core.__file__).parent
LOADERS: Mapping[Function, Callable[[Mapping[str, str]], object]] = {
    "webhook": WebhookSettings.load,
    "processor": ProcessorSettings.load,
}
COMPLETE = {
    "GOOGLE_CLOUD_PROJECT": "project",
    "CLOUD_TASKS_LOCATION": "europe-west1",
    "PROCESS_MESSAGE_URL": "https://processor.example/",
    "TASKS_INVOKER_EMAIL": "invoker@project.iam.example",
    "INSTAGRAM_PAGE_ID": "178414",
    "INSTAGRAM_VERIFY_TOKEN": "verify",
    "INSTAGRAM_APP_SECRET": "one",
    "INSTAGRAM_ACCESS_TOKEN": "IGAA-token",
    "WHATSAPP_ACCESS_TOKEN": "EAA-token",
    "WHATSAPP_PHONE_NUMBER_ID": "5550",
    "MANAGER_WHATSAPP_NUMBER": "+47 900 00 000",
    "GEMINI_API_KEY": "key",
    "SPOND_USERNAME": "a",
    "SPOND_PASSWORD": "b",
    "SPOND_GROUP_ID": "G1",
}


class Asked(Mapping[str, str]):
    """An environment that remembers the names it was asked for."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return COMPLETE[name]

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("settings are asked for by name")

    def __len__(self) -> int:
        raise AssertionError("settings are asked for by name")


def test_the_page_of_settings_is_that_of_the_table() -> None:
    assert PAGE.read_text() == page(), "write it anew: .venv/bin/python -m dm_sandbox.settings_page"


def test_each_setting_stands_under_its_own_name_and_once() -> None:
    names = [name for name, value in vars(table).items() if isinstance(value, Setting)]

    assert names == [setting.name for setting in SETTINGS]


@pytest.mark.parametrize("function", LOADERS)
def test_a_function_reads_what_the_table_says(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the check of the whole table, each is asked for by the loader that uses it."""
    monkeypatch.setattr(reader, "SETTINGS", ())
    asked = Asked()

    LOADERS[function](asked)

    of_the_contract = {"INSTAGRAM_PAGE_ID"} if function == "webhook" else set[str]()  # required of both, used by one
    assert asked.names | of_the_contract == {setting.name for setting in SETTINGS if function in setting.functions}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_what_is_required_is_missed_where_it_is_required(setting: Setting[Any]) -> None:
    env = {name: value for name, value in COMPLETE.items() if name != setting.name}

    for function, load in LOADERS.items():
        if function in setting.required:
            with pytest.raises(Misconfigured, match=f"the {function} cannot start: {setting.name} is missing"):
                load(env)
        elif setting.set_by != "secret" and not setting.name.startswith("SPOND_"):
            load(env)


@pytest.mark.parametrize("setting", [s for s in SETTINGS if s.bounds], ids=lambda setting: setting.name)
def test_a_default_lies_within_the_bounds_and_what_is_beyond_is_refused(setting: Setting[Any]) -> None:
    assert setting.bounds is not None
    low, high = setting.bounds

    assert low <= setting.default <= high
    assert setting.problem(f"{low:.12g}") is setting.problem(f"{high:.12g}") is None
    for value in (f"{high + 1:.12g}", f"{low - 1:.12g}", "nan", "soon", "", " 1"):
        assert setting.problem(value)


@pytest.mark.parametrize("setting", [s for s in SETTINGS if not s.bounds], ids=lambda setting: setting.name)
def test_a_default_in_words_is_allowed(setting: Setting[Any]) -> None:
    if setting.default not in ("", (), False, None):
        assert setting.problem(setting.default) is None
    assert setting.meaning.endswith(".")


def test_the_table_needs_the_standard_library_only() -> None:
    """``infra/`` reads the file by its path."""
    imported = [node for node in ast.walk(ast.parse((CORE / "settings/table.py").read_text())) if node]
    modules = {node.module for node in imported if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in imported if isinstance(node, ast.Import) for alias in node.names}

    assert {str(module).partition(".")[0] for module in modules} <= sys.stdlib_module_names


EVERYWHERE = """
import json, sys
from pathlib import Path
from dm_core.errors import Misconfigured
from dm_core.settings import ProcessorSettings
from dm_core.settings.table import TEA_BREAK_MINUTES
from dm_sandbox.settings_page import page
import variables

complete, table = json.loads(sys.argv[1]), Path(sys.argv[2])
try:
    ProcessorSettings.load({**complete, "TEA_BREAK_MINUTES": "99"})
except Misconfigured as error:
    print(error)
infra = variables.read_table(table)["TEA_BREAK_MINUTES"]
print(infra.set_by, infra.functions, infra.problem("99"), infra.problem("30"))
print(next(line for line in page().splitlines() if "TEA_BREAK" in line))
print(TEA_BREAK_MINUTES.default)
"""


def test_a_setting_is_added_in_one_place(tmp_path: Path) -> None:
    """One row: the function checks it at its start, a stack may set it, the page lists it, code can read it."""
    shutil.copytree(CORE, tmp_path / "dm_core", ignore=shutil.ignore_patterns("__pycache__"))
    rows = tmp_path / "dm_core/settings/table.py"
    row = 'TEA_BREAK_MINUTES = _whole("TEA_BREAK_MINUTES", 20, 5, 40, "How long tea takes.")\n'
    rows.write_text(rows.read_text().replace("# fmt: on\n", f"{row}# fmt: on\n"))
    infra = PAGE.parents[1] / "infra"
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{infra}"}

    seen = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", EVERYWHERE, json.dumps(COMPLETE), str(rows)],
        env=environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip

    assert seen.stdout.splitlines() == [
        "the processor cannot start: TEA_BREAK_MINUTES must be a whole number from 5 to 40",
        "stack ('processor',) must be a whole number from 5 to 40 None",
        "| `TEA_BREAK_MINUTES` | processor | 20 | a whole number from 5 to 40 | How long tea takes. |",
        "20",
    ], seen.stderr
