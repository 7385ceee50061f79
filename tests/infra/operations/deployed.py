"""A webhook for the operations to ask: a server of the test that checks signatures as the core does."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from dm_core.webhook.signature import matching_secret
from tests.infra.operations.local_server import Quiet, listening

SECRET = "a-secret-that-nobody-sees"


@dataclass
class Deployed:
    """A webhook that checks signatures as the core does, and keeps what it was sent."""

    health: list[int] = field(default_factory=lambda: [200])
    unsigned: int = 401
    stored: tuple[int, str] = (200, "EVENT_RECEIVED")
    bodies: list[bytes] = field(default_factory=list[bytes])


@contextmanager
def serving(deployed: Deployed) -> Generator[str]:
    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code = deployed.health.pop(0) if len(deployed.health) > 1 else deployed.health[0]
            self._answer(code if self.path == "/health" else 404, "ok")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if matching_secret(self.headers.get("X-Hub-Signature-256"), body, [SECRET]) is None:
                self._answer(deployed.unsigned, "")
                return
            deployed.bodies.append(body)
            self._answer(*deployed.stored)

        def _answer(self, code: int, text: str) -> None:
            self.send_response(code)
            self.end_headers()
            self.wfile.write(text.encode())

    with listening(Handler) as url:
        yield url
