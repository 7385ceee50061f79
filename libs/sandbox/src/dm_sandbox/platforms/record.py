"""What a simulator was asked, and what came of it: the truth that tests and the event log read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Record:
    """One request to a simulator. ``at`` in ms since 1970.

    ``status`` is the HTTP status that went out, 0 when the connection was cut instead. ``processed`` says whether the
    platform acted on it, which a caller that got no answer can't know. ``facts`` are a few words for people and tests
    (``mid``, ``to``, ``text``, ``error``).
    """

    number: int
    at: int
    platform: str
    operation: str
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    body: object = None
    status: int = 0
    processed: bool = False
    facts: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def ok(self) -> bool:
        """A success was answered."""
        return 200 <= self.status < 300


Listener = Callable[[Record], None]
"""Called with each record, in order, as it is made."""
