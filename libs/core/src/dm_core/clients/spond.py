"""The groups' calendars, over Spond's unofficial API: a small client of our own.

Three traps shape it. Login attempts are limited: the token is kept until it expires, one login runs at a time, and a
refused one is not tried again for 10 minutes. Time filters are unreliable and there is no paging: we ask for whole days
with a day to spare, halve a range whose answer is full, and filter and sort ourselves. Sessions whose members are
invited later are left out unless asked for (``scheduled``; https://github.com/Olen/Spond/issues/138). No names of
people are kept.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from dm_core.clients.http import Call, HttpClient
from dm_core.clients.http_response import NOT_JSON, Response, fields, items, string
from dm_core.clients.port import Session
from dm_core.clock import Clock
from dm_core.durations import HOUR_MS, MINUTE_MS
from dm_core.errors import AccountStopped, PlatformError, Refused, RetryLater, Service, Uncertain
from dm_core.settings import SpondSettings
from dm_core.telemetry import emit

PAGE_EVENTS: Final = 100
"""Events of one answer; a full one may be cut."""
DAY_EVENTS: Final = 1_000
"""Events asked for when a single day fills an answer."""
MAX_PAGES: Final = 16
LOGIN_PAUSE_MS: Final = 10 * MINUTE_MS
TOKEN_MARGIN_MS: Final = MINUTE_MS
"""A token is renewed this long before it expires, and used at least as long whatever it says (clocks differ)."""
UNDATED_TOKEN_MS: Final = HOUR_MS

_PLATFORM: Final = "Spond"
_DAY: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class SpondClient:
    """Reads the calendar; keeps ``clients.port.Spond``. Errors as that port says."""

    def __init__(self, settings: SpondSettings, clock: Clock, *, http: HttpClient | None = None) -> None:
        self._http = http or HttpClient(clock=clock)
        self._clock = clock
        self._root = settings.base_url
        self._credentials = {"email": settings.username, "password": settings.password}
        self._login = asyncio.Lock()
        self._token: str | None = None
        self._token_until = 0
        self._refusal: Refused | AccountStopped | None = None
        self._no_login_before = 0

    def calendar(self, group: str) -> "GroupCalendar":
        """The calendar of a group, over this client's login."""
        return GroupCalendar(self, group)

    async def sessions(self, start: datetime, end: datetime, group: str) -> tuple[Session, ...]:
        """Events that start in [start, end) (aware), sorted by start. Raises PlatformError when it can't tell."""
        whole = _Asked(group, _midnight(start) - _DAY, _midnight(end) + 2 * _DAY)
        waiting, found, pages = [whole], dict[str, Session](), 0
        while waiting:
            asked = waiting.pop()
            pages += 1
            if pages > MAX_PAGES:
                raise Refused(f"{_PLATFORM}: too many events to read", service=Service.SPOND)
            events = await self._events(asked)
            if PAGE_EVENTS <= len(events) < DAY_EVENTS and (smaller := asked.smaller()):
                waiting += smaller
            else:
                found |= {session.id: session for session in _parsed(events)}
        inside = (session for session in found.values() if start <= session.starts_at < end)
        return tuple(sorted(inside, key=lambda session: (session.starts_at, session.id)))

    async def close(self) -> None:
        """Release connections."""
        await self._http.close()

    async def _events(self, asked: "_Asked") -> list[object]:
        """One answer, with one new login when the token is no longer taken."""
        token = await self._signed_in(None)
        try:
            return await self._read(token, asked)
        except AccountStopped as error:
            if error.code != 401:
                raise
        try:
            return await self._read(await self._signed_in(token), asked)
        except AccountStopped as error:
            if error.code == 401:
                self._pause_logins(error)
            raise

    async def _read(self, token: str, asked: "_Asked") -> list[object]:
        group_id, _, subgroup_id = asked.group.partition("/")
        query = {
            "groupId": group_id,
            "minStartTimestamp": _stamp(asked.first),
            "maxStartTimestamp": _stamp(asked.last),
            "max": str(asked.most),
            "scheduled": "true",
        }
        if subgroup_id:
            query["subGroupId"] = subgroup_id
        call = Call(Service.SPOND, "GET", f"{self._root}/sponds/", idempotent=True, token=token, query=query)
        return list(items((await self._http.request(call, _judge_events)).body))

    async def _signed_in(self, rejected: str | None) -> str:
        """A token other than ``rejected``, from memory or by the one login that runs."""
        async with self._login:
            now = self._clock()
            if self._token is not None and self._token != rejected and now < self._token_until:
                return self._token
            if self._refusal is not None and now < self._no_login_before:
                raise type(self._refusal)(str(self._refusal), service=Service.SPOND, code=self._refusal.code)
            self._token, self._refusal = None, None
            reply = await self._log_in()
            token, expires_at = _access_token(reply)
            lasts = (expires_at or now + UNDATED_TOKEN_MS) - TOKEN_MARGIN_MS
            self._token, self._token_until = token, max(lasts, now + TOKEN_MARGIN_MS)
            return token

    async def _log_in(self) -> Response:
        """One login. Not idempotent: each counts against a limit, so only one that surely didn't arrive is repeated."""
        url = f"{self._root}/auth2/login"
        call = Call(Service.SPOND, "POST", url, idempotent=False, body=dict(self._credentials))
        try:
            return await self._http.request(call, _judge_login)
        except Uncertain as error:
            raise RetryLater(f"{_PLATFORM}: the login was not answered", service=Service.SPOND) from error
        except (Refused, AccountStopped) as error:
            self._pause_logins(error)
            raise

    def _pause_logins(self, refusal: Refused | AccountStopped) -> None:
        self._token = None
        self._refusal, self._no_login_before = refusal, self._clock() + LOGIN_PAUSE_MS


