"""A conditional save whose answer is lost, in every order in which it and its repetition can reach the store."""

from dataclasses import dataclass, field
from typing import Literal

import pytest

from dm_core.errors import StoreUnavailable
from dm_core.processing.saves import Unsettled, settled
from dm_core.store.port import CONFLICT, Conflict, Version

type Fate = Literal["answered", "answer lost", "never came", "comes late", "refused"]


@dataclass(slots=True)
class Document:
    """What became of each save, the first one first."""

    fates: list[Fate]
    version: int = 1
    mine: bool = False
    late: bool = False
    reads: int = 0
    made: list[Fate] = field(default_factory=list[Fate])

    async def save(self) -> Version | Conflict:
        fate = self.fates[len(self.made)]
        self.made.append(fate)
        if self.late:  # the first one arrives just before the second
            self.version, self.mine, self.late = 2, True, False
        if fate == "never came":
            raise StoreUnavailable
        if fate == "comes late":
            self.late = True
            raise StoreUnavailable
        if fate == "refused" or self.version != 1:
            return CONFLICT
        self.version, self.mine = 2, True
        if fate == "answer lost":
            raise StoreUnavailable
        return Version(2)

    async def applied(self) -> Version | None:
        self.reads += 1
        return Version(self.version) if self.mine else None


@pytest.mark.parametrize(
    ("fates", "expected", "reads"),
    [
        (["answered"], Version(2), 0),
        (["refused"], CONFLICT, 0),
        (["answer lost"], Version(2), 1),
        (["never came", "answered"], Version(2), 1),
        (["comes late", "answered"], Version(2), 2),
        (["never came", "refused"], CONFLICT, 2),
    ],
)
async def test_a_save_is_made_once_and_its_fate_is_known(
    fates: list[Fate], expected: Version | Conflict, reads: int
) -> None:
    document = Document(fates)

    assert await settled(document.save, document.applied) == expected

    assert (document.made, document.reads) == (fates, reads)


async def test_a_store_that_stays_away_is_said_to_be() -> None:
    document = Document(["never came", "never came"])

    with pytest.raises(StoreUnavailable):
        await settled(document.save, document.applied)


def test_what_was_left_is_forgotten_when_its_claim_is_over() -> None:
    left = Unsettled[str]()
    left.keep("a", "one", until=10, now=0)
    left.keep("b", "two", until=20, now=5)
    left.keep("c", "three", until=30, now=10)

    assert left.values() == ["two", "three"]
    assert left.get("a") is None
    left.forget("b")
    left.forget("b")
    assert left.values() == ["three"]
