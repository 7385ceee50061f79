"""The conversation of ``make dev``: what the page and ``make chat`` show, and what can be typed.

Plain text is a DM of the current person. Commands begin with a slash (see ``HELP``).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from dm_sandbox.events import clock_time
from dm_sandbox.media_routes import send_made
from dm_sandbox.person import Person
from dm_sandbox.platforms.record import Record
from dm_sandbox.world import Sandbox

Who = Literal["person", "club", "owner", "manager", "note"]

HELP = (
    "type a DM, or: /photo  /voice  /post  /edit TEXT  /unsend  /react EMOJI"
    "  /human TEXT (the owner answers in the app)  /person NAME (somebody new)"
    "  /fault PLATFORM KIND [OPERATION]  /help"
)


@dataclass(frozen=True, slots=True)
class ChatLine:
    """One line of the conversation. ``at`` in ms since 1970; ``name`` is who is shown as its writer."""

    number: int
    at: int
    who: Who
    name: str
    words: str

    def __str__(self) -> str:
        words = f"{self.name}: {self.words}" if self.name else self.words
        return f"{clock_time(self.at)} {words}"


Listener = Callable[[ChatLine], None]


class Chat:
    """The people who write to the account, one of them current, and everything said so far."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.lines: list[ChatLine] = []
        self.person: Person = sandbox.person("Sam Jones")
        self._names = {self.person.user_id: "Sam Jones"}
        self._texts: dict[str, str] = {}
        self._listeners: list[Listener] = []
        sandbox.instagram.listen(self._instagram)
        sandbox.whatsapp.listen(self._whatsapp)

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def note(self, words: str) -> None:
        """Something to tell whoever types."""
        self._add("note", "", words)

    async def type(self, line: str) -> None:
        """Do what was typed."""
        line = line.strip()
        if line.startswith("/"):
            command, _, rest = line[1:].partition(" ")
            await self._command(command, rest.strip())
        elif line:
            await self._say(line)

    async def _command(self, command: str, rest: str) -> None:
        commands: Mapping[str, Callable[[str], Awaitable[None]]] = {
            "photo": self._photo,
            "voice": self._voice,
            "post": self._post,
            "edit": self._edit,
            "unsend": self._unsend,
            "react": self._react,
            "human": self._human,
            "person": self._somebody,
            "new": self._somebody,
            "fault": self._fault,
        }
        known = commands.get(command)
        if known is None:
            self.note(HELP)
            return
        await known(rest)

    async def _say(self, text: str) -> None:
        self._show(text)
        self._texts[await self.person.says(text)] = text

    async def _photo(self, rest: str) -> None:
        self._show(f"[photo] {rest}".strip())
        await send_made(self.person, "photo", rest)

    async def _voice(self, _: str) -> None:
        self._show("[voice message]")
        await send_made(self.person, "voice")

    async def _post(self, _: str) -> None:
        self._show("[shared post]")
        await self.person.shares_post()

    async def _edit(self, rest: str) -> None:
        if not rest or not self.person.mids:
            self.note("nothing to edit: /edit NEW TEXT after a DM")
            return
        self._show(f"(edits the last DM) {rest}")
        await self.person.edits(self.person.mids[-1], rest)

    async def _unsend(self, _: str) -> None:
        if not self.person.mids:
            self.note("nothing to unsend yet")
            return
        mid = self.person.mids.pop()
        self._show(f"(unsends) {self._texts.pop(mid, '')}".rstrip())
        await self.person.unsends(mid)

    async def _react(self, rest: str) -> None:
        theirs = [m for m in self.sandbox.instagram.messages if m.to_id == self.person.user_id]
        if not theirs:
            self.note("nothing to react to yet")
            return
        self._show(f"(reacts with {rest or '❤️'})")
        await self.person.reacts(theirs[-1].mid, rest or "❤️")

    async def _human(self, rest: str) -> None:
        if not rest:
            self.note("what does the owner write? /human TEXT")
            return
        self._add("owner", "Owner", rest)
        await self.person.human_replies(rest)

    async def _somebody(self, rest: str) -> None:
        name = rest or f"Person {len(self._names) + 1}"
        known = next((user_id for user_id, each in self._names.items() if each == name), None)
        self.person = self.sandbox.person(name, known)
        self._names[self.person.user_id] = name
        self.note(f"you are now {name}")

    async def _fault(self, rest: str) -> None:
        words = rest.split()
        platforms = {each.name: each for each in self.sandbox.platforms}
        try:
            platform, kind = platforms[words[0]], words[1]
            platform.faults.add(kind, words[2] if len(words) > 2 else "*", seconds=5, wait_minutes=1)
        except (IndexError, KeyError, ValueError):
            self.note(f"/fault {'|'.join(platforms)} error|throttle|delay|stall|drop_before|drop_after… [operation]")
            return
        self.note(f"the next matching request to {platform.name} gets this fault: {kind}")

    def _instagram(self, record: Record) -> None:
        if not record.processed or not record.facts.get("mid"):
            return
        to = self._names.get(record.facts.get("to", ""), "")
        address = f"(to {to}) " if to and to != self.person.name else ""
        if record.operation == "send":
            self._add("club", "Club", address + record.facts.get("text", ""))
        elif record.operation == "react":
            self._add("club", "Club", f"{address}(reacts with {record.facts.get('reaction', '')})")

    def _whatsapp(self, record: Record) -> None:
        if record.processed and record.facts.get("id"):
            self._add("manager", "Manager's phone", record.facts.get("text", ""))

    def _show(self, words: str) -> None:
        self._add("person", self.person.name or "Person", words)

    def _add(self, who: Who, name: str, words: str) -> None:
        line = ChatLine(len(self.lines) + 1, self.sandbox.clock(), who, name, words)
        self.lines.append(line)
        for listener in self._listeners:
            listener(line)
