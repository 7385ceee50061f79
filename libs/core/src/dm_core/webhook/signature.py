"""Meta's two signatures: ``X-Hub-Signature-256`` over a webhook's raw body, and the ``signed_request`` of callbacks.

Both are HMAC-SHA256 with an app secret as key. Which of an app's secrets signs is not settled by the documentation, and
there are two while one is rotated, so every configured secret is tried, all of them every time
(docs/platforms/instagram.md#signatures).
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from dm_core.webhook.fields import as_object, identifier

MAX_SIGNED_REQUEST_CHARS: Final = 8_192
"""Longest ``signed_request`` looked at, in characters; real ones are some 200."""

_HEADER: Final = re.compile(r"sha256=([0-9a-fA-F]{64})")
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+={0,4}")
_SECONDS: Final = re.compile(r"[0-9]{1,15}")


class SignatureWrong(Exception):
    """No configured secret made this signature."""


class SignedRequestMalformed(Exception):
    """Not a signed_request: a part is missing or can't be decoded."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a genuine signed_request says: the app-scoped id of the person who had authorised the app, and when it was
    made (seconds since 1970; None where it does not say). ``secret`` is the index of the one that signed it."""

    user_id: str
    issued_at: int | None
    secret: int


def matching_secret(header: str | None, body: bytes, secrets: Sequence[str]) -> int | None:
    """Index of the secret that signed ``body`` as it came over the wire; None when none did or the header is malformed.

    Constant time over the secrets: all are tried, whichever matches.
    """
    match = _HEADER.fullmatch(header or "")
    return _matching(bytes.fromhex(match[1]), body, secrets) if match else None


def parse_signed_request(value: str, secrets: Sequence[str]) -> SignedRequest:
    """Verify and read ``base64url(signature).base64url(payload)``; the signature is over the encoded payload.

    Padding, white space, the plain base64 alphabet and spare bits of a last character may differ from what was signed:
    libraries on the way write them differently
    (https://github.com/heroku/facebook-template-python/issues/7, https://github.com/appoxy/mini_fb/issues/38).
    Raises SignedRequestMalformed or SignatureWrong.
    """
    encoded_signature, dot, encoded_payload = "".join(value.split()).partition(".")
    if not dot or len(value) > MAX_SIGNED_REQUEST_CHARS:
        raise SignedRequestMalformed
    signature, payload = _decoded(encoded_signature), _decoded(encoded_payload)
    as_sent = _matching(signature, encoded_payload.encode(), secrets)
    canonical = base64.urlsafe_b64encode(payload).rstrip(b"=")
    as_signed = _matching(signature, canonical, secrets)
    secret = as_sent if as_sent is not None else as_signed
    if secret is None:
        raise SignatureWrong
    return _payload(payload, secret)


def _payload(raw: bytes, secret: int) -> SignedRequest:
    try:
        fields = as_object(cast("object", json.loads(raw)))
    except (ValueError, RecursionError) as error:
        raise SignedRequestMalformed from error
    if fields is None:
        raise SignedRequestMalformed
    algorithm, user_id = fields.get("algorithm"), identifier(fields.get("user_id"))
    if not isinstance(algorithm, str) or algorithm.upper() != "HMAC-SHA256":
        raise SignatureWrong
    if user_id is None:
        raise SignedRequestMalformed
    return SignedRequest(user_id, _issued_at(fields.get("issued_at")), secret)


def _issued_at(value: object) -> int | None:
    """Whole seconds, as a number or in digits. Raises SignedRequestMalformed for anything else that is there."""
    if isinstance(value, str) and _SECONDS.fullmatch(value):
        value = int(value)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise SignedRequestMalformed
    return value


def _decoded(part: str) -> bytes:
    """Base64 in either alphabet, whose padding may be missing."""
    part = part.replace("+", "-").replace("/", "_")
    if not _BASE64URL.fullmatch(part):
        raise SignedRequestMalformed
    bare = part.rstrip("=")
    try:
        return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except ValueError as error:
        raise SignedRequestMalformed from error


def _matching(signature: bytes, signed: bytes, secrets: Sequence[str]) -> int | None:
    found: int | None = None
    for index, secret in enumerate(secrets):
        expected = hmac.digest(secret.encode(), signed, hashlib.sha256)
        if hmac.compare_digest(expected, signature):
            found = index
    return found
