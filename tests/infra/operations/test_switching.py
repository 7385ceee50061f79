"""``make switch``: what stands in the way is said before the state is touched, and the way back after."""

import json

import pytest

from tests.infra.operations.fake_machine import Machine

NEW = {"name": "projects/p/databases/dm-agent-2", "locationId": "europe-west2", "type": "FIRESTORE_NATIVE"}
DATABASE_URN = "urn:pulumi:dev::dm-agent::dmagent:gcp:EventStore$gcp:firestore/database:Database::database"
SCHEDULE_URN = "urn:pulumi:dev::dm-agent::dmagent:gcp:EventStore$gcp:firestore/backupSchedule:BackupSchedule::daily"
STATE = {
    "version": 3,
    "deployment": {
        "resources": [
            {
                "urn": DATABASE_URN,
                "type": "gcp:firestore/database:Database",
                "id": "projects/p/databases/dm-agent",
                "inputs": {"name": "dm-agent"},
                "outputs": {"name": "dm-agent"},
            },
            {
                "urn": SCHEDULE_URN,
                "type": "gcp:firestore/backupSchedule:BackupSchedule",
                "id": "projects/p/databases/dm-agent/backupSchedules/1",
                "inputs": {"database": "dm-agent"},
            },
            {"urn": "urn:other", "type": "x", "dependencies": [DATABASE_URN, SCHEDULE_URN]},
        ]
    },
}


@pytest.fixture
def deployed(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr("operations.switching.KEPT", machine.folder / "kept")
    machine.says("gcloud", "^firestore databases describe --database=dm-agent-2", json.dumps(NEW))
    machine.says("gcloud", "^firestore indexes composite list", "[]")
    machine.says("pulumi", "^stack export", json.dumps(STATE))
    return machine


def changing(machine: Machine) -> list[str]:
    return [
        call.words for call in machine.calls() if call.words.split()[1:3] in (["stack", "import"], ["config", "set"])
    ]


def test_the_state_the_configuration_and_then_what_is_there(deployed: Machine) -> None:
    run = deployed.run("switch", "--stack", "dev", "--database", "dm-agent-2")

    kept = deployed.folder / "kept"
    assert run.code == 0, run.output
    assert [call.words for call in deployed.calls("pulumi")][-3:] == [
        f"pulumi stack import --stack dev --file {kept / 'dev-after-switch.json'} --non-interactive",
        "pulumi config set dm-agent:databaseName dm-agent-2 --stack dev --non-interactive",
        f"pulumi refresh --yes --stack dev --target {DATABASE_URN} --non-interactive",
    ]
    assert json.loads((kept / "dev-before-switch.json").read_text()) == STATE
    database, other = json.loads((kept / "dev-after-switch.json").read_text())["deployment"]["resources"]
    assert (database["id"], database["inputs"]["name"]) == ("projects/p/databases/dm-agent-2", "dm-agent-2")
    assert other["dependencies"] == [DATABASE_URN]
    assert [file.stat().st_mode & 0o077 for file in kept.iterdir()] == [0, 0]


@pytest.mark.parametrize(
    ("words", "answer", "said"),
    [
        ("^firestore databases", {"out": json.dumps({**NEW, "locationId": "eur3"})}, "a location is final"),
        ("^firestore databases", {"out": json.dumps({**NEW, "type": "DATASTORE_MODE"})}, "not FIRESTORE_NATIVE"),
        ("^firestore databases", {"code": 1, "error": "ERROR: NOT_FOUND"}, "can't be read (ERROR: NOT_FOUND)"),
        ("^firestore indexes", {"code": 1, "error": "ERROR: denied"}, "the indexes of dm-agent-2 can't be read"),
    ],
)
def test_what_can_not_take_over_is_refused_with_nothing_changed(
    deployed: Machine, words: str, answer: dict[str, object], said: str
) -> None:
    deployed.says("gcloud", words, **answer)  # pyright: ignore[reportArgumentType]

    run = deployed.run("switch", "--stack", "dev", "--database", "dm-agent-2")

    assert run.code == 1
    assert said in run.output
    assert changing(deployed) == []


def test_the_stacks_own_database_is_nothing_to_switch_to(deployed: Machine) -> None:
    run = deployed.run("switch", "--stack", "dev", "--database", "dm-agent")

    assert run.code == 1
    assert "is the stack's database already" in run.output
    assert changing(deployed) == []


def test_a_step_that_failed_says_the_way_back(deployed: Machine) -> None:
    deployed.says("pulumi", "^refresh", code=255)

    run = deployed.run("switch", "--stack", "dev", "--database", "dm-agent-2")

    assert run.code == 1
    assert "`pulumi refresh --yes` failed" in run.output
    assert f"pulumi stack import --stack dev --file {deployed.folder / 'kept' / 'dev-before-switch.json'}" in run.output
