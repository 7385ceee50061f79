"""``make doctor``: each thing that can be missing has its line and the command that mends it."""

import json
import re
import time
from pathlib import Path

import pytest

from components.project_apis import BASE
from operations import checks
from operations.checks import OLDEST
from operations.policies import ACCOUNTS, DOMAINS, INGRESS, KEYS, LOCATIONS, MEMBERS, NEEDED, USAGE
from operations.running import TIMED_OUT, ask
from tests.infra.operations.fake_machine import GOOD, ROOT, Machine

NAMED_MEMBERS = json.dumps(
    {"spec": {"rules": [{"enforce": True, "parameters": {"allowedPrincipalSets": ["//cloudresourcemanager/1"]}}]}}
)


def test_a_machine_with_everything_is_ready(machine: Machine) -> None:
    run = machine.run("doctor", "--stack", "dev")

    assert run.code == 0, run.output
    assert run.output.count("OK ") == 20
    assert "PROBLEM" not in run.output
    assert "project: club-dms-test, number 123456789012\n" in run.output
    assert run.output.endswith("ready: make preview STACK=dev\n")


PROBLEMS: list[tuple[str, str, dict[str, object], str, str]] = [
    ("uv", "--version", {"out": "uv 0.4.1"}, "uv: 0.4.1 is too old", "make setup"),
    ("pulumi", "^version", {"out": "v3.206.9"}, "pulumi: 3.206.9 is too old, 3.207.0 is needed", "get.pulumi.com"),
    (
        "gcloud",
        "--version",
        {"code": 1, "error": "ERROR: no Python"},
        "gcloud: does not start: ERROR",
        "sdk/docs",
    ),
    ("pulumi", "^whoami", {"code": 255, "error": "error: not logged in"}, "not logged in", "pulumi login gs://"),
    ("pulumi", "^stack ls", {"out": "[]"}, "stack: dev does not exist", "pulumi stack init dev"),
    ("pulumi", "^stack ls", {"out": "?"}, "can't be read", "pulumi stack ls"),
    ("pulumi", "^config --json", {"code": 1, "error": "error: no stack"}, "can't be read (error: no stack)", "config"),
    ("gcloud", "^auth list", {"out": ""}, "gcloud login: nobody is logged in", "gcloud auth login"),
    ("gcloud", "print-access-token", {"code": 1}, "default credentials: there are none", "application-default login"),
    (
        "gcloud",
        "^projects",
        {"code": 1, "error": "ERROR: denied"},
        "can't be reached (ERROR: denied)",
        "create",
    ),
    ("gcloud", "^projects", {"out": '{"lifecycleState": "DELETE_REQUESTED"}'}, "DELETE_REQUESTED", "undelete"),
    ("gcloud", "^billing", {"out": "False\n"}, "no billing account", "billing projects link club-dms-test"),
    ("gcloud", "^services", {"out": "serviceusage.googleapis.com"}, "off: cloudresourcemanager", "services enable"),
    ("gcloud", DOMAINS, {"out": '{"listPolicy": {"allowedValues": ["C01"]}}'}, "own domains only", "public false"),
    ("gcloud", DOMAINS, {"out": '{"listPolicy": {"allValues": "DENY"}}'}, "own domains", "public false"),
    ("gcloud", MEMBERS, {"out": NAMED_MEMBERS}, "own domains only", "public false"),
    (
        "gcloud",
        ACCOUNTS,
        {"out": '{"booleanPolicy": {"enforced": true}}'},
        "service accounts can't be made",
        "org-policies disable-enforce constraints/iam.disableServiceAccountCreation",
    ),
    (
        "gcloud",
        LOCATIONS,
        {"out": '{"listPolicy": {"allowedValues": ["in:us-locations", "europe-west1"]}}'},
        "nothing may be in europe-west2",
        "pulumi config set dm-agent:region ANOTHER",
    ),
    (
        "gcloud",
        INGRESS,
        {"out": '{"listPolicy": {"allowedValues": ["internal"]}}'},
        "may not be reached from the internet",
        "org-policies allow constraints/run.allowedIngress all",
    ),
    (
        "gcloud",
        KEYS,
        {"out": '{"listPolicy": {"deniedValues": ["is:bigquery.googleapis.com", "is:firestore.googleapis.com"]}}'},
        "organisation: firestore may only be used with a key of one's own (gcp.restrictNonCmekServices)",
        "org-policies describe constraints/gcp.restrictNonCmekServices --project=club-dms-test --effective",
    ),
    (
        "gcloud",
        USAGE,
        {"out": '{"listPolicy": {"deniedValues": ["cloudtasks.googleapis.com", "compute.googleapis.com"]}}'},
        "organisation: cloudtasks may not be used (gcp.restrictServiceUsage)",
        "org-policies describe constraints/gcp.restrictServiceUsage --project=club-dms-test --effective",
    ),
    (
        "gcloud",
        "^firestore databases",
        {"out": "projects/p/databases/dm-agent"},
        "dm-agent exists already and is not this stack's",
        "pulumi config set dm-agent:databaseName ANOTHER",
    ),
    (
        "gcloud",
        "^secrets versions list dm-instagram-app-secret ",
        {"out": "projects/1/secrets/x/versions/2\tENABLED\nprojects/1/secrets/x/versions/1\tDISABLED\n"},
        "secrets: INSTAGRAM_APP_SECRET: version 1 is disabled",
        "gcloud secrets versions enable 1 --secret=dm-instagram-app-secret --project=club-dms-test",
    ),
    (
        "gcloud",
        "^secrets versions list dm-gemini-api-key ",
        {"out": "15  enabled\n3  destroyed\n"},
        "secrets: GEMINI_API_KEY: version 5 is not there",
        "make secrets STACK=dev NAMES=GEMINI_API_KEY PIN=1",
    ),
    ("gcloud", "tasks locations", {"out": "us-central1\n"}, "europe-west2 offers", "dm-agent:region ANOTHER"),
    (
        "gcloud",
        "^secrets list",
        {"out": "dm-instagram-app-secret\ndm-instagram-verify-token\n"},
        "containers: versions are pinned of secrets that this project has not: dm-gemini-api-key, dm-instagram-access",
        "make deploy STACK=dev",
    ),
]


