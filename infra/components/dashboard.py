"""The page a person looks at: is it answering, how fast, at what price, and does anything pile up?

Plain data turned into the JSON that Cloud Monitoring takes, always the same for the same deployment. Zeros are left out
of it: the service leaves them out of what it gives back, and each later plan would show a difference.
"""

import json
from dataclasses import dataclass
from typing import Literal

from components.observability_alerts import ACK_MS, QUEUE_DEPTH
from components.observability_metrics import Names, Series

COLUMNS = 48
HEIGHT = 14
SCORE_HEIGHT = 8

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Line:
    """One query of a chart and what its line is called."""

    legend: str
    query: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over time. ``threshold``: where an alert begins."""

    title: str
    lines: tuple[Line, ...]
    unit: str = "1"
    plot: Literal["LINE", "STACKED_BAR", "STACKED_AREA"] = "LINE"
    threshold: float | None = None

    def widget(self) -> Json:
        sets = [
            {
                "plotType": self.plot,
                "targetAxis": "Y1",
                "legendTemplate": line.legend,
                "timeSeriesQuery": {"prometheusQuery": line.query, "unitOverride": self.unit},
            }
            for line in self.lines
        ]
        chart: Json = {"chartOptions": {"mode": "COLOR"}, "dataSets": sets}
        if self.threshold is not None:
            chart["thresholds"] = [{"label": "alert", "targetAxis": "Y1", "value": self.threshold}]
        return {"title": self.title, "xyChart": chart}


@dataclass(frozen=True, slots=True)
class Score:
    """One number, of the last 24 hours."""

    title: str
    query: str
    unit: str = "1"

    def widget(self) -> Json:
        query = {"prometheusQuery": self.query, "unitOverride": self.unit}
        return {"title": self.title, "scorecard": {"timeSeriesQuery": query}}


def dashboard_json(names: Names, daily_usd: int) -> str:
    """The dashboard of one deployment."""
    series = Series(names)
    rows = (_day(series), _people(series), _model(series, daily_usd), _machinery(series))
    tiles: list[Json] = []
    y = 0
    for row in rows:
        height = SCORE_HEIGHT if isinstance(row[0], Score) else HEIGHT
        width = COLUMNS // len(row)
        for place, each in enumerate(row):
            tiles.append(_tile(place * width, y, width, height, each.widget()))
        y += height
    layout: Json = {"columns": COLUMNS, "tiles": tiles}
    page: Json = {"displayName": f"DM agent: {names.prefix}", "mosaicLayout": layout}
    return json.dumps(page, sort_keys=True, separators=(",", ":"))


def _tile(x: int, y: int, width: int, height: int, widget: Json) -> Json:
    place = {"xPos": x, "yPos": y}
    return {**{key: value for key, value in place.items() if value}, "width": width, "height": height, "widget": widget}


def _day(series: Series) -> tuple[Score | Chart, ...]:
    def ended(matcher: str) -> str:
        return f"{series.amount('dms_ended', '1d', f',ending{matcher}')} or vector(0)"

    return (
        Score("DMs in, 24 h", f"{series.amount('dms_received', '1d')} or vector(0)"),
        Score("Answered, 24 h", ended('="answered"')),
        Score("Left to a person, 24 h", ended('=~"human|handed_over"')),
        Score("Failed or uncertain, 24 h", ended('=~"failed|uncertain"')),
        Score("Overdue threads now", f"{series.amount('threads_overdue', '2m')} or vector(0)"),
        Score("Model, estimated, 24 h", f"{series.model_cost('1d')} or vector(0)", "USD"),
    )


def _people(series: Series) -> tuple[Score | Chart, ...]:
    every = "${__interval}"
    endings = f"sum by (ending) (increase({series.log('dms_ended', '_sum')}[{every}]))"
    return (
        Chart("DMs by how they ended", (Line("${labels.ending}", endings),), plot="STACKED_BAR"),
        Chart(
            "Meta waits for its 200",
            (Line("half", series.ack_ms(0.5, every)), Line("95 of 100", series.ack_ms(0.95, every))),
            "ms",
            threshold=ACK_MS,
        ),
        Chart(
            "From wake-up to reply",
            (
                Line("half", series.log_quantile(0.5, "answer_ms", every)),
                Line("95 of 100", series.log_quantile(0.95, "answer_ms", every)),
                Line("half, of that the model", series.log_quantile(0.5, "model_ms", every)),
            ),
            "ms",
        ),
    )


def _model(series: Series, daily_usd: int) -> tuple[Score | Chart, ...]:
    every = "${__interval}"
    return (
        Chart(
            "Tokens",
            tuple(Line(name, series.amount(f"{name}_tokens", every)) for name in ("input", "output")),
            plot="STACKED_BAR",
        ),
        Chart(
            "Model, estimated cost of a day",
            (Line("US dollars", series.model_cost("1d")),),
            "USD",
            threshold=daily_usd,
        ),
        Chart(
            "What went wrong",
            (
                Line("attempts failed", series.count("attempts_failed", every)),
                Line("actions in doubt", series.count("actions_uncertain", every)),
                Line("quarantined", series.count("items_quarantined", every)),
                Line("wrong signature", series.count("webhooks_refused", every)),
            ),
            plot="STACKED_BAR",
        ),
        Chart(
            "Alerts lost, long waits",
            (
                Line("alerts not delivered", series.count("alerts_undelivered", every)),
                Line("threads that wait", series.count("waits_prolonged", every)),
                Line("services that fail", series.count("brakes_prolonged", every)),
            ),
            plot="STACKED_BAR",
        ),
    )


def _machinery(series: Series) -> tuple[Score | Chart, ...]:
    every = "${__interval}"
    return (
        Chart("Wake-ups waiting", (Line("queue", series.queue_depth),), threshold=QUEUE_DEPTH),
        Chart("Overdue threads found", (Line("overdue", series.amount("threads_overdue", every)),), plot="STACKED_BAR"),
        Chart(
            "5xx answers",
            (
                Line("webhook", series.server_errors("webhook", every)),
                Line("processor", series.server_errors("processor", every)),
            ),
            plot="STACKED_BAR",
        ),
        Chart(
            "Instances",
            (Line("webhook", series.instances("webhook")), Line("processor", series.instances("processor"))),
            plot="STACKED_AREA",
        ),
    )