@dataclass(frozen=True, slots=True)
class GroupCalendar:
    """One group's calendar; keeps ``clients.port.Calendar``."""

    client: SpondClient
    group: str

    async def sessions(self, start: datetime, end: datetime) -> tuple[Session, ...]:
        """As ``SpondClient.sessions``."""
        return await self.client.sessions(start, end, self.group)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question: events of a group that start in [first, last], at most so many."""

    group: str
    first: datetime
    last: datetime
    most: int = PAGE_EVENTS

    def smaller(self) -> "list[_Asked]":
        """What to ask when the answer was full: both halves, of a single day more; nothing more after that."""
        days = (self.last - self.first).days
        if days > 1:
            middle = self.first + (days // 2) * _DAY
            return [replace(self, last=middle), replace(self, first=middle)]
        return [replace(self, most=DAY_EVENTS)] if self.most < DAY_EVENTS else []


def _judge_events(reply: Response) -> PlatformError | None:
    if reply.is_success and isinstance(reply.body, list):
        return None
    if reply.status == 401:
        return AccountStopped(f"{_PLATFORM}: the sign-in is no longer taken", service=Service.SPOND, code=401)
    return _outage(reply) or Refused(
        f"{_PLATFORM}: an unexpected answer (HTTP {reply.status})", service=Service.SPOND, code=reply.status
    )


def _judge_login(reply: Response) -> PlatformError | None:
    """Nothing here is RetryLater: an answered login is never repeated at once."""
    answer, status = fields(reply.body), reply.status
    if reply.is_success and _access_token(reply)[0]:
        return None
    if answer.get("errorKey") == "outOfLoginAttempts" or answer.get("errorCode") == 1002:
        return AccountStopped(
            f"{_PLATFORM}: out of login attempts; wait, then check the password", service=Service.SPOND, code=1002
        )
    if "phoneNumber" in answer:
        return AccountStopped(
            f"{_PLATFORM}: the member has two-factor login; use a member without it", service=Service.SPOND
        )
    if status == 429:
        return Refused(f"{_PLATFORM}: too many logins", service=Service.SPOND, code=status)
    if _outage(reply) is not None:
        return Uncertain(f"{_PLATFORM}: a temporary failure (HTTP {status})", service=Service.SPOND, code=status)
    if reply.body is NOT_JSON:
        return Refused(
            f"{_PLATFORM}: the login has changed or is blocked (HTTP {status})", service=Service.SPOND, code=status
        )
    return AccountStopped(f"{_PLATFORM}: the login was refused (HTTP {status})", service=Service.SPOND, code=status)


def _outage(reply: Response) -> RetryLater | None:
    """Throttles, server errors, and successes that are no JSON (an error page in disguise)."""
    if reply.status == 429:
        return RetryLater(f"{_PLATFORM}: throttled", service=Service.SPOND, code=429)
    if reply.status >= 500 or (reply.is_success and reply.body is NOT_JSON):
        message = f"{_PLATFORM}: a temporary failure (HTTP {reply.status})"
        return RetryLater(message, service=Service.SPOND, code=reply.status)
    return None


def _access_token(reply: Response) -> tuple[str, int]:
    """Token and when it ends (ms since 1970; 0 when not said); an empty token when there is none."""
    answer = fields(fields(reply.body).get("accessToken"))
    token, expires_at = string(answer.get("token")) or "", _moment(answer.get("expiration"))
    ends = 0 if expires_at is None else int((expires_at - _EPOCH).total_seconds() * 1_000)
    return (token if re.fullmatch(r"[\x21-\x7e]+", token) else ""), ends


def _parsed(events: list[object]) -> Iterator[Session]:
    """Sessions of an answer. Hidden events and availability polls are left out; what can't be read is counted.

    Raises Refused where nothing can be read: it would look like an empty calendar.
    """
    odd = read = 0
    for event in events:
        entry = fields(event)
        if _flag(entry.get("hidden")) or entry.get("type") == "AVAILABILITY":
            continue
        session = _session(entry)
        if session is None:
            odd += 1
        else:
            read += 1
            yield session
    if odd:
        emit("spond_events_skipped", "WARNING", count=odd)
    if odd and not read:
        raise Refused(f"{_PLATFORM}: events in a form that can't be read", service=Service.SPOND)


def _session(event: Mapping[str, object]) -> Session | None:
    event_id, starts_at = string(event.get("id"), 200), _moment(event.get("startTimestamp"))
    if event_id is None or starts_at is None:
        return None
    ends_at = _moment(event.get("endTimestamp"))
    place = fields(event.get("location"))
    return Session(
        id=event_id,
        title=_line(event.get("heading")) or "",
        starts_at=starts_at,
        ends_at=ends_at if ends_at is not None and ends_at >= starts_at else None,
        cancelled=_flag(event.get("cancelled")),
        location=_line(place.get("feature")) or _line(place.get("address")),
        accepted=len(items(fields(event.get("responses")).get("acceptedIds"))),
        capacity=_capacity(event.get("maxAccepted")),
        invites_at=_moment(event.get("inviteTime")),
    )


def _flag(value: object) -> bool:
    """Whether a flag is set, however it is written: a session that is cancelled must not be told as on."""
    return value is True or value == 1 or (isinstance(value, str) and value.lower() in ("true", "1"))


def _capacity(value: object) -> int | None:
    """Places; None when there is no limit."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value < 10**6 else None


def _line(value: object) -> str | None:
    """One line of at most 200 characters, None when there is nothing in it."""
    return " ".join((string(value, 200) or "").split()) or None


def _moment(value: object) -> datetime | None:
    """``2026-11-24T17:00:00Z`` as an aware time in UTC; a time without a zone is taken as UTC."""
    try:
        moment = datetime.fromisoformat(string(value, 40) or "")
        if not 1970 < moment.year < 9999:  # no time, and no zone of ours could show it
            return None
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
