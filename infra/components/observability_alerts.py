"""When a person is called, and what that person does then.

Two kinds. What is wrong the first time it happens (a DM that failed, a reply in doubt) is matched in the log, which
needs no metric and misses no single event. What is wrong when there is much or nothing of it (errors, latency, silence)
is a PromQL query over metrics; it is true while the query returns anything.
"""

from dataclasses import dataclass
from typing import Literal

from components.observability_metrics import (
    ALERT_UNDELIVERED,
    BRAKE_PROLONGED,
    FAILED,
    MANAGER_UNREACHABLE,
    NOT_DELIVERED_TO,
    QUARANTINED,
    TOKEN_IN_DANGER,
    UNCERTAIN,
    WAIT_PROLONGED,
    Events,
    Names,
    Series,
)

Severity = Literal["CRITICAL", "ERROR", "WARNING"]

ACK_MS = 3_000
"""Meta wants its 200 within 5 s and redelivers what is late (https://developers.facebook.com/docs/graph-api/webhooks/getting-started)."""
QUEUE_DEPTH = 500


@dataclass(frozen=True, slots=True)
class Alert:
    """One policy. ``when``: the events any of which calls, or a query and for how many seconds it must hold.
    ``quiet``: seconds after a call on events in which the next ones are silent."""

    name: str
    title: str
    severity: Severity
    when: Events | tuple[str, int]
    action: str
    quiet: int = 3_600


def alerts(names: Names, daily_usd: int, silence_hours: int) -> tuple[Alert, ...]:
    """Every policy of one deployment. ``daily_usd``: what the model may cost in a day before somebody is told."""
    series = Series(names)
    return (
        *_threads(),
        *_undelivered(),
        *_account(series, silence_hours),
        *_load(series),
        _cost(series, daily_usd),
    )


def _threads() -> tuple[Alert, ...]:
    return (
        Alert(
            "dm-failed",
            "A DM could not be answered",
            "ERROR",
            FAILED,
            "Every attempt failed, or the platform has stopped the account. The manager was told over WhatsApp.\n\n"
            "1. Open the entry in the log: `thread` is the same in all lines of that thread; read its `run_stopped` "
            "lines, whose `error` says why. `dm-admin show` takes the same word for the thread.\n"
            "2. Answer the person in the Instagram app: the bot then keeps out of that thread.\n"
            "3. If the error is the model's or the platform's and has passed, nothing else needs doing: the person's "
            "next DM starts a new run.",
        ),
        Alert(
            "send-uncertain",
            "A reply or a notice may or may not have gone out",
            "WARNING",
            UNCERTAIN,
            "The platform broke off after the message was handed over, and it was not found afterwards. It is held, so "
            "that nobody gets it twice.\n\n"
            "1. Look into the thread in the Instagram app: is the reply there?\n"
            "2. If not, answer the person yourself.\n"
            "3. If this is frequent, see `action_uncertain` in the log for its `reason`.",
        ),
        Alert(
            "item-quarantined",
            "Meta sent something that was not understood",
            "WARNING",
            QUARANTINED,
            "The item is kept as it came in the collection `quarantine`; the rest of that request was handled.\n\n"
            "1. `reason` in the log entry says what was odd about it.\n"
            "2. If it is a person's DM, answer it in the Instagram app.\n"
            "3. If it is a new kind of event, teach the parser (`dm_core/webhook/payload.py`) and redeploy.",
        ),
    )


