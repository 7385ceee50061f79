"""Views on a terminal. Whatever people wrote is made harmless first, and no mark-up in it is followed."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dm_admin.views import (
    ActionView,
    AlertView,
    Answer,
    CostLine,
    DraftView,
    Everywhere,
    MessageView,
    QuarantinedView,
    RunView,
    Stats,
    ThreadLine,
    ThreadState,
    ThreadView,
)
from dm_core.outbox import AuditLine
from dm_core.plain_text import shown
from dm_core.runs import ActionState, DraftState
from dm_core.steering import Mode

PIPED: Final = (10_000, 100)
"""Columns and lines of what is no terminal: no cell is wrapped or cut there. (Without lines, rich takes the columns of
a dumb terminal instead: https://github.com/NVIDIA-NeMo/Gym/pull/2949.)"""
KEYS: Final = frozenset(("thread", "message", "alert", "item", "what"))
"""Columns whose words are typed again: they are whole as long as there is room for them."""
LEGIBLE, GAP = 10, 2
"""Columns that a word of a table needs at least, and that are between two of its columns."""
DRAFTS: Final = {
    DraftState.WAITING: "it waits for the manager's word",
    DraftState.SEND: "released as it was written",
    DraftState.EDIT: "released in the manager's own words",
    DraftState.DROP: "dropped",
}
"""What became of a draft."""
_SAID: Final = 400
_STEP: Final = 1_500


def _console() -> Console:
    width, height = (None, None) if sys.stdout.isatty() else PIPED
    asked = os.environ.get("COLUMNS", "")
    return Console(
        highlight=False,
        markup=False,
        width=int(asked) if width and asked.isdecimal() and int(asked) else width,
        height=height,
    )


def say(line: str) -> None:
    """One line as it is."""
    _console().print(Text(line), soft_wrap=True)


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    rows = list(rows)
    if not rows:
        say(f"{title}: none")
        return
    if _console().width < _narrowest(columns, rows):
        _blocks(title, columns, rows)
        return
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold", no_wrap=name in KEYS)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    _console().print(table)


def _narrowest(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """The width below which a table's words would be broken into a few letters each, or left out."""
    cells = [(name, *(row[number] for row in rows)) for number, name in enumerate(columns)]
    words = [max(cell_len(word) for cell in column for word in (cell.split() or [""])) for column in cells]
    wide = [word if name in KEYS else min(word, LEGIBLE) for name, word in zip(columns, words, strict=True)]
    return sum(wide) + GAP * (len(columns) - 1)


def _blocks(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table for a narrow window: each row under its first cell."""
    say(title)
    for first, *others in rows:
        say(first)
        for name, cell in zip(columns[1:], others, strict=True):
            if cell:
                say(f"  {name}: {cell}")


def when(ms: int | None) -> str:
    """A time of this machine's zone; one that no calendar has, as the number that is stored."""
    try:
        return datetime.fromtimestamp(ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S") if ms else "-"
    except (ValueError, OverflowError, OSError):
        return f"{ms} ms"


def money(usd: float | None) -> str:
    return "unknown" if usd is None else f"${usd:.4f}"


def seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:g} s"


def threads(lines: Sequence[ThreadLine], everywhere: Everywhere) -> None:
    """Threads as a table, under what holds everywhere."""
    deployment(everywhere)
    _table(
        "threads",
        ("thread", "who", "states", "open", "newest DM", "model calls", "cost"),
        (
            (
                line.id,
                shown(line.who, 40),
                ", ".join(line.states) or "quiet",
                str(line.pending),
                when(line.last_inbound_at),
                str(line.model_calls),
                money(line.usd),
            )
            for line in lines
        ),
    )


def deployment(everywhere: Everywhere) -> None:
    """What holds everywhere, if it is not the ordinary."""
    if everywhere.paused_at is not None:
        say(f"EVERYTHING is paused by {everywhere.paused_by} since {when(everywhere.paused_at)}")
    if everywhere.mode is not Mode.AUTO:
        say(f"EVERYTHING has the mode {everywhere.mode}")


def thread(view: ThreadView, everywhere: Everywhere) -> None:
    """One thread whole."""
    line = view.line
    deployment(everywhere)
    say(f"thread {line.id}: {shown(line.who, 60)} {f'({shown(line.name, 60)})' if line.name else ''}".rstrip())
    facts = {
        "states": ", ".join(line.states) or "quiet",
        "mode": line.mode or f"the deployment's ({everywhere.mode})",
        "open DMs": str(line.pending),
        "replies until": when(line.window_until),
        "handed over": when(view.handed_over_at),
        "paused": f"{when(view.paused_at)} by {view.paused_by}" if view.paused_by else "-",
        "taken over until": when(view.paused_until) if ThreadState.TAKEN_OVER in line.states else "-",
        "draft": DRAFTS[DraftState.WAITING] if view.draft_waits else "-",
        "next look": when(view.due_at),
        "not before": _not_before(view),
        "stop word": when(view.stopped_at),
        "model calls": f"{line.model_calls}, {money(line.usd)}",
    }
    for name, value in facts.items():
        if value != "-":
            say(f"  {name}: {value}")
    for note in view.notes:
        say(f"  note of {when(note.created_at)}: {shown(note.text, _SAID)}")
    messages("messages", view.messages)
    if view.alerts:
        alerts(view.alerts)
    if view.audit:
        audit(view.audit)


def _not_before(view: ThreadView) -> str:
    if view.not_before is None:
        return "-"
    tries = f", tried {view.wait_count} times" if view.wait_count > 1 else ""
    return f"{when(view.not_before)}, for a service does not answer or refuses the account{tries}"


def audit(lines: Sequence[AuditLine]) -> None:
    """What humans changed, as a table."""
    rows = ((when(each.at), shown(each.who, 60), each.what, shown(each.why, _SAID)) for each in lines)
    _table("changed by humans", ("when", "who", "what", "why"), rows)


def messages(title: str, views: Sequence[MessageView]) -> None:
    """Messages as a table; their ids are those that ``why`` takes."""
    rows = ((m.id[:12], when(m.at), m.by, shown(m.said, _SAID), _outcome(m)) for m in views)
    _table(title, ("message", "when", "by", "said", "outcome"), rows)


def _outcome(message: MessageView) -> str:
    return f"{message.outcome}: {shown(message.error, _SAID)}" if message.error else message.outcome


def answer(view: Answer, prompt: str) -> None:
    """Why a message is there, or what became of it. ``prompt``: which commit's prompt the run was asked with."""
    message = view.message
    say(f"message {message.id[:12]} in {message.thread_id}, by {message.by}, {when(message.at)}")
    say(f"  said: {shown(message.said, _SAID)}")
    say(f"  outcome: {message.outcome}, {shown(view.why, _STEP)}")
    if message.remedy:
        say(f"  what you can do: {message.remedy}")
    if view.waits_until:
        say(f"  tried again: {when(view.waits_until)}")
    if message.ended_at and message.by == "person":
        say(f"  arrived {when(message.arrived_at)}, ended {when(message.ended_at)}")
    if view.run is not None:
        run(view.run, prompt)
        messages("the DMs of that run", view.dms)


def run(view: RunView, prompt: str) -> None:
    """A run turn by turn."""
    ended = f"to {when(view.ended_at)}" if view.ended_at else "until now"
    outcome = ": ".join(word for word in (view.ending, shown(view.error or "", _STEP)) if word)
    say(f"run {view.id}: from {when(view.started_at)} {ended}, {outcome or 'no ending yet'}")
    say(f"  prompt {view.prompt_hash[:12]}, {prompt}")
    for number, step in enumerate(view.steps, 1):
        tokens = f"{step.input_tokens or 0} tokens in, {step.output_tokens or 0} out"
        say(f"  turn {number}: {step.finish} by {step.model or 'no model'} in {step.latency_ms / 1000:g} s, {tokens}")
        if step.said:
            say(f"    words: {shown(step.said, _STEP)}")
        for call in step.calls:
            say(f"    calls {call.name}({shown(json.dumps(call.arguments, ensure_ascii=False), _STEP)})")
            given = call.error or json.dumps(call.output, ensure_ascii=False)
            if given != "{}":
                say(f"      gave: {shown(given, _STEP)}")
    for each in view.actions:
        _action(each, over=view.ended_at is not None)
    if view.draft is not None:
        say(f"  draft: {_draft(view.draft, over=view.ended_at is not None)}")
    for word, texts in (("guard", view.guards), ("told the manager", view.asked_alerts), ("noted", view.notes)):
        for text in texts:
            say(f"  {word}: {shown(text, _STEP)}")
    out = view.output_tokens + view.thought_tokens
    say(f"  cost: {money(view.usd)} for {view.model_calls} model calls, {view.input_tokens} tokens in, {out} out")


def _action(view: ActionView, *, over: bool) -> None:
    """Its words whatever became of them: who looks for a reply in doubt must know what it said."""
    took = f" in {(view.ended_at - view.started_at) / 1000:g} s" if view.started_at and view.ended_at else ""
    again = ", sent once more for its first try was in doubt" if view.resent else ""
    error = f" ({shown(view.error, _STEP)})" if view.error else ""
    unsent = over and view.state == ActionState.PLANNED and view.started_at is None
    say(f"  {view.kind}: {'not sent' if unsent else view.state}{took}{again}{error}: {shown(view.text, _STEP)}")


def _draft(view: DraftView, *, over: bool) -> str:
    if over and view.state is DraftState.WAITING:
        return "nobody decided"
    decided = f" by {shown(view.by, 60)}, {when(view.at)}" if view.at else ""
    return f"{DRAFTS[view.state]}{decided}"


def alerts(views: Sequence[AlertView]) -> None:
    """Alerts as a table."""
    _table(
        "alerts",
        ("alert", "when", "urgency", "state", "calls", "cause", "thread", "text"),
        (
            (
                alert.id[:12],
                when(alert.created_at),
                alert.urgency,
                alert.state + (f" ({alert.failed_code})" if alert.failed_code else ""),
                str(alert.calls),
                shown(alert.cause, 40),
                alert.thread_id or "-",
                shown(alert.text, 120),
            )
            for alert in views
        ),
    )


def quarantined(views: Sequence[QuarantinedView]) -> None:
    """Quarantined items as a table."""
    rows = ((q.id, when(q.created_at), q.reason, str(q.chars), shown(q.raw, 80)) for q in views)
    _table("quarantine", ("item", "when", "reason", "characters", "begins"), rows)


def costs(lines: Sequence[CostLine]) -> None:
    """Costs as a table."""
    _table(
        "costs",
        ("what", "who", "runs", "model calls", "tokens in", "tokens out", "cost"),
        (
            (
                line.what,
                shown(line.who, 40),
                "-" if line.runs is None else str(line.runs),
                str(line.model_calls),
                str(line.input_tokens),
                str(line.output_tokens),
                money(line.usd),
            )
            for line in lines
        ),
    )


def stats(figures: Stats) -> None:
    """Figures, one a line."""
    say(f"since {when(figures.since)}: {figures.dms} DMs in {figures.threads} threads")
    outcomes = {
        "answered": figures.answered,
        "handed over": figures.handed_over,
        "refused": figures.refused,
        "waiting": figures.waiting,
        "failed": figures.failed,
    }
    for name, count in {**outcomes, **figures.others}.items():
        say(f"  {name}: {count}")
    say(f"  median time to an answer: {seconds(figures.median_answer_seconds)}")
    say(f"  median time to a human's reply: {seconds(figures.median_human_seconds)}")
