"""What one run shows the model beside its words: the files of its messages, fetched once, held while the run lasts.

Nothing of it is stored but what a file is, its size and its digest, so a resumed run fetches again. Whatever goes wrong
becomes words in the file's place; it never costs the reply.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from dm_core.agent.files import File, files_of, label
from dm_core.clients.media.limits import MAX_COUNT, MAX_RUN_BYTES
from dm_core.clients.port import MediaFiles
from dm_core.errors import described
from dm_core.media import Media, MediaKind, MediaLook, NotShown
from dm_core.messages import Message
from dm_core.runs import Run, Turn, UserTurn
from dm_core.settings import MediaKinds
from dm_core.telemetry import emit

WITHHELD: Final = "media_withheld"
"""The guard's word in a run whose files are left out from now on: the model blocked them, or its API took them not."""
MAX_FETCHES: Final = sum(MAX_COUNT.values())
"""Files fetched for a run, whatever becomes of them."""
LOOKED_AT: Final[Mapping[MediaKinds, frozenset[MediaKind]]] = {
    "off": frozenset(),
    "images": frozenset((MediaKind.PICTURE,)),
    "all": frozenset(MediaKind),
}

type _Place = tuple[str, int]


@dataclass(slots=True)
class AttachedMedia:
    """The files of one run. ``files`` None or no ``kinds``: the words alone."""

    files: MediaFiles | None
    kinds: frozenset[MediaKind]
    thread_id: str
    _seen: dict[_Place, Media | NotShown] = field(default_factory=dict[_Place, "Media | NotShown"], init=False)
    _fetches: int = field(default=0, init=False)

    async def beside(self, run: Run, messages: Sequence[Message]) -> tuple[Turn, ...]:
        """The run's turns with their files. ``messages``: those of the thread as last read."""
        if self.files is None or not self.kinds:
            return run.turns
        by_mid = {message.mid: message for message in messages}
        told = dict.fromkeys(mid for turn in run.turns if isinstance(turn, UserTurn) for mid in turn.mids)
        wanted = {mid: self._files(by_mid[mid]) for mid in told if mid in by_mid}
        if WITHHELD not in run.guards:
            await self._look(self.files, [file for files in wanted.values() for file in files])
        handles = {mid: handle for handle, mid in run.handles.items()}
        turns: list[Turn] = []
        for turn in run.turns:
            if isinstance(turn, UserTurn) and turn.mids:
                mine = [file for mid in turn.mids for file in wanted.pop(mid, ())]
                turn = replace(turn, attached=tuple(self._parts(mine, handles, run)))
            turns.append(turn)
        return tuple(turns)

    @property
    def looks(self) -> tuple[MediaLook, ...]:
        """What became of each file so far, as it is kept."""
        return tuple(_kept(mid, place, seen) for (mid, place), seen in self._seen.items())

    def close(self) -> None:
        """The run is over: nothing is held any more."""
        if self.files is not None:
            self.files.release([seen for seen in self._seen.values() if isinstance(seen, Media)])
        self._seen.clear()

    def _files(self, message: Message) -> tuple[File, ...]:
        """Of the kinds that are looked at, or that may be any."""
        return tuple(f for f in files_of(message) if f.expected is None or f.expected in self.kinds)

    async def _look(self, files: MediaFiles, wanted: Sequence[File]) -> None:
        """Fetch what is new, as far as the run may show more."""
        fetched: list[File] = []
        expected = [seen.kind for seen in self._seen.values() if isinstance(seen, Media)]
        for file in wanted:
            if (file.mid, file.place) in self._seen:
                continue
            kind = file.expected
            full = kind is not None and expected.count(kind) >= MAX_COUNT[kind]
            if full or self._fetches >= MAX_FETCHES:
                self._note(file, NotShown.TOO_MANY)
                continue
            self._fetches += 1
            fetched.append(file)
            if kind is not None:
                expected.append(kind)
        if not fetched:
            return
        try:
            found = await files.fetch([file.url for file in fetched], self.kinds, MAX_RUN_BYTES - self._held)
        except Exception as error:  # no file is worth a reply
            emit("media_failed", "ERROR", thread_id=self.thread_id, error=described(error))
            found = [NotShown.UNREACHABLE] * len(fetched)
        for file, seen in zip(fetched, found, strict=True):
            self._note(file, self._admitted(files, seen))

    def _admitted(self, files: MediaFiles, seen: Media | NotShown) -> Media | NotShown:
        """A file that turned out to be one too many of its kind is let go again."""
        if isinstance(seen, NotShown):
            return seen
        same = sum(isinstance(other, Media) and other.kind is seen.kind for other in self._seen.values())
        if same < MAX_COUNT[seen.kind] and self._held + len(seen.data) <= MAX_RUN_BYTES:
            return seen
        files.release([seen])
        return NotShown.TOO_MANY

    @property
    def _held(self) -> int:
        return sum(len(seen.data) for seen in self._seen.values() if isinstance(seen, Media))

    def _note(self, file: File, seen: Media | NotShown) -> None:
        self._seen[file.mid, file.place] = seen
        if isinstance(seen, Media):
            facts = {"mimeType": seen.mime_type, "bytes": len(seen.data), "digest": seen.digest}
            emit("media_looked_at", thread_id=self.thread_id, **facts)
        else:
            emit("media_not_shown", thread_id=self.thread_id, why=seen.name.lower())

    def _parts(self, files: Sequence[File], handles: Mapping[str, str], run: Run) -> list[str | Media]:
        parts: list[str | Media] = []
        for file in files:
            seen = self._seen.get((file.mid, file.place), NotShown.WITHHELD)
            if isinstance(seen, Media) and WITHHELD in run.guards:
                seen = NotShown.WITHHELD
            handle = handles.get(file.mid, "")
            parts += [label(file, handle), seen] if isinstance(seen, Media) else [label(file, handle, seen)]
        return parts


def shows_any(turns: Sequence[Turn]) -> bool:
    """Whether a request shows any file."""
    return any(isinstance(part, Media) for turn in turns if isinstance(turn, UserTurn) for part in turn.attached)


def _kept(mid: str, place: int, seen: Media | NotShown) -> MediaLook:
    if isinstance(seen, Media):
        return MediaLook(mid, place, seen.mime_type, len(seen.data), seen.digest)
    return MediaLook(mid, place, why=seen.name.lower())
