"""What is counted from the functions' logs, and how a query names it.

The functions write events: one JSON object a line, ``message`` is the event's name (dm_core's telemetry). A metric is a
filter over them and, for amounts, the field that holds the amount. A test compares every event and field named here
with what dm_core writes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from probe import logged_thread

Service = Literal["webhook", "processor"]


@dataclass(frozen=True, slots=True)
class Names:
    """The services whose logs and metrics are meant, and the queue before them (several with ``|`` between)."""

    project: str
    prefix: str
    webhook: str
    processor: str
    queue: str
    accounts: tuple[str, ...] = ()

    def service(self, service: Service) -> str:
        return self.webhook if service == "webhook" else self.processor

    def metric(self, name: str) -> str:
        """A log-based metric's name: of its own for each deployment in a project, and the same in PromQL."""
        return f"{self.prefix.replace('-', '_')}_{name}"


@dataclass(frozen=True, slots=True)
class Events:
    """Some of the events that a function writes. ``condition`` is in Cloud Logging's language. ``probes``: also those
    of the DM that a deployment is tried with."""

    service: Service
    condition: str
    probes: bool = True

    def filter(self, names: Names) -> str:
        return (
            f'resource.type="cloud_run_revision" AND resource.labels.service_name="{names.service(self.service)}" '
            f"AND {self.condition}" + ("" if self.probes else _not_probing(names.accounts))
        )


@dataclass(frozen=True, slots=True)
class LogMetric:
    """Counts events, or with ``value`` sums up that field of theirs. ``labels``: by which fields it can be split."""

    name: str
    what: str
    events: Events
    value: str | None = None
    unit: str = "1"
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


def _not_probing(accounts: tuple[str, ...]) -> str:
    """A field that holds several values is equal to each of them."""
    return "".join(f' AND NOT jsonPayload.threads="{logged_thread(account)}"' for account in accounts)


def _event(name: str, more: str = "") -> str:
    return f'jsonPayload.message="{name}"' + (f" AND {more}" if more else "")


ENDED = Events("processor", 'jsonPayload.message=("run_finished" OR "messages_closed")')
FINISHED = Events("processor", _event("run_finished"))
FAILED = Events("processor", _event("run_finished", 'jsonPayload.ending="failed"'))
UNCERTAIN = Events(
    "processor", _event("run_finished", '(jsonPayload.ending="uncertain" OR jsonPayload.actions="uncertain")')
)
QUARANTINED = Events("webhook", _event("item_quarantined"))
SWEPT = Events("processor", _event("swept"))
TOKEN_IN_DANGER = Events(
    "processor",
    f"(({_event('checked', 'jsonPayload.problems=~"token ends in"')}) OR {_event('token_load_failed')}"
    f" OR ({_event('job_failed', 'jsonPayload.path="/maintenance/refresh-token"')}))",
)
NOT_DELIVERED_TO = Events("processor", _event("checked", 'jsonPayload.problems=~"subscri"'))
MANAGER_UNREACHABLE = Events("processor", _event("checked", 'jsonPayload.problems=~"WhatsApp"'))
ALERT_UNDELIVERED = Events("processor", _event("alert_undelivered"))
WAIT_PROLONGED = Events("processor", _event("wait_prolonged"))
BRAKE_PROLONGED = Events("processor", _event("brake_prolonged"))
CHECK_PASSED = Events("processor", _event("checked", 'severity=("INFO" OR "WARNING")'))