@pytest.mark.parametrize(("tool", "words", "answer", "said", "mend"), PROBLEMS)
def test_each_problem_has_one_line_and_a_command(
    machine: Machine, tool: str, words: str, answer: dict[str, object], said: str, mend: str
) -> None:
    machine.says(tool, words, **answer)  # pyright: ignore[reportArgumentType]

    run = machine.run("doctor", "--stack", "dev")

    assert run.code == 1
    bad = re.search(r"^PROBLEM (.+)\n    run: (.+)$", run.output, re.MULTILINE)
    assert bad is not None, run.output
    assert said in bad[1]
    assert mend in bad[2]
    assert run.output.count("PROBLEM") == 1
    assert "1 to fix" in run.output


@pytest.mark.parametrize("tool", ["pulumi", "gcloud"])
def test_a_missing_tool_is_said_and_what_rests_on_it_is_not_asked(machine: Machine, tool: str) -> None:
    machine.lacks(tool)

    run = machine.run("doctor", "--stack", "dev")

    assert run.code == 1
    assert f"PROBLEM {tool}: is not installed" in run.output
    assert "Traceback" not in run.output


def test_every_malformed_key_is_named_at_once(machine: Machine) -> None:
    machine.configured({**GOOD, "dm-agent:region": "europe-west9", "dm-agent:managerWhatsappNumber": "none"})

    run = machine.run("doctor", "--stack", "dev")

    assert run.code == 1
    assert "configuration: 2 to fix" in run.output
    assert "pulumi config set dm-agent:region" in run.output
    assert "pulumi config set dm-agent:managerWhatsappNumber" in run.output


def test_a_number_of_another_project_is_named(machine: Machine) -> None:
    """It is part of the processor's address: every wake-up would be sent to somebody else's."""
    machine.configured({**GOOD, "dm-agent:projectNumber": "210987654321"})

    run = machine.run("doctor", "--stack", "dev")

    assert run.code == 1
    assert "PROBLEM project: club-dms-test has the number 123456789012, dm-agent:projectNumber is another" in run.output
    assert "run: pulumi config set dm-agent:projectNumber 123456789012 --stack dev" in run.output


def test_versions_pinned_in_another_project_are_named_before_its_service_is_on(machine: Machine) -> None:
    machine.says("gcloud", "^secrets list", code=1, error="ERROR: (gcloud.secrets.list) PERMISSION_DENIED: API is off")
    machine.says("gcloud", "^services list", "cloudresourcemanager.googleapis.com\nserviceusage.googleapis.com\n")
    before = machine.run("doctor", "--stack", "dev")
    machine.configured({**GOOD, "dm-agent:secretsOnly": "true"})
    first = machine.run("doctor", "--stack", "dev")

    assert "PROBLEM containers: versions are pinned" in before.output
    assert first.code == 0, first.output


