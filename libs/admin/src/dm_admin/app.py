"""``dm-admin``: the operator's commands. It reads; what changes anything does so only with ``--yes``."""

import asyncio
import contextlib
import getpass
import io
import json
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from dm_admin import people, prompts, quarantine, replies, screen, steering, views
from dm_admin.desk import ALL, Desk, Plan, Refused
from dm_admin.late import Late
from dm_admin.reads import LOOKED_THROUGH, Reads
from dm_admin.settings import AdminSettings
from dm_admin.views import ThreadState
from dm_core.bootstrap.parts import open_alert_queue, open_queue, open_store
from dm_core.clock import random_ids, system_clock
from dm_core.durations import DAY_MS
from dm_core.errors import Cause, DmAgentError, Misconfigured, StoreUnavailable
from dm_core.outbox import AuditLine
from dm_core.store.document_values import clean_text

REPOSITORY: Final = Path(__file__).resolve().parents[4]
CHANGED_NOTHING: Final = "Nothing was changed. Type the same with --yes to do it."
RIGHTS: Final = "docs/rights.md#who-operates says which roles reading and acting need"
LOGIN: Final = "no Google credentials are found, or they have ended: run gcloud auth application-default login"
_OF_STORE: Final = (
    (Cause.API_OFF, "the Firestore API is off in this project: choose the right STACK, or run make up STACK=…"),
    ("PERMISSION_DENIED", f"you may not do this in this database: {RIGHTS}"),
    (Cause.NO_INDEX, "the database has no index for this yet: run make up STACK=…, and try again some minutes later"),
    (Cause.NO_DATABASE, "the project has no such database: look at STACK, GOOGLE_CLOUD_PROJECT and FIRESTORE_DATABASE"),
    *((word, LOGIN) for word in (Cause.NO_ACCESS_TOKEN, "UNAUTHENTICATED", "CredentialsError", "RefreshError")),
)
"""What a store's failure says, and what to do about it; the first that fits."""

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True)
quarantined = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="What was not understood.")
app.add_typer(quarantined, name="quarantine")

ThreadArgument = Annotated[
    str, typer.Argument(metavar="THREAD", help="a thread's id, a person's id, a @username, or what the log calls it")
]
ThreadOrAll = Annotated[str, typer.Argument(metavar="THREAD|all", help="as for show, or all: the whole deployment")]
Person = Annotated[str, typer.Argument(metavar="PERSON", help="a @username, a person's id, or a thread's id")]
Yes = Annotated[bool, typer.Option("--yes", help="do it; without this nothing is changed")]
Why = Annotated[str, typer.Option("--why", help="the reason, for the audit")]
AsJson = Annotated[bool, typer.Option("--json", help="as JSON; times are ms since 1970")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1_000, help="how many at most")]
Days = Annotated[int, typer.Option("--days", min=1, max=400, help="how far back")]


@app.callback()
def options(
    context: typer.Context,
    count: Annotated[bool, typer.Option("--count", help="say how many documents were read")] = False,
) -> None:
    """See, explain, pause, retry, answer and erase. Reads only, unless a command is given --yes."""
    context.obj = count


@asynccontextmanager
async def _desk() -> AsyncGenerator[Desk]:
    """Everything connects on its first use. Raises Misconfigured."""
    settings = AdminSettings.load(os.environ)
    store = open_store(settings.store, system_clock)
    to_wake, to_tell = settings.queue, settings.alert_queue
    queue = Late(lambda: open_queue(to_wake)) if to_wake else None
    alert_queue = Late(lambda: open_alert_queue(to_tell)) if to_tell else None
    try:
        yield Desk(Reads(store), queue, alert_queue, settings, _operator(), system_clock, random_ids)
    finally:
        for port in (queue, alert_queue, store):
            if port is not None:
                await port.close()


