"""``make dev``: everything up, and the studio on 127.0.0.1:8080; every event is printed as it comes.

Environment: ``PORT`` of the page, ``STORE=firestore`` for Google's emulator instead of SQLite, ``FRESH=1`` to forget
what was kept in ``.state/dev`` (``STATE=folder`` for another), ``GEMINI_API_KEY`` for Gemini itself or ``MODEL=local``
for a small one on this machine instead of the scripted one, and every setting of the functions that a stack may
set (docs/settings.md#what-a-stack-may-set).
"""

import asyncio
import errno
import fcntl
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO

from starlette.responses import PlainTextResponse

from dm_core.settings.table import INSTAGRAM_API_FLAVOR, SETTINGS
from dm_sandbox.chat_lines import DEFAULT_PORT, PORT_FILE, STATE
from dm_sandbox.environment import Pace, answers_for_real, operators_environment
from dm_sandbox.firestore_emulator import EmulatorUnavailable
from dm_sandbox.launcher import FunctionDidNotStart
from dm_sandbox.platforms.instagram import Flavor
from dm_sandbox.platforms.local_model import LocalGemini, LocalModelMissing, open_engine
from dm_sandbox.platforms.local_server import LocalServer
from dm_sandbox.studio import kept
from dm_sandbox.studio.model_key import problem_of_key
from dm_sandbox.studio.scheduler import sweep_regularly
from dm_sandbox.studio.server import page_app
from dm_sandbox.studio.studio import Studio, clock_of
from dm_sandbox.studio.watch import watch_files
from dm_sandbox.world import Sandbox, StoreName

TRIED_PORTS: Final = 20
PACE: Final = Pace(debounce_min=3, debounce_max=6, echo_wait=2)
LOCAL: Final = {"MODEL_TIMEOUT_SECONDS": "240"}
"""The local model's first answer takes a minute, and longer on a busy machine."""


class CannotStart(Exception):
    """Something in the environment stands in the way; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the environment asks for. ``settings`` are those of the functions; ``state`` is where everything is kept."""

    port: int
    store: StoreName
    fresh: bool = False
    state: Path = STATE
    flavor: Flavor = "instagram"
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    local: bool = False

    @classmethod
    def read(cls, env: Mapping[str, str]) -> "Options":
        """Raises CannotStart naming the variable that is malformed."""
        port, store = env.get("PORT") or str(DEFAULT_PORT), env.get("STORE") or "sqlite"
        if not port.isdecimal() or not 0 <= int(port) <= 65_535:
            raise CannotStart(f"PORT must be a port number, not {port!r}")
        if store not in ("sqlite", "firestore"):
            raise CannotStart(f"STORE must be sqlite or firestore, not {store!r}")
        model = env.get("MODEL", "")
        if model not in ("", "local"):
            raise CannotStart(f"MODEL must be local, or nothing, not {model!r}")
        settings = (LOCAL if model == "local" else {}) | _settings(env)
        flavor: Flavor = "page" if settings.pop(INSTAGRAM_API_FLAVOR.name, "") == "page" else "instagram"
        state = Path(env.get("STATE") or STATE)
        return cls(int(port), store, env.get("FRESH", "") not in ("", "0"), state, flavor, settings, model == "local")


def _settings(env: Mapping[str, str]) -> dict[str, str]:
    """The functions' settings that are set. Raises CannotStart naming each that is not allowed."""
    chosen = {
        each.name: env[each.name] for each in SETTINGS if each.set_by == "stack" and env.get(each.name, "").strip()
    }
    checked = ((each, each.problem(chosen[each.name])) for each in SETTINGS if each.name in chosen)
    problems = [f"{setting.name} {problem}" for setting, problem in checked if problem]
    if problems:
        raise CannotStart("; ".join(problems))
    return chosen


async def run(options: Options, env: Mapping[str, str]) -> None:
    """Run until it is stopped. Raises CannotStart, Damaged, FunctionDidNotStart, EmulatorUnavailable."""
    if not options.local and answers_for_real(env) and (problem := await problem_of_key(env)):
        raise CannotStart(problem)
    folder, lock = _state_folder(options)
    with lock:
        kept.check_databases(folder)
        keeps = options.store == "sqlite"  # the Firestore emulator forgets, and what remembers its threads must too
        await _run_in(folder if keeps else None, options, env)


