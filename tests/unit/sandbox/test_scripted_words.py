"""The scripted model on the example profile: three languages, the club's facts, small talk."""

import json
from collections.abc import Mapping
from typing import cast

import pytest

from dm_core.agent.prompt import system_prompt
from dm_core.agent.tools.registry import NAMES
from dm_core.bootstrap.files import load_files
from dm_sandbox.platforms.model_request import ModelRequest
from dm_sandbox.platforms.scripted_model import answer_as_the_club
from dm_sandbox.profile_files import PROCESSOR_FOLDER

FILES = load_files(PROCESSOR_FOLDER)
SYSTEM = system_prompt(FILES.system_md, FILES.profile).text


def answer(words: str, system: str = SYSTEM, history: str = "") -> tuple[str, str]:
    """The last call's name and its text."""
    shown = (
        history + "<new_messages>" + json.dumps({"handle": "m1", "from": "person", "text": words}) + "</new_messages>"
    )
    request = ModelRequest(
        system, ({"role": "user", "parts": [{"text": shown}]},), tuple({"name": name} for name in NAMES), len(shown)
    )
    called = cast("Mapping[str, object]", answer_as_the_club(request)[-1]["functionCall"])
    arguments = cast("Mapping[str, object]", called["args"])
    return str(called["name"]), str(arguments.get("text", ""))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("how much is it to join?", "120 pounds"),
        ("where do I park?", "car park"),
        ("do children play too?", "All Stars"),
        ("Was kostet die Mitgliedschaft?", "Erwachsene 120 Pfund"),
        ("Wo seid ihr?", "Mill Lane"),
        ("hallo! ich habe noch nie gespielt, geht das?", "Hallo! Alle sind willkommen"),
        ("Wie geht's?", "Alles bestens"),
        ("¿Cuánto cuesta hacerse socio?", "120 libras"),
        ("¡hola! nunca he jugado ¿puedo ir?", "¡Hola! Todo el mundo es bienvenido"),
        ("are you a bot?", "automated assistant"),
        ("how are you?", "tea urn"),
        ("who won the world cup?", "Shall I ask the manager"),
    ],
)
def test_questions_and_small_talk_are_answered(words: str, said: str) -> None:
    name, text = answer(words)

    assert name == "send_instagram_message"
    assert said in text


@pytest.mark.parametrize("words", ["ok thx", "thanks!", "ok danke", "vale, gracias", "👍"])
def test_thanks_get_a_heart_and_no_words(words: str) -> None:
    assert answer(words) == ("react_to_instagram_message", "")


def test_a_changed_fact_changes_the_sentence_and_a_missing_one_is_not_made_up() -> None:
    assert "135 Pfund" in answer("Was kostet das?", SYSTEM.replace("120 pounds", "135 pounds"))[1]
    assert "{" not in answer("Was kostet das?", "Nothing is known.")[1]


def test_yes_after_the_offer_calls_the_manager() -> None:
    offered = '{"from": "assistant", "text": "I don\'t know that one. Shall I ask the manager for you?"}'

    name, text = answer("yes please", history=offered)

    assert (name, "passed this on" in text) == ("send_instagram_message", True)
