"""``make preview``, ``up`` and ``down``: what is missing is said in one line before Pulumi starts."""

import json

import pytest

from tests.infra.operations.fake_machine import GOOD, Machine


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["preview"], "pulumi preview --stack dev"),
        (["preview", "--policies"], "pulumi preview --stack dev --policy-pack policy"),
        (["up", "--yes"], "pulumi up --stack dev --yes"),
        (["down"], "pulumi destroy --stack dev"),
    ],
)
def test_a_ready_stack_is_handed_to_pulumi(machine: Machine, command: list[str], expected: str) -> None:
    run = machine.run(*command, "--stack", "dev")

    assert run.code == 0, run.output
    assert machine.calls()[-1].words == expected


def test_a_preview_can_be_kept_in_a_file(machine: Machine) -> None:
    machine.says("pulumi", "^preview", "+ 3 to create\n", code=3, error="error: one\n")
    file = machine.folder / "preview.txt"

    run = machine.run("preview", "--stack", "dev", "--into", str(file))

    assert run.code == 3
    assert file.read_text() == "+ 3 to create\nerror: one\n"
    assert "+ 3 to create" in run.output


def test_pulumis_own_failure_is_our_exit_code_with_what_to_do(machine: Machine) -> None:
    machine.says("pulumi", "^up", code=255, error="error: update failed")

    run = machine.run("up", "--stack", "dev")

    assert run.code == 255
    assert "run the same command again" in run.output


@pytest.mark.parametrize("command", ["preview", "up", "down"])
@pytest.mark.parametrize(
    ("words", "answer", "said"),
    [
        ("^whoami", {"code": 255, "error": "error: none"}, "pulumi login: not logged in"),
        ("^stack ls", {"out": "[]"}, "stack: dev does not exist"),
        ("^version", {"code": 1}, "pulumi: does not start"),
    ],
)
def test_what_is_missing_stops_it_before_pulumi_starts(
    machine: Machine, command: str, words: str, answer: dict[str, object], said: str
) -> None:
    machine.says("pulumi", words, **answer)  # pyright: ignore[reportArgumentType]

    run = machine.run(command, "--stack", "dev")

    assert run.code == 1
    assert said in run.output
    assert "Run: " in run.output
    assert len(run.output.strip().splitlines()) == 1
    assert machine.calls("--stack dev --") == machine.calls(f"pulumi {command} ") == []


def test_no_pulumi_is_one_line_and_the_command_to_install_it(machine: Machine) -> None:
    machine.lacks("pulumi")

    run = machine.run("up", "--stack", "dev")

    assert run.code == 1
    assert run.output == "up: pulumi: is not installed. Run: curl -fsSL https://get.pulumi.com | sh\n"


def test_down_refuses_a_stack_whose_data_is_protected(machine: Machine) -> None:
    machine.configured({key: value for key, value in GOOD.items() if key != "dm-agent:protectData"})

    run = machine.run("down", "--stack", "dev", "--yes")

    assert run.code == 1
    assert "pulumi config set dm-agent:protectData false --stack dev" in run.output
    assert machine.calls("pulumi destroy") == []


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("dm-agent:region", "europe-west1", "pulumi config set dm-agent:region europe-west2 --stack dev"),
        ("dm-agent:prefix", "club", "pulumi config set dm-agent:prefix dm --stack dev"),
        ("gcp:project", "club-dms-two", "pulumi config set gcp:project club-dms-test --stack dev"),
    ],
)
def test_up_moves_and_renames_nothing_that_runs(machine: Machine, key: str, value: str, said: str) -> None:
    """Google would refuse the half of it, in the middle, and delete queues and secrets with the rest."""
    outputs = {
        "webhookUrl": "https://dm-webhook-123456789012.europe-west2.run.app",
        "tasksInvoker": "dm-tasks@club-dms-test.iam.gserviceaccount.com",
    }
    machine.says("pulumi", "^stack output", json.dumps(outputs))
    same = machine.run("up", "--stack", "dev", "--yes")
    machine.configured({**GOOD, key: value})
    moved = machine.run("up", "--stack", "dev", "--yes")

    assert (same.code, moved.code) == (0, 1), same.output + moved.output
    assert said in moved.output and "docs/deploy.md#moving-a-region" in moved.output
    assert len(machine.calls("pulumi up")) == 1


