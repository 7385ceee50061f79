"""Both functions over a store in memory, with one wild server for all that is outside: it can answer anything."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self, cast

from dm_core.agent.gemini import GeminiModel
from dm_core.bootstrap.processor import Ports, open_ports, processor_app
from dm_core.bootstrap.webhook import compose
from dm_core.clients.http import HttpClient, Timeouts
from dm_core.clients.instagram_accounts import InstagramClients
from dm_core.clients.spond import SpondClient
from dm_core.clients.whatsapp import WhatsAppClient
from dm_core.clock import system_clock
from dm_core.http import Request
from dm_core.processing.app import ProcessorApp
from dm_core.settings import ProcessorSettings, WebhookSettings
from dm_core.webhook.app import WebhookApp
from dm_sandbox.fuzzing.seeds import ACCOUNT, NOW
from dm_sandbox.fuzzing.webhook import ENVIRONMENT, AlertQueue, Queue, sign
from dm_sandbox.fuzzing.wire import Asked, WildServer
from dm_sandbox.inprocess import FUNCTIONS, MovableClock
from dm_sandbox.memory_database import MemoryDatabase
from dm_sandbox.memory_store import MemoryStore

TOKEN = "IGAAzq8f7sandbox0123456789longtoken"  # noqa: S105
MODEL_KEY = "AIzaSandbox0123456789modelkey"
MANAGER = "+44 7700 900123"


async def _no_sleep(_: float) -> None:
    await asyncio.sleep(0)


@dataclass(slots=True)
class Stage:
    """Use as a context manager. ``answer`` gives the raw bytes for every request that leaves."""

    answer: Callable[[Asked], bytes]
    folder: Path = FUNCTIONS / "processor"
    clock: MovableClock = field(default_factory=MovableClock)
    queue: Queue = field(default_factory=Queue)
    alert_queue: AlertQueue = field(default_factory=AlertQueue)
    store: MemoryStore = field(init=False)
    env: dict[str, str] = field(init=False)
    _server: WildServer = field(init=False)
    _webhook: WebhookApp = field(init=False)
    _opened: list[Ports] = field(init=False, default_factory=list[Ports])
    _model: GeminiModel | None = None
    _mids: int = 0

    async def __aenter__(self) -> Self:
        self.clock.offset_ms = NOW - system_clock()
        self.store = MemoryStore(clock=self.clock)
        self._server = await WildServer(self.answer).__aenter__()
        self.env = _environment(self._server.base_url)
        settings = WebhookSettings.load(self.env)
        self._webhook = compose(settings, self.store, self.queue, self.alert_queue, self.clock)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close_ports()
        if self._model is not None:
            await self._model.close()
        await self._server.__aexit__()

    async def close_ports(self) -> None:
        """Release what the instances so far hold; those that are used again open it again."""
        opened, self._opened = self._opened, []
        for ports in opened:
            for client in (ports.instagram, ports.whatsapp, ports.spond):
                if client is not None:
                    await client.close()

    @property
    def asked(self) -> list[Asked]:
        """Every request that left, in order; may be cleared."""
        return self._server.asked

    def forget(self) -> None:
        """An empty store, as on the first day."""
        self.store.database = MemoryDatabase()
        self.asked.clear()

    def ports(self) -> Ports:
        """The real clients, which wait for nothing but their connections, over this stage's store and queue."""
        settings = self._settings
        http = HttpClient(clock=self.clock, sleep=_no_sleep, timeouts=Timeouts(2, 2, 2))
        assert settings.spond is not None  # noqa: S101
        if self._model is None:  # one for all: making its client takes longer than a run
            self._model = GeminiModel(settings.model)
        ports = replace(
            open_ports(settings, self.clock),
            store=self.store,
            queue=self.queue,
            alert_queue=self.alert_queue,
            model=self._model,
            instagram=InstagramClients(settings.instagram, self.clock, http=http),
            whatsapp=WhatsAppClient(settings.whatsapp, self.clock, http=http),
            spond=SpondClient(settings.spond, self.clock, http=http),
        )
        self._opened.append(ports)
        return ports

    def instance(self) -> ProcessorApp:
        """A fresh instance of the processor."""
        return processor_app(self._settings, self.folder, self.ports())

    @property
    def _settings(self) -> ProcessorSettings:
        return ProcessorSettings.load(self.env)

    async def says(self, person: str, text: str) -> str:
        """A person's DM, signed and taken; the thread it is in."""
        self._mids += 1
        message = {"mid": f"aWdSTAGE{self._mids}", "text": text}
        now = self.clock()
        item = {"sender": {"id": person}, "recipient": {"id": ACCOUNT}, "timestamp": now, "message": message}
        body = json.dumps({"object": "instagram", "entry": [{"id": ACCOUNT, "time": now, "messaging": [item]}]})
        headers = {"x-hub-signature-256": sign(body.encode())}
        answer = await self._webhook.handle(Request("POST", "/", headers=headers, body=body.encode()))
        assert answer.status == 200, answer  # noqa: S101
        return f"{ACCOUNT}_{person}"

    async def task(self, app: ProcessorApp, thread_id: str, name: str = "t") -> tuple[int, dict[str, object]]:
        """One task; its status and result."""
        body = json.dumps({"threadId": thread_id}).encode()
        answer = await app.handle(Request("POST", "/", headers={"x-cloudtasks-taskname": name}, body=body))
        return answer.status, cast("dict[str, object]", json.loads(answer.body))


def _environment(base_url: str) -> dict[str, str]:
    return {
        **ENVIRONMENT,
        "STORE_URL": "sqlite:///unused",
        "CLOUD_TASKS_EMULATOR_HOST": "127.0.0.1:9",
        "INSTAGRAM_ACCESS_TOKEN": TOKEN,
        "INSTAGRAM_API_BASE_URL": f"{base_url}/ig",
        "WHATSAPP_API_BASE_URL": f"{base_url}/wa",
        "WHATSAPP_ACCESS_TOKEN": "EAAwhatsapp0123456789",
        "WHATSAPP_PHONE_NUMBER_ID": "1066",
        "MANAGER_WHATSAPP_NUMBER": MANAGER,
        "SPOND_API_BASE_URL": f"{base_url}/spond",
        "SPOND_USERNAME": "bot@riverside.example",
        "SPOND_PASSWORD": "sandbox-spond-password",
        "SPOND_GROUP_ID": "8B1F6D0A",
        "GEMINI_API_KEY": MODEL_KEY,
        "GOOGLE_GEMINI_BASE_URL": f"{base_url}/model",
        "ECHO_WAIT_SECONDS": "0",
        "MODEL_TIMEOUT_SECONDS": "5",
    }
