"""Who answers as the model, while several requests wait for you."""

import asyncio
from collections.abc import Awaitable
from typing import cast

import pytest

from dm_sandbox.platforms.gemini import Gemini
from dm_sandbox.platforms.model_request import ModelRequest, Part
from dm_sandbox.studio.seat import PATIENCE, Seat

REQUEST = ModelRequest.parse({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]})


@pytest.fixture
def gemini() -> Gemini:
    return Gemini()


@pytest.fixture
def seat(gemini: Gemini) -> Seat:
    seat = Seat(gemini)
    seat.sit("you")
    return seat


async def asked(gemini: Gemini) -> "asyncio.Future[list[Part]]":
    """A request that has come as far as it comes by itself."""
    answer = asyncio.ensure_future(cast("Awaitable[list[Part]]", gemini.model(REQUEST)))
    await asyncio.sleep(0)
    return answer


async def test_when_the_script_takes_over_it_answers_also_what_waited_behind_the_open_question(
    gemini: Gemini, seat: Seat
) -> None:
    first, second = await asked(gemini), await asked(gemini)

    seat.sit("scripted")

    async with asyncio.timeout(5):
        assert await first
        assert await second
    assert seat.question is None


async def test_what_waited_behind_another_question_is_not_asked_for_longer_than_its_asker_waits(
    gemini: Gemini, seat: Seat
) -> None:
    await asked(gemini)
    second = await asked(gemini)
    came, shown = asyncio.get_running_loop().time(), asyncio.Event()
    seat.on_change = lambda: shown.set() if seat.question and seat.question.number == 2 else None

    assert seat.answer(1, "yes", "", {})
    await shown.wait()

    assert seat.question
    assert seat.question.until <= came + PATIENCE
    assert seat.answer(2, "no", "", {})
    assert await second == [{"text": "no"}]


async def test_an_answer_to_a_question_that_is_over_is_not_taken_for_the_next(gemini: Gemini, seat: Seat) -> None:
    first = await asked(gemini)
    assert seat.answer(1, "yes", "", {})
    assert await first == [{"text": "yes"}]
    await asked(gemini)

    assert not seat.answer(1, "yes", "", {})