METRICS = (
    LogMetric("webhooks", "Authentic requests from Meta", Events("webhook", _event("webhook_received"), probes=False)),
    LogMetric(
        "dms_received",
        "DMs that came in, repeated deliveries included",
        Events("webhook", _event("webhook_received", "jsonPayload.counts.dm>0"), probes=False),
        value="counts.dm",
    ),
    LogMetric(
        "webhooks_refused",
        "Requests whose signature did not match",
        Events("webhook", _event("webhook_rejected", "jsonPayload.signed=true")),
    ),
    LogMetric("items_quarantined", "Items that were not understood", QUARANTINED),
    LogMetric("dms_ended", "DMs by how they ended", ENDED, value="messages", labels={"ending": "ending"}),
    LogMetric("attempts_failed", "Runs that stopped at an error", Events("processor", _event("run_stopped"))),
    LogMetric("actions_uncertain", "Actions in doubt", Events("processor", _event("action_uncertain"))),
    LogMetric(
        "answer_ms",
        "From a wake-up to the end of its run",
        Events("processor", _event("task_answered", 'jsonPayload.status="processed"')),
        value="durationMs",
        unit="ms",
    ),
    LogMetric("model_ms", "Time the model took in a run", FINISHED, value="modelMs", unit="ms"),
    LogMetric("input_tokens", "Tokens the model read", FINISHED, value="inputTokens"),
    LogMetric("output_tokens", "Tokens the model wrote, thoughts included", FINISHED, value="outputTokens"),
    LogMetric("model_usd", "US dollars that the model cost in a run", FINISHED, value="usd", unit="USD"),
    LogMetric("threads_overdue", "Overdue threads that each sweep found", SWEPT, value="overdue"),
    LogMetric("alerts_undelivered", "Alerts that did not reach the manager", ALERT_UNDELIVERED),
    LogMetric("waits_prolonged", "Threads that wait for a service or the account for long", WAIT_PROLONGED),
    LogMetric("brakes_prolonged", "Services that fail in several threads for long", BRAKE_PROLONGED),
    LogMetric("checks_passed", "Checks that found the account subscribed and its token young", CHECK_PASSED),
)


@dataclass(frozen=True, slots=True)
class Series:
    """PromQL for the metrics of one deployment. Results of several series are summed."""

    names: Names

    def log(self, name: str, part: str = "", more: str = "") -> str:
        """A log-based metric's selector; ``part`` is ``_sum``, ``_count`` or ``_bucket`` of an amount."""
        selector = f'{{monitored_resource="cloud_run_revision"{more}}}'
        return f"logging_googleapis_com:user_{self.names.metric(name)}{part}{selector}"

    def amount(self, name: str, over: str, more: str = "") -> str:
        """The sum of a metric's amounts over a time."""
        return f"sum(increase({self.log(name, '_sum', more)}[{over}]))"

    def count(self, name: str, over: str) -> str:
        """How many events a counter saw over a time."""
        return f"sum(increase({self.log(name)}[{over}]))"

    def seen(self, name: str, over: str, offset: str = "") -> str:
        """True where a counter saw anything at all: also one single event, which ``increase`` may miss."""
        ago = f" offset {offset}" if offset else ""
        return f"(sum(sum_over_time({self.log(name)}[{over}]{ago})) > 0)"

    def quantile(self, quantile: float, bucket: str, over: str) -> str:
        return f"histogram_quantile({quantile:g}, sum by (le) (rate({bucket}[{over}])))"

    def log_quantile(self, quantile: float, name: str, over: str) -> str:
        return self.quantile(quantile, self.log(name, "_bucket"), over)

    def ack_ms(self, quantile: float, over: str) -> str:
        return self.quantile(quantile, f"run_googleapis_com:request_latencies_bucket{self._run('webhook')}", over)

    def server_errors(self, service: Service, over: str) -> str:
        more = ',response_code_class="5xx"'
        return f"sum(increase(run_googleapis_com:request_count{self._run(service, more)}[{over}]))"

    def instances(self, service: Service) -> str:
        return f"sum(run_googleapis_com:container_instance_count{self._run(service)})"

    @property
    def queue_depth(self) -> str:
        is_one_of = "=~" if "|" in self.names.queue else "="
        selector = f'{{monitored_resource="cloud_tasks_queue",queue_id{is_one_of}"{self.names.queue}"}}'
        return f"sum(cloudtasks_googleapis_com:queue_depth{selector})"

    def model_cost(self, over: str) -> str:
        """US dollars, as the runs themselves counted them."""
        return self.amount("model_usd", over)

    def _run(self, service: Service, more: str = "") -> str:
        return f'{{monitored_resource="cloud_run_revision",service_name="{self.names.service(service)}"{more}}}'
