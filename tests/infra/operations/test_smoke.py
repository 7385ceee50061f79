"""What is deployed is asked as Meta would ask it, with a DM that nobody answers; a server of the test stands for it."""

import json
import time

import pytest

from components.schedules import SCHEDULES
from dm_core.messages import WINDOW_MS
from dm_core.telemetry import hashed
from dm_core.webhook import payload
from dm_core.webhook.events import InboundMessage
from dm_core.webhook.signature import matching_secret
from operations import smoke
from operations.standstill import JOBS
from probe import PERSON, logged_thread, probe, signature
from tests.infra.operations.deployed import SECRET, Deployed, serving
from tests.infra.operations.fake_machine import GOOD, Machine

ACCOUNT = GOOD["dm-agent:instagramPageId"]


@pytest.fixture
def ready(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(smoke, "PAUSE_SECONDS", 0.0)
    machine.says("gcloud", "^secrets versions access 1 --secret=dm-instagram-app-secret", f"{SECRET},older")
    return machine


def deployed_at(machine: Machine, url: str) -> None:
    machine.says("pulumi", "^stack output", json.dumps({"webhookUrl": url}))


def test_a_deployment_that_answers_is_alive_and_got_one_signed_dm(ready: Machine) -> None:
    deployed = Deployed(health=[503, 200])
    with serving(deployed) as url:
        deployed_at(ready, url)
        run = ready.run("smoke", "--stack", "dev")

    assert run.code == 0, run.output
    assert len(deployed.bodies) == 1
    assert SECRET not in run.output


def test_the_dm_is_one_that_the_webhook_stores_as_expired() -> None:
    now = time.time()
    (event,) = payload.parse(probe(ACCOUNT, now), int(now * 1000))

    assert isinstance(event, InboundMessage)
    assert now * 1000 - event.sent_at >= WINDOW_MS
    assert (event.thread_key.account_id, event.thread_key.user_id) == (ACCOUNT, PERSON)
    assert matching_secret(signature(b"body", SECRET), b"body", ["another", SECRET]) == 1


def test_the_log_names_the_probes_thread_as_the_metrics_leave_it_out() -> None:
    assert logged_thread(ACCOUNT) == hashed(f"{ACCOUNT}_{PERSON}")


@pytest.mark.parametrize(
    ("deployed", "said"),
    [
        (Deployed(health=[500]), "GET /health answers 500"),
        (Deployed(unsigned=200), "an unsigned DM is answered with 200"),
        (Deployed(stored=(500, "")), "a signed DM is answered with 500"),
        (Deployed(stored=(200, "")), "not 200 EVENT_RECEIVED"),
    ],
)
def test_what_does_not_answer_as_it_must_is_named_with_the_way_back(
    ready: Machine, deployed: Deployed, said: str
) -> None:
    with serving(deployed) as url:
        deployed_at(ready, url)
        run = ready.run("smoke", "--stack", "dev")

    assert run.code == 1
    assert said in run.output
    assert "to go back: git checkout" in run.output


def test_where_nothing_is_deployed_that_is_said(ready: Machine) -> None:
    ready.says("pulumi", "^stack output", "{}")

    run = ready.run("smoke", "--stack", "dev")

    assert run.code == 1
    assert "nothing is deployed. Run: make up STACK=dev" in run.output


def test_a_secret_that_can_not_be_read_is_one_line(ready: Machine) -> None:
    deployed_at(ready, "http://127.0.0.1:9")
    ready.says("gcloud", "^secrets versions access", code=1, error="ERROR: PERMISSION_DENIED")

    run = ready.run("smoke", "--stack", "dev")

    assert run.code == 1
    assert "version 1 of dm-instagram-app-secret can't be read (ERROR: PERMISSION_DENIED)" in run.output


SERVICE = "run services describe dm-processor --region=europe-west2 --project=club-dms-test"


def _service(traffic: str, ready: str = "p-2", made: str = "p-2") -> str:
    parts = [{"revisionName": traffic, "percent": 100}, {"revisionName": "p-0", "tag": "old"}]
    return json.dumps(
        {"status": {"latestCreatedRevisionName": made, "latestReadyRevisionName": ready, "traffic": parts}}
    )


@pytest.mark.parametrize(
    ("words", "out", "said"),
    [
        ("tasks queues describe dm-processing --", "PAUSED\n", "gcloud tasks queues resume dm-processing --location="),
        ("tasks queues describe dm-processing-1", "DISABLED\n", "dm-processing-1 is disabled"),
        ("tasks queues describe dm-alerts", "PAUSED\n", "gcloud tasks queues resume dm-alerts --location="),
        ("scheduler jobs describe dm-sweep", "PAUSED\n", "gcloud scheduler jobs resume dm-sweep --location="),
        ("scheduler jobs describe dm-check", "DISABLED\n", "dm-check is disabled"),
        (SERVICE, _service("p-1"), "dm-processor serves p-1, not its newest revision p-2. Run: gcloud run services"),
        (SERVICE, _service("p-1", "p-1"), "dm-processor's newest revision p-2 does not start"),
    ],
)
@pytest.mark.parametrize("public", ["true", "false"])
def test_what_stands_still_is_named_with_the_command_that_sets_it_going(
    ready: Machine, words: str, out: str, said: str, public: str
) -> None:
    """Everything answers, and nobody would be answered: somebody paused it, or pinned it, and forgot."""
    ready.configured({**GOOD, "dm-agent:public": public, "dm-agent:queueShards": "2"})
    ready.says("gcloud", f"^{words}", out)
    with serving(Deployed()) as url:
        deployed_at(ready, url)
        run = ready.run("smoke", "--stack", "dev")

    assert run.code == 1
    assert said in run.output
    assert "to go back" not in run.output


def test_a_queue_that_was_made_and_is_not_there_is_named(ready: Machine) -> None:
    """The name of a deleted one is blocked for days, in which a create only appears to succeed
    (https://docs.cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues/delete)."""
    ready.says("gcloud", "^tasks queues describe dm-alerts", code=1, error="ERROR: NOT_FOUND: Queue does not exist.")
    with serving(Deployed()) as url:
        deployed_at(ready, url)
        run = ready.run("smoke", "--stack", "dev")

    assert run.code == 1
    assert "PROBLEM dm-alerts is not there" in run.output
    assert "pulumi config set dm-agent:alertsQueueName ANOTHER --stack dev" in run.output


@pytest.mark.parametrize("code", [0, 1])
def test_what_runs_or_can_not_be_asked_is_not_reported(ready: Machine, code: int) -> None:
    ready.says("gcloud", "^tasks queues describe", "RUNNING\n", code=code, error="ERROR: 403")
    ready.says("gcloud", "^scheduler jobs describe", "ENABLED\n", code=code, error="ERROR: 403")
    ready.says("gcloud", "^run services describe", _service("p-2"), code=code, error="ERROR: 403")
    with serving(Deployed()) as url:
        deployed_at(ready, url)
        run = ready.run("smoke", "--stack", "dev")

    assert run.code == 0, run.output
    assert len(ready.calls(" describe ")) >= 7


def test_every_job_of_the_scheduler_is_looked_at() -> None:
    assert {schedule.name for schedule in SCHEDULES} == set(JOBS)


def test_a_webhook_that_is_not_public_is_not_asked(ready: Machine) -> None:
    ready.configured({**GOOD, "dm-agent:public": "false"})

    run = ready.run("smoke", "--stack", "dev")

    assert run.code == 0
    assert "not public" in run.output
    assert ready.calls("secrets versions access") == []
