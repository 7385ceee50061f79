"""Metrics and alerts look for what the functions really log, and nothing is counted that nobody looks at."""

import json
import re
from collections.abc import Iterator

import pytest

from components.observability_metrics import METRICS, LogMetric
from dm_core.processing.task_result import Ending, RunStatus
from dm_core.runs import ActionState
from tests.infra.observability.logged_events import logged_events, texts_of
from tests.infra.recording import Registered, prod_graph, registered
from tests.infra.stacks import prod


def _filters() -> Iterator[tuple[str, str]]:
    for metric in prod_graph().of("gcp:logging/metric:Metric"):
        yield metric.name, metric.text("filter")
    for policy in prod_graph().of("gcp:monitoring/alertPolicy:AlertPolicy"):
        matched = _condition(policy).get("conditionMatchedLog")
        if isinstance(matched, dict):
            yield policy.name, str(matched["filter"])  # pyright: ignore[reportUnknownArgumentType]


def _condition(policy: Registered) -> dict[str, object]:
    conditions = policy.inputs["conditions"]
    assert isinstance(conditions, list)
    (condition,) = conditions  # pyright: ignore[reportUnknownVariableType]
    return condition  # pyright: ignore[reportUnknownVariableType]


def _queries() -> str:
    """Every query of the dashboard and the alerts, one after the other."""
    policies = prod_graph().of("gcp:monitoring/alertPolicy:AlertPolicy")
    page = prod_graph().one("gcp:monitoring/dashboard:Dashboard").text("dashboardJson")
    return page + json.dumps([_condition(policy) for policy in policies])


def _parts(filter_: str) -> Iterator[tuple[set[str], set[str]]]:
    """Events named together, and the fields asked of them: once for each alternative of an OR between events."""
    for part in re.split(r"\) OR \(?(?=jsonPayload\.message)| OR \((?=jsonPayload\.message)", filter_):
        named = re.findall(r'jsonPayload\.message=\(?((?:"\w+"(?: OR )?)+)', part)
        fields = {path.split(".")[0] for path in re.findall(r"jsonPayload\.([\w.]+)", part)} - {"message"}
        yield set(re.findall(r'"(\w+)"', " ".join(named))), fields


def test_a_filter_names_events_and_fields_that_are_logged() -> None:
    logged = logged_events()

    for name, filter_, events, fields in [(*found, *part) for found in _filters() for part in _parts(found[1])]:
        assert events, f"{name}: no event in {filter_}"
        assert events <= set(logged)
        for event in events:
            assert fields <= logged[event], f"{event} has no {fields - logged[event]}"


@pytest.mark.parametrize("spec", METRICS, ids=[metric.name for metric in METRICS])
def test_a_metrics_amount_and_labels_are_fields_of_its_events(spec: LogMetric) -> None:
    logged = logged_events()
    wanted = {path.split(".")[0] for path in (*spec.labels.values(), *([spec.value] if spec.value else []))}

    for events, _ in _parts(spec.events.condition):
        for event in events:
            assert wanted <= logged[event]


def test_values_that_filters_compare_with_are_those_the_code_writes() -> None:
    filters = "\n".join(filter_ for _, filter_ in _filters())

    assert set(re.findall(r'jsonPayload\.ending="(\w+)"', filters)) <= {each.value for each in Ending}
    assert set(re.findall(r'jsonPayload\.status="(\w+)"', filters)) <= {each.value for each in RunStatus}
    assert set(re.findall(r'jsonPayload\.actions="(\w+)"', filters)) <= {each.value for each in ActionState}
    for path in re.findall(r'jsonPayload\.path="([^"]+)"', filters):
        assert path in texts_of("processing/app.py").splitlines()
    for words in re.findall(r'jsonPayload\.problems=~"([^"]+)"', filters):
        assert words in texts_of("processing/maintenance.py")
    for word in re.findall(r"jsonPayload\.counts\.(\w+)", filters):
        assert word in texts_of("webhook/batches.py").splitlines()


def test_a_check_that_only_warns_has_passed() -> None:
    """Else a deployment without a template would never be told that its account has fallen silent."""
    (passed,) = (metric.events.condition for metric in METRICS if metric.name == "checks_passed")

    assert passed.endswith('severity=("INFO" OR "WARNING")')
    assert {"INFO", "WARNING", "ERROR"} <= set(texts_of("processing/maintenance.py").splitlines())


def test_each_alternative_of_an_ending_on_the_dashboard_exists() -> None:
    found = re.findall(r'ending=~?\\"([\w|]+)\\"', _queries())

    assert found
    assert {word for each in found for word in each.split("|")} <= {each.value for each in Ending}


def test_every_query_reads_a_metric_that_is_declared_and_every_metric_is_read() -> None:
    declared = {metric.text("name") for metric in prod_graph().of("gcp:logging/metric:Metric")}

    read = set(re.findall(r"logging_googleapis_com:user_(\w+?)(?:_sum|_count|_bucket)?\{", _queries()))

    assert read == declared


def test_an_amount_is_read_as_an_amount_and_a_count_as_a_count() -> None:
    amounts = {metric.name for metric in METRICS if metric.value}

    for name, part in re.findall(r"user_dm_(\w+?)(_sum|_count|_bucket)?\{", _queries()):
        assert (name in amounts) == bool(part), f"{name}{part}"


def test_brackets_of_every_query_close() -> None:
    for query in re.findall(r'"(?:prometheusQuery|query)": ?"((?:[^"\\]|\\.)*)"', _queries()):
        for opening, closing in ("()", "[]", "{}"):
            assert query.count(opening) == query.count(closing) > 0 or opening == "["


def test_the_cost_alarm_sums_what_the_runs_logged_and_its_limit_is_configuration() -> None:
    policy = registered(prod(modelDailyUsd="7")).one("gcp:monitoring/alertPolicy:AlertPolicy", "model-cost")

    query = json.dumps(_condition(policy))
    assert "user_dm_model_usd_sum" in query
    assert "> 7" in query
    assert not re.search(r"_tokens|\* ?0\.", query)
