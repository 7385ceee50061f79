"""``make demo``: one scripted conversation through the real functions, printed; exit 0 only if every effect was seen.

A burst of three DMs that ends in a question about nets, thanks, then a wish for a human.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dm_sandbox.events import Entry
from dm_sandbox.launcher import FunctionDidNotStart
from dm_sandbox.person import Person
from dm_sandbox.platforms.record import Record
from dm_sandbox.world import Sandbox, StillWaiting, StoreName

BURST = ("Hi there 👋", "I'd like to come along with a mate", "when are the next net sessions?")
THANKS = "Perfect, thanks! 🙏"
WISH = "Can I talk to a real person about a refund for last month please?"
REPLY_SECONDS = 40.0
"""For one that never comes: they take a second or two, and a busy machine ten times as long."""
CLUB_ZONE = ZoneInfo("Europe/London")

STYLES = {"Sam": "bold cyan", "Club": "bold green", "Manager": "bold magenta"}


@dataclass(frozen=True, slots=True)
class Effect:
    """Something the demo must have caused; ``seen`` is what was seen of it, empty if nothing."""

    what: str
    seen: str


class Transcript:
    """Prints the conversation as it happens, with seconds since the first DM, and the machinery dimmed between."""

    def __init__(self, console: Console, sandbox: Sandbox) -> None:
        self._console, self._clock, self._begun = console, sandbox.clock, sandbox.clock()
        sandbox.log.listen(self._entry)
        sandbox.instagram.listen(self._instagram)
        sandbox.whatsapp.listen(self._whatsapp)

    def says(self, who: str, words: str) -> None:
        line = Text(f"{self._seconds():>6} ", style="dim")
        line.append(f"{who:<8}", style=STYLES.get(who, ""))
        line.append(words)
        self._console.print(line)

    def _seconds(self) -> str:
        return f"{(self._clock() - self._begun) / 1000:.1f} s"

    def _instagram(self, record: Record) -> None:
        if record.processed and record.operation == "send":
            self.says("Club", record.facts.get("text", ""))
        elif record.processed and record.operation == "react":
            self.says("Club", f"(reacts with {record.facts.get('reaction')})")

    def _whatsapp(self, record: Record) -> None:
        if record.processed and record.operation in ("send", "template"):
            self.says("Manager", "📱 " + record.facts.get("text", ""))

    def _entry(self, entry: Entry) -> None:
        shown = entry.source in ("queue", "webhook", "processor", "gemini") or entry.level in ("warning", "error")
        if shown:
            style = {"warning": "yellow", "error": "red"}.get(entry.level, "dim")
            self._console.print(Text(f"{self._seconds():>6}   · {entry.source}: {entry.words}", style=style))


async def converse(sandbox: Sandbox, sam: Person, says: Callable[[str, str], None]) -> None:
    """The script. Raises StillWaiting when an effect does not come."""
    instagram, whatsapp = sandbox.instagram, sandbox.whatsapp
    for text in BURST:
        says("Sam", text)
        await sam.says(text)
    await sandbox.wait_for(lambda: instagram.sent_to(sam.user_id), REPLY_SECONDS, "a reply to the burst")
    says("Sam", THANKS)
    await sam.says(THANKS)
    await sandbox.wait_for(lambda: instagram.reactions, REPLY_SECONDS, "a reaction to the thanks")
    says("Sam", WISH)
    await sam.says(WISH)
    await sandbox.wait_for(lambda: whatsapp.alerts, REPLY_SECONDS, "the manager's alert")
    await sandbox.wait_for(lambda: len(instagram.sent_to(sam.user_id)) >= 2, REPLY_SECONDS, "a reply to the wish")
    await sandbox.wait_for(lambda: sandbox.pending_wake_ups == 0, REPLY_SECONDS, "the end of all wake-ups")


def effects(sandbox: Sandbox, sam: Person) -> list[Effect]:
    """What must have happened, and what of it was seen on the platforms' side."""
    replies = sandbox.instagram.sent_to(sam.user_id)
    acknowledged = [d for d in sandbox.deliveries if d.status == 200]
    slowest = max((delivery.took_ms for delivery in acknowledged), default=0.0)
    date = next_session(sandbox)
    first, last = (replies[0], replies[-1]) if replies else ("", "")
    errors = [entry.words for entry in sandbox.log.entries if entry.level == "error"]
    alerts, reactions = sandbox.whatsapp.alerts, sandbox.instagram.reactions
    calm = not errors and len(acknowledged) == len(sandbox.deliveries)
    return [
        Effect("every webhook was acknowledged", f"{len(acknowledged)}, slowest {slowest:.0f} ms" if calm else ""),
        Effect("the burst of three got one reply", "1 reply" if len(replies) == 2 else ""),
        Effect("it names the next session of the calendar", date if date in first else ""),
        Effect("the calendar was asked", f"{n} request" if (n := sandbox.spond.count("sponds")) else ""),
        Effect("the thanks got a reaction, no words", str(reactions[0].reaction) if len(reactions) == 1 else ""),
        Effect("the manager was alerted once", alerts[0].text[:60] if len(alerts) == 1 else ""),
        Effect("the person was told", last[:60] if len(replies) == 2 and last else ""),
        Effect(
            "no wake-up is left", f"{sandbox.queue.counters.succeeded} done" if not sandbox.pending_wake_ups else ""
        ),
    ]


def next_session(sandbox: Sandbox) -> str:
    """The day of the next session as the reply must name it."""
    now = datetime.fromtimestamp(sandbox.clock() / 1000, UTC)
    coming = min(event.starts_at for event in sandbox.spond.events if event.starts_at > now)
    return coming.astimezone(CLUB_ZONE).strftime("%-d %B")


def verdict(console: Console, seen: list[Effect]) -> bool:
    """Print the table; whether all of it was seen."""
    table = Table(title="Expected effects", title_justify="left", show_header=False, box=None, padding=(0, 1))
    for effect in seen:
        mark = Text("✓", style="bold green") if effect.seen else Text("✗", style="bold red")
        table.add_row(mark, effect.what, Text(effect.seen or "not seen", style="dim" if effect.seen else "red"))
    console.print()
    console.print(table)
    return all(effect.seen for effect in seen)


async def run(console: Console, store: StoreName = "sqlite") -> int:
    """The whole demo; its exit code."""
    console.print(Text("dm-agent demo: the real functions, simulated platforms, no account anywhere\n", style="bold"))
    reason = ""
    async with Sandbox(store=store) as sandbox:
        sam = sandbox.person("Sam Jones")
        transcript = Transcript(console, sandbox)
        try:
            await converse(sandbox, sam, transcript.says)
        except StillWaiting as error:
            reason = str(error)
        complete = verdict(console, effects(sandbox, sam))
    if complete and not reason:
        console.print("\nEverything expected was seen.", style="bold green")
        return 0
    console.print(
        f"\nThe demo failed: {reason or 'an expected effect was not seen (✗ above)'}", style="red", markup=False
    )
    return 1


def main() -> int:
    """Entry point of ``python -m dm_sandbox.demo``."""
    console = Console(highlight=False, soft_wrap=True)
    store: StoreName = "firestore" if os.environ.get("STORE") == "firestore" else "sqlite"
    try:
        return asyncio.run(run(console, store))
    except FunctionDidNotStart as error:
        console.print(str(error), style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
