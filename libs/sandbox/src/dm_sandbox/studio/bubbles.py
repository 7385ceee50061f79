"""What a phone shows: the messages of one person's conversation with the account."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal, cast

from dm_sandbox.person import Person

Writer = Literal["person", "bot", "human"]
"""``human``: somebody on the account's side who answers in the app."""
TYPING_MS = 20_000
"""How long a phone shows that the other side types, if nothing ends it."""


@dataclass(slots=True)
class Bubble:
    """One message. ``id`` is the platform's; ``about`` is what it came with (a post, a story, an ad); ``media`` names
    the picture, voice or video it shows. Times in ms since 1970."""

    id: str
    by: Writer
    kind: str
    text: str
    at: int
    about: str = ""
    media: str = ""
    reply_to: str = ""
    edits: int = 0
    unsent: bool = False
    seen: bool = False
    reactions: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(slots=True)
class Phone:
    """One person's phone."""

    person: Person
    name: str
    language: str
    made_at: int
    bubbles: list[Bubble] = field(default_factory=list[Bubble])
    typing_until: int = 0

    @property
    def user_id(self) -> str:
        return self.person.user_id

    def find(self, mid: str) -> Bubble | None:
        return next((bubble for bubble in reversed(self.bubbles) if bubble.id == mid), None)

    @property
    def newest_own(self) -> Bubble | None:
        """The person's newest message that is not unsent."""
        return next((each for each in reversed(self.bubbles) if each.by == "person" and not each.unsent), None)

    @property
    def newest_theirs(self) -> Bubble | None:
        """The account's newest message."""
        return next((each for each in reversed(self.bubbles) if each.by != "person"), None)

    def snapshot(self) -> dict[str, object]:
        """As JSON values, for a restart."""
        return {
            "userId": self.user_id,
            "name": self.name,
            "language": self.language,
            "madeAt": self.made_at,
            "bubbles": [asdict(bubble) for bubble in self.bubbles],
        }


def bubble_from(fields: Mapping[str, object]) -> Bubble:
    """A bubble of a snapshot. Raises TypeError for one of another version."""
    return Bubble(**cast("dict[str, str]", dict(fields)))  # pyright: ignore[reportArgumentType]
