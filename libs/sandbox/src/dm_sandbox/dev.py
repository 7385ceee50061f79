"""``make dev``: everything up, a page to chat on 127.0.0.1:8080, and every DM, reply and event printed as it comes.

Environment: ``PORT`` of the page, ``STORE=firestore`` for Google's emulator instead of SQLite, ``GEMINI_API_KEY`` for
the real Gemini instead of the scripted one.
"""

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import PlainTextResponse

from dm_sandbox.chat import Chat
from dm_sandbox.environment import Pace, operators_environment
from dm_sandbox.firestore_emulator import EmulatorUnavailable
from dm_sandbox.launcher import FunctionDidNotStart
from dm_sandbox.platforms.local_server import LocalServer
from dm_sandbox.web import page_app
from dm_sandbox.world import Sandbox, StoreName

DEFAULT_PORT = 8080
PACE = Pace(debounce_min=3, debounce_max=6, echo_wait=2)


class CannotStart(Exception):
    """Something in the environment stands in the way; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the environment asks for."""

    port: int
    store: StoreName

    @classmethod
    def read(cls, env: Mapping[str, str]) -> "Options":
        """Raises CannotStart naming the variable that is malformed."""
        port, store = env.get("PORT", str(DEFAULT_PORT)), env.get("STORE", "sqlite") or "sqlite"
        if not port.isdecimal() or not 0 <= int(port) <= 65_535:
            raise CannotStart(f"PORT must be a port number, not {port!r}")
        if store not in ("sqlite", "firestore"):
            raise CannotStart(f"STORE must be sqlite or firestore, not {store!r}")
        return cls(int(port), store)


async def run(options: Options, env: Mapping[str, str]) -> None:
    """Run until it is stopped. Raises CannotStart, FunctionDidNotStart, EmulatorUnavailable."""
    sandbox = Sandbox(store=options.store, pace=PACE, ambient=env)
    page = LocalServer(PlainTextResponse("starting…", 503), options.port)
    try:
        await page.start()
    except OSError:
        raise CannotStart(f"port {options.port} is in use: stop what uses it, or choose another with PORT=…") from None
    try:
        print("starting the functions, the queue and the platforms…", flush=True)
        async with sandbox:
            chat = Chat(sandbox)
            page.app = page_app(chat)
            model = "the real Gemini" if sandbox.real_model else "the scripted model"
            print(f"dm-agent sandbox: {page.base_url}, {options.store}, {model}", flush=True)
            print("type a DM on the page, or with 'make chat' in another terminal; Ctrl-C stops everything", flush=True)
            print(f"as its operator, in another terminal: {operators_line(sandbox.environment)}", flush=True)
            print_lines(chat)
            await asyncio.Event().wait()
    finally:
        await page.stop()


def operators_line(env: Mapping[str, str]) -> str:
    """What to type to look at this sandbox as its operator."""
    words = (f"{name}={shlex.quote(value)}" for name, value in operators_environment(env).items())
    return f"export {' '.join(words)}; make admin ARGS=threads"


def print_lines(chat: Chat) -> None:
    """Print every event so far, and every line and event from now on."""
    for entry in chat.sandbox.log.entries:
        print(entry, flush=True)
    chat.listen(lambda line: print(line, flush=True))
    chat.sandbox.log.listen(lambda entry: print(entry, flush=True))


def main() -> int:
    """Entry point of ``python -m dm_sandbox.dev``."""
    try:
        asyncio.run(_until_stopped(Options.read(os.environ), os.environ))
    except (CannotStart, FunctionDidNotStart, EmulatorUnavailable) as error:
        print(f"make dev: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        pass
    print("stopped")
    return 0


async def _until_stopped(options: Options, env: Mapping[str, str]) -> None:
    """Ctrl-C and SIGTERM end it the same way: everything that was started is stopped."""
    running = asyncio.ensure_future(run(options, env))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, running.cancel)
    await running


if __name__ == "__main__":
    sys.exit(main())
