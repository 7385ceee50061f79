"""Settings: any values of any variables; either they are refused in one line that quotes none, or both functions start.

An input is a JSON object of the variables that differ from a good environment; null takes one away.
"""

import json
import math
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final, Self

import httpx
from hypothesis import strategies as st

from dm_core.bootstrap.processor import open_ports, processor_app
from dm_core.bootstrap.webhook import compose
from dm_core.errors import Misconfigured
from dm_core.settings import ProcessorSettings, WebhookSettings
from dm_sandbox.fuzzing.campaign import Broken
from dm_sandbox.fuzzing.inputs import LONG, TEXTS
from dm_sandbox.fuzzing.stage import Stage
from dm_sandbox.fuzzing.wire import answered
from dm_sandbox.platforms.server import as_object

VALUES: Final = (
    *TEXTS,
    *LONG,
    *("nan", "inf", "-1", "1e9", "0x10", "1_000", "٣", "5", "300", "true", "FALSE", "page", "resend", ",", " , ,"),
    *(
        "firestore:",
        "sqlite:///",
        "sqlite:////tmp/x.db",
        "localhost:8080",
        "[::1]:80",
        "a:99999",
        "https://x.example:0/",
    ),
    *(
        "http://",
        "http://a b/",
        "http://a\x01b/",
        "http://\u00ad/",
        "http://user@host/",
        "https://[::1]:x/",
        "ftp://x.y",
    ),
    *(
        "secret-value-17",
        "two\nlines-of-secret",
        "v26.0",
        "+44 7700 900123",
        "invoker@test.example",
        "gemini-3.8-flash",
    ),
)
_NAMES: Final = """DEBOUNCE_MIN_SECONDS DEBOUNCE_MAX_SECONDS FUNCTION_TIMEOUT_SECONDS LEASE_SECONDS
HUMAN_TAKEOVER_MINUTES UNCERTAIN_SENDS MAX_ATTEMPTS MAX_MODEL_TURNS MAX_SENDS_PER_RUN MAX_NOTIFICATIONS_PER_RUN
MAX_RUNS_PER_HOUR RETENTION_DAYS GRAPH_API_VERSION INSTAGRAM_API_FLAVOR INSTAGRAM_ACCOUNT_IDS GOOGLE_CLOUD_LOCATION
GOOGLE_GENAI_USE_VERTEXAI GEMINI_MODEL FIRESTORE_DATABASE FIRESTORE_EMULATOR_HOST CLOUD_TASKS_QUEUE WHATSAPP_TEMPLATE
UNCERTAIN_LOOK_UPS INSTAGRAM_TOKEN_FILE"""
NAMES: Final = _NAMES.split()
_SHORTEST_SECRET: Final = 8
BAD_ADDRESS: Final = "an address was accepted that no request can be made to"


class SettingsTarget:
    """Loads what a deployer might have typed, and starts what was accepted."""

    name = "settings"

    def __init__(self) -> None:
        self.deep = False
        self.seeds: Sequence[bytes] = (
            b"{}",
            *(json.dumps({name: value}).encode() for name in NAMES for value in ("0", "1", "nan", "x")),
        )
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.stage = await self._stack.enter_async_context(Stage(lambda _: answered(b'{"message_id":"m"}')))
        self._good = self.stage.env
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def inputs(self) -> st.SearchStrategy[bytes]:
        """A few variables with values that somebody might type, or without any."""
        names, values = st.sampled_from([*self._good, *NAMES]), st.sampled_from([*VALUES, None, None, None, None])
        return st.dictionaries(names, values, min_size=1, max_size=6).map(lambda given: json.dumps(given).encode())

    async def check(self, data: bytes) -> str:
        """Refused in one line without any value of the environment, or usable."""
        changes = _changes(data)
        env = {**self._good, **{name: value for name, value in changes.items() if isinstance(value, str)}}
        env = {name: value for name, value in env.items() if changes.get(name, "") is not None}
        try:
            webhook, processor = WebhookSettings.load(env), ProcessorSettings.load(env)
        except Misconfigured as error:
            _check_message(str(error), env)
            return "refused"
        compose(webhook, self.stage.store, self.stage.queue, self.stage.alert_queue, self.stage.clock)
        _check_values(webhook, processor)
        self._start(processor)
        return "started"

    def _start(self, settings: ProcessorSettings) -> None:
        """The processor's app is made, and every address can be asked (nobody is: it may be anywhere)."""
        try:
            processor_app(settings, self.stage.folder, replace(open_ports(settings), store=self.stage.store))
        except Misconfigured:
            return
        addresses = {settings.instagram.base_url, settings.whatsapp.base_url, settings.model.base_url or ""}
        for address in addresses | {settings.spond.base_url if settings.spond else ""}:
            try:
                httpx.URL(f"{address}/x")
            except httpx.InvalidURL:
                raise Broken(BAD_ADDRESS) from None


def _changes(data: bytes) -> dict[str, object]:
    try:
        return dict(as_object(json.loads(data)))
    except (ValueError, RecursionError):
        return {}


def _check_message(message: str, env: dict[str, str]) -> None:
    if "\n" in message or "\r" in message:
        raise Broken("a refusal of more than one line")
    allowed = {"firestore:", "sqlite:///", "resend", "instagram"}
    for name, value in env.items():
        if len(value.strip()) >= _SHORTEST_SECRET and value.strip() in message and value.strip() not in allowed:
            raise Broken(f"a refusal quotes the value of {name}")


def _check_values(webhook: WebhookSettings, processor: ProcessorSettings) -> None:
    limits, queue = processor.limits, webhook.queue
    numbers = (queue.debounce_min, queue.debounce_max, limits.function_timeout, limits.lease_seconds, limits.echo_wait)
    if not all(math.isfinite(number) and number >= 0 for number in (*numbers, webhook.takeover_minutes)):
        raise Broken("a number that is none was accepted")
    if limits.lease_seconds <= limits.function_timeout or queue.debounce_max < queue.debounce_min:
        raise Broken("numbers that contradict each other were accepted")
    if not webhook.app_secrets or not all(webhook.app_secrets) or not webhook.verify_token:
        raise Broken("an empty secret was accepted")
    if not queue.audience.startswith(("http://", "https://")) or limits.max_sends < 1:
        raise Broken("a setting was accepted that can't be used")
