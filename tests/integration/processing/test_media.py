"""Pictures, voice and video on their way to the model; whatever goes wrong with them, the reply goes out."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest

from dm_core.media import MediaLook, NotShown
from dm_core.store.run_documents import archive_document
from dm_sandbox.inprocess import CrashPoints, InProcess, InstanceDied, MovableClock
from dm_sandbox.media_samples import jpeg, picture, spoken, video, voice
from dm_sandbox.memory_store import MemoryStore
from dm_sandbox.person import Person
from dm_sandbox.platforms.answers import Body, blocked_prompt, call, finished, turn
from dm_sandbox.platforms.gemini_files import IMAGE_TOKENS
from dm_sandbox.platforms.model_request import ModelRequest, inline_file, parts_of
from dm_sandbox.platforms.server import as_object

REPLY = turn(call("send_instagram_message", text="Got it."))
PNG = picture("Winter nets, Sunday 10:00")


@pytest.fixture
async def system() -> AsyncIterator[InProcess]:
    clock = MovableClock()
    async with InProcess(MemoryStore(clock=clock), clock=clock) as running:
        yield running


def attached(request: ModelRequest) -> list[object]:
    """What stands behind the opening's words: the lines as JSON values, files by their type."""
    parts = parts_of(request.contents[0])[1:]
    shown = [inline_file(part) or json.loads(str(part["text"])) for part in parts]
    return [part if isinstance(part, dict) else part.mime_type for part in shown]


def reasons(request: ModelRequest) -> list[str]:
    lines = (as_object(part) for part in attached(request))
    return [str(line["not_shown"]) for line in lines if "not_shown" in line]


async def answered(system: InProcess, person: Person, *answers: Body) -> Mapping[str, object]:
    system.gemini.script(answers or [REPLY])
    status, result = await system.task(person.thread_id)
    assert (status, result["status"]) == (200, "processed")
    assert system.instagram.sent_to(person.user_id) == ["Got it."]
    return result


async def test_files_stand_behind_the_words_each_after_its_handle_and_place(system: InProcess) -> None:
    ana = system.person()
    await ana.sends_file("image", PNG, "is this right?")
    await ana.sends_files([("audio", voice(2)), ("video", video("x"))])

    await answered(system, ana)

    (request,) = system.gemini.requests
    assert attached(request) == [
        {"attached_to": "m1", "place": 1, "is": "photo"},
        "image/png",
        {"attached_to": "m2", "place": 1, "is": "voice message"},
        "audio/aac",
        {"attached_to": "m2", "place": 2, "is": "video"},
        "video/mp4",
    ]
    assert request.files[0].data == PNG
    assert system.instagram.count("media") == 3


