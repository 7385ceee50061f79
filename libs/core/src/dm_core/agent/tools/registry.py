"""Every tool the model has, under its exact name (docs/architecture.md#a-tool)."""

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from dm_core.agent.model import ToolDeclaration
from dm_core.agent.tools.declare import Tool
from dm_core.errors import Misconfigured

SEND: Final = "send_instagram_message"
REACT: Final = "react_to_instagram_message"
NOTIFY: Final = "send_manager_notification"
NOTE: Final = "save_note"
LOOK_UP: Final = "get_net_session_dates"

NAMES: Final = (
    SEND,
    REACT,
    NOTIFY,
    LOOK_UP,
    "get_thread_messages",
    "is_new_thread",
    NOTE,
    "get_notes",
    "no_reply",
)
"""Exact names (docs/architecture.md#a-tool), each that of its file here."""


def _tool(name: str) -> Tool:
    """The tool of a file. Raises Misconfigured."""
    found: object = getattr(import_module(f"dm_core.agent.tools.{name}"), "TOOL", None)
    if not isinstance(found, Tool) or found.name != name:
        raise Misconfigured(f"dm_core/agent/tools/{name}.py must declare TOOL, a tool named {name}")
    return found


TOOLS: Final[Mapping[str, Tool]] = {name: _tool(name) for name in NAMES}
DECLARATIONS: Final[tuple[ToolDeclaration, ...]] = tuple(tool.declaration for tool in TOOLS.values())
