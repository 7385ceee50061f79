"""How the studio does on this machine: ``python -m tests.e2e.measure`` [ROUNDS].

start      seconds of make dev until the page is served, and what they went into; seconds of CPU
latency    from a function's log line to the frame that shows it, in ms, while six people write at once
memory     of the page (after a collection) and of the studio's process, with 10,000 events and without
"""

import resource
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from playwright.sync_api import Browser, Page, expect

from tests.chromium import chromium
from tests.e2e.conftest import Dev, Studio

EVENTS: Final = 10_000
PEOPLE: Final = 6
QUESTIONS: Final = ("how much is it to join?", "where do I park?", "how do I find you?")
MIB: Final = 1024 * 1024


def main() -> int:
    """Entry point."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as folder, chromium(_missing) as browser:
        _start(Path(folder), rounds)
        _latency(Path(folder) / "latency", browser)
        bare, full = (_memory(Path(folder) / f"memory{number}", browser, number) for number in (0, EVENTS))
    for what, before, after in zip(("the page's heap", "the studio's process"), bare, full, strict=True):
        print(f"memory     {what}: {after / MIB:.0f} MiB with {EVENTS} events, {before / MIB:.0f} MiB without")
    return 0


def _missing(hint: str) -> NoReturn:
    sys.exit(hint)


def _start(folder: Path, rounds: int) -> None:
    found: list[tuple[float, float]] = []
    cpu = _cpu()
    for number in range(rounds):
        dev = _dev(folder / f"start{number}")
        with ThreadPoolExecutor(1) as pool:
            begun, ready = time.monotonic(), pool.submit(dev.start)
            while not (dev.log.exists() and "starting the functions" in dev.log.read_text()) and not ready.done():
                time.sleep(0.01)
            found.append((time.monotonic() - begun, ready.result()))
        dev.stop()
    cpu = (_cpu() - cpu) / rounds
    loaded, ready = (statistics.median(each) for each in zip(*found, strict=True))
    print(
        f"start      {ready:.1f} s, median of {rounds}: {loaded:.1f} s until the studio is loaded, then the functions"
    )
    print(f"           {cpu:.1f} s of CPU, with its end")


def _cpu() -> float:
    """Seconds of every process that was started here and has ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _latency(folder: Path, browser: Browser) -> None:
    dev = _dev(folder)
    dev.start()
    studio = Studio(browser.new_page(viewport={"width": 1600, "height": 1000}), dev.url)
    for number in range(PEOPLE):
        studio.meet(f"Person {number}")
    studio.page.evaluate("() => { window.studio.latencies.length = 0; }")
    for question in QUESTIONS:
        for number in range(PEOPLE):
            studio.person(f"Person {number}").click()
            studio.says(question)
        time.sleep(6)
    studio.expect_replies(len(QUESTIONS))
    time.sleep(2)
    found = sorted(cast("list[float]", studio.page.evaluate("() => window.studio.latencies")))
    studio.page.close()
    dev.stop()
    cuts = statistics.quantiles(found, n=100)
    print(
        f"latency    p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms, longest {found[-1]:.0f} ms, over {len(found)} events"
    )


def _memory(folder: Path, browser: Browser, events: int) -> tuple[float, float]:
    """Bytes of the page's heap and of the process, shown and at rest."""
    dev = _dev(folder)
    dev.keep_events(events)
    dev.start()
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    studio = Studio(page, dev.url)
    studio.meet("Somebody")
    expect(page.locator("#count")).to_contain_text(" events")
    time.sleep(2)
    heap, own = _heap(page), _resident(dev.pid)
    page.close()
    dev.stop()
    return heap, own


def _heap(page: Page) -> float:
    session = cast("Any", page.context.new_cdp_session(page))
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"])


def _resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) * 1024


def _dev(folder: Path) -> Dev:
    folder.mkdir()
    return Dev(folder)


if __name__ == "__main__":
    sys.exit(main())
