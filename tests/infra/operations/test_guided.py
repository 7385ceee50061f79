"""``make deploy``: from nothing to the first /health, whatever was done already."""

import json
from pathlib import Path

import pytest

from operations import smoke
from tests.infra.operations.deployed import SECRET, Deployed, serving
from tests.infra.operations.fake_machine import GOOD, Machine
from variables import ALL_SECRETS, secret_id

UNPINNED = {key: value for key, value in GOOD.items() if key != "dm-agent:secretVersions"}
NAMES = tuple(ALL_SECRETS)
LOCK = "gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k"
CONTAINERS = "\n".join(secret_id("dm", name) for name in NAMES)


@pytest.fixture
def fresh(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A project with nothing of ours in it, and a configured stack."""
    monkeypatch.setattr(smoke, "PAUSE_SECONDS", 0.0)
    machine.configured(UNPINNED)
    machine.says("pulumi", "^stack output", "{}")
    machine.says("gcloud", "^secrets list", "")
    machine.says("gcloud", "^secrets versions list", "")
    machine.says("gcloud", "^firestore databases", code=1, error="ERROR: NOT_FOUND")
    return machine


def values(folder: Path) -> Path:
    file = folder / "values.env"
    file.write_text("".join(f"{name}=value-of-{name}\n" for name in NAMES[:7]))
    file.chmod(0o600)
    return file


def words(machine: Machine, start: str) -> list[str]:
    return [call.words for call in machine.calls() if call.words.startswith(start)]


def test_nothing_is_made_before_everything_that_must_be_there_is(fresh: Machine) -> None:
    fresh.says("gcloud", "^billing projects", "False\n")

    run = fresh.run("deploy", "--stack", "dev", "--yes")

    assert run.code == 1
    assert "gcloud billing projects link" in run.output
    assert words(fresh, "pulumi up") == []


def test_a_stack_is_made_with_its_lock(fresh: Machine) -> None:
    fresh.says("pulumi", "^stack ls", "[]")

    refused = fresh.run("deploy", "--stack", "dev")
    fresh.run("deploy", "--stack", "dev", "--lock", LOCK)

    assert refused.code == 1
    assert "nothing says what locks it" in refused.output
    assert words(fresh, "pulumi stack init") == [f"pulumi stack init dev --secrets-provider {LOCK} --non-interactive"]


def test_from_nothing_the_containers_come_first_and_then_their_values(fresh: Machine, tmp_path: Path) -> None:
    """gcloud goes on saying that no version is there, so it stops after the values, with what to do."""
    fresh.adds_versions(1)

    run = fresh.run("deploy", "--stack", "dev", "--yes", "--from-file", str(values(tmp_path)))

    order = words(fresh, "pulumi ")
    made = order.index("pulumi config set dm-agent:secretsOnly true --stack dev --non-interactive")
    assert order.index("pulumi up --stack dev --yes") == made + 1
    assert len(fresh.calls("secrets versions add")) == 7
    assert run.code == 1
    assert "still without a value" in run.output
    assert "value-of-" not in run.output


def test_with_values_there_it_pins_them_deploys_and_says_what_to_enter(fresh: Machine) -> None:
    fresh.says("gcloud", "^secrets list", CONTAINERS)
    fresh.says("gcloud", "^secrets versions list", "projects/1/secrets/s/versions/3\n")
    fresh.says("gcloud", "^secrets versions access", SECRET)
    with serving(Deployed()) as url:
        # As the stack answers once it is deployed: the outputs are there, and the pins that were written.
        after = fresh.folder / "deployed"
        deployed = f"[ -e {after} ] && printf %s '{json.dumps({'webhookUrl': url})}' || printf %s '{{}}'; exit 0"
        fresh.rules["pulumi"].insert(0, f"'stack output'*) {deployed} ;;")
        pinned = {**GOOD, "dm-agent:secretVersions": json.dumps(dict.fromkeys(NAMES, "3"))}
        entries = json.dumps({key: {"value": value, "secret": False} for key, value in pinned.items()})
        fresh.rules["pulumi"].insert(0, f"'config rm'*) /bin/touch {after}; exit 0 ;;")
        unpinned = json.dumps({key: {"value": value, "secret": False} for key, value in UNPINNED.items()})
        say = f"[ -e {after} ] && printf %s '{entries}' || printf %s '{unpinned}'; exit 0"
        fresh.rules["pulumi"].insert(0, f"'config --json'*) {say} ;;")
        fresh.says("pulumi", "^nothing", "")  # writes the script anew
        run = fresh.run("deploy", "--stack", "dev", "--yes")

    assert run.code == 0, run.output
    pins = [call for call in words(fresh, "pulumi config set") if "secretVersions" in call]
    assert sorted(call.split()[3].rpartition(".")[2] for call in pins) == sorted(NAMES)
    assert {call.split()[4] for call in pins} == {"3"}
    assert "pulumi config rm dm-agent:secretsOnly --stack dev --non-interactive" in words(fresh, "pulumi config rm")
    assert words(fresh, "pulumi up") == ["pulumi up --stack dev --yes"]
    assert f"callback URL     {url}/whatsapp" in run.output
    assert f"data deletion    {url}/data-deletion" in run.output
    assert SECRET not in run.output


def test_a_database_that_somebody_else_made_is_named_before_anything_is_made(fresh: Machine) -> None:
    fresh.says("gcloud", "^firestore databases", "name: projects/p/databases/dm-agent\n")

    run = fresh.run("deploy", "--stack", "dev", "--yes")

    assert run.code == 1
    assert "dm-agent exists already and is not this stack's" in run.output
    assert words(fresh, "pulumi up") == []
