"""``make admin STACK=…``: the tool is told where the stack's store and queues are, and nothing of a sandbox."""

import json
import sys
from pathlib import Path

import pytest

from tests.infra.operations.fake_machine import Machine

OUTPUTS = {
    "processorUrl": "https://dm-processor-1.run.app",
    "database": "dm-agent",
    "queue": "dm-processing",
    "alertsQueue": "dm-alerts",
    "tasksInvoker": "dm-tasks@club-dms-test.iam.gserviceaccount.com",
}
TELLS = """import json, os, sys
print(json.dumps({"arguments": sys.argv[1:], "environment": dict(os.environ)}))
"""


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the place of Python: says what it was given."""
    script, tells = tmp_path / "python", tmp_path / "tells.py"
    tells.write_text(TELLS)
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tells}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(script))
    return script


@pytest.mark.usefixtures("tool")
def test_the_tool_gets_its_arguments_and_the_stacks_places(
    machine: Machine, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.says("pulumi", "^stack output", json.dumps(OUTPUTS))
    monkeypatch.setenv("STORE_URL", "sqlite:////tmp/sandbox.db")
    run = machine.run("admin", "--stack", "dev", "--", "threads", "--search", "@ana")

    assert run.code == 0, run.output
    told = json.loads(capfd.readouterr().out)
    assert told["arguments"] == ["-m", "dm_admin", "threads", "--search", "@ana"]
    environment = told["environment"]
    assert "STORE_URL" not in environment
    assert environment["GOOGLE_CLOUD_PROJECT"] == "club-dms-test"
    assert environment["FIRESTORE_DATABASE"] == "dm-agent"
    assert environment["PROCESS_MESSAGE_URL"] == "https://dm-processor-1.run.app"
    assert environment["TASKS_INVOKER_EMAIL"] == OUTPUTS["tasksInvoker"]
    assert (environment["CLOUD_TASKS_QUEUE"], environment["ALERTS_QUEUE"]) == ("dm-processing", "dm-alerts")
    assert environment["QUEUE_SHARDS"] == "1"
    assert environment["PATH"] == str(machine.folder / "bin")


@pytest.mark.usefixtures("tool")
def test_threads_are_sampled_from_the_stacks_own_database(
    machine: Machine, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.says("pulumi", "^stack output", json.dumps(OUTPUTS))
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:9")
    run = machine.run("scenarios", "--stack", "dev", "--", "--since", "7d", "--sample", "5")

    assert run.code == 0, run.output
    told = json.loads(capfd.readouterr().out)
    start = ["-m", "dm_evals", "scenarios-from", "--store-url", "firestore:"]
    assert told["arguments"] == [*start, "--since", "7d", "--sample", "5"]
    environment = told["environment"]
    assert "FIRESTORE_EMULATOR_HOST" not in environment
    assert (environment["GOOGLE_CLOUD_PROJECT"], environment["FIRESTORE_DATABASE"]) == ("club-dms-test", "dm-agent")


@pytest.mark.parametrize("command", ["admin", "scenarios"])
def test_a_stack_that_is_not_deployed_is_one_line(machine: Machine, command: str) -> None:
    machine.says("pulumi", "^stack output", "{}")
    run = machine.run(command, "--stack", "dev", "--", "threads")

    assert run.code == 1
    assert run.output.strip() == (
        f"{command}: stack dev is not deployed, or its outputs can't be read. Run: make doctor STACK=dev"
    )
