"""What a person does with a phone while other things are still on their way."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from dm_sandbox.media_routes import MADE
from dm_sandbox.studio.acts import Acts
from dm_sandbox.studio.bubbles import Bubble
from dm_sandbox.studio.phones import Phones
from dm_sandbox.world import Sandbox

FILES = ("photo", "voice", "video")


@pytest.fixture
async def sandbox() -> AsyncGenerator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


def shown_type(sandbox: Sandbox, bubble: Bubble) -> str:
    return sandbox.instagram.cdn.assets[bubble.media.rpartition("/")[2]].content_type


async def test_each_message_of_several_at_once_shows_its_own_file_and_words(sandbox: Sandbox) -> None:
    phones = Phones(sandbox)
    acts, sam, ada = Acts(phones), phones.first, phones.meet("Ada")

    await asyncio.gather(
        *(acts.do(phone, kind, {}) for phone in (sam, ada) for kind in FILES),
        acts.do(sam, "late", {"text": "this got stuck"}),
        acts.do(sam, "story_mention", {}),
        acts.do(sam, "text", {"text": "hi"}),
    )

    for phone in (sam, ada):
        shown = {bubble.kind: shown_type(sandbox, bubble) for bubble in phone.bubbles if bubble.media}
        assert shown == {kind: MADE[kind][1] for kind in FILES}
        assert [bubble.id for bubble in phone.bubbles] == phone.person.mids
    assert {bubble.kind: bubble.about for bubble in sam.bubbles if bubble.about} == {
        "late": "dated 25 hours ago",
        "story_mention": "mentioned you in a story",
    }


async def test_a_file_is_on_the_phone_before_the_webhook_has_answered(sandbox: Sandbox) -> None:
    phones = Phones(sandbox)
    sending = asyncio.ensure_future(Acts(phones).do(phones.first, "photo", {}))
    await asyncio.sleep(0)

    (bubble,) = phones.first.bubbles
    assert (sending.done(), shown_type(sandbox, bubble)) == (False, "image/jpeg")
    await sending


async def test_messages_at_once_have_ids_of_their_own_before_the_webhook_has_answered(sandbox: Sandbox) -> None:
    phones = Phones(sandbox)
    acts, sam = Acts(phones), phones.first
    sending = asyncio.gather(*(acts.do(sam, "text", {"text": f"hello {number}"}) for number in range(3)))
    await asyncio.sleep(0)

    assert [bubble.id for bubble in sam.bubbles] == sam.person.mids
    await sending
    assert [bubble.id for bubble in sam.bubbles] == sam.person.mids