def _run[T](context: typer.Context, work: Callable[[Desk], Awaitable[T]]) -> T:
    """What a command reads or does. Log lines of the code below are not this tool's output."""

    async def running() -> T:
        async with _desk() as desk:
            outcome = await work(desk)
            if context.find_root().obj:
                usage = getattr(desk.store, "usage", None)
                print(f"documents read: {usage.reads if usage else '?'}", file=sys.stderr)
            return outcome

    with contextlib.redirect_stdout(io.StringIO()):
        return asyncio.run(running())


def _change(context: typer.Context, yes: bool, make: Callable[[Desk], Awaitable[Plan]]) -> None:
    async def work(desk: Desk) -> str:
        plan = await make(desk)
        return await plan.act() if yes else f"would {plan.would}. {CHANGED_NOTHING}"

    screen.say(_run(context, work))


def _operator() -> str:
    """Who types; a container may know no more of them than a number."""
    try:
        return getpass.getuser()
    except OSError:
        return f"uid-{os.getuid()}"


def _json(value: object) -> None:
    in_utf_8 = sys.stdout.encoding.lower() in ("utf-8", "utf8")
    print(json.dumps(views.as_json(value), ensure_ascii=not in_utf_8, indent=2))


@app.command()
def threads(
    context: typer.Context,
    waiting: Annotated[bool, typer.Option("--waiting", help="DMs are open, or a service is down")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="DMs were given up")] = False,
    paused: Annotated[bool, typer.Option("--paused", help="left to humans, for a while or until resumed")] = False,
    handed_over: Annotated[bool, typer.Option("--handed-over", help="a human must answer, and nobody has")] = False,
    off: Annotated[bool, typer.Option("--off", help="with the mode off or draft, or stopped by their person")] = False,
    search: Annotated[str, typer.Option("--search", help="a @username, or part of a name or id")] = "",
    limit: Limit = views.DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """The newest threads, or those that need somebody."""
    wanted = {
        (ThreadState.WAITING, ThreadState.RUNNING): waiting,
        (ThreadState.FAILED,): failed,
        (ThreadState.PAUSED, ThreadState.TAKEN_OVER): paused,
        (ThreadState.HANDED_OVER,): handed_over,
        (ThreadState.OFF, ThreadState.DRAFT, ThreadState.STOPPED): off,
    }
    states = [state for of_option, asked in wanted.items() if asked for state in of_option]

    async def work(desk: Desk) -> tuple[tuple[views.ThreadLine, ...], views.Everywhere]:
        release_ms = desk.settings.release_ms
        lines = await views.list_threads(desk.reads, desk.clock(), states, search, limit, release_ms)
        return lines, await views.everywhere(desk.reads)

    lines, everywhere = _run(context, work)
    if as_json:
        _json({"everywhere": everywhere, "threads": lines})
    else:
        screen.threads(lines, everywhere)
        if search and not lines:
            screen.say(f"looked for among the newest {LOOKED_THROUGH:,}; an older one: by its whole @username or id")


@app.command()
def show(context: typer.Context, thread: ThreadArgument, limit: Limit = 20, as_json: AsJson = False) -> None:
    """One thread: its state, its newest messages, its alerts, and what humans changed."""

    async def work(desk: Desk) -> tuple[views.ThreadView, views.Everywhere]:
        found = await desk.thread(thread)
        view = await views.view_thread(desk.reads, found.id, desk.clock(), limit, desk.settings.release_ms)
        if view is None:
            raise Refused(f"thread {found.id} was just erased")
        return view, await views.everywhere(desk.reads)

    view, everywhere = _run(context, work)
    if as_json:
        _json({"everywhere": everywhere, "thread": view})
    else:
        screen.thread(view, everywhere)


