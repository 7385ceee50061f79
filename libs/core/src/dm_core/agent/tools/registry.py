"""Every tool the model has, under its exact name (docs/architecture.md#a-tool)."""

from collections.abc import Mapping
from typing import Final

from dm_core.agent.model import ToolDeclaration
from dm_core.agent.tools.declare import Kind, Tool
from dm_core.agent.tools.instagram import (
    GetThreadMessages,
    IsNewThread,
    ReactToInstagramMessage,
    SendInstagramMessage,
)
from dm_core.agent.tools.notes import GetNotes, NoReply, SaveNote
from dm_core.agent.tools.spond import GetNetSessionDates
from dm_core.agent.tools.whatsapp import SendManagerNotification

SEND: Final = "send_instagram_message"

TOOLS: Final[Mapping[str, Tool]] = {
    tool.name: tool
    for tool in (
        Tool(SEND, Kind.ACTION, SendInstagramMessage),
        Tool("react_to_instagram_message", Kind.ACTION, ReactToInstagramMessage),
        Tool("send_manager_notification", Kind.ACTION, SendManagerNotification),
        Tool("get_net_session_dates", Kind.DATA, GetNetSessionDates),
        Tool("get_thread_messages", Kind.DATA, GetThreadMessages),
        Tool("is_new_thread", Kind.DATA, IsNewThread),
        Tool("save_note", Kind.NOTE, SaveNote),
        Tool("get_notes", Kind.DATA, GetNotes),
        Tool("no_reply", Kind.END, NoReply),
    )
}

DECLARATIONS: Final[tuple[ToolDeclaration, ...]] = tuple(tool.declaration for tool in TOOLS.values())
