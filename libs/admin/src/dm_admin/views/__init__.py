"""What an operator sees, as values: read from a store, shown by a terminal, a page, or as JSON (``as_json``).

Each view is a frozen dataclass of words, numbers and times (ms since 1970); the functions that make one read the store
and change nothing. What people wrote is in them as it is stored: whoever shows it makes it harmless first.
"""

from dm_admin.reads import Reads
from dm_admin.views.alerts import AlertView, QuarantinedView, alerts, quarantined
from dm_admin.views.costs import CostLine, costs_by_day, costs_by_thread
from dm_admin.views.json_values import as_json
from dm_admin.views.messages import MessageView, message_view
from dm_admin.views.runs import ActionView, Answer, CallView, DraftView, RunView, StepView, explain, run_view
from dm_admin.views.stats import Stats, stats
from dm_admin.views.threads import (
    DEFAULT_LIMIT,
    Everywhere,
    ThreadLine,
    ThreadState,
    ThreadView,
    everywhere,
    list_threads,
    thread_line,
    view_thread,
)

__all__ = [
    "DEFAULT_LIMIT",
    "ActionView",
    "AlertView",
    "Answer",
    "CallView",
    "CostLine",
    "DraftView",
    "Everywhere",
    "MessageView",
    "QuarantinedView",
    "Reads",
    "RunView",
    "Stats",
    "StepView",
    "ThreadLine",
    "ThreadState",
    "ThreadView",
    "alerts",
    "as_json",
    "costs_by_day",
    "costs_by_thread",
    "everywhere",
    "explain",
    "list_threads",
    "message_view",
    "quarantined",
    "run_view",
    "stats",
    "thread_line",
    "view_thread",
]
