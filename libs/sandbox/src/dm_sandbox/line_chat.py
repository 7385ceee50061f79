"""``make chat``: what the page of ``make dev`` offers, as plain lines in a terminal of its own.

A line that is typed goes where the page's field goes; the conversation is printed as it grows. ``/quit``, Ctrl-C or the
end of the input end the chat and nothing else. Environment: ``PORT`` of the page, if not where ``make dev`` said last.
"""

import io
import os
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, cast

import httpx

from dm_sandbox.chat_lines import DEFAULT_PORT, HELP, PORT_FILE, STATE, ChatLine

LOOK_SECONDS: Final = 0.3
"""How often the conversation is looked at."""


class LineChat:
    """A client of the page. Every method raises httpx.HTTPError when the page is gone."""

    def __init__(self, base_url: str) -> None:
        self._client = httpx.Client(base_url=base_url, trust_env=False, timeout=10)
        self._printed = 0
        self._over = threading.Event()

    def show(self) -> None:
        """Print the lines that came since the last look."""
        answer = self._client.get("/state", params={"lines": self._printed, "entries": 10**9 - 1})
        lines = cast("list[dict[str, Any]]", answer.raise_for_status().json()["lines"])
        for fields in lines:
            print(ChatLine(**fields), flush=True)
        self._printed += len(lines)

    def follow(self) -> None:
        """Print until ``end``, or until the page is gone."""
        while not self._over.wait(LOOK_SECONDS):
            try:
                self.show()
            except httpx.HTTPError:
                print("the page is gone: /quit", flush=True)
                return

    def end(self) -> None:
        """Print nothing more."""
        self._over.set()

    def type(self, typed: Iterable[str]) -> None:
        """Send each line, until one is ``/quit``."""
        for line in typed:
            if line.strip() in ("/quit", "/exit", "/q"):
                return
            if line.strip():
                answer = self._client.post("/type", json={"line": line.strip()})
                if answer.is_error:
                    print(answer.json()["error"], flush=True)


def main() -> int:
    """Entry point of ``python -m dm_sandbox.line_chat``."""
    base_url = f"http://127.0.0.1:{os.environ.get('PORT') or _last_port()}"
    stdin: object = sys.stdin
    if isinstance(stdin, io.TextIOWrapper):
        stdin.reconfigure(errors="replace")
    try:
        chat = LineChat(base_url)
        chat.show()
        print(f"{HELP}  /quit", flush=True)
        following = threading.Thread(target=chat.follow, daemon=True)
        following.start()
        try:
            chat.type(sys.stdin)
        finally:
            chat.end()
            following.join()  # a thread that prints while the interpreter ends aborts it
        chat.show()  # what the last line came to
    except (httpx.HTTPError, httpx.InvalidURL):
        print(f"make chat: nothing answers on {base_url}: start 'make dev' in another terminal", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _last_port() -> str:
    """Where ``make dev`` said last that the page is."""
    try:
        return (Path(os.environ.get("STATE") or STATE) / PORT_FILE).read_text(encoding="utf-8")
    except OSError:
        return str(DEFAULT_PORT)


if __name__ == "__main__":
    sys.exit(main())
