"""``python -m dm_sandbox.cloud_tasks --port N``: the emulator as a process of its own, one event a line on stdout."""

import argparse
import asyncio
import json
import signal
from dataclasses import asdict
from pathlib import Path

from dm_sandbox.cloud_tasks import CloudTasksEmulator, QueueConfig, QueueEvent
from dm_sandbox.command_line import Parser, duration, from_zero


def _print(event: QueueEvent) -> None:
    print(json.dumps(asdict(event)), flush=True)


async def _serve(options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, stopped.set)
    config = QueueConfig(min_backoff=options.min_backoff, max_backoff=options.max_backoff)
    emulator = CloudTasksEmulator(
        host=options.host, port=options.port, config=config, on_event=_print, path=options.path
    )
    await emulator.start()
    print(json.dumps({"kind": "listening", "address": emulator.address}), flush=True)
    await stopped.wait()
    await emulator.stop()


def main() -> None:
    parser = Parser(prog="dm_sandbox.cloud_tasks", description="A Cloud Tasks emulator over gRPC.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=from_zero, default=0, help="0: any free one, printed on the first line")
    parser.add_argument("--path", type=Path, help="SQLite file that keeps tasks over a restart")
    parser.add_argument("--min-backoff", type=duration, default=QueueConfig().min_backoff, help="seconds")
    parser.add_argument("--max-backoff", type=duration, default=QueueConfig().max_backoff, help="seconds")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
