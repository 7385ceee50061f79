"""The emulator as a child process: found, started, and never left behind."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dm_sandbox.firestore_emulator import EmulatorUnavailable, find_emulator, firestore_emulator

# Stands in for the emulator: answers HTTP on the port it is told, in a child process as Java is.
FAKE = """#!/bin/sh
for word in "$@"; do case "$word" in --port=*) port="${word#--port=}";; esac; done
"%s" -m http.server --bind 127.0.0.1 "$port"
"""
OWNER = """
import time
from dm_sandbox.firestore_emulator import firestore_emulator
with firestore_emulator() as host:
    print(host, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    script = tmp_path / "cloud_firestore_emulator"
    script.write_text(FAKE % sys.executable)
    script.chmod(0o755)
    monkeypatch.setenv("CLOUD_FIRESTORE_EMULATOR", str(script))
    return script


def listeners(host: str) -> list[psutil.Process]:
    """Processes that were started for this port."""
    port = f"--port={host.rsplit(':', 1)[1]}"
    return [process for process in psutil.process_iter(["cmdline"]) if port in (process.info["cmdline"] or [])]


def wait_until_gone(processes: list[psutil.Process]) -> None:
    assert processes
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert not alive


def test_a_missing_emulator_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CLOUD_FIRESTORE_EMULATOR", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(EmulatorUnavailable, match="gcloud components install cloud-firestore-emulator"):
        find_emulator()


def test_a_script_that_fails_is_reported_with_its_last_words(fake: Path) -> None:
    fake.write_text("#!/bin/sh\necho no java here\nexit 1\n")

    with pytest.raises(EmulatorUnavailable, match="no java here"), firestore_emulator():
        pass


def test_one_that_lost_a_port_while_it_started_is_started_once_more(fake: Path, tmp_path: Path) -> None:
    been = tmp_path / "been"
    lost = f"[ -e {been} ] || {{ touch {been}; echo java.net.BindException: Address already in use; exit 1; }}\n"
    first, _, rest = fake.read_text().partition("\n")
    fake.write_text(f"{first}\n{lost}{rest}")

    with firestore_emulator() as host:
        assert listeners(host)


def test_leaving_the_block_ends_the_whole_process_group(fake: Path) -> None:
    with firestore_emulator() as host:
        started = listeners(host)

    wait_until_gone(started)


async def test_it_is_an_asynchronous_context_manager_too(fake: Path) -> None:
    async with firestore_emulator() as host:
        started = listeners(host)

    wait_until_gone(started)


def test_an_owner_that_is_killed_takes_the_emulator_with_it(fake: Path) -> None:
    command = [sys.executable, "-c", OWNER]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ)  # noqa: S603 - our own words
    assert owner.stdout is not None
    host = owner.stdout.readline().decode().strip()
    started = listeners(host)

    owner.kill()
    owner.wait()
    owner.stdout.close()

    wait_until_gone(started)
