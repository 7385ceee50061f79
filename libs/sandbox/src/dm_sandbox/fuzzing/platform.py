"""Every answer a platform could give: to each call of the real clients, and to a whole run.

An input is lines: the operation, the status, one line of extra headers (JSON), and the body. The first line may name
``raw``: then the rest is what goes over the wire, whatever it is.
"""

import asyncio
import json
import re
import shutil
import tempfile
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from hypothesis import strategies as st

from dm_core.clients.http import ATTEMPTS
from dm_core.errors import PlatformError, RetryLater, Uncertain
from dm_sandbox.fuzzing.answers import check_outside, operation, proper, run_to_the_end
from dm_sandbox.fuzzing.campaign import Broken
from dm_sandbox.fuzzing.inputs import changed, changed_bytes, odd_values, written
from dm_sandbox.fuzzing.seeds import ACCOUNT, GRAPH_ERRORS, MODEL_ANSWERS, PERSON, PLATFORM_ANSWERS, THROTTLED
from dm_sandbox.fuzzing.stage import TOKEN, Stage
from dm_sandbox.fuzzing.wire import Asked, answered
from dm_sandbox.inprocess import FUNCTIONS
from dm_sandbox.platforms.server import as_list, as_object

EVERY: Final = 8
HANG_SECONDS: Final = 20.0
_STATUSES: Final = ["200", "200", "400", "400", "201", "204", "302", "304", "401", "403", "404", "429", "500", "503"]
_HEADERS: Final = ("Retry-After", "X-App-Usage", "Location", "Content-Encoding")
_WIRES: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
    b"HTTP/1.1 2",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n",
)
_STATUS: Final = re.compile(rb"[2-9][0-9][0-9]")
_CODE: Final = re.compile(r"-?[0-9]{1,10}")
_ORDER: Final = (6, 7, 2, 5)
"""Answers of the model in a whole run: it asks for all data, then sends and alerts."""


class PlatformTarget:
    """A stage whose platforms say the input to one operation and behave otherwise."""

    name = "platform"

    def __init__(self) -> None:
        self.deep = False
        errors = [written(error) for error in GRAPH_ERRORS]
        usage = {"X-Business-Use-Case-Usage": json.dumps({"1": [{"estimated_time_to_regain_access": 3}]})}
        self.seeds: Sequence[bytes] = (
            *(_input(name.encode(), "200", {}, written(body)) for name, body in PLATFORM_ANSWERS.items()),
            *(_input(name, "400", {}, error) for name in (b"send", b"conversations", b"notify") for error in errors),
            _input(b"send", "429", {"Retry-After": "7"}, written(THROTTLED)),
            _input(b"send", "400", usage, written(THROTTLED)),
            _input(b"conversations", "200", {}, _dated("conversations", "0001-01-01T00:00:00+0000")),
            _input(b"sponds", "200", {}, _dated("sponds", "9999-12-31T23:59:59Z")),
            *(b"raw %s\n%s" % (name, wire) for name in (b"send", b"sponds") for wire in _WIRES),
        )
        self._stack = AsyncExitStack()
        self._said, self._of, self._turn, self._count = b"", "", 0, 0

    async def __aenter__(self) -> Self:
        folder = _far_away(Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="dm-fuzzing-"))))
        self.stage = await self._stack.enter_async_context(Stage(self._answer, folder))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def inputs(self) -> st.SearchStrategy[bytes]:
        """Answers to each operation with parts of other answers in them, and bytes for answers or for all of HTTP."""
        answers = [*PLATFORM_ANSWERS.values(), *GRAPH_ERRORS]
        body = changed(answers, st.sampled_from(answers)).map(written)
        bodies = st.one_of(body, body, body, changed_bytes([written(answer) for answer in answers]))
        extra = st.dictionaries(st.sampled_from(_HEADERS), odd_values.map(str), max_size=1)
        names, statuses = st.sampled_from([name.encode() for name in PLATFORM_ANSWERS]), st.sampled_from(_STATUSES)
        proper = st.builds(_input, names, statuses, st.one_of(st.just({}), st.just({}), extra), bodies)
        wire = st.tuples(names.map(lambda name: b"raw " + name), changed_bytes(_WIRES)).map(b"\n".join)
        return st.one_of(proper, proper, proper, proper, wire)

    async def check(self, data: bytes) -> str:
        """A value or a PlatformError, soon; a POST repeated only when rejected; a whole run ends all the same."""
        self._of, wire = _wire(data)
        if wire is None:
            return "no HTTP"
        self._said = wire
        try:
            async with asyncio.timeout(HANG_SECONDS):
                word = await self._call()
                if self.deep or data in self.seeds or zlib.crc32(data) % EVERY == 0:
                    word = await self._whole_run()
        except TimeoutError:
            raise Broken("something waited for ever") from None
        return word

    def _answer(self, asked: Asked) -> bytes:
        what = operation(asked)
        if what == self._of:
            self._count += 1
            return self._said
        if what != "model":
            return proper(asked)
        body = as_object(json.loads(asked.body))
        turn = sum(as_object(content).get("role") == "model" for content in as_list(body.get("contents")))
        return answered(json.dumps(MODEL_ANSWERS[_ORDER[min(turn, len(_ORDER) - 1)]]).encode())

    async def _call(self) -> str:
        """One call of the client that the operation belongs to."""
        self._count = 0
        ports = self.stage.ports()
        assert ports.spond is not None  # noqa: S101
        now, first = self.stage.clock(), datetime(2026, 9, 21, tzinfo=UTC)
        last = datetime(2026, 12, 30, tzinfo=UTC)
        spond, instagram = ports.spond, ports.instagram.of(ACCOUNT)
        calls: Mapping[str, Callable[[], Awaitable[object]]] = {
            "send": lambda: instagram.send_text(PERSON, "hello"),
            "conversations": lambda: instagram.recent_messages(PERSON),
            "profile": lambda: instagram.profile(PERSON, now),
            "refresh": lambda: instagram.refresh_token(now),
            "subscribed": instagram.subscribed_fields,
            "notify": lambda: ports.whatsapp.send_text("hello", "r/0/0"),
            "login": lambda: spond.calendar("8B1F6D0A").sessions(first, last),
            "sponds": lambda: spond.calendar("8B1F6D0A").sessions(first, last),
        }
        try:
            result = await calls[self._of]()
        except PlatformError as error:
            self._check_error(error)
            return type(error).__name__
        finally:
            await self.stage.close_ports()
        if self._of in ("send", "notify") and not (isinstance(result, str) and result and self._answers() == 1):
            raise Broken("a success without an id, or of a repeated call")
        return "ok"

    def _answers(self) -> int:
        """How many requests the operation took."""
        return self._count

    def _check_error(self, error: PlatformError) -> None:
        if TOKEN in str(error) or len(str(error)) > 600:
            raise Broken("an error quotes too much")
        most = {"send": ATTEMPTS, "login": ATTEMPTS, "notify": 2 * ATTEMPTS}.get(self._of)
        if most is not None and self._count > 1 and not isinstance(error, RetryLater) and self._of != "notify":
            raise Broken("a call was repeated although it may have been done")
        if self._of in ("send", "notify") and "could not be reached" in str(error):
            raise Broken("a call that had been written counts as one that was not")
        if self._of == "send" and not isinstance(error, Uncertain) and not self._is_refusal():
            raise Broken("a send counts as not sent although nothing said so")
        if most is not None and self._count > most:
            raise Broken(f"{self._count} attempts")

    def _is_refusal(self) -> bool:
        """Whether the answer said that nothing was sent: by a code that is known, or by the status of a throttle or a
        dead token."""
        head, _, body = self._said.partition(b"\r\n\r\n")
        if head.split(b" ", 2)[1:2] in ([b"401"], [b"429"]):
            return True
        try:
            code = str(as_object(as_object(json.loads(body)).get("error")).get("code")).strip()
        except (ValueError, RecursionError):
            return b"transfer-encoding" in head.lower() or b"content-encoding" in head.lower()
        return bool(_CODE.fullmatch(code)) and not code.startswith("-") and code not in ("1", "2", "1200", "20", "506")

    async def _whole_run(self) -> str:
        self.stage.forget()
        word = await run_to_the_end(self.stage, PERSON)
        check_outside(self.stage, PERSON, 8, ())
        return f"run {word}"


