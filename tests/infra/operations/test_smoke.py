"""What is deployed is asked as Meta would ask it, with a DM that nobody answers; a server of the test stands for it."""

import json
import time

import pytest

from dm_core.messages import WINDOW_MS
from dm_core.telemetry import hashed
from dm_core.webhook import payload
from dm_core.webhook.events import InboundMessage
from dm_core.webhook.signature import matching_secret
from operations import smoke
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


def test_a_webhook_that_is_not_public_is_not_asked(ready: Machine) -> None:
    ready.configured({**GOOD, "dm-agent:public": "false"})

    run = ready.run("smoke", "--stack", "dev")

    assert run.code == 0
    assert "not public" in run.output
    assert ready.calls("secrets versions access") == []