@pytest.mark.parametrize(("key", "queue"), [("existingQueue", "queue"), ("existingAlertsQueue", "alerts-queue")])
def test_up_gives_no_queue_away_that_the_stack_made(machine: Machine, key: str, queue: str) -> None:
    """It would be deleted with what waits in it, and nobody could have its name for days."""
    machine.says("pulumi", "^stack output", '{"webhookUrl": "https://dm-webhook-123456789012.europe-west2.run.app"}')
    machine.configured({**GOOD, f"dm-agent:{key}": "true"})
    others = machine.run("up", "--stack", "dev", "--yes")
    urn = f"urn:pulumi:dev::dm-agent::dmagent:gcp:WorkQueue$gcp:cloudtasks/queue:Queue::{queue}"
    machine.says("pulumi", "^stack --show-urns", f"    gcp:cloudtasks/queue:Queue  {queue}\n      URN: {urn}\n")
    own = machine.run("up", "--stack", "dev", "--yes")

    assert (others.code, own.code) == (0, 1), others.output + own.output
    assert f"cd infra && pulumi config rm dm-agent:{key} --stack dev" in own.output
    assert len(machine.calls("pulumi up")) == 1


def test_up_does_not_reduce_what_runs_to_its_secrets(machine: Machine) -> None:
    """Also where the program would not see it, because the function has another name or region now."""
    machine.configured({**GOOD, "dm-agent:secretsOnly": "true", "dm-agent:webhookName": "another-name"})
    machine.says("pulumi", "^stack output", '{"webhookUrl": "https://dm-webhook.example"}')

    run = machine.run("up", "--stack", "dev", "--yes")

    assert run.code == 1
    assert "pulumi config rm dm-agent:secretsOnly --stack dev" in run.output
    assert machine.calls("pulumi up") == []


def test_down_says_what_is_gone_and_what_can_not_be_made_again_at_once(machine: Machine) -> None:
    machine.configured({**GOOD, "dm-agent:queueShards": "2"})

    run = machine.run("down", "--stack", "dev", "--yes")

    assert run.code == 0, run.output
    assert "gone too: the secrets' values. make deploy STACK=dev asks for them anew" in run.output
    assert "blocked for up to 3 days: the queues' names dm-processing, dm-processing-1, dm-alerts" in run.output
    assert "docs/deploy.md#teardown" in run.output


def test_down_says_nothing_of_queues_that_are_another_stacks(machine: Machine) -> None:
    machine.configured({**GOOD, "dm-agent:existingQueue": "true", "dm-agent:existingAlertsQueue": "true"})

    assert "blocked" not in machine.run("down", "--stack", "dev", "--yes").output


def test_down_of_a_protected_production_stack_points_to_the_page(machine: Machine) -> None:
    machine.configured({key: value for key, value in GOOD.items() if key != "dm-agent:protectData"})

    run = machine.run("down", "--stack", "prod")

    assert run.code == 1
    assert "docs/deploy.md#teardown" in run.output
    assert machine.calls("pulumi destroy") == []


def test_a_configuration_with_problems_stops_it_and_names_them(machine: Machine) -> None:
    machine.configured({"gcp:project": "club-dms"})

    run = machine.run("up", "--stack", "dev")

    assert run.code == 1
    assert "dm-agent:region is missing" in run.output
    assert machine.calls("pulumi up") == []


@pytest.mark.parametrize("stack", ["", "a b", "dev;ls", "../dev/x/y"])
def test_a_name_that_is_no_stack_is_refused(machine: Machine, stack: str) -> None:
    run = machine.run("up", f"--stack={stack}")

    assert run.code == 1
    assert "a stack's name" in run.output
    assert machine.calls() == []


def test_pulumi_finds_the_workspaces_own_uv(machine: Machine) -> None:
    machine.run("preview", "--stack", "dev")

    assert machine.calls("pulumi preview")[0].path.endswith("/.tools/uv/bin")
