"""Queue, timeout, deadline and lease fit each other by construction."""

from collections.abc import Callable

import pytest

from components.retries import DEADLINE_GRACE, LEAST_ATTEMPTS, MAX_BACKOFF, MIN_BACKOFF, attempts_needed, backoff
from configuration import ConfigurationError
from dm_core.settings import ProcessorSettings, WebhookSettings
from tests.infra.recording import Graph, closed_graph, dev_graph, extreme_graph, prod_graph, registered
from tests.infra.stacks import dev


def lasted(attempts: int) -> int:
    """Seconds of waiting between so many attempts."""
    return sum(backoff(attempt) for attempt in range(1, attempts))


def number(graph: Graph, *path: str) -> float:
    value = graph.one(":Queue", "queue").inside(*path)
    assert isinstance(value, float)
    return value


@pytest.mark.parametrize(("runs", "lease", "timeout"), [(1, 90, 60), (5, 330, 300), (7, 331, 300), (100, 1_825, 1_795)])
def test_the_queue_outlasts_the_processor(runs: int, lease: int, timeout: int) -> None:
    attempts = attempts_needed(runs, lease, timeout)

    assert lasted(attempts) > runs * (lease + timeout)
    assert attempts > runs
    assert attempts == LEAST_ATTEMPTS or lasted(attempts - 1) <= runs * (lease + timeout + DEADLINE_GRACE)


def test_backoffs_double_up_to_their_longest() -> None:
    waits = [backoff(attempt) for attempt in range(1, 12)]

    assert waits == sorted(waits)
    assert (waits[0], waits[1], waits[-1]) == (MIN_BACKOFF, 2 * MIN_BACKOFF, MAX_BACKOFF)


def test_more_attempts_of_the_processor_are_more_of_the_queue() -> None:
    assert (
        number(extreme_graph(), "retryConfig", "maxAttempts") > number(dev_graph(), "retryConfig", "maxAttempts") >= 20
    )


def test_the_queue_never_sends_more_than_the_processor_takes() -> None:
    """A full Cloud Run service answers 429, which slows the whole queue down."""
    for graph in (dev_graph(), prod_graph()):
        config = "serviceConfig"
        processor = graph.one(":Function", "processor")
        concurrency = processor.inside(config, "maxInstanceRequestConcurrency")
        instances = processor.inside(config, "maxInstanceCount")
        assert isinstance(concurrency, float) and isinstance(instances, float)

        assert 1 <= number(graph, "rateLimits", "maxConcurrentDispatches") < concurrency * instances


@pytest.mark.parametrize("graph", [dev_graph, extreme_graph])
def test_timeout_deadline_and_lease_follow_each_other(graph: Callable[[], Graph]) -> None:
    timeout = graph().one(":Function", "processor").inside("serviceConfig", "timeoutSeconds")
    processor = ProcessorSettings.load(graph().environment("processor"))
    webhook = WebhookSettings.load(graph().environment("webhook"))

    assert timeout == processor.limits.function_timeout
    assert timeout == (300 if graph is dev_graph else 1_795)
    assert processor.limits.lease_seconds > processor.limits.function_timeout
    deadline = processor.limits.function_timeout + DEADLINE_GRACE
    assert webhook.queue.dispatch_deadline == processor.queue.dispatch_deadline == deadline


def test_the_managers_alerts_have_a_queue_of_their_own_that_keeps_whatsapps_pair_limit() -> None:
    limits = dev_graph().one(":Queue", "alerts-queue").inputs["rateLimits"]

    assert limits == {"maxDispatchesPerSecond": 1 / 6, "maxConcurrentDispatches": 1.0}
    assert dev_graph().one(":Queue", "alerts-queue").inputs["name"] == "dm-alerts"


def test_both_functions_enqueue_to_both_queues() -> None:
    for function in ("webhook", "processor"):
        queues = {
            one.text("name") for one in dev_graph().of(":QueueIamMember") if one.name.startswith(f"{function}-enqueue")
        }

        assert queues == {"dm-processing", "dm-alerts"}
        assert dev_graph().environment(function)["ALERTS_QUEUE"] == "dm-alerts"


def test_wake_ups_of_several_queues_together_are_no_more_than_the_processor_takes() -> None:
    config = dev(queueShards="3", queuesKept="4")
    queues = [one for one in registered(config).of(":Queue") if one.name != "alerts-queue"]
    most = [one.inside("rateLimits", "maxConcurrentDispatches") for one in queues]

    assert [one.inputs["name"] for one in queues] == [f"dm-processing{end}" for end in ("", "-1", "-2", "-3")]
    assert len(set(most)) == 1
    assert isinstance(most[0], float)
    assert 0 < most[0] * 4 < config.processor.capacity


@pytest.mark.parametrize("kept", ["2", "3"])
def test_functions_and_operators_may_write_to_every_queue_that_threads_are_spread_over(kept: str) -> None:
    graph = registered(dev(queueShards="2", queuesKept=kept, operators="user:sam@club.example"))
    allowed: dict[str, set[str]] = {}
    for one in graph.of(":QueueIamMember"):
        allowed.setdefault(one.text("member"), set()).add(one.text("name"))

    for function in ("webhook", "processor"):
        settings = (WebhookSettings if function == "webhook" else ProcessorSettings).load(graph.environment(function))
        assert settings.queue.queues == ("dm-processing", "dm-processing-1")
    assert len(allowed) == 3
    assert all({"dm-processing", "dm-processing-1", "dm-alerts"} <= queues for queues in allowed.values())


def test_fewer_queues_than_threads_are_spread_over_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"queuesKept must not be below queueShards, 3"):
        dev(queueShards="3", queuesKept="2")


def test_a_shared_queue_is_used_and_not_made() -> None:
    graph = closed_graph()

    assert {one.inputs["name"] for one in graph.of("gcp:cloudtasks/queue:Queue")} == {"dm-alerts"}
    assert {one.inputs["name"] for one in graph.of(":QueueIamMember")} == {"dm-processing", "dm-alerts"}
    assert graph.environment("webhook")["CLOUD_TASKS_QUEUE"] == "dm-processing"


def test_a_shared_queue_of_alerts_is_used_and_not_made() -> None:
    graph = registered(dev(existingAlertsQueue="true", alertsQueueName="club-alerts"))

    assert [one.name for one in graph.of(":Queue")] == ["queue"]
    assert graph.environment("processor")["ALERTS_QUEUE"] == "club-alerts"
