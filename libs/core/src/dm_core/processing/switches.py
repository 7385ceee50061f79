"""What holds in the whole deployment, read at most every half minute an instance: its mode, and its pause."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from dm_core.clock import Clock
from dm_core.outbox import AuditLine
from dm_core.steering import ALL_ON, Mode, Pause, Switches
from dm_core.store.document_values import optional, text, whole, whole_or_none
from dm_core.store.port import DocumentStore

READ_MS: Final = 30_000
KEY: Final = "switches"


class SwitchReader:
    """Reads ``maintenance/switches``, and writes it for whoever may."""

    def __init__(self, store: DocumentStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._read_at = 0
        self._known = ALL_ON

    async def current(self) -> Switches:
        """As they were at most half a minute ago. Raises StoreUnavailable."""
        now = self._clock()
        if not self._read_at or not 0 <= now - self._read_at < READ_MS:
            self._known = parse(await self._store.get_document("maintenance", KEY) or {})
            self._read_at = now
        return self._known

    async def change(self, make: Callable[[Switches], Switches], audit: Sequence[AuditLine]) -> Switches:
        """Write what ``make`` makes of them, and the audit with it; other instances know within half a minute.

        Raises StoreUnavailable.
        """
        changed = await self._store.revise_document(
            "maintenance", KEY, lambda before: document(make(parse(before))), None, audit
        )
        self._known, self._read_at = parse(changed), self._clock()
        return self._known


def _mode(word: str) -> Mode:
    return next((known for known in Mode if known.value == word), Mode.OFF)


def document(switches: Switches) -> dict[str, object]:
    """The document's plain values."""
    pause = switches.pause
    return {
        "mode": switches.mode.value,
        "pause": pause and {"by": pause.by, "since": pause.since},
        "resumedAt": switches.resumed_at,
        "modeBefore": switches.mode_before.value,
    }


def parse(doc: Mapping[str, object]) -> Switches:
    """Switches from their document. A mode that this version does not know is off: nothing is sent by mistake."""
    fields = dict(doc)
    mode, before = (_mode(text(fields, name, Mode.AUTO.value)) for name in ("mode", "modeBefore"))
    return Switches(
        mode=mode,
        mode_before=before,
        pause=optional(fields, "pause", lambda each: Pause(text(each, "by"), whole(each, "since"))),
        resumed_at=whole_or_none(fields, "resumedAt"),
    )
