"""Subscription, health, and whatever else is asked."""

import json

import pytest

from dm_core.http import Request, Response
from tests.unit.webhook.webhook_stage import SECRETS, Stage

_GENUINE = {"hub.mode": "subscribe", "hub.verify_token": "open sésame", "hub.challenge": "1158201444"}


async def test_the_challenge_comes_back_verbatim_as_plain_text(stage: Stage) -> None:
    assert await stage.get("/", **_GENUINE) == Response(200, "1158201444", "text/plain")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"hub.verify_token": "open sesame"}, 403),
        ({"hub.verify_token": ""}, 403),
        ({"hub.verify_token": "\udc80"}, 403),
        ({"hub.mode": "unsubscribe"}, 403),
        ({"hub.mode": ""}, 403),
        ({"hub.challenge": ""}, 400),
        ({"hub.challenge": "<script>"}, 400),
        ({"hub.challenge": "12\n"}, 400),
        ({"hub.challenge": "a" * 257}, 400),
        ({"hub.challenge": "Aa-_9" + "a" * 251}, 200),
    ],
)
async def test_only_the_right_token_with_a_harmless_challenge_is_answered(
    stage: Stage, change: dict[str, str], status: int
) -> None:
    assert (await stage.get("/", **(_GENUINE | change))).status == status


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"hub.verify_token": "guess"}, ("hub.verify_token", True)),
        ({"hub.verify_token": ""}, ("hub.verify_token", False)),
        ({"hub.mode": "denied"}, ("hub.mode", True)),
        ({"hub.challenge": "<b>"}, ("hub.challenge", True)),
    ],
)
async def test_a_refused_verification_says_which_of_its_words_is_wrong_and_never_the_word(
    stage: Stage, change: dict[str, str], wrong: tuple[str, bool], capsys: pytest.CaptureFixture[str]
) -> None:
    await stage.get("/", **(_GENUINE | change))

    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (line["message"], line["wrong"], line["given"]) == ("subscription_refused", *wrong)
    assert not {"guess", "<b>", "open sésame"} & set(line.values())


async def test_a_bare_get_is_forbidden(stage: Stage) -> None:
    assert (await stage.get("/")).status == 403


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("HEAD", "/health", 200),
        ("POST", "/health", 405),
        ("PUT", "/", 405),
        ("GET", "/deauthorize", 405),
        ("GET", "/data-deletion", 405),
        ("POST", "/data-deletion/abc", 405),
        ("GET", "/nowhere", 404),
        ("POST", "/webhook", 404),
    ],
)
async def test_paths_and_methods_have_their_statuses(stage: Stage, method: str, path: str, status: int) -> None:
    assert (await stage.app.handle(Request(method, path))).status == status


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/", "GET, POST"),
        ("/whatsapp", "GET, POST"),
        ("/health", "GET, HEAD"),
        ("/deauthorize", "POST"),
        ("/data-deletion", "POST"),
        ("/data-deletion/abc", "GET, HEAD"),
    ],
)
async def test_a_method_that_a_path_does_not_take_is_told_which_it_takes(stage: Stage, path: str, allow: str) -> None:
    answer = await stage.app.handle(Request("PUT", path))

    assert (answer.status, answer.allow) == (405, allow)


@pytest.mark.parametrize("header", [None, "", "sha256=", "sha256=" + "0" * 64, "sha1=" + "0" * 40])
async def test_an_unsigned_body_is_refused_and_never_logged(
    stage: Stage, capsys: pytest.CaptureFixture[str], header: str | None
) -> None:
    headers = {} if header is None else {"x-hub-signature-256": header}

    answer = await stage.app.handle(Request("POST", "/", headers=headers, body=b'{"text": "private words"}'))

    assert answer.status == 401
    assert "private" not in capsys.readouterr().out


@pytest.mark.parametrize("secret", SECRETS)
async def test_every_configured_secret_signs(stage: Stage, secret: str) -> None:
    assert (await stage.post(b'{"object": "instagram", "entry": []}', secret)).status == 200


async def test_the_signature_is_over_the_escaped_bytes_as_they_came(stage: Stage) -> None:
    body = (
        b'{"object":"instagram","entry":[{"id":"178414","time":1790000000500,"messaging":[{"sender":{"id":"9001"},'
        b'"recipient":{"id":"178414"},"timestamp":1790000000123,'
        b'"message":{"mid":"aWdA1","text":"N\\u00e5r er trening? \\ud83c\\udfcf \\u003C3 \\/"}}]}]}'
    )

    assert (await stage.post(body)).status == 200
    assert (await stage.message()).content.text == "Når er trening? 🏏 <3 /"


@pytest.mark.parametrize("body", [b"", b"hello", b'{"entry": [', b"\xff\xfe\xff", b"'single'"])
async def test_what_is_signed_but_not_json_is_400(stage: Stage, body: bytes) -> None:
    assert (await stage.post(body)).status == 400
