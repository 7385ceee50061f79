"""Simulators on free ports and a plain HTTP client; time stands still until a test moves it."""

from collections.abc import AsyncGenerator

import httpx
import pytest

from dm_sandbox.platforms.gemini import Gemini
from dm_sandbox.platforms.instagram import Instagram
from dm_sandbox.platforms.spond import Spond
from dm_sandbox.platforms.whatsapp import WhatsApp

START = 1_795_000_000_000


class Time:
    """A clock in ms that tests move by hours."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now

    def pass_hours(self, hours: float) -> None:
        self.now += int(hours * 3_600_000)


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
async def client() -> AsyncGenerator[httpx.AsyncClient]:
    # Plain HTTP only: no certificates are loaded.
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=5) as client:  # noqa: S501
        yield client


@pytest.fixture
async def instagram(clock: Time) -> AsyncGenerator[Instagram]:
    platform = Instagram(clock=clock)
    await platform.start()
    yield platform
    await platform.stop()


@pytest.fixture
async def whatsapp(clock: Time) -> AsyncGenerator[WhatsApp]:
    platform = WhatsApp(clock=clock)
    await platform.start()
    yield platform
    await platform.stop()


@pytest.fixture
async def spond(clock: Time) -> AsyncGenerator[Spond]:
    platform = Spond(clock=clock)
    await platform.start()
    yield platform
    await platform.stop()


@pytest.fixture
async def gemini() -> AsyncGenerator[Gemini]:
    platform = Gemini()
    await platform.start()
    yield platform
    await platform.stop()
