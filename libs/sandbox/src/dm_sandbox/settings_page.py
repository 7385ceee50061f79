"""docs/settings.md, made from the table of settings: ``python -m dm_sandbox.settings_page`` writes it anew."""

from pathlib import Path
from typing import Any, Final

from dm_core.settings.table import SETTINGS, SetBy, Setting

PAGE: Final = Path(__file__).parents[4] / "docs/settings.md"
_HEAD: Final = """\
# Settings

The environment of the two functions, from `libs/core/src/dm_core/settings/table.py`. After a change there write this
page anew: `.venv/bin/python -m dm_sandbox.settings_page`. A value that is missing or not allowed stops the function at
its start, with one line that names each.
"""
_GROUPS: Final[tuple[tuple[SetBy, str, str], ...]] = (
    ("stack", "What a stack may set", "In `dm-agent:settings` of the stack's configuration; each has a default."),
    ("secret", "Secrets", "Containers made by `pulumi up`; their values are added by `make secrets`."),
    ("program", "What the program sets", "`infra/` sets them from what it makes and from the stack's configuration."),
    (
        "elsewhere",
        "Elsewhere than on Google Cloud",
        "They point the code at a sandbox; a deployment sets none of them.",
    ),
)


def page() -> str:
    """The page's text."""
    return "\n".join((_HEAD, *(_group(set_by, title, about) for set_by, title, about in _GROUPS)))


def _group(set_by: SetBy, title: str, about: str) -> str:
    rows = [_row(setting) for setting in SETTINGS if setting.set_by == set_by]
    head = ("| variable | read by | default | allowed | what it is |", "|---|---|---|---|---|")
    return "\n".join((f"## {title}", "", about, "", *head, *rows, ""))


def _row(setting: Setting[Any]) -> str:
    cells = (f"`{setting.name}`", ", ".join(setting.functions), _default(setting), setting.allowed, setting.meaning)
    return f"| {' | '.join(cell.replace('|', '\\|') for cell in cells)} |"


def _default(setting: Setting[Any]) -> str:
    if setting.instead:
        return f"that of `{setting.instead}`"
    if setting.required:
        optional = [function for function in setting.functions if function not in setting.required]
        return "required" + (f"; optional for the {optional[0]}" if optional else "")
    if setting.otherwise:
        return setting.otherwise
    if setting.default in ("", (), None):
        return "none"
    if isinstance(setting.default, bool):
        return str(setting.default).lower()
    return f"{setting.default:g}" if isinstance(setting.default, float) else str(setting.default)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
