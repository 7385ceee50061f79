"""Files of the sandbox: made here, served as Meta's CDN does, played by the page."""

import io
from pathlib import Path

import httpx
import pytest
from PIL import Image
from starlette.applications import Starlette

from dm_core.clients.media.fetcher import MediaClient
from dm_core.media import Media, MediaKind
from dm_sandbox.media_routes import MADE, media_routes
from dm_sandbox.media_samples import picture, spoken, video, voice
from dm_sandbox.person import Person
from dm_sandbox.platforms.cdn import Asset, Cdn, asset_of
from dm_sandbox.platforms.instagram import Instagram
from dm_sandbox.platforms.local_server import LocalServer


def test_files_are_the_same_bytes_each_time_and_differ_by_their_words() -> None:
    for make in (picture, spoken, video):
        assert make("one") == make("one")
        assert make("one") != make("two")
    assert voice(2) == voice(2)


def test_a_picture_shows_its_words_in_black_on_white() -> None:
    with Image.open(io.BytesIO(picture("Winter nets"))) as image:
        assert (image.size, {colour for _, colour in image.getcolors() or ()}) == ((480, 320), {0, 255})


async def test_the_cdn_serves_what_was_put_there_until_it_expires() -> None:
    async with Instagram() as instagram:
        url = instagram.cdn.put(picture("x"), "image/png")
        client = MediaClient(instagram.base_url)

        (first,) = await client.fetch([url], frozenset(MediaKind), 10**7)
        instagram.cdn.expire(url)
        (second,) = await client.fetch([url], frozenset(MediaKind), 10**7)

        assert (isinstance(first, Media), str(second)) == (True, "its link has expired")
        await client.close()


def test_files_are_found_again_after_a_restart_and_the_next_gets_an_address_of_its_own(tmp_path: Path) -> None:
    first = Cdn(tmp_path / "media")
    gone, kept = first.put(b"gone", "image/png"), first.put(b"kept", "audio/mp4")
    first.expire(gone)

    again = Cdn(tmp_path / "media")
    new = again.put(b"new", "image/jpeg")

    assert again.assets == {asset_of(kept): Asset(b"kept", "audio/mp4"), asset_of(new): Asset(b"new", "image/jpeg")}
    assert new != kept


@pytest.mark.parametrize("kind", MADE)
async def test_a_page_sends_a_file_of_each_kind_and_gets_its_bytes(kind: str) -> None:
    received: list[bytes] = []

    async def webhook(scope: object, receive: object, send: object) -> None:
        from starlette.requests import Request
        from starlette.responses import PlainTextResponse

        request = Request(scope, receive)  # pyright: ignore[reportArgumentType]
        received.append(await request.body())
        await PlainTextResponse("EVENT_RECEIVED")(scope, receive, send)  # pyright: ignore[reportArgumentType]

    hook = LocalServer(webhook)
    await hook.start()
    async with Instagram() as instagram:
        person = Person(f"{hook.base_url}/", "secret", instagram.account_id, "9001", "Ana", platform=instagram)
        transport = httpx.ASGITransport(Starlette(routes=media_routes(lambda: person, instagram.cdn)))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as page:
            sent = await page.post("/media", json={"kind": kind, "words": "hello", "text": "look"})
            file = await page.get(sent.json()["url"])
            refused = [
                await page.post("/media", json={"kind": "hologram"}),
                await page.post("/media", content=b"{", headers={"content-type": "application/json"}),
                await page.post("/media", data={"kind": kind}),
                await page.get("/media/1"),
            ]

        assert (file.status_code, file.headers["content-type"]) == (200, MADE[kind][1])
        assert file.content == MADE[kind][2]("hello")
        assert sent.json()["mid"] in received[0].decode()
        assert [answer.status_code for answer in refused] == [400, 400, 415, 404]
        await person.close()
    await hook.stop()
