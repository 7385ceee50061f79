"""Who writes what: the texts of a simulation, each with a token of its own, and what became of them outside.

A text's ledger entry is what Meta and the person know; whether the system agrees is for the invariants to find out.
"""

from dataclasses import dataclass, field

from dm_core.messages import EventKind, message_id
from dm_core.threads import thread_id


@dataclass(slots=True)
class Written:
    """One text of a person. Times in ms since 1970; ``acknowledged_at``: its webhook was answered with 200.

    ``is_word``: it is a stop or start word and nothing else, so no answer can name it.
    """

    token: str
    thread_id: str
    user_id: str
    mid: str
    kind: EventKind
    sent_at: int
    text: str
    stale: bool = False
    is_word: bool = False
    acknowledged_at: int | None = None
    unsent_at: int | None = None

    @property
    def has_photo(self) -> bool:
        """Every fifth text comes with one. A stop word doesn't: with a picture beside it, it is none."""
        return not self.is_word and sum(self.token.encode()) % 5 == 0

    @property
    def id(self) -> str:
        """Its document id."""
        return message_id(self.kind, self.mid)


@dataclass(slots=True)
class Person:
    """One thread's person. ``human_at``: when the owner wrote to them in the app, in ms since 1970."""

    number: int
    account_id: str
    user_id: str
    texts: list[Written] = field(default_factory=list[Written])
    human_at: list[int] = field(default_factory=list[int])
    human_texts: set[str] = field(default_factory=set[str])
    asked_erasure: bool = False

    @property
    def thread_id(self) -> str:
        return thread_id(self.account_id, self.user_id)


@dataclass(slots=True)
class Ledger:
    """All people and all texts, by token and by document id."""

    people: list[Person]
    by_token: dict[str, Written] = field(default_factory=dict[str, Written])
    by_id: dict[str, Written] = field(default_factory=dict[str, Written])

    def person_of(self, thread: str) -> Person:
        return next(person for person in self.people if person.thread_id == thread)

    def add(self, written: Written) -> Written:
        self.by_token[written.token] = self.by_id[written.id] = written
        self.person_of(written.thread_id).texts.append(written)
        return written
