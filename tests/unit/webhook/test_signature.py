"""Who may speak to the webhook."""

import base64
import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dm_core.webhook.signature import (
    SignatureWrong,
    SignedRequestMalformed,
    matching_secret,
    parse_signed_request,
)


def _header(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _signed(payload: bytes, secret: str) -> str:
    encoded = base64.urlsafe_b64encode(payload).rstrip(b"=")
    signature = hmac.new(secret.encode(), encoded, hashlib.sha256).digest()
    return f"{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}.{encoded.decode()}"


_SECRETS = st.lists(st.text(min_size=1, alphabet=st.characters(codec="utf-8")), min_size=1, max_size=4, unique=True)


@given(body=st.binary(max_size=300), secrets=_SECRETS, data=st.data())
def test_any_configured_secret_opens_and_is_named(body: bytes, secrets: list[str], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(secrets) - 1))

    assert matching_secret(_header(secrets[index], body), body, secrets) == index


@given(body=st.binary(max_size=300), other=st.binary(max_size=300))
def test_a_signature_holds_for_its_body_only(body: bytes, other: bytes) -> None:
    matches = matching_secret(_header("secret", body), other, ["secret"]) is not None

    assert matches == (body == other)


@given(body=st.binary(max_size=50), position=st.integers(0, 63))
def test_one_wrong_digit_closes(body: bytes, position: int) -> None:
    header = _header("secret", body)
    digit = header[7 + position]
    wrong = header[: 7 + position] + ("0" if digit != "0" else "1") + header[8 + position :]

    assert matching_secret(wrong, body, ["secret"]) is None


@given(header=st.none() | st.text())
def test_whatever_else_stands_in_the_header_closes(header: str | None) -> None:
    assert matching_secret(header, b"body", ["secret"]) is None


@pytest.mark.parametrize(
    "form", ["SHA256={}", "{}", "sha256={} ", "sha256={}\n", "sha256={}00", "sha1={}", "sha256= {}"]
)
def test_only_the_exact_form_is_read(form: str) -> None:
    digits = _header("secret", b"body").removeprefix("sha256=")

    assert matching_secret(form.format(digits), b"body", ["secret"]) is None


def test_upper_case_digits_are_the_same_digits() -> None:
    header = _header("secret", b"body")

    assert matching_secret("sha256=" + header[7:].upper(), b"body", ["secret"]) == 0


def test_a_signed_request_tells_its_user() -> None:
    payload = json.dumps({"algorithm": "HMAC-SHA256", "issued_at": 1_790_000_000, "user_id": 218_471}).encode()

    assert parse_signed_request(_signed(payload, "b"), ["a", "b"]).user_id == "218471"


@pytest.mark.parametrize("algorithm", ["HMAC-SHA1", "none", None, 256])
def test_another_algorithm_is_refused(algorithm: object) -> None:
    payload = json.dumps({"algorithm": algorithm, "user_id": "1"}).encode()

    with pytest.raises(SignatureWrong):
        parse_signed_request(_signed(payload, "a"), ["a"])


@pytest.mark.parametrize("user_id", [None, "", True, 1.5, ["1"], "x" * 129])
def test_a_user_id_that_is_none_is_malformed(user_id: object) -> None:
    payload = json.dumps({"algorithm": "HMAC-SHA256", "user_id": user_id}).encode()

    with pytest.raises(SignedRequestMalformed):
        parse_signed_request(_signed(payload, "a"), ["a"])


@given(value=st.text() | st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_.-]*", fullmatch=True))
def test_no_forged_signed_request_opens(value: str) -> None:
    with pytest.raises((SignedRequestMalformed, SignatureWrong)):
        parse_signed_request(value, ["secret"])


@given(payload=st.binary(max_size=100))
def test_a_genuine_signature_over_anything_is_read_or_refused(payload: bytes) -> None:
    with pytest.raises((SignedRequestMalformed, SignatureWrong)):
        parse_signed_request(_signed(payload, "secret"), ["secret"])


def test_deep_nesting_in_a_genuine_payload_is_malformed() -> None:
    with pytest.raises(SignedRequestMalformed):
        parse_signed_request(_signed(b"[" * 3_000, "secret"), ["secret"])