def test_an_empty_passphrase_is_one_and_a_file_that_is_not_there_is_none(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def locked(_: str) -> bool:
        return True

    monkeypatch.setattr(checks, "passphrase_needed", locked)
    found: list[checks.Finding] = []
    for name, value in (("", ""), ("_FILE", str(tmp_path / "none")), ("_FILE", ""), ("_FILE", __file__)):
        monkeypatch.setenv(f"PULUMI_CONFIG_PASSPHRASE{name}", value)
        found.append(checks.passphrase(checks.Context("dev")))
        monkeypatch.delenv(f"PULUMI_CONFIG_PASSPHRASE{name}")
    found.append(checks.passphrase(checks.Context("dev")))

    assert [finding.good for finding in found] == [True, False, False, True, False]
    assert found[0].said == "set, to an empty one"
    assert "is not a file" in found[1].said


def test_a_private_webhook_does_not_ask_for_public_members(machine: Machine) -> None:
    machine.configured({**GOOD, "dm-agent:public": "false"})
    machine.says("gcloud", DOMAINS, '{"listPolicy": {"allowedValues": ["C01"]}}')
    machine.says("gcloud", INGRESS, '{"listPolicy": {"allowedValues": ["internal"]}}')

    run = machine.run("doctor", "--stack", "dev")

    assert run.code == 0, run.output
    assert machine.calls(DOMAINS) == []


def test_a_list_of_the_services_that_may_be_used_has_to_have_them_all(machine: Machine) -> None:
    every = [f"{name}.googleapis.com" for name in NEEDED]
    machine.says("gcloud", USAGE, json.dumps({"listPolicy": {"allowedValues": every}}))
    complete = machine.run("doctor", "--stack", "dev")
    machine.says("gcloud", USAGE, json.dumps({"listPolicy": {"allowedValues": every[1:]}}))
    short = machine.run("doctor", "--stack", "dev")

    assert set(NEEDED) == set(BASE)
    assert complete.code == 0, complete.output
    assert f"organisation: {NEEDED[0]} may not be used (gcp.restrictServiceUsage)" in short.output


@pytest.mark.parametrize("place", ["europe-west2", "in:europe-west2-locations", "in:europe-locations"])
def test_a_location_that_the_organisation_allows_by_any_of_its_names_is_good(machine: Machine, place: str) -> None:
    machine.says("gcloud", LOCATIONS, json.dumps({"listPolicy": {"allowedValues": [place]}}))

    assert machine.run("doctor", "--stack", "dev").code == 0


def test_a_model_that_the_region_does_not_have_is_named_with_the_places_that_have_it(machine: Machine) -> None:
    machine.configured({**GOOD, "dm-agent:model": "vertex", "dm-agent:vertexLocation": "europe-west2"})

    run = machine.run("doctor", "--stack", "dev")

    assert "1 to fix" in run.output
    assert "does not offer gemini-3.8 models: global, eu, us do" in run.output
    assert "pulumi config set dm-agent:vertexLocation global" in run.output


def test_the_region_is_not_asked_for_before_its_api_is_on(machine: Machine) -> None:
    machine.says("gcloud", "^services list", "cloudresourcemanager.googleapis.com\nserviceusage.googleapis.com\n")

    run = machine.run("doctor", "--stack", "dev")

    assert run.code == 0, run.output
    assert machine.calls("tasks locations") == []


def test_the_token_that_gcloud_prints_is_never_shown(machine: Machine) -> None:
    assert "ya29" not in machine.run("doctor", "--stack", "dev").output


def test_a_tool_that_hangs_is_stopped_with_all_its_children() -> None:
    started = time.monotonic()
    answer = ask(["sh", "-c", "sleep 60 & sleep 60"], timeout=0.2)

    assert answer.code == TIMED_OUT
    assert "gave no answer within 0.2 seconds" in answer.reason
    assert time.monotonic() - started < 20


def test_a_budget_needs_a_project_that_its_calls_are_counted_for(machine: Machine) -> None:
    wanted = {**GOOD, "dm-agent:budgetMonthly": "50", "dm-agent:billingAccount": "012345-6789AB-CDEF01"}
    machine.configured(wanted)
    without = machine.run("doctor", "--stack", "dev")
    machine.configured({**wanted, "gcp:userProjectOverride": "true", "gcp:billingProject": "club-dms-test"})
    complete = machine.run("doctor", "--stack", "dev")

    assert without.code == 1
    assert "pulumi config set gcp:userProjectOverride true --stack dev" in without.output
    assert "pulumi config set gcp:billingProject club-dms-test --stack dev" in without.output
    assert complete.code == 0, complete.output


def test_nothing_of_the_stack_or_project_is_changed(machine: Machine) -> None:
    machine.run("doctor", "--stack", "dev")

    changing = re.compile(r" (up|destroy|set|enable|create|add|delete|init|select|link|login|refresh|import)( |$)")
    assert [call.words for call in machine.calls() if changing.search(call.words)] == []


def test_the_oldest_versions_are_those_of_the_tools_that_use_them() -> None:
    stack = (ROOT / "infra" / "Pulumi.yaml").read_text()
    project = (ROOT / "pyproject.toml").read_text()

    assert f'requiredPulumiVersion: ">={".".join(map(str, OLDEST["pulumi"]))}"' in stack
    assert f'required-version = ">={OLDEST["uv"][0]}.{OLDEST["uv"][1]}"' in project
