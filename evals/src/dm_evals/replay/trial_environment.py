"""Where one trial plays: the production core and clients, the sandbox's simulators, a clock that stands still.

``SharedRuntime`` is what trials share (what is slow to open: certificates, google-genai, the gateway);
``TrialEnvironment`` is one trial's: its own platforms, store, queue and function instances. Ids, mids and times are the
same in every trial of a scenario, so a replay makes the same model requests byte for byte.
"""

import json
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Final, Self

from dm_core.agent.gemini import GeminiModel
from dm_core.agent.profile import BusinessProfile, load_profile
from dm_core.bootstrap.processor import Ports, processor_app
from dm_core.bootstrap.webhook import compose as compose_webhook
from dm_core.clients.http import HttpClient
from dm_core.clients.instagram_accounts import InstagramClients
from dm_core.clients.media.fetcher import MediaClient
from dm_core.clients.spond import SpondClient
from dm_core.clients.token_store import open_token_store
from dm_core.clients.whatsapp import WhatsAppClient
from dm_core.http import Request
from dm_core.processing.app import TASK_NAME_HEADER, ProcessorApp
from dm_core.queue.port import WakeUp
from dm_core.same_text import normal_form
from dm_core.settings import ProcessorSettings, WebhookSettings
from dm_core.webhook.automatic import AutomaticTexts
from dm_evals.replay.gateway import LONGEST, Gateway, OnTurn
from dm_evals.replay.platforms import TrialInstagram, TrialSpond, TrialWhatsApp
from dm_evals.scenarios.clock import ScenarioClock
from dm_evals.scenarios.scenario import Scenario
from dm_sandbox.environment import APP_SECRET, SANDBOX_MODEL_KEY, Addresses, Pace, Platforms, function_environment
from dm_sandbox.inprocess import FUNCTIONS, asgi
from dm_sandbox.memory_database import MemoryDatabase
from dm_sandbox.memory_store import MemoryStore
from dm_sandbox.person import Person
from dm_sandbox.platforms.local_server import LocalServer
from dm_sandbox.platforms.meta import Delivery, Mids, WebhookSender

USER_ID: Final = "819898670256713"
"""Who writes, in every scenario. A made-up id; the manager's notice may show its last digits."""
OTHERS_APART: Final = 1_000
"""Between the ids of the scenario's others and theirs."""
FIRST_MID: Final = 4_200_000
PROCESSOR_FOLDER: Final = FUNCTIONS / "processor"
SETTINGS: Final[Mapping[str, str]] = {
    "ECHO_WAIT_SECONDS": "0",
    "DEBOUNCE_MIN_SECONDS": "5",
    "DEBOUNCE_MAX_SECONDS": "15",
}
"""Production's pace by the scenario's clock; the wait for an echo is the one real wait of the core."""

LIVE_LIMITS: Final[Mapping[str, str]] = {
    "MODEL_TIMEOUT_SECONDS": f"{LONGEST:g}",
    "FUNCTION_TIMEOUT_SECONDS": "3600",
    "LEASE_SECONDS": "3630",
}
"""Limits by the real clock, which goes on while a call waits for its turn and the scenario's clock stands still."""


class EagerSender(WebhookSender):
    """Meta's side, which delivers again at once instead of after a real wait."""

    async def deliver(self, payload: object, attempts: int = 4, wait: float = 0.0) -> Delivery:
        return await super().deliver(payload, attempts, wait)


class SharedRuntime:
    """What trials share, one after the other. ``async with`` opens and closes it.

    ``model`` is the model's name (None: production's default), ``api_key`` the model server's key; ``folder`` holds the
    processor's ``prompts/`` and ``profile/``; ``live``: an answer may take minutes (its turn has to come, for one).
    """

    def __init__(
        self,
        *,
        model: str | None = None,
        api_key: str = SANDBOX_MODEL_KEY,
        folder: Path = PROCESSOR_FOLDER,
        live: bool = False,
    ) -> None:
        self.folder = folder
        self.variables = {"GEMINI_API_KEY": api_key, "GOOGLE_GENAI_USE_VERTEXAI": "false"}
        if model is not None:
            self.variables["GEMINI_MODEL"] = model
        if live:
            self.variables |= LIVE_LIMITS
        self.gateway = Gateway()
        self.sender = EagerSender("", APP_SECRET)
        self._model: GeminiModel | None = None

    async def __aenter__(self) -> Self:
        await self.gateway.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._model is not None:
            await self._model.close()
        await self.sender.close()
        await self.gateway.stop()

    @cached_property
    def profile(self) -> BusinessProfile:
        """What the trials are played with."""
        return load_profile(self.folder / "profile")

    def model(self, settings: ProcessorSettings) -> GeminiModel:
        """The production adapter; its settings are the same for every trial of this runtime."""
        if self._model is None:
            self._model = GeminiModel(settings.model)
        return self._model


class TrialQueue:
    """Wake-ups by name, as Cloud Tasks keeps them: a name that was used stays taken. The scheduler delivers them."""

    def __init__(self) -> None:
        self.names, self.waiting = set[str](), list[WakeUp]()

    async def schedule(self, wake_up: WakeUp) -> bool:
        if new := wake_up.name not in self.names:
            self.names.add(wake_up.name)
            self.waiting.append(wake_up)
        return new

    async def close(self) -> None: ...


