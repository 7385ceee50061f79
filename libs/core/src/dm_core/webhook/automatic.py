"""The account's own automatic messages: welcome, away and FAQ texts that Instagram sends by itself.

Their echoes look like a human's. What tells them apart is listed by the deployer (``automatic_messages.toml``) or
learnt: a text that we did not send and that came at most ``PROMPTLY_MS`` after the person's DM or tap, in
``ENOUGH_THREADS`` threads. Nobody types that fast, in three threads, the same words.

    echo of a human? ─ listed ─────────────────────────────────▶ automatic
                     ├ in ``not_automatic``, or no words ───────▶ a human's
                     ├ learnt (``automatic/{hash}``) ───────────▶ automatic
                     └ came promptly ─ count its thread ─ third ▶ automatic; earlier pauses lifted, the manager told
                                                       └ before ▶ a human's, its pause kept in mind

Only hashes are stored, no words; beside them the threads that are paused by a text, until it is learnt. With the
erasure of one of them all that is known of the text goes: it is learnt anew.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, cast

from dm_core.errors import Misconfigured
from dm_core.messages import Content
from dm_core.same_text import normal_form

FILE: Final = "automatic_messages.toml"
PROMPTLY_MS: Final = 5_000
"""Longest time between a person's DM or tap and the automatic message it causes."""

ENOUGH_THREADS: Final = 3
"""In so many threads a text must have come promptly to be the account's own."""

_KEYS: Final = ("texts", "not_automatic")
_MAX_FILE_BYTES: Final = 200_000


class AutomaticLearnt(Protocol):
    """Tells the manager, once, that a text is no longer taken for a human's, and how to undo it.

    Called again after a failure, so the same ``key`` twice must be the same message to the manager.
    """

    async def __call__(self, key: str, account_id: str, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class AutomaticTexts:
    """What the deployer says, in normal form: texts that are the account's own, and texts that never are."""

    listed: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()


NOTHING_LISTED: Final = AutomaticTexts()


@dataclass(frozen=True, slots=True)
class Pause:
    """A takeover that a text caused. ``until`` and ``before`` (the thread's pause till then) in ms since 1970."""

    thread_id: str
    until: int
    before: int | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is known of a text: in how many threads it came promptly, and the pauses it caused that are not over.

    ``told_at``: when the manager was told (ms since 1970); None also before there is anything to tell.
    """

    threads: tuple[str, ...] = ()
    pauses: tuple[Pause, ...] = ()
    told_at: int | None = None

    @property
    def is_learnt(self) -> bool:
        return len(self.threads) >= ENOUGH_THREADS


def said(content: Content) -> str:
    """What an echo says, in normal form: its text, else the words of its cards; empty for media without words."""
    cards = [word for card in content.attachments for word in (card.title, *card.words) if word]
    return normal_form(content.text or "\n".join(dict.fromkeys(cards)))


def candidate_key(account_id: str, text: str) -> str:
    """The document's id: a hash of the account and the text in normal form."""
    return hashlib.sha256(f"{account_id}\n{text}".encode("utf-8", "replace")).hexdigest()


def sighted(kept: Mapping[str, object], pause: Pause, now: int) -> Mapping[str, object]:
    """The document after the text came promptly in a thread. Threads are kept as hashes, pauses while they last."""
    before = candidate(kept)
    thread = hashlib.sha256(pause.thread_id.encode("utf-8", "replace")).hexdigest()[:32]
    threads = tuple(dict.fromkeys((*before.threads, thread)))[:ENOUGH_THREADS]
    live = [each for each in before.pauses if each.until > now]
    same = next((each for each in live if each.thread_id == pause.thread_id), None)
    if same is not None and pause.before == same.until:
        pause = Pause(pause.thread_id, pause.until, same.before)
    others = [each for each in live if each.thread_id != pause.thread_id]
    return _document(Candidate(threads, (*others, pause), before.told_at))


def settled(kept: Mapping[str, object], now: int) -> Mapping[str, object]:
    """The document of a learnt text once its pauses are lifted and the manager is told."""
    before = candidate(kept)
    return _document(Candidate(before.threads, (), before.told_at or now))


def candidate(kept: Mapping[str, object]) -> Candidate:
    """A document's values; what is not as we write it counts as not there."""
    threads = tuple(each for each in _list(kept.get("threads")) if isinstance(each, str))
    told_at = kept.get("toldAt")
    pauses = tuple(pause for pause in map(_pause, _list(kept.get("pauses"))) if pause is not None)
    return Candidate(threads, pauses, told_at if isinstance(told_at, int) else None)


def _document(value: Candidate) -> Mapping[str, object]:
    pauses = [{"threadId": pause.thread_id, "until": pause.until, "before": pause.before} for pause in value.pauses]
    paused = [pause.thread_id for pause in value.pauses]
    return {"threads": list(value.threads), "pauses": pauses, "toldAt": value.told_at, "threadIds": paused}


def _pause(value: object) -> Pause | None:
    fields = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    thread_id, until, before = (fields.get(name) for name in ("threadId", "until", "before"))
    if not isinstance(thread_id, str) or not isinstance(until, int):
        return None
    return Pause(thread_id, until, before if isinstance(before, int) else None)


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def load_automatic_texts(folder: Path) -> AutomaticTexts:
    """Read ``automatic_messages.toml``; without the file nothing is listed. Raises Misconfigured, in one line."""
    path = folder / FILE
    place = f"{folder.name}/{FILE}"
    try:
        content = path.read_bytes()
        values: Mapping[str, object] = tomllib.loads(content.decode("utf-8-sig"))
    except FileNotFoundError:
        return AutomaticTexts()
    except OSError as error:
        raise Misconfigured(f"{place} cannot be read: {error.strerror}") from error
    except ValueError as error:  # neither UTF-8 nor TOML
        raise Misconfigured(f"{place} is not valid TOML: {' '.join(str(error).split())}") from error
    if len(content) > _MAX_FILE_BYTES:
        raise Misconfigured(f"{place} is larger than {_MAX_FILE_BYTES} bytes")
    unknown = sorted(set(values) - set(_KEYS))
    if unknown:
        raise Misconfigured(f"{place}: {unknown[0]} is unknown (known: {', '.join(_KEYS)})")
    listed, excluded = (_texts(place, key, values.get(key, [])) for key in _KEYS)
    both = listed & excluded
    if both:
        raise Misconfigured(f"{place}: a text is both in texts and in not_automatic")
    return AutomaticTexts(listed, excluded)


def _texts(place: str, key: str, value: object) -> frozenset[str]:
    items = _list(value)
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in items):
        raise Misconfigured(f'{place}: {key} must be a list of texts, such as ["a", "b"]')
    return frozenset(normal_form(str(item)) for item in items)
