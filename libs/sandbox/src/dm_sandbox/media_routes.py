"""What a page needs to send files and to play them: two routes over a person and the stand-in for Meta's CDN.

``POST /media`` with JSON ``{"kind": "photo", "words": "…", "text": "…"}`` has the current person send a file that is
made here; the answer names its message and where its bytes are: ``{"mid": "…", "url": "/media/1784147202"}``. Kinds are
those of ``MADE``. ``GET /media/{asset}`` serves the bytes, 404 once they have expired.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dm_sandbox.media_samples import jpeg, picture, voice
from dm_sandbox.media_samples import video as film
from dm_sandbox.person import Person
from dm_sandbox.platforms.cdn import Cdn, asset_of
from dm_sandbox.platforms.server import as_object

MAX_WORDS: Final = 1_000

type Made = tuple[str, str, Callable[[str], bytes]]
MADE: Final[Mapping[str, Made]] = {
    "photo": ("image", "image/jpeg", jpeg),
    "flyer": ("image", "image/png", picture),
    "post": ("ig_post", "image/jpeg", jpeg),
    "story": ("story_mention", "image/jpeg", jpeg),
    "voice": ("audio", "audio/mp4", lambda _: voice(3)),
    "long_voice": ("audio", "audio/mp4", lambda _: voice(200)),
    "video": ("video", "video/mp4", film),
    "heic": ("image", "image/heic", lambda _: b"\x00\x00\x00\x18ftypheic" + bytes(500)),
    "broken": ("image", "image/jpeg", lambda words: jpeg(words)[:900]),
}
"""By kind: the platform's word for it, what it is served as, and how it is made of words."""


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file on the stand-in for Meta's CDN: the platform's ``word`` for its kind, its ``url`` there, and the ``path``
    where a page finds its bytes."""

    word: str
    url: str
    path: str


def made_for(person: Person, kind: str, words: str = "") -> MadeFile:
    """Make a file of this kind, and put it on the platform's servers for this person to send. Raises KeyError."""
    word, content_type, make = MADE[kind]
    assert person.platform is not None, "files are on the platform's servers"  # noqa: S101
    url = person.platform.cdn.put(make(words), content_type)
    return MadeFile(word, url, f"/media/{asset_of(url)}")


def media_routes(person: Callable[[], Person], cdn: Cdn) -> list[Route]:
    """The two routes; ``person`` is who writes now."""

    async def send(request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return JSONResponse({"error": "content-type must be application/json"}, 415)
        fields: Mapping[str, object] = {}
        with suppress(ValueError):
            fields = as_object(await request.json())
        kind, words, text = (fields.get(name) or "" for name in ("kind", "words", "text"))
        if not (isinstance(words, str) and isinstance(text, str) and max(len(words), len(text)) <= MAX_WORDS):
            return JSONResponse({"error": "words and text must be texts"}, 400)
        if not isinstance(kind, str) or kind not in MADE:
            return JSONResponse({"error": f"kind must be one of {', '.join(MADE)}"}, 400)
        sender = person()
        made = made_for(sender, kind, words)
        mid = await sender.sends_attachment(made.word, {"url": made.url}, text or None)
        return JSONResponse({"mid": mid, "url": made.path})

    async def file(request: Request) -> Response:
        asset = cdn.assets.get(request.path_params["asset"])
        if asset is None or not asset.content_type:
            return Response(status_code=404)
        headers = {"x-content-type-options": "nosniff", "cache-control": "no-store"}
        return Response(asset.data, media_type=asset.content_type, headers=headers)

    return [Route("/media", send, methods=["POST"]), Route("/media/{asset}", file)]