class TrialAlertQueue:
    """Ticks by alert and time, which make a tick's name: once used it stays taken. The scheduler delivers them."""

    def __init__(self) -> None:
        self.names, self.waiting = set[tuple[str, int]](), list[tuple[str, int]]()

    async def schedule(self, alert_id: str, not_before: int) -> bool:
        tick = alert_id, not_before
        if new := tick not in self.names:
            self.names.add(tick)
            self.waiting.append(tick)
        return new

    async def close(self) -> None: ...


class TrialEnvironment:
    """One trial's world, empty. ``async with`` opens and closes it."""

    def __init__(self, runtime: SharedRuntime, scenario: Scenario) -> None:
        self.runtime, self.scenario = runtime, scenario
        self.now = round(scenario.now.timestamp() * 1000)
        self.clock = clock = ScenarioClock(self.now)
        self.database = MemoryDatabase()
        self.store = MemoryStore(self.database, clock)
        self.queue = TrialQueue()
        self.alert_queue = TrialAlertQueue()
        self.instagram, self.whatsapp = TrialInstagram(clock), TrialWhatsApp(clock=clock)
        self.spond = TrialSpond(clock=clock)
        self.instagram.mids = Mids(FIRST_MID)
        self._numbers = count(1)
        self._http = HttpClient(clock=clock, sleep=clock.sleep, jitter=lambda: 0.5)
        self._open = AsyncExitStack()
        self.people: dict[str, Person] = {}
        """By the names of the scenario's others; the person's is empty."""
        self.processor: ProcessorApp

    async def __aenter__(self) -> Self:
        try:
            await self._set()
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def _set(self) -> None:
        self._open.push_async_callback(self._http.close)
        for platform in (self.instagram, self.whatsapp, self.spond):
            await self._open.enter_async_context(platform)
        env = self._environment()
        settings, sender = WebhookSettings.load(env), self.runtime.sender
        automatic = AutomaticTexts(frozenset(map(normal_form, self.scenario.world.automatic)))
        app = compose_webhook(settings, self.store, self.queue, self.alert_queue, self.clock, automatic)
        server = LocalServer(asgi(app.handle))
        await server.start()
        self._open.push_async_callback(server.stop)
        sender.url, sender.clock = f"{server.base_url}/", self.clock
        sender.deliveries.clear()
        account, instagram = self.instagram.account_id, self.instagram
        for number, (name, who) in enumerate([("", self.scenario.person), *self.scenario.others.items()]):
            user_id = str(int(USER_ID) + OTHERS_APART * number)
            self.people[name] = Person(
                sender.url, APP_SECRET, account, user_id, who.name, who.username, instagram, self.clock, sender
            )
        self.processor = self._processor(ProcessorSettings.load(env))

    @property
    def person(self) -> Person:
        """Whom the scenario is about."""
        return self.people[""]

    @property
    def names(self) -> dict[str, str]:
        """Whose a user's or a thread's id is, by their name in the scenario."""
        return {key: name for name, who in self.people.items() for key in (who.user_id, who.thread_id)}

    def begin_model(self, model_url: str, on_turn: OnTurn) -> None:
        """From now on the model is asked at ``model_url``."""
        self.runtime.gateway.begin(model_url, self.clock, on_turn)

    async def task(self, thread_id: str, name: str) -> int:
        """Deliver one wake-up to the processor; the answer's status."""
        return await self._posted("/", {"threadId": thread_id}, {TASK_NAME_HEADER: name})

    async def tick(self, alert_id: str) -> int:
        """Deliver one tick of the alerts' queue; the answer's status."""
        return await self._posted("/alerts", {"alertId": alert_id})

    async def sweep(self) -> int:
        """What the scheduler calls each minute."""
        return await self._posted("/sweep")

    async def _posted(self, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> int:
        content = json.dumps(body).encode() if body else b""
        return (await self.processor.handle(Request("POST", path, headers=headers or {}, body=content))).status

    async def flush_echoes(self) -> None:
        """Deliver the echoes of what went out so far."""
        await self.instagram.flush()

    def _environment(self) -> dict[str, str]:
        platforms = Platforms(self.instagram, self.whatsapp, self.spond)
        addresses = Addresses("http://127.0.0.1:9", "127.0.0.1:9", "firestore:", gemini=self.runtime.gateway.base_url)
        extra = {**SETTINGS, **self.scenario.world.settings}
        env = function_environment(platforms, addresses, Pace(), self.runtime.variables, extra)
        if self.scenario.world.sessions is None:
            env = {name: value for name, value in env.items() if not name.startswith("SPOND_")}
        return env

    def _processor(self, settings: ProcessorSettings) -> ProcessorApp:
        clock, http, media = self.clock, self._http, MediaClient(settings.media.base_url)
        self._open.push_async_callback(media.close)
        ports = Ports(
            store=self.store,
            queue=self.queue,
            alert_queue=self.alert_queue,
            model=self.runtime.model(settings),
            instagram=InstagramClients(settings.instagram, clock, http=http),
            whatsapp=WhatsAppClient(settings.whatsapp, clock, http=http),
            spond=SpondClient(settings.spond, clock, http=http) if settings.spond else None,
            token_store=open_token_store(settings.instagram),
            clock=clock,
            ids=lambda: f"{next(self._numbers):032x}",
            media=media,
        )
        return processor_app(settings, self.runtime.folder, ports)
