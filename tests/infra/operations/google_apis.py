"""Google's REST APIs on this machine, for one caller: methods and shapes as their discovery documents describe them.

GET|POST …testIamPermissions ──▶ the permissions that the caller has, of those that were asked for
"""

import json
import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import parse_qs, urlsplit

import googleapiclient

from tests.infra.operations.local_server import Quiet, listening

TOKEN: Final = "ya29.a-token-that-nobody-sees"
DOCUMENTS: Final = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
SERVICES: Final[Mapping[str, str]] = {
    "cloudresourcemanager": "cloudresourcemanager.v1",
    "cloudbilling": "cloudbilling.v1",
    "storage": "storage.v1",
    "cloudkms": "cloudkms.v1",
}

type Method = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """One call that was understood."""

    service: str
    path: str
    permissions: frozenset[str]


@dataclass
class GoogleApis:
    """``lacking``: permissions that the caller has not. ``untestable``: those that a resource of the kind doesn't know.
    ``refusal``: what every call is answered with."""

    lacking: set[str] = field(default_factory=set[str])
    untestable: set[str] = field(default_factory=set[str])
    refusal: tuple[int, str] | None = None
    asked: list[Asked] = field(default_factory=list[Asked])
    url: str = ""

    @property
    def environment(self) -> Mapping[str, str]:
        """As gcloud is pointed elsewhere."""
        names = {service: f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{service.upper()}" for service in SERVICES}
        return {name: f"{self.url}/{service}/" for service, name in names.items()}

    def answer(self, verb: str, address: str, bearer: str, body: bytes) -> tuple[int, object]:
        """Status and JSON."""
        if bearer != f"Bearer {TOKEN}":
            return _error(401, "Request had invalid authentication credentials.")
        if self.refusal is not None:
            return _error(*self.refusal)
        split = urlsplit(address)
        service, _, path = split.path.removeprefix("/").partition("/")
        method = next((m for m in _methods(service) if m["httpMethod"] == verb and _fits(service, m, path)), None)
        if method is None:
            return _error(404, f"{verb} {path} is not a method of {service}")
        permissions = _permissions(service, method, body, split.query)
        if permissions & self.untestable:
            return _error(400, "Request contains an invalid argument.")
        self.asked.append(Asked(service, path, permissions))
        kept = sorted(permissions - self.lacking)
        return 200, {"permissions": kept} if kept else {}


def _document(service: str) -> Method:
    return json.loads((DOCUMENTS / f"{SERVICES[service]}.json").read_text(encoding="utf-8"))


def _methods(service: str, within: Method | None = None) -> Iterator[Method]:
    """Every testIamPermissions of a service."""
    part = _document(service) if within is None else within
    for inner in cast("Mapping[str, Method]", part.get("resources", {})).values():
        if "testIamPermissions" in inner.get("methods", {}):
            yield inner["methods"]["testIamPermissions"]
        yield from _methods(service, inner)


def _fits(service: str, method: Method, path: str) -> bool:
    pattern = re.sub(r"\\\{[^}]+\\\}", "[^/:]+", re.escape(method.get("flatPath") or method["path"]))
    return re.fullmatch(re.escape(_document(service)["servicePath"]) + pattern, path) is not None


def _permissions(service: str, method: Method, body: bytes, query: str) -> frozenset[str]:
    if method["httpMethod"] == "GET":
        assert method["parameters"]["permissions"]["repeated"]
        return frozenset(parse_qs(query)["permissions"])
    given = json.loads(body)
    described = _document(service)["schemas"][method["request"]["$ref"]]["properties"]
    assert set(given) <= set(described), f"{set(given) - set(described)} is not in {method['id']}"
    return frozenset(given["permissions"])


def _error(code: int, message: str) -> tuple[int, object]:
    return code, {"error": {"code": code, "message": message, "status": "FAILED"}}


@contextmanager
def serving(apis: GoogleApis) -> Generator[GoogleApis]:
    """Answers on 127.0.0.1 for as long as it is open."""

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._do("GET", b"")

        def do_POST(self) -> None:
            self._do("POST", self.rfile.read(int(self.headers["Content-Length"])))

        def _do(self, verb: str, body: bytes) -> None:
            code, said = apis.answer(verb, self.path, self.headers.get("Authorization", ""), body)
            self.send_response(code)
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

    with listening(Handler) as apis.url:
        yield apis
