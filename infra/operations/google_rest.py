"""Google's REST APIs, asked as the identity that Pulumi's provider uses: what gcloud has no command for."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Final, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from operations.running import ask
from operations.stacks import json_object

TIMEOUT_SECONDS: Final = 30.0


class Unanswered(Exception):
    """There was no answer, or a refusal; the text is one line, Google's own where it gave one."""


def token() -> str:
    """Of the application default credentials; kept nowhere. Raises Unanswered."""
    answer = ask(["gcloud", "auth", "application-default", "print-access-token"])
    if not answer.good or not answer.out.strip():
        raise Unanswered("there are no application default credentials")
    return answer.out.strip()


def held(service: str, path: str, permissions: Sequence[str], bearer: str) -> set[str]:
    """Which of these permissions the caller has on a resource, by one call. Raises Unanswered.

    One that can't be tested on this kind of resource spoils the batch with 400 (googleapis/google-cloud-java#722).
    ``path``: the method's, behind the service's address. Storage takes a query, all others a body.
    """
    if service == "storage":
        query = urlencode([("permissions", permission) for permission in permissions])
        request = Request(f"{_address(service)}{path}?{query}")  # noqa: S310 (https, or an override: see _address)
    else:
        body = json.dumps({"permissions": list(permissions)}).encode()
        request = Request(f"{_address(service)}{path}", body, {"Content-Type": "application/json"})  # noqa: S310
    request.add_header("Authorization", f"Bearer {bearer}")
    found = _json(request).get("permissions", [])
    return {str(each) for each in cast("list[object]", found)} if isinstance(found, list) else set()


def _address(service: str) -> str:
    """With the slash at its end. gcloud's own variable for another endpoint counts here too, on this machine only."""
    override = os.environ.get(f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{service.upper()}", "")
    if urlsplit(override).hostname in ("127.0.0.1", "localhost"):
        return override.rstrip("/") + "/"
    return f"https://{service}.googleapis.com/"


def _json(request: Request) -> Mapping[str, object]:
    try:
        with urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
            return json_object(response.read().decode("utf-8", "replace"))
    except HTTPError as error:
        raise Unanswered(_complaint(error)) from None
    except (URLError, TimeoutError, OSError) as error:
        raise Unanswered(f"Google could not be reached: {type(error).__name__}") from None


def _complaint(error: HTTPError) -> str:
    said = json_object(error.read().decode("utf-8", "replace")).get("error")
    message = str(cast("Mapping[str, object]", said).get("message", "")) if isinstance(said, dict) else ""
    return f"{error.code} {message.splitlines()[0] if message else ''}".strip()
