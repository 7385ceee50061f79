"""The account's mailbox: who is known, what was written, and how the Conversations API shows it.

Newest first, details of the 20 newest only, one-second times (docs/platforms/instagram.md#conversations-api).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

VISIBLE_MESSAGES = 20


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message of a conversation. ``at`` in ms; ``by_api`` tells the agent's replies from a human's."""

    mid: str
    from_id: str
    to_id: str
    text: str
    at: int
    by_api: bool = False


@dataclass(slots=True)
class Contact:
    """A person the platform knows. ``profile_error`` is 230 or 9010 to refuse the profile."""

    user_id: str
    name: str | None = None
    username: str | None = None
    last_inbound_at: int | None = None
    profile_error: int = 0


class Mailbox:
    """Every message between the account and its contacts."""

    def __init__(self, account_id: str, username: str) -> None:
        self.account_id, self.username = account_id, username
        self.contacts: dict[str, Contact] = {}
        self.messages: list[SentMessage] = []

    def people(self) -> list[str]:
        """Whom there are messages with, the latest first."""
        return list(dict.fromkeys(self._other(message) for message in reversed(self.messages)))

    def visible(self, user_id: str, horizon: float) -> list[SentMessage]:
        """The newest messages with this person up to ``horizon`` (ms), newest first."""
        theirs = [m for m in self.messages if self._other(m) == user_id and m.at <= horizon]
        return theirs[::-1][:VISIBLE_MESSAGES]

    def conversation(self, user_id: str, horizon: float, fields: str) -> dict[str, object]:
        """One entry of the list of conversations."""
        messages = self.visible(user_id, horizon)
        shown: dict[str, object] = {"id": conversation_id(user_id), "updated_time": iso(messages[0].at)}
        if "messages" in fields:
            shown["messages"] = self.page(messages, fields)
        return shown

    def page(self, messages: list[SentMessage], fields: str) -> dict[str, object]:
        """``messages{…}`` or ``messages.limit(n){…}``; without names only the id and the time are given."""
        limit = re.search(r"messages\.limit\((\d+)\)", fields)
        nested = re.search(r"messages(?:\.limit\(\d+\))?\{([^}]*)\}", fields)
        names = nested.group(1) if nested else "id,created_time"
        size = int(limit.group(1)) if limit else VISIBLE_MESSAGES
        return {"data": [self.shown(message, names) for message in messages[:size]]}

    def shown(self, message: SentMessage, names: str) -> dict[str, object]:
        """A message with the named fields, and its id."""
        whole: dict[str, object] = {
            "id": message.mid,
            "created_time": iso(message.at),
            "from": self._party(message.from_id),
            "to": {"data": [self._party(message.to_id)]},
            "message": message.text,
        }
        asked = {"id", *(name.strip() for name in names.split(","))}
        return {name: value for name, value in whole.items() if name in asked}

    def _party(self, node: str) -> dict[str, str]:
        contact = self.contacts.get(node)
        username = self.username if node == self.account_id else contact.username if contact else None
        return {"id": node, "username": username or "unknown"}

    def _other(self, message: SentMessage) -> str:
        return message.to_id if message.from_id == self.account_id else message.from_id


def conversation_id(user_id: str) -> str:
    return f"aWdfZAG06MTpJR01lc3NhZA2VUaHJlYWQ6{user_id}ZD"


def iso(at: int) -> str:
    """The API's way to write a time given in ms."""
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
