"""Spond's unofficial API: login, groups, events, with a small club calendar behind it."""

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dm_core.clock import Clock, system_clock
from dm_core.durations import HOUR_MS
from dm_sandbox.platforms.faults import Fault, FaultKind
from dm_sandbox.platforms.server import Call, Platform, Reply, bearer

TOKEN_HOURS = 24
WAF_PAGE = "<html><head><title>403 Forbidden</title></head><body><center><h1>403 Forbidden</h1></center></body></html>"


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the calendar; optional fields are left out of the answer when they are not set.

    ``invites_at``: its members are invited then, and until then it is told only to whoever asks for scheduled ones.
    """

    id: str
    heading: str
    starts_at: datetime
    ends_at: datetime
    place: str | None = "Indoor nets, Riverside Sports Hall"
    accepted: int = 0
    capacity: int | None = None
    cancelled: bool = False
    recurring: bool = True
    group_id: str | None = None
    subgroup_id: str | None = None
    invites_at: datetime | None = None


class Spond(Platform):
    """The simulator. ``events`` may be replaced by a test; ``two_factor`` and ``attempts_left`` change the login."""

    name = "spond"

    def __init__(
        self,
        username: str = "bot@riverside.example",
        password: str = "sandbox-spond-password",  # noqa: S107
        group_id: str = "8B1F6D0A4C2E4F7F9A3D5B7C9E1F2A3B",
        time_zone: str = "Europe/London",
        port: int = 0,
        clock: Clock = system_clock,
    ) -> None:
        super().__init__(port, clock)
        self.username, self.password, self.group_id = username, password, group_id
        self.events = net_sessions(_day(clock()), ZoneInfo(time_zone))
        self.two_factor = False
        self.attempts_left = 10
        self._tokens: dict[str, int] = {}

    @property
    def api_url(self) -> str:
        """What ``SPOND_API_BASE_URL`` holds."""
        return f"{self.base_url}/core/v1"

    def expire_tokens(self) -> None:
        """Every token given so far stops working."""
        self._tokens.clear()

    def operation(self, call: Call) -> str:
        path = call.path.removeprefix("/core/v1").strip("/")
        known = {"auth2/login": "login", "sponds": "sponds", "groups": "groups", "profile": "profile"}
        return known.get(path, "unknown")

    async def process(self, operation: str, call: Call) -> Reply:
        if operation == "unknown":
            return Reply({"message": "Not Found"}, 404)
        if operation == "login":
            return self._login(call)
        expires = self._tokens.get(bearer(call), 0)
        if expires <= self.clock():
            return Reply({"errorKey": "unauthorized", "message": "Unauthorized"}, 401, facts={"error": "401"})
        if operation == "groups":
            return Reply([self._group()])
        if operation == "profile":
            return Reply({"id": "P" + self.group_id[:8], "firstName": "Club", "lastName": "Bot"})
        return self._sponds(call)

    def error(self, fault: Fault) -> Reply:
        if fault.status == 403 or fault.kind is FaultKind.THROTTLE:
            status = fault.status or 429
            return Reply(WAF_PAGE, status, fault.headers, "text/html", {"error": str(status)})
        body = {"errorKey": fault.message or "internalError", "errorCode": fault.code}
        return Reply(body, fault.status or 500, fault.headers, facts={"error": str(fault.status or 500)})

    def _login(self, call: Call) -> Reply:
        if call.method != "POST":
            return Reply({"message": "Method Not Allowed"}, 405)
        if self.attempts_left <= 0:
            body = {"errorKey": "outOfLoginAttempts", "errorCode": 1002}
            return Reply(body, 401, facts={"error": "outOfLoginAttempts"})
        if call.fields.get("email") != self.username or call.fields.get("password") != self.password:
            self.attempts_left -= 1
            return Reply({"errorKey": "invalidCredentials", "errorCode": 1001}, 401, facts={"error": "wrong password"})
        if self.two_factor:
            return Reply({"token": "2fa-token", "phoneNumber": "*******42"}, facts={"error": "2FA wanted"})
        expires_at = self.clock() + TOKEN_HOURS * HOUR_MS
        token = "eyJhbGciOiJIUzI1NiJ9." + hashlib.sha256(f"{len(self.records)}/{expires_at}".encode()).hexdigest()
        self._tokens[token] = expires_at
        access = {"token": token, "expiration": _iso(datetime.fromtimestamp(expires_at / 1000, UTC))}
        return Reply(
            {"accessToken": access, "refreshToken": {"token": "sandbox-refresh", "expiration": access["expiration"]}}
        )

    def _group(self) -> dict[str, object]:
        return {"id": self.group_id, "name": "Riverside CC", "subGroups": [], "members": [], "contactPerson": None}

    def _sponds(self, call: Call) -> Reply:
        events = [event for event in self.events if _within(event, call) and self._is_asked_for(event, call)]
        limit = call.query.get("max", "100")
        shown = events[: int(limit) if limit.isdecimal() else 100]
        return Reply([self._shown(event) for event in shown], facts={"events": str(len(shown))})

    def _is_asked_for(self, event: Event, call: Call) -> bool:
        """Of the group and the subgroup, and of those with later invitations only if these are wanted."""
        group_id, subgroup_id = call.query.get("groupId"), call.query.get("subGroupId")
        if group_id is not None and group_id != (event.group_id or self.group_id):
            return False
        if subgroup_id is not None and subgroup_id != event.subgroup_id:
            return False
        now = datetime.fromtimestamp(self.clock() / 1000, UTC)
        is_later = event.invites_at is not None and event.invites_at > now
        return not is_later or call.query.get("scheduled", "").lower() == "true"

    def _shown(self, event: Event) -> dict[str, object]:
        names = [hashlib.sha256(f"{event.id}/{n}".encode()).hexdigest()[:32].upper() for n in range(event.accepted)]
        shown: dict[str, object] = {
            "id": event.id,
            "heading": event.heading,
            "type": "RECURRING" if event.recurring else "EVENT",
            "spondType": "EVENT",
            "createdTime": _iso(event.starts_at - timedelta(days=30)),
            "startTimestamp": _iso(event.starts_at),
            "endTimestamp": _iso(event.ends_at),
            "responses": {
                "acceptedIds": names,
                "declinedIds": [],
                "unansweredIds": [],
                "waitinglistIds": [],
                "unconfirmedIds": [],
            },
            "recipients": {"group": {"id": event.group_id or self.group_id, "name": "Riverside CC"}},
            "visibility": "INVITEES",
        }
        if event.cancelled:
            shown["cancelled"] = True
        if event.capacity is not None:
            shown["maxAccepted"] = event.capacity
        if event.invites_at is not None:
            shown["inviteTime"] = _iso(event.invites_at)
        if event.place is not None:
            shown["location"] = {"feature": event.place, "address": "Mill Lane 4", "latitude": 51.5, "longitude": -0.1}
        return shown


def net_sessions(today: date, zone: ZoneInfo, weeks: int = 3) -> list[Event]:
    """Nets on Tuesdays and Thursdays at 18:00, from tomorrow; the third is cancelled, the fourth is full.

    The first is always more than a few hours ahead, so that what a demo expects does not depend on the hour.
    """
    days = [today + timedelta(days=n) for n in range(1, 7 * weeks + 1)]
    nets = [day for day in days if day.weekday() in (1, 3)]
    return [_changed(_net(day, zone, position), position) for position, day in enumerate(nets)]


def _net(day: date, zone: ZoneInfo, position: int) -> Event:
    starts_at = datetime.combine(day, time(18), zone).astimezone(UTC)
    heading = "Net session (seniors)" if day.weekday() == 1 else "Net session (all ages)"
    identity = hashlib.sha256(f"net/{day.isoformat()}".encode()).hexdigest()[:32].upper()
    return Event(identity, heading, starts_at, starts_at + timedelta(hours=2), accepted=6 + position, capacity=16)


def _changed(event: Event, position: int) -> Event:
    if position == 2:
        return replace(event, cancelled=True)
    return replace(event, accepted=16) if position == 3 else event


def _within(event: Event, call: Call) -> bool:
    """The four filters, each on its own side; an unreadable one filters nothing."""
    low, high = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

    def bound(name: str, default: datetime) -> datetime:
        return _timestamp(call.query.get(name, "")) or default

    starts_in = bound("minStartTimestamp", low) <= event.starts_at <= bound("maxStartTimestamp", high)
    return starts_in and bound("minEndTimestamp", low) <= event.ends_at <= bound("maxEndTimestamp", high)


def _timestamp(text: str) -> datetime | None:
    if not re.match(r"\d{4}-\d\d-\d\dT", text):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _day(now: int) -> date:
    return datetime.fromtimestamp(now / 1000, UTC).date()
