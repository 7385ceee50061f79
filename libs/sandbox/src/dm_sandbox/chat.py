"""The conversation of ``make chat``: plain lines over the same phones that the page shows.

Plain text is a DM of the current person. Commands begin with a slash (see ``HELP``).
"""

from collections.abc import Awaitable, Callable, Mapping

from dm_sandbox.chat_lines import HELP, ChatLine, Who
from dm_sandbox.person import Person
from dm_sandbox.platforms.record import Record
from dm_sandbox.studio.acts import Acts, CannotDo
from dm_sandbox.studio.phones import Phones
from dm_sandbox.world import Sandbox

_ACTS: Mapping[str, tuple[str, str]] = {
    "photo": ("photo", "[photo] {rest}"),
    "voice": ("voice", "[voice message]"),
    "post": ("share", "[shared post]"),
    "edit": ("edit", "(edits the last DM) {rest}"),
    "unsend": ("unsend", "(unsends the last DM)"),
    "react": ("react", "(reacts with {rest})"),
}
"""A command: the act it stands for, and how the line shows it."""


Listener = Callable[[ChatLine], None]


class Chat:
    """One current person, and everything said so far."""

    def __init__(self, sandbox: Sandbox, phones: Phones | None = None, acts: Acts | None = None) -> None:
        self.sandbox = sandbox
        self.lines: list[ChatLine] = []
        self._phones = phones or Phones(sandbox)
        self._acts = acts or Acts(self._phones)
        self._phone = self._phones.first
        self._listeners: list[Listener] = []
        sandbox.instagram.listen(self._instagram)
        sandbox.whatsapp.listen(self._whatsapp)

    @property
    def person(self) -> Person:
        return self._phone.person

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def note(self, words: str) -> None:
        """Something to tell whoever types."""
        self._add("note", "", words)

    async def type(self, line: str) -> None:
        """Do what was typed."""
        line = line.strip()
        command, _, rest = line[1:].partition(" ") if line.startswith("/") else ("", "", line)
        try:
            await self._do(command, rest.strip())
        except CannotDo as error:
            self.note(str(error))

    async def _do(self, command: str, rest: str) -> None:
        commands: Mapping[str, Callable[[str], Awaitable[None]]] = {
            "human": self._human,
            "person": self._somebody,
            "new": self._somebody,
            "fault": self._fault,
        }
        if command in commands:
            await commands[command](rest)
        elif command in _ACTS:
            (act, shown), phone = _ACTS[command], self._phone
            await self._acts.do(phone, act, {"text": rest, "emoji": rest})
            self._add("person", phone.name, shown.format(rest=rest).strip())
        elif command:
            self.note(HELP)
        elif rest:
            self._add("person", self._phone.name, rest)
            await self._acts.do(self._phone, "text", {"text": rest})

    async def _human(self, rest: str) -> None:
        if not rest:
            self.note("what does the owner write? /human TEXT")
            return
        self._add("owner", "Owner", rest)
        await self._acts.do(self._phone, "human", {"text": rest})

    async def _somebody(self, rest: str) -> None:
        name = rest or f"Person {len(self._phones.phones) + 1}"
        self._phone = self._phones.named(name) or self._phones.meet(name)
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
        to = self._phones.phones.get(record.facts.get("to", ""))
        address = f"(to {to.name}) " if to and to is not self._phone else ""
        if record.operation == "send":
            self._add("club", "Club", address + record.facts.get("text", ""))
        elif record.operation == "react":
            self._add("club", "Club", f"{address}(reacts with {record.facts.get('reaction', '')})")

    def _whatsapp(self, record: Record) -> None:
        if record.processed and record.facts.get("id"):
            self._add("manager", "Manager's phone", record.facts.get("text", ""))

    def _add(self, who: Who, name: str, words: str) -> None:
        line = ChatLine(len(self.lines) + 1, self.sandbox.clock(), who, name, words)
        self.lines.append(line)
        for listener in self._listeners:
            listener(line)