def _far_away(folder: Path) -> Path:
    """The processor's files for a club whose clocks are far from UTC, so that every odd date is one too many."""
    for name in ("prompts", "profile"):
        shutil.copytree(FUNCTIONS / "processor" / name, folder / name)
    business = folder / "profile" / "profile.toml"
    business.write_text(business.read_text("utf-8").replace("Europe/London", "Pacific/Kiritimati"), "utf-8")
    return folder


def _dated(name: str, moment: str) -> bytes:
    """An answer with one of its times replaced: the age of a message, the end of a session."""
    times = r'(?<="created_time": ")[^"]*|(?<="endTimestamp": ")[^"]*'
    return re.sub(times, moment, json.dumps(PLATFORM_ANSWERS[name]), count=1).encode()


def _input(name: bytes, status: str, headers: Mapping[str, str], body: bytes) -> bytes:
    return b"\n".join((name, status.encode(), json.dumps(headers).encode(), body[:300_000]))


def _parts(data: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    name, status, headers, body = (*data.split(b"\n", 3), b"", b"", b"", b"")[:4]
    return name, status, headers, body


def _wire(data: bytes) -> tuple[str, bytes | None]:
    """The operation, and the bytes to answer it with; None for a status HTTP does not have."""
    if data.startswith(b"raw "):
        what, _, wire = data.partition(b"\n")
        name = what.removeprefix(b"raw ").decode("latin-1")
        return name, wire if name in PLATFORM_ANSWERS else None
    raw_name, status, headers, body = _parts(data)
    name = raw_name.decode("latin-1")
    if name not in PLATFORM_ANSWERS or not _STATUS.fullmatch(status):
        return name, None
    try:
        given = dict(as_object(json.loads(headers)))
    except ValueError:
        given = dict[str, object]()
    lines = "".join(f"{key}: {_header(str(value))}\r\n" for key, value in given.items())
    return name, answered(body, f"{status.decode()} X", lines)


def _header(value: str) -> str:
    return re.sub(r"[^\x20-\x7e]", "?", value)[:2_000]
