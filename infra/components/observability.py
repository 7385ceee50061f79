"""What tells a person how the deployment is: metrics, a dashboard, alerts, who hears of them, a budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import billing, logging, monitoring, organizations

from components.dashboard import dashboard_json
from components.observability_alerts import Alert, alerts
from components.observability_metrics import METRICS, LogMetric, Names
from components.project_apis import ProjectApis
from configuration import Budget

AUTO_CLOSE = "86400s"


@dataclass(frozen=True, slots=True)
class ObservabilityArgs:
    """``alert_email`` None: alerts are seen in the console only. ``silence_hours``: how long without a webhook is odd.
    ``accounts``: whose threads a probe may appear in.
    ``labels`` go on what can carry them."""

    project: str
    prefix: str
    apis: ProjectApis
    labels: Mapping[str, str]
    webhook_name: str
    processor_name: str
    queue_names: tuple[str, ...]
    accounts: tuple[str, ...]
    alert_email: str | None
    budget: Budget | None
    silence_hours: int
    daily_usd: int


class Observability(pulumi.ComponentResource):
    """Owns the log-based metrics, the dashboard, the alert policies, the e-mail channel and the budget.

    Deliberately owns no log sink, no retention of logs and no uptime check: the platform keeps logs for 30 days, the
    hourly check and the silence alert see what an uptime check can't (Meta not calling), and the processor is private.
    """

    def __init__(self, name: str, args: ObservabilityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dmagent:gcp:Observability", name, None, opts)
        self._args = args
        self._monitoring = args.apis.options(self, "monitoring")
        queues = "|".join(args.queue_names)
        names = Names(args.project, args.prefix, args.webhook_name, args.processor_name, queues, args.accounts)
        self.metrics = [self._metric(metric, names) for metric in METRICS]
        # Both name metrics inside strings, which the engine can't see.
        after_metrics = pulumi.ResourceOptions(depends_on=self.metrics)
        self._after_metrics = pulumi.ResourceOptions.merge(self._monitoring, after_metrics)
        self.dashboard = monitoring.Dashboard(
            "dashboard",
            project=args.project,
            dashboard_json=dashboard_json(names, args.daily_usd),
            opts=self._after_metrics,
        )
        self.channels = [self._channel(args.alert_email)] if args.alert_email else []
        self.alerts = [self._alert(alert, names) for alert in alerts(names, args.daily_usd, args.silence_hours)]
        self.budget = self._budget(args.budget) if args.budget else None
        self.dashboard_url: pulumi.Output[str] = self.dashboard.id.apply(
            lambda id_: (
                f"https://console.cloud.google.com/monitoring/dashboards/builder/{id_.rsplit('/', 1)[-1]}"
                f"?project={args.project}"
            )
        )
        self.register_outputs({"dashboardUrl": self.dashboard_url})

    def _metric(self, metric: LogMetric, names: Names) -> logging.Metric:
        labels = [logging.MetricMetricDescriptorLabelArgs(key=key, value_type="STRING") for key in metric.labels]
        amount = metric.value is not None
        return logging.Metric(
            metric.name,
            project=self._args.project,
            name=names.metric(metric.name),
            description=metric.what,
            filter=metric.events.filter(names),
            metric_descriptor=logging.MetricMetricDescriptorArgs(
                metric_kind="DELTA",
                value_type="DISTRIBUTION" if amount else "INT64",
                unit=metric.unit,
                display_name=metric.what,
                labels=labels or None,
            ),
            value_extractor=f"EXTRACT(jsonPayload.{metric.value})" if amount else None,
            label_extractors={key: f"EXTRACT(jsonPayload.{path})" for key, path in metric.labels.items()} or None,
            bucket_options=_buckets() if amount else None,
            opts=self._args.apis.options(self, "logging"),
        )

    def _channel(self, email: str) -> monitoring.NotificationChannel:
        return monitoring.NotificationChannel(
            "e-mail",
            project=self._args.project,
            display_name=f"DM agent: {email}",
            type="email",
            labels={"email_address": email},
            user_labels=dict(self._args.labels),
            opts=self._monitoring,
        )

    def _alert(self, alert: Alert, names: Names) -> monitoring.AlertPolicy:
        matches_log = not isinstance(alert.when, tuple)
        return monitoring.AlertPolicy(
            alert.name,
            project=self._args.project,
            display_name=f"{names.prefix}: {alert.title}",
            severity=alert.severity,
            combiner="OR",
            conditions=[_condition(alert, names)],
            documentation=monitoring.AlertPolicyDocumentationArgs(
                content=alert.action, mime_type="text/markdown", subject=f"DM agent: {alert.title}"
            ),
            alert_strategy=monitoring.AlertPolicyAlertStrategyArgs(
                auto_close=AUTO_CLOSE,
                notification_rate_limit=(
                    monitoring.AlertPolicyAlertStrategyNotificationRateLimitArgs(period=f"{alert.quiet}s")
                    if matches_log
                    else None
                ),
            ),
            notification_channels=[channel.name for channel in self.channels],
            user_labels=dict(self._args.labels),
            opts=self._monitoring if matches_log else self._after_metrics,
        )

    def _budget(self, budget: Budget) -> billing.Budget:
        """A month's spending of this project only; who is told besides the channel: the billing account's admins."""
        number = organizations.get_project_output(project_id=self._args.project).number
        return billing.Budget(
            "budget",
            billing_account=budget.billing_account,
            display_name=f"DM agent: {self._args.prefix}",
            budget_filter=billing.BudgetBudgetFilterArgs(
                projects=[pulumi.Output.concat("projects/", number)], calendar_period="MONTH"
            ),
            amount=billing.BudgetAmountArgs(
                specified_amount=billing.BudgetAmountSpecifiedAmountArgs(
                    currency_code=budget.currency, units=str(budget.monthly)
                )
            ),
            threshold_rules=_thresholds(),
            all_updates_rule=(
                billing.BudgetAllUpdatesRuleArgs(
                    monitoring_notification_channels=[channel.name for channel in self.channels]
                )
                if self.channels
                else None
            ),
            opts=self._args.apis.options(self, "billingbudgets"),
        )


def _condition(alert: Alert, names: Names) -> monitoring.AlertPolicyConditionArgs:
    if not isinstance(alert.when, tuple):
        matched = monitoring.AlertPolicyConditionConditionMatchedLogArgs(filter=alert.when.filter(names))
        return monitoring.AlertPolicyConditionArgs(display_name=alert.title, condition_matched_log=matched)
    query, seconds = alert.when
    return monitoring.AlertPolicyConditionArgs(
        display_name=alert.title,
        condition_prometheus_query_language=monitoring.AlertPolicyConditionConditionPrometheusQueryLanguageArgs(
            query=query,
            duration=f"{seconds}s",
            evaluation_interval="60s",
            # A metric is known to the service only after its first data: without this the first `up` would fail.
            disable_metric_validation=True,
        ),
    )


def _buckets() -> logging.MetricBucketOptionsArgs:
    """From 1 to 10^7 (tokens, or ms up to hours), each a third wider than the one before."""
    return logging.MetricBucketOptionsArgs(
        exponential_buckets=logging.MetricBucketOptionsExponentialBucketsArgs(
            num_finite_buckets=56, growth_factor=1.3333, scale=1.0
        )
    )


def _thresholds() -> Sequence[billing.BudgetThresholdRuleArgs]:
    return [
        billing.BudgetThresholdRuleArgs(threshold_percent=0.5, spend_basis="CURRENT_SPEND"),
        billing.BudgetThresholdRuleArgs(threshold_percent=0.9, spend_basis="CURRENT_SPEND"),
        billing.BudgetThresholdRuleArgs(threshold_percent=1.0, spend_basis="FORECASTED_SPEND"),
    ]