@app.command()
def why(
    context: typer.Context,
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="the beginning of its id, or the platform's id")],
    as_json: AsJson = False,
) -> None:
    """Why a message was sent, or what became of a DM: the run behind it, and the commit that its prompt is of."""

    async def work(desk: Desk) -> views.Answer:
        return await views.explain(desk.reads, await desk.message(message))

    answer = _run(context, work)
    prompt = prompts.describe(answer.run.prompt_hash, REPOSITORY) if answer.run else ""
    if as_json:
        _json({"answer": answer, "prompt": prompt})
    else:
        screen.answer(answer, prompt)


@app.command()
def audit(context: typer.Context, thread: ThreadOrAll, limit: Limit = 100, as_json: AsJson = False) -> None:
    """What humans changed in a conversation, or for the whole deployment, with who and why: the newest lines, the
    oldest of them first."""

    async def work(desk: Desk) -> tuple[AuditLine, ...]:
        thread_id = "" if thread == ALL else (await desk.thread(thread)).id
        return (await desk.reads.audit_of(thread_id))[-limit:]

    lines = _run(context, work)
    if as_json:
        _json({"audit": lines})
    else:
        screen.audit(lines)


@app.command()
def pause(context: typer.Context, thread: ThreadOrAll, why: Why = "", yes: Yes = False) -> None:
    """Leave a thread, or everything, to humans until it is resumed."""
    _change(context, yes, lambda desk: steering.pause(desk, thread, why))


@app.command()
def resume(context: typer.Context, thread: ThreadOrAll, why: Why = "", yes: Yes = False) -> None:
    """Let the agent answer what comes from now on; releases what was handed over."""
    _change(context, yes, lambda desk: steering.resume(desk, thread, why))


@app.command()
def mode(
    context: typer.Context,
    thread: ThreadOrAll,
    word: Annotated[str, typer.Argument(metavar="auto|draft|off")],
    why: Why = "",
    yes: Yes = False,
) -> None:
    """Who decides what is sent: the agent, the manager (of each draft), or nobody is answered."""
    _change(context, yes, lambda desk: steering.mode(desk, thread, word, why))


@app.command()
def retry(context: typer.Context, thread: ThreadArgument, why: Why = "", yes: Yes = False) -> None:
    """Make a thread's failed DMs pending again, and wake it."""
    _change(context, yes, lambda desk: steering.retry(desk, thread, why))


@app.command()
def reply(
    context: typer.Context,
    thread: ThreadArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="in quotes")],
    why: Why = "",
    yes: Yes = False,
    wait: Annotated[float, typer.Option("--wait", min=0, max=600, help="seconds to wait for the outcome")] = 20,
) -> None:
    """Answer a person as a human. The processor sends it, once; the thread is left to humans for a while."""
    _change(context, yes, lambda desk: replies.reply(desk, thread, text, why, wait))


@app.command()
def erase(context: typer.Context, person: Person, why: Why = "", yes: Yes = False, as_json: AsJson = False) -> None:
    """Erase a person: says first what there is, and with --yes gives a certificate."""

    async def work(desk: Desk) -> object:
        plan, erasure = await people.erase(desk, person, why)
        if not yes:
            return erasure.found if as_json else f"would {plan.would}. {CHANGED_NOTHING}"
        return await erasure.carry_out() if as_json else await plan.act()

    outcome = _run(context, work)
    if isinstance(outcome, str):
        screen.say(outcome)
    else:
        _json(outcome)


