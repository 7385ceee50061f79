"""What people decided about a thread, and what it remembers of how it may be answered. Times in ms since 1970.

None of it is decided by the model: the person's stop word, the manager's pause, mode and release, and what the agent
owes the person (the disclosure) or the manager (a handover).
"""

from dataclasses import dataclass, replace
from enum import StrEnum


class Mode(StrEnum):
    """Who decides what is sent."""

    AUTO = "auto"  # the agent
    DRAFT = "draft"  # the manager, of each reply the agent proposes
    OFF = "off"  # nobody is answered, no model is asked


@dataclass(frozen=True, slots=True)
class Pause:
    """A takeover without an end, by whom (``admin`` or ``whatsapp``) and since when."""

    by: str
    since: int


@dataclass(frozen=True, slots=True)
class Handover:
    """A human must go on in this thread, since then. ``key`` names it over retries.

    ``told_at``: when the person was told, once, that the agent is silent until then (profiles that say ``hold``).
    """

    key: str
    since: int
    told_at: int | None = None


@dataclass(frozen=True, slots=True)
class Steering:
    """``mode`` None: the deployment's. ``stopped_at``: the person's stop word came then, and no start word since.
    ``disclosed_at``: when a reply last said that an automated assistant writes. ``mode_before``: the mode when it was
    switched off."""

    mode: Mode | None = None
    pause: Pause | None = None
    handover: Handover | None = None
    stopped_at: int | None = None
    disclosed_at: int | None = None
    mode_before: Mode | None = None

    def switched_off(self) -> "Steering":
        """Off, and knowing what it was."""
        return self if self.mode is Mode.OFF else replace(self, mode=Mode.OFF, mode_before=self.mode)

    def switched_on(self) -> "Steering":
        """As it was before it was switched off: a thread of drafts does not begin to answer by itself."""
        return replace(self, mode=self.mode_before, mode_before=None) if self.mode is Mode.OFF else self


UNSTEERED = Steering()


@dataclass(frozen=True, slots=True)
class Switches:
    """What holds in the whole deployment. ``resumed_at``: when it was last resumed (ms since 1970); what came before
    that was left to humans."""

    mode: Mode = Mode.AUTO
    pause: Pause | None = None
    resumed_at: int | None = None
    mode_before: Mode = Mode.AUTO

    def resumed(self, now: int) -> "Switches":
        """What came until now is the humans'. Without a pause nothing was left to them: what waits is answered."""
        return self if self.pause is None else replace(self, pause=None, resumed_at=now)

    def switched_off(self) -> "Switches":
        """Off, and knowing what it was."""
        return self if self.mode is Mode.OFF else replace(self, mode=Mode.OFF, mode_before=self.mode)

    def switched_on(self) -> "Switches":
        """As it was before it was switched off."""
        return replace(self, mode=self.mode_before) if self.mode is Mode.OFF else self

    def leaves_to_humans(self, created_at: int) -> bool:
        """A DM that arrived then is not answered by the agent: everything is paused, or was."""
        return self.pause is not None or (self.resumed_at is not None and created_at < self.resumed_at)

    def mode_of(self, steering: Steering) -> Mode:
        """The mode of a thread. Switched off is off for everybody; else the thread's own mode counts."""
        if self.mode is Mode.OFF:
            return Mode.OFF
        return steering.mode or self.mode


ALL_ON = Switches()


def still_silent(switches: Switches, steering: Steering = UNSTEERED) -> str:
    """What keeps the agent from answering, in words for whoever has just told it to; empty: nothing."""
    reasons = (
        (switches.mode is Mode.OFF, "everything is switched off"),
        (switches.pause is not None, "everything is paused"),
        (steering.mode is Mode.OFF, "this conversation is switched off"),
        (steering.pause is not None, "this conversation is paused"),
        (steering.stopped_at is not None, "its person used a stop word"),
    )
    return " and ".join(words for holds, words in reasons if holds)
