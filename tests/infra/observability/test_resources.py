"""Jobs call the right paths, alerts say what to do and reach somebody, the page is one that the service takes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import googleapiclient
import pytest

from components.dashboard import COLUMNS, dashboard_json
from components.observability_metrics import Names
from tests.infra.observability.logged_events import texts_of
from tests.infra.recording import Graph, dev_graph, prod_graph, registered
from tests.infra.stacks import prod

Json = Mapping[str, object]
JOB = "gcp:cloudscheduler/job:Job"
POLICY = "gcp:monitoring/alertPolicy:AlertPolicy"
NAMES = Names("a-project", "dm", "dm-webhook", "dm-processor", "dm-processing")
ALERTS = {
    "dm-failed", "send-uncertain", "item-quarantined", "overdue", "queue-depth", "webhook-errors", "processor-errors",
    "ack-latency", "no-webhooks", "not-subscribed", "token", "signatures", "model-cost",
    "alert-undelivered", "manager-unreachable", "wait-prolonged", "brake-prolonged",
}  # fmt: skip


def _page() -> Json:
    return cast("Json", json.loads(prod_graph().one(":Dashboard").text("dashboardJson")))


def _objects(value: object) -> list[Json]:
    return cast("list[Json]", value)


@pytest.mark.parametrize(
    ("name", "path", "schedule"),
    [
        ("sweep", "/sweep", "* * * * *"),
        ("refresh-token", "/maintenance/refresh-token", "17 4 * * 1"),
        ("check", "/maintenance/check", "23 * * * *"),
    ],
)
def test_a_job_calls_its_path_as_the_scheduler_with_the_service_as_audience(
    name: str, path: str, schedule: str
) -> None:
    graph = prod_graph()
    job = graph.one(JOB, name)

    uri, audience = str(job.inside("httpTarget", "uri")), str(job.inside("httpTarget", "oidcToken", "audience"))
    assert uri == audience + path
    assert audience.startswith("https://")
    assert audience.count("/") == 2
    assert job.inside("httpTarget", "httpMethod") == "POST"
    assert str(job.inside("httpTarget", "oidcToken", "serviceAccountEmail")).startswith("dm-scheduler@")
    assert job.text("schedule") == schedule
    assert path in texts_of("processing/app.py").splitlines()


def test_every_job_waits_for_its_right_to_call() -> None:
    graph = prod_graph()

    for job in graph.of(JOB):
        needed = {graph.resources[urn].type for urn in graph.needs(job) if urn in graph.resources}
        assert "gcp:cloudrunv2/serviceIamMember:ServiceIamMember" in needed


def test_a_jobs_retries_end_before_its_next_time() -> None:
    periods = {"sweep": 60, "check": 3_600, "refresh-token": 86_400}

    for job in prod_graph().of(JOB):
        spent = _seconds(job.text("attemptDeadline")) + _seconds(str(job.inside("retryConfig", "maxRetryDuration")))
        assert spent <= periods[job.name] * 1.5


def test_two_prefixes_of_a_project_do_not_share_names() -> None:
    def names(graph: Graph) -> set[str]:
        named = [one for one in graph if one.type.startswith("gcp:") and "name" in one.inputs]
        return {one.text("name") for one in named if one.type.endswith((":Job", ":Metric", ":Queue", ":Function"))}

    other = registered(prod(prefix="other"))

    assert len(names(other)) > 15
    assert not names(prod_graph()) & names(other)


@pytest.mark.parametrize(
    ("name", "event", "severity"),
    [
        ("alert-undelivered", "alert_undelivered", "CRITICAL"),
        ("wait-prolonged", "wait_prolonged", "ERROR"),
        ("brake-prolonged", "brake_prolonged", "ERROR"),
    ],
)
def test_a_lost_alert_and_a_long_outage_ring_at_their_first_event(name: str, event: str, severity: str) -> None:
    policy = prod_graph().one(POLICY, name)
    (condition,) = _objects(policy.inputs["conditions"])

    matched = str(cast("Json", condition["conditionMatchedLog"])["filter"])
    assert matched.endswith(f'jsonPayload.message="{event}"')
    assert 'service_name="dm-processor"' in matched
    assert policy.text("severity") == severity
    metrics = [metric.text("filter") for metric in prod_graph().of(":Metric")]
    assert matched in metrics


def test_everything_that_must_call_a_person_does() -> None:
    assert {policy.name for policy in prod_graph().of(POLICY)} == ALERTS


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_an_alert_says_what_to_do_and_reaches_the_channel(name: str) -> None:
    graph = prod_graph()
    policy = graph.one(POLICY, name)

    steps = str(policy.inside("documentation", "content"))
    assert "\n1. " in steps
    assert "\n2. " in steps
    assert len(steps) < 8_192
    assert policy.inputs["notificationChannels"]
    assert graph.one(":NotificationChannel").urn in policy.dependencies
    assert policy.text("severity") in ("CRITICAL", "ERROR", "WARNING")


def test_an_alert_on_events_has_a_rate_limit_and_one_on_metrics_waits_for_them() -> None:
    graph = prod_graph()
    metrics = {metric.urn for metric in graph.of("gcp:logging/metric:Metric")}

    for policy in graph.of(POLICY):
        (condition,) = _objects(policy.inputs["conditions"])
        limited = policy.inside("alertStrategy", "notificationRateLimit", "period") is not None
        assert limited == ("conditionMatchedLog" in condition)
        if not limited:
            assert metrics <= graph.needs(policy)
            query = cast("Json", condition["conditionPrometheusQueryLanguage"])
            assert query["disableMetricValidation"] is True  # or the first up fails: no metric has data yet


def test_without_an_address_there_is_no_channel_and_alerts_are_still_declared() -> None:
    graph = dev_graph()

    assert graph.of(":NotificationChannel") == []
    assert {policy.name for policy in graph.of(POLICY)} == ALERTS


def test_a_budget_is_of_this_project_alone_and_tells_the_channel() -> None:
    graph = prod_graph()
    budget = graph.one(":Budget")

    (project,) = cast("list[str]", budget.inside("budgetFilter", "projects"))
    assert project.removeprefix("projects/").isdecimal()  # an id would be given back as a number: a change each time
    assert graph.one(":NotificationChannel").urn in budget.dependencies
    assert dev_graph().of(":Budget") == []


def test_a_quiet_account_is_odd_only_while_it_is_subscribed_and_after_the_set_hours() -> None:
    (condition,) = _objects(prod_graph().one(POLICY, "no-webhooks").inputs["conditions"])

    query = str(cast("Json", condition["conditionPrometheusQueryLanguage"])["query"])
    now, rest = query.split(" and ")
    before, webhooks = rest.split(" unless ")
    assert "checks_passed" in now
    assert "checks_passed" in before
    assert "offset" in before
    assert "user_dm_webhooks{" in webhooks


def test_the_page_is_what_the_service_accepts() -> None:
    discovery = Path(googleapiclient.__file__).parent / "discovery_cache/documents/monitoring.v1.json"
    schemas = cast("dict[str, Json]", json.loads(discovery.read_text())["schemas"])

    problems = _misfits(_page(), {"$ref": "Dashboard"}, schemas, "page")

    assert problems == []


def test_tiles_do_not_overlap_and_fill_their_rows() -> None:
    tiles = _objects(cast("Json", _page()["mosaicLayout"])["tiles"])
    taken: set[tuple[int, int]] = set()

    for tile in tiles:
        x, y, width, height = (int(str(tile.get(key, 0))) for key in ("xPos", "yPos", "width", "height"))
        cells = {(column, row) for column in range(x, x + width) for row in range(y, y + height)}
        assert not cells & taken
        taken |= cells
    assert taken == {(column, row) for column in range(COLUMNS) for row in range(max(row for _, row in taken) + 1)}


def test_the_page_is_the_same_every_time_and_holds_no_zero_that_the_service_would_drop() -> None:
    made = dashboard_json(NAMES, 20)

    assert made == dashboard_json(NAMES, 20)
    assert '"xPos":0' not in made
    assert '"yPos":0' not in made


def _seconds(duration: str) -> float:
    return float(duration.removesuffix("s"))


def _misfits(value: object, schema: Json, schemas: Mapping[str, Json], where: str) -> list[str]:
    """Where a value has a key or a word that the API's description does not know."""
    if "$ref" in schema:
        schema = schemas[str(schema["$ref"])]
    if isinstance(value, dict):
        properties = cast("Mapping[str, Json]", schema.get("properties", {}))
        items = cast("dict[str, object]", value).items()
        unknown = [f"{where}.{key}" for key, _ in items if key not in properties]
        known = [(each, properties[key], f"{where}.{key}") for key, each in items if key in properties]
        return unknown + [found for each, inner, place in known for found in _misfits(each, inner, schemas, place)]
    if isinstance(value, list):
        inner = cast("Json", schema.get("items", {}))
        return [found for each in cast("list[object]", value) for found in _misfits(each, inner, schemas, where)]
    enum = cast("list[str]", schema.get("enum", []))
    return [f"{where}={value}"] if enum and value not in enum else []