@app.command()
def export(
    context: typer.Context,
    person: Person,
    into: Annotated[Path | None, typer.Option("--into", help="a new file that only you can read")] = None,
) -> None:
    """Everything that is kept of a person, as JSON."""
    found = _run(context, lambda desk: people.export(desk, person))
    if into is None:
        _json(found)
        return
    text = json.dumps(found, ensure_ascii=False, indent=2)
    try:
        with os.fdopen(os.open(into, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        raise Refused(f"{into} can't be written ({error.strerror}): name a new file with --into") from None
    screen.say(f"written into {into}")


@app.command()
def alerts(
    context: typer.Context,
    still_open: Annotated[bool, typer.Option("--open", help="those that have not reached the manager")] = False,
    limit: Limit = 30,
    as_json: AsJson = False,
) -> None:
    """What the manager was told, and how far each alert got; the newest first."""
    found = _run(context, lambda desk: views.alerts(desk.reads, limit))
    chosen = [alert for alert in found if alert.open or not still_open]
    if as_json:
        _json({"alerts": chosen})
    else:
        screen.alerts(chosen)


@quarantined.command("list")
def list_quarantined(context: typer.Context, limit: Limit = 30, as_json: AsJson = False) -> None:
    """Pieces of webhooks that were not understood; the newest first."""
    found = _run(context, lambda desk: views.quarantined(desk.reads, limit))
    if as_json:
        _json({"quarantine": found})
    else:
        screen.quarantined(found)


@quarantined.command("replay")
def replay(
    context: typer.Context,
    item: Annotated[str, typer.Argument(metavar="ITEM", help="an id, or its beginning as the log has it")],
    account: Annotated[str, typer.Option("--account", help="whose item it is, where that can't be told")] = "",
    why: Why = "",
    yes: Yes = False,
) -> None:
    """Store an item as if it had just come, once a new version understands it."""
    _change(context, yes, lambda desk: quarantine.replay(desk, item, account, why))


@app.command()
def costs(
    context: typer.Context,
    by: Annotated[str, typer.Option("--by", metavar="day|thread")] = "day",
    days: Days = 7,
    limit: Limit = views.DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """What the model cost: each of the last days, or the newest threads in all."""
    if by not in ("day", "thread"):
        raise Refused(f"costs are by day or by thread, not by {by!r}: type --by day")

    async def work(desk: Desk) -> tuple[views.CostLine, ...]:
        now = desk.clock()
        if by == "thread":
            return await views.costs_by_thread(desk.reads, now, limit)
        return await views.costs_by_day(desk.reads, _days_ago(now, days))

    lines = _run(context, work)
    if as_json:
        _json({"costs": lines})
    else:
        screen.costs(lines)


@app.command()
def stats(context: typer.Context, days: Days = 7, as_json: AsJson = False) -> None:
    """What became of the DMs of the last days, and how long people waited."""
    figures = _run(context, lambda desk: views.stats(desk.reads, _days_ago(desk.clock(), days)))
    if as_json:
        _json(figures)
    else:
        screen.stats(figures)


def _days_ago(now: int, days: int) -> int:
    """When the first of the last ``days`` days (UTC) began."""
    return now - now % DAY_MS - (days - 1) * DAY_MS


def main() -> None:
    """Entry point. Exit code 0: read, done, or said what would be done; 1 with one line; 2 for a malformed command.

    Words that are not UTF-8 are looked for with U+FFFD in place of each byte, as they would have been stored; what the
    terminal's encoding lacks is shown as a question mark.
    """
    stdout: object = sys.stdout
    if isinstance(stdout, io.TextIOWrapper):
        stdout.reconfigure(errors="replace")
    try:
        app([clean_text(word).strip() for word in sys.argv[1:]])
    except (Refused, Misconfigured) as refused:
        _end(str(refused))
    except StoreUnavailable as error:
        _end(of_store(str(error)))
    except TimeoutError:
        _end("it took too long, and the sweep goes on with what was begun")
    except DmAgentError as error:
        _end(str(error))
    except OSError as error:  # what is left in the buffer must not fail once more at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _end(f"the output can't be written ({error.strerror})")


def of_store(error: str) -> str:
    """What to do about a store that did not do what was asked, on one line."""
    else_ = f"the store does not answer ({error}): look at STACK, STORE_URL and the network, then try again"
    return next((advice for word, advice in _OF_STORE if word in error), else_)


def _end(line: str) -> None:
    print(f"dm-admin: {line}", file=sys.stderr)
    sys.exit(1)