def _undelivered() -> tuple[Alert, ...]:
    """What the manager can't be told over WhatsApp, and outages that last."""
    return (
        Alert(
            "alert-undelivered",
            "An alert did not reach the manager",
            "CRITICAL",
            ALERT_UNDELIVERED,
            "WhatsApp refused it for good, or it was not delivered in time. Whatever it said, nobody has read it: a "
            "person may be in danger.\n\n"
            "1. Read it now: `alert` in the log entry is how its document's id in the collection `alerts` starts; "
            "`text` is what should have been said. Act on it, and tell the manager by telephone.\n"
            "2. `reason` and `code` say why. Token dead: rotate it (docs/deploy.md#rotation). Outside the 24 hours and "
            "no template: set `WHATSAPP_TEMPLATE`. Number blocked or unregistered: see WhatsApp Manager.\n"
            "3. What is still waiting goes out by itself once WhatsApp takes it again.",
            quiet=600,
        ),
        Alert(
            "manager-unreachable",
            "The manager can't be told over WhatsApp",
            "CRITICAL",
            MANAGER_UNREACHABLE,
            "The hourly check asked, so no alert need have been lost yet: the next one would be.\n\n"
            "1. `problems` in the log entry says what is wrong: the number, the token, the template, or that WhatsApp "
            "could not be asked. The last may be over by the next hour's check.\n"
            "2. Token: rotate it (docs/deploy.md#rotation). Number blocked or payment due: see WhatsApp Manager. "
            "Template paused or rejected: have another approved and set `WHATSAPP_TEMPLATE`.\n"
            "3. Until then read `alerts --open` (docs/operate.md#an-alert-did-not-reach-the-manager).",
            quiet=14_400,
        ),
        Alert(
            "wait-prolonged",
            "A thread has been waiting for a long time",
            "ERROR",
            WAIT_PROLONGED,
            "Nothing is lost: its DMs wait and are answered once the cause is gone, for up to `MAX_WAIT_HOURS` or till "
            "the person's 24 hours end.\n\n"
            "1. `reason` in the log entry names what it waits for: the model, Instagram, the secrets, the account.\n"
            "2. The account's or deployment's (token, permission, key, model's name): fix that; the alert over "
            "WhatsApp says which.\n"
            "3. An outage of theirs: see https://status.cloud.google.com and https://metastatus.com; there is nothing "
            "else to do. If it lasts, answer from the Instagram app.",
        ),
        Alert(
            "brake-prolonged",
            "A service has been failing in several threads for a long time",
            "ERROR",
            BRAKE_PROLONGED,
            "Its calls are held back, except one probe at a time, so every DM of this account waits.\n\n"
            "1. `service` in the log entry names it; `run_stopped` and `account_stopped` lines say with which error.\n"
            "2. Ours to fix (token, key, permission, quota): do so; the next probe releases the brake.\n"
            "3. Theirs: see https://status.cloud.google.com and https://metastatus.com, and answer what is urgent from "
            "the Instagram app.",
        ),
    )


def _account(series: Series, silence_hours: int) -> tuple[Alert, ...]:
    silent = (
        f"{series.seen('checks_passed', '2h')} and {series.seen('checks_passed', '2h', f'{silence_hours}h')} "
        f"unless {series.seen('webhooks', f'{silence_hours}h')}"
    )
    return (
        Alert(
            "no-webhooks",
            f"No webhook for {silence_hours} hours although the account is subscribed",
            "WARNING",
            (silent, 0),
            "Meta stops delivering without a word. (On a quiet account this may simply be a quiet day: set "
            "`dm-agent:silenceHours` higher.)\n\n"
            "1. Send the account a DM from a person without a role in the app.\n"
            "2. Nothing in the webhook's log: see the app's dashboard (webhook's URL, fields, Live mode) and the "
            "account's switch *Connected tools*.\n"
            "3. In the log but refused: the app secret changed, see the alert on signatures.",
        ),
        Alert(
            "not-subscribed",
            "The account is not subscribed, or its subscription can't be read",
            "ERROR",
            NOT_DELIVERED_TO,
            "`problems` in the log entry says which; what could not be read once may be readable in the next hour's "
            "check. Meta unsubscribes an account whose webhook fails for hours.\n\n"
            "1. Fix the webhook first if it fails (5xx).\n"
            "2. Subscribe the account again (docs/deploy.md#7-meta-webhook-live-subscription), then run the "
            "scheduler's job `check` by hand.",
            quiet=14_400,
        ),
        Alert(
            "token",
            "The Instagram token is in danger",
            "CRITICAL",
            TOKEN_IN_DANGER,
            "It ends in less than 20 days, or could not be refreshed or read. After 60 days without a refresh it is "
            "dead, and so are all replies.\n\n"
            "1. Run the scheduler's job `refresh-token` by hand and read its `job_failed` line.\n"
            "2. If Meta refuses, make a new token in the app's dashboard, add it with `make secrets` and deploy the "
            "version it prints (docs/deploy.md#rotation).",
            quiet=86_400,
        ),
        Alert(
            "signatures",
            "Requests with a wrong signature",
            "ERROR",
            (f"{series.count('webhooks_refused', '10m')} > 10", 0),
            "Either somebody is trying, or the app secret was changed and every DM is being refused.\n\n"
            "1. Compare the app secret in Meta's dashboard with the deployed version.\n"
            "2. If it was changed, add the new one **beside** the old one (comma-separated) with `make secrets`.",
        ),
    )