async def _run_in(folder: Path | None, options: Options, env: Mapping[str, str]) -> None:
    gemini = LocalGemini(open_engine()) if options.local else None
    remembered = kept.load(folder) if folder else dict[str, object]()
    clock = clock_of(remembered)
    page = await _listening(options.port)
    sandbox = Sandbox(
        store=options.store,
        pace=PACE,
        flavor=options.flavor,
        ambient=env,
        extra=options.settings,
        gemini=gemini,
        clock=clock,
        folder=folder,
        studio=True,
        ahead_ms=clock.offset_ms,
    )
    try:
        print("starting the functions, the queue and the platforms…", flush=True)
        async with sandbox:
            await _serve(Studio(sandbox, clock, remembered), page, options)
    finally:
        await page.stop()


async def _serve(studio: Studio, page: LocalServer, options: Options) -> None:
    """Open the page, and look after the files, until it is stopped."""
    sandbox = studio.sandbox
    await studio.store.newest_threads(1)  # whoever operates it finds a store there before the first DM too
    page.app = page_app(studio)
    (options.state / PORT_FILE).write_text(page.base_url.rpartition(":")[2], encoding="utf-8")
    model = "the real Gemini" if sandbox.real_model else f"the {sandbox.gemini.kind} model"
    print(f"dm-agent sandbox: {page.base_url}, {options.store}, {model}", flush=True)
    for name, value in options.settings.items():
        print(f"{name}={value}", flush=True)
    print("type a DM on the page, or with 'make chat' in another terminal; Ctrl-C stops everything", flush=True)
    print(f"as its operator, in another terminal: {operators_line(sandbox.environment)}", flush=True)
    sandbox.log.listen(lambda entry: print(entry, flush=True))
    studio.chat.listen(lambda line: print(line, flush=True))
    sweeping = asyncio.create_task(sweep_regularly(sandbox))
    try:
        await watch_files(sandbox)
    finally:
        sweeping.cancel()
        await studio.close()


def _state_folder(options: Options) -> tuple[Path, TextIO]:
    """Made if need be, emptied if asked, and held as long as the file is open. Raises CannotStart where it can't be
    written to, or is held by another sandbox."""
    folder = options.state
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for old in folder.iterdir() if options.fresh else ():
            if old.name != "lock":
                shutil.rmtree(old) if old.is_dir() else old.unlink()
        lock.write("held by a make dev\n")
        lock.flush()
    except BlockingIOError:
        raise CannotStart(f"{folder} is used by another make dev: stop it, or say STATE=folder for this one") from None
    except OSError as error:
        raise CannotStart(f"{folder} can't be written to ({error.strerror}): mend that, or say STATE=folder") from None
    return folder, lock


async def _listening(port: int) -> LocalServer:
    """A server on this port, or on the next that is free. Raises CannotStart."""
    for tried in range(port, min(port + TRIED_PORTS, 65_536)):
        server = LocalServer(PlainTextResponse("starting…", 503, {"refresh": "1"}), tried)
        try:
            await server.start()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:  # the next would fare no better
                why = f"127.0.0.1:{tried} can't be listened on ({error.strerror})"
                raise CannotStart(f"{why}: choose another port with PORT=…") from None
            print(f"port {tried} is in use, trying {tried + 1}", flush=True)
            continue
        return server
    raise CannotStart(f"the ports from {port} on are in use: choose another with PORT=…")


def operators_line(env: Mapping[str, str]) -> str:
    """What to type to look at this sandbox as its operator."""
    words = (f"{name}={shlex.quote(value)}" for name, value in operators_environment(env).items())
    return f"export {' '.join(words)}; make admin ARGS=threads"


def main() -> int:
    """Entry point of ``python -m dm_sandbox.dev``."""
    try:
        asyncio.run(_until_stopped(Options.read(os.environ), os.environ))
    except (CannotStart, kept.Damaged, FunctionDidNotStart, EmulatorUnavailable, LocalModelMissing) as error:
        print(f"make dev: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        pass
    print("stopped")
    return 0


async def _until_stopped(options: Options, env: Mapping[str, str]) -> None:
    """Ctrl-C and SIGTERM end it the same way: everything that was started is stopped, also by whoever presses again."""
    running = asyncio.ensure_future(run(options, env))
    loop = asyncio.get_running_loop()

    def stop() -> None:
        nonlocal stopping
        if not stopping:
            stopping = running.cancel()

    stopping = False
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    await running


if __name__ == "__main__":
    sys.exit(main())
