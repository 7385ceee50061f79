"""The calendar as archived runs were told it, turned back into sessions."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from dm_core.agent.tools.registry import LOOK_UP
from dm_core.runs import Run, ToolTurn
from dm_evals.production.anonymous import Anonymous
from dm_evals.scenarios.scenario import Session
from dm_sandbox.platforms.server import as_list, as_object

_DAY: Final = "%A %d %B %Y"


def sessions(runs: Iterable[Run], zone: ZoneInfo, anonymous: Anonymous, said: list[str]) -> tuple[Session, ...] | None:
    """What the calendar showed; None where it never answered. ``said`` gets what can't be known."""
    turns = [turn for run in runs for turn in run.turns if isinstance(turn, ToolTurn)]
    results = [result for turn in turns for result in turn.results if result.name == LOOK_UP]
    told = [result for result in results if result.error is None]
    if not results:
        said.append("nobody looked at the calendar: it is empty here")
        return ()
    if not told:
        said.append("the calendar did not answer: it is not connected here")
        return None
    if len(told) < len(results):
        said.append("the calendar failed at times: that is not played again")
    known: dict[tuple[str, datetime], Session] = {}
    for result in told:
        for entry in as_list(result.output.get("sessions")):
            session = _session(as_object(entry), zone, anonymous)
            if session is None:
                said.append("a session of the calendar could not be read")
                continue
            if known.get((session.title, session.starts), session) != session:
                said.append(f"{session.title} changed between two look-ups: the later state is played")
            known[session.title, session.starts] = session
    return tuple(sorted(known.values(), key=lambda session: session.starts))


def _session(told: Mapping[str, object], zone: ZoneInfo, anonymous: Anonymous) -> Session | None:
    """One entry of the tool's answer (``agent/tools/spond.py``); None where it is another shape."""
    day, begins, ends = (str(told.get(key) or "") for key in ("day", "starts", "ends"))
    try:
        starts = datetime.strptime(f"{day} {begins}", f"{_DAY} %H:%M").replace(tzinfo=zone)
        if not ends:
            finish = starts + timedelta(hours=1)
        elif len(ends) > len("00:00"):
            finish = datetime.strptime(ends, f"{_DAY}, %H:%M").replace(tzinfo=zone)
        else:
            finish = datetime.strptime(f"{day} {ends}", f"{_DAY} %H:%M").replace(tzinfo=zone)
    except ValueError:
        return None
    left, place = told.get("places_left"), told.get("where")
    full = told.get("status") == "full"
    known = isinstance(left, int)
    return Session(
        title=anonymous.text(str(told.get("title", ""))),
        starts=starts,
        ends=finish,
        place=anonymous.text(place) if isinstance(place, str) else None,
        capacity=(1 if full else left) if known else None,
        accepted=1 if full and known else 0,
        cancelled=told.get("status") == "cancelled",
    )