def _load(series: Series) -> tuple[Alert, ...]:
    return (
        Alert(
            "overdue",
            "Threads stay overdue, or the sweep has stopped",
            "CRITICAL",
            (
                f"sum(min_over_time(({series.amount('threads_overdue', '2m')})[15m:1m])) > 0 "
                f"or absent_over_time({series.log('threads_overdue', '_count')}[15m])",
                300,
            ),
            "Each minute the sweep wakes what nobody looked after. For 15 minutes it found some every time, or it did "
            "not run at all.\n\n"
            "1. Is the scheduler's job `sweep` enabled, and what is it answered? 403: its right to call is gone.\n"
            "2. Is the queue paused? Does the processor start (its log's first lines name a missing setting)?\n"
            "3. Is a platform or the model down? Then it recovers by itself: no DM is lost meanwhile.",
        ),
        Alert(
            "queue-depth",
            f"More than {QUEUE_DEPTH} wake-ups are waiting",
            "WARNING",
            (f"{series.queue_depth} > {QUEUE_DEPTH}", 600),
            "People wait for answers longer than they should.\n\n"
            "1. Many 5xx or 409 from the processor: fix that, retries fill the queue.\n"
            "2. Instances at their maximum: raise `dm-agent:processorMaxInstances`.\n"
            "3. Neither: the queue may be throttled or paused; see its page in the console.",
        ),
        Alert(
            "webhook-errors",
            "The webhook fails",
            "CRITICAL",
            (f"{series.server_errors('webhook', '5m')} > 3", 0),
            "Meta redelivers what failed, but unsubscribes an account whose webhook fails for hours.\n\n"
            "1. `webhook_not_stored` and `request_failed` in the log name the cause: database, queue or rights.\n"
            "2. After a deployment: roll back (docs/deploy.md#rollback).",
        ),
        Alert(
            "processor-errors",
            "The processor fails",
            "ERROR",
            (f"{series.server_errors('processor', '15m')} > 10", 0),
            "Each is tried again, so nothing is lost yet; after 5 attempts a DM counts as failed.\n\n"
            "1. `run_stopped`, `task_failed` and `job_failed` in the log name the cause.\n"
            "2. After a deployment: roll back (docs/deploy.md#rollback).",
        ),
        Alert(
            "ack-latency",
            "Meta waits too long for its 200",
            "WARNING",
            (f"{series.ack_ms(0.95, '10m')} > {ACK_MS}", 600),
            f"One in twenty took longer than {ACK_MS / 1000:g} s; from 5 s on Meta counts it as failed.\n\n"
            "1. Cold starts: set `dm-agent:webhookMinInstances` to 1.\n"
            "2. Otherwise the database or the queue is slow: see their pages in the console.",
        ),
    )


def _cost(series: Series, daily_usd: int) -> Alert:
    return Alert(
        "model-cost",
        f"The model's calls cost more than ${daily_usd} in a day",
        "WARNING",
        (f"{series.model_cost('1d')} > {daily_usd}", 0),
        "Summed over the runs (`usd` of `run_finished`, from that day's list prices); the bill may be lower, and runs "
        "of a model without a known price are not in it. The limit is `dm-agent:modelDailyUsd`.\n\n"
        "1. More DMs than usual? Then it is the price of success, or somebody is playing: see *Runs by ending*.\n"
        "2. More tokens a DM? Compare `promptHash` in `run_finished` lines: a larger prompt or knowledge file costs.\n"
        "3. Limits for one person: `MAX_RUNS_PER_HOUR`, `MAX_RUNS_PER_DAY`; for one run: `MAX_MODEL_TURNS`.",
    )