async def test_a_text_alone_fetches_nothing_and_says_nothing_of_files(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")

    await answered(system, ana)

    assert (attached(system.gemini.requests[0]), system.instagram.count("media")) == ([], 0)


async def test_what_is_kept_is_type_size_and_digest_and_what_it_cost(
    system: InProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    ana = system.person()
    mid = await ana.sends_file("image", PNG)
    url = f"asset_id={next(iter(system.instagram.cdn.assets))}"

    await answered(system, ana)

    logged = [line for line in capsys.readouterr().out.splitlines() if "media_looked_at" in line]
    digest = hashlib.sha256(PNG).hexdigest()
    (event,) = map(json.loads, logged)
    assert (event["mimeType"], event["bytes"], event["digest"]) == ("image/png", len(PNG), digest)
    assert set(event) == {"severity", "message", "time", "thread", "mimeType", "bytes", "digest"}
    assert isinstance(system.store, MemoryStore)
    (run,) = system.store.database.runs[ana.thread_id].values()
    assert run.looks == (MediaLook(mid, 1, "image/png", len(PNG), digest),)
    assert run.spent.image_tokens == IMAGE_TOKENS
    kept = json.dumps(archive_document(run, ana.thread_id, 0, 0))
    assert (url in kept, digest in kept, base64.b64encode(PNG[:30]).decode() in kept) == (False, True, False)


@pytest.mark.parametrize(
    ("kind", "data", "why"),
    [
        ("image", b"<html>log in</html>", NotShown.TYPE),
        ("image", b"\x00\x00\x00\x18ftypheic" + bytes(99), NotShown.TYPE),
        ("image", PNG[:900], NotShown.BROKEN),
        ("image", b"", NotShown.EMPTY),
        ("audio", voice(200), NotShown.TOO_LONG),
        ("video", video("x", 20), NotShown.TOO_LONG),
        ("file", b"%PDF-1.7" + bytes(99), NotShown.TYPE),
    ],
)
async def test_what_is_not_shown_is_said_in_its_place(system: InProcess, kind: str, data: bytes, why: NotShown) -> None:
    ana = system.person()
    await ana.sends_file(kind, data)

    await answered(system, ana)

    assert reasons(system.gemini.requests[0]) == [why.value]


async def test_a_link_that_has_expired_is_said(system: InProcess) -> None:
    ana = system.person()
    await ana.sends_photo()

    await answered(system, ana)

    assert reasons(system.gemini.requests[0]) == [NotShown.EXPIRED.value]


async def test_an_address_that_is_not_the_platforms_is_not_fetched(system: InProcess) -> None:
    ana = system.person()
    await ana.sends_photo("https://lookaside.fbsbx.com.evil.example/photo")

    await answered(system, ana)

    assert reasons(system.gemini.requests[0]) == [NotShown.FOREIGN.value]
    assert system.instagram.count("media") == 0


async def test_thirty_attachments_are_looked_at_as_far_as_four_pictures(system: InProcess) -> None:
    ana = system.person()
    for number in range(3):
        await ana.sends_files([("image", picture(f"{number} {each}")) for each in range(10)])

    await answered(system, ana)

    (request,) = system.gemini.requests
    assert len(request.files) == 4
    assert reasons(request) == [NotShown.TOO_MANY.value] * 26
    assert system.instagram.count("media") == 4


async def test_files_that_turn_out_to_be_one_too_many_are_let_go(system: InProcess) -> None:
    ana = system.person()
    await ana.sends_files([("ig_post", video("one")), ("ig_reel", video("two")), ("image", PNG)])

    await answered(system, ana)

    (request,) = system.gemini.requests
    assert [file.mime_type for file in request.files] == ["video/mp4", "image/png"]
    assert reasons(request) == [NotShown.TOO_MANY.value]


@pytest.mark.parametrize("fault", ["error", "throttle", "drop_before", "drop_after", "not_json", "huge", "error_after"])
async def test_no_fault_of_the_cdn_costs_the_reply(system: InProcess, fault: str) -> None:
    ana = system.person()
    await ana.sends_file("image", PNG, "when are nets?")
    system.instagram.faults.add(fault, "media", times=2)

    await answered(system, ana)

    assert len(reasons(system.gemini.requests[0])) == 1


@pytest.mark.parametrize(
    ("fault", "status"), [("error", 0), ("error", 404), ("drop_before", 0), ("drop_after", 0), ("error_after", 0)]
)
async def test_a_fault_of_a_moment_does_not_cost_the_file(system: InProcess, fault: str, status: int) -> None:
    ana = system.person()
    await ana.sends_file("image", PNG, "when are nets?")
    system.instagram.faults.add(fault, "media", status=status)

    await answered(system, ana)

    assert [file.data for file in system.gemini.requests[0].files] == [PNG]


@pytest.mark.parametrize("answer", [blocked_prompt(), blocked_prompt("IMAGE_SAFETY"), finished("SAFETY")])
async def test_a_picture_that_the_model_blocks_is_left_out_once_and_said(system: InProcess, answer: Body) -> None:
    ana = system.person()
    await ana.sends_file("image", PNG, "when are nets?")

    result = await answered(system, ana, answer, REPLY)

    first, second = system.gemini.requests
    assert (len(first.files), len(second.files)) == (1, 0)
    assert reasons(second) == [NotShown.WITHHELD.value]
    assert result["modelTurns"] == 2
    assert await system.told() == []


@pytest.mark.parametrize("odd", [turn(), finished("RECITATION"), finished("MALFORMED_FUNCTION_CALL")])
async def test_a_picture_beside_which_no_answer_can_be_used_is_left_out_in_the_end(
    system: InProcess, odd: Body
) -> None:
    ana = system.person()
    await ana.sends_file("image", PNG, "when are nets?")

    result = await answered(system, ana, odd, odd, REPLY)

    assert [len(request.files) for request in system.gemini.requests] == [1, 1, 0]
    assert (result["modelTurns"], await system.told()) == (3, [])


async def test_a_block_after_the_reply_is_no_reason_to_ask_again(system: InProcess) -> None:
    ana = system.person()
    await ana.sends_file("image", PNG, "when are nets?")
    reply_and_data = turn(call("send_instagram_message", text="Got it."), call("get_notes"))

    result = await answered(system, ana, reply_and_data, blocked_prompt())

    assert (result["modelTurns"], result["ending"]) == (2, "answered")


async def test_a_conversation_that_is_blocked_without_its_pictures_goes_to_a_human(system: InProcess) -> None:
    ana = system.person()
    await ana.sends_file("image", PNG, "something bad")
    system.gemini.script([blocked_prompt(), blocked_prompt()])

    _, result = await system.task(ana.thread_id)

    assert (result["status"], len(system.gemini.requests)) == ("processed", 2)
    assert "the model withheld its answer" in (await system.told())[0]


async def test_a_picture_that_the_api_refuses_is_left_out(system: InProcess) -> None:
    ana = system.person()
    await ana.sends_file("image", PNG)
    system.gemini.faults.add("error", "generateContent", status=400, message="Unable to process input image.")

    await answered(system, ana)

    assert reasons(system.gemini.requests[-1]) == [NotShown.WITHHELD.value]


async def test_a_picture_on_which_the_model_fails_again_and_again_is_left_out(system: InProcess) -> None:
    ana = system.person()
    await ana.sends_file("image", PNG)
    system.gemini.faults.add("error", "generateContent", times=3, status=500)
    for attempt in range(2):
        assert (await system.task(ana.thread_id, f"task-{attempt}"))[1]["status"] == "retry_later"
        system.clock.forward(400)

    await answered(system, ana)

    assert reasons(system.gemini.requests[-1]) == [NotShown.WITHHELD.value]


async def test_an_outage_of_the_model_does_not_cost_the_picture(system: InProcess) -> None:
    ana = system.person()
    await ana.sends_file("image", PNG)
    system.gemini.faults.add("error", "generateContent", times=4, status=503)
    for attempt in range(4):
        assert (await system.task(ana.thread_id, f"task-{attempt}"))[1]["status"] == "retry_later"
        system.clock.forward(400)

    await answered(system, ana)

    assert len(system.gemini.requests[-1].files) == 1
    assert system.instagram.count("media") == 5, "each attempt fetched it anew"


async def test_the_second_turn_shows_the_same_files_without_fetching_again(system: InProcess) -> None:
    ana = system.person()
    await ana.sends_file("image", PNG)

    await answered(system, ana, turn(call("get_notes")), REPLY)

    first, second = system.gemini.requests
    assert first.files == second.files
    assert attached(first) == attached(second)
    assert system.instagram.count("media") == 1


async def test_a_run_that_died_fetches_again(system: InProcess) -> None:
    ana, ben = system.person(), system.person("9002")
    counted = CrashPoints()
    system.gemini.script([turn(call("get_notes")), REPLY] * 2)
    await ben.says("hi")
    await system.task(ben.thread_id, app=system.instance(counted))
    second_question = len(counted.seen) - counted.seen[::-1].index("model.generate")
    await ana.sends_file("image", PNG)
    with pytest.raises(InstanceDied):
        await system.task(ana.thread_id, app=system.instance(CrashPoints(at=second_question)))
    system.clock.forward(400)

    await system.task(ana.thread_id, "task-2")

    assert system.instagram.sent_to(ana.user_id) == ["Got it."]
    assert len(system.gemini.requests[-1].files) == 1
    assert system.instagram.count("media") == 2


async def test_a_picture_that_was_taken_back_is_not_shown(system: InProcess) -> None:
    ana = system.person()
    mid = await ana.sends_file("image", PNG)
    await ana.says("hello?")
    await ana.unsends(mid)

    await answered(system, ana)

    assert (system.gemini.requests[0].files, system.instagram.count("media")) == ((), 0)


async def test_the_picture_that_a_message_replies_to_is_shown_again(system: InProcess) -> None:
    ana = system.person()
    mid = await ana.sends_file("image", PNG)
    await answered(system, ana)
    await ana.replies_to(mid, "and this one?")
    system.gemini.script([REPLY])

    await system.task(ana.thread_id, "task-2")

    assert len(system.gemini.requests[-1].files) == 1


async def test_a_story_that_is_replied_to_is_shown(system: InProcess) -> None:
    ana = system.person()
    await ana.replies_to_story("what time?", system.instagram.cdn.put(jpeg("Nets at six")))

    await answered(system, ana)

    assert attached(system.gemini.requests[0]) == [
        {"attached_to": "m1", "place": 1, "is": "reply to your story"},
        "image/jpeg",
    ]


@pytest.mark.parametrize(
    "kind", ["ig_post", "ig_reel", "reel", "story_mention", "ig_story", "share", "sticker", "media"]
)
async def test_previews_of_what_is_shared_are_shown_as_pictures(system: InProcess, kind: str) -> None:
    ana = system.person()
    await ana.sends_file(kind, jpeg("a post"))

    await answered(system, ana)

    assert [file.mime_type for file in system.gemini.requests[0].files] == ["image/jpeg"]


async def test_a_shared_link_that_is_no_file_says_nothing(system: InProcess) -> None:
    ana = system.person()
    await ana.sends_attachment("share", {"url": "https://www.instagram.com/reel/abc/"})

    await answered(system, ana)

    assert attached(system.gemini.requests[0]) == []


async def test_voice_in_wav_goes_as_it_is(system: InProcess) -> None:
    ana = system.person()
    await ana.sends_file("audio", spoken("when are the nets"))

    await answered(system, ana)

    assert [file.mime_type for file in system.gemini.requests[0].files] == ["audio/wav"]


@pytest.mark.parametrize(
    ("media", "shown"), [("off", []), ("images", ["image/png"]), ("all", ["image/png", "audio/aac"])]
)
async def test_the_setting_says_what_is_looked_at(system: InProcess, media: str, shown: Sequence[str]) -> None:
    ana = system.person()
    await ana.sends_files([("image", PNG), ("audio", voice(1))])
    system.env["MEDIA"] = media

    await answered(system, ana)

    (request,) = system.gemini.requests
    assert [file.mime_type for file in request.files] == shown
    assert (reasons(request), system.instagram.count("media")) == ([], len(shown))


async def test_a_dm_that_comes_meanwhile_brings_its_own_files(system: InProcess) -> None:
    ana = system.person()
    await ana.sends_file("image", PNG)

    system.gemini.script([turn(call("get_notes")), REPLY])
    system.gemini.faults.add("delay", "generateContent", seconds=0.5)
    task = asyncio.create_task(system.task(ana.thread_id))
    while system.gemini.faults.pending:  # until the model thinks
        assert not task.done()
        await asyncio.sleep(0.005)
    await ana.sends_file("image", jpeg("second"))
    await task

    last = system.gemini.requests[-1]
    assert sorted(file.mime_type for file in last.files) == ["image/jpeg", "image/png"]
