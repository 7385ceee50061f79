"""How an agent under test is driven: the job as one line of JSON on stdin, then numbers of conversations, one a line.

Each is answered with the CPU seconds that so many conversations took, one after the other, and the resident bytes after
them. The job's tools are the same everywhere: the sessions are looked up, and what is sent is counted.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

SESSIONS = [
    {"title": "Nets", "starts": "2026-12-01T18:00", "place": "Sports Hall", "free_places": 4},
    {"title": "Nets", "starts": "2026-12-08T18:00", "place": "Sports Hall", "free_places": 9},
]


@dataclass(slots=True)
class Job:
    """The model's address and key, its instructions, and what the person writes. ``sent`` counts replies."""

    base_url: str
    api_key: str
    model: str
    system: str
    text: str
    sent: int = 0

    def get_net_session_dates(self, days_ahead: int) -> dict[str, object]:
        """The next net sessions of the club.

        Args:
            days_ahead: How many days to look ahead.
        """
        return {"days_ahead": days_ahead, "sessions": SESSIONS}

    def send_instagram_message(self, text: str) -> dict[str, object]:
        """Send a message to the person you are talking with.

        Args:
            text: What to send.
        """
        self.sent += bool(text)
        return {"status": "sent"}


def serve(make: Callable[[Job], Callable[[], Awaitable[object]]]) -> None:
    """Run what ``make`` makes of the job, as often as stdin says. Ends with stdin; raises if a reply is missing."""
    job = Job(**json.loads(sys.stdin.readline()))
    asyncio.run(_serve(job, make))


async def _serve(job: Job, make: Callable[[Job], Callable[[], Awaitable[object]]]) -> None:
    converse, loop = make(job), asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        before, begun = job.sent, time.process_time()
        for _ in range(int(line)):
            await converse()
        cpu = time.process_time() - begun
        if job.sent - before != int(line):
            raise RuntimeError(f"{line.strip()} conversations got {job.sent - before} replies")
        print(json.dumps({"cpu": cpu, "memory": _resident()}), flush=True)


def _resident() -> int:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    return 0
