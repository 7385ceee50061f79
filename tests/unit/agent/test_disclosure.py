"""The line that says who writes: whether a reply says it, and where the line goes."""

import pytest

from dm_core.agent.disclosure import Disclosure, Lines
from dm_core.agent.languages import language_key, language_of
from dm_core.agent.texts import TEXT_LIMIT_BYTES, size
from dm_core.durations import DAY_MS
from dm_core.steering import Steering

LINES = Lines((("en", "I'm the club's automated assistant."), ("de", "Ich bin der digitale Assistent des Vereins.")))
DISCLOSURE = Disclosure(LINES, days=30)


@pytest.mark.parametrize(
    "text",
    [
        "Hi! I'm the club's automated assistant, so I can't book. Nets are on Tuesday.",
        "Yes, you are talking to a bot.",
        "Hello, this is the club's virtual assistant!",
        "Ich bin ein digitaler Assistent. Training ist am Dienstag.",
        "Je suis l'assistant automatique du club.",
        "Nets are on Tuesday.\nI'm the club’s  automated assistant.".replace("’", "'"),
    ],
)
def test_a_reply_that_says_it_is_recognised(text: str) -> None:
    assert DISCLOSURE.is_said(text)


@pytest.mark.parametrize(
    "text",
    [
        "I'm not a bot.",
        "I am definitely not an automated assistant, I'm Ana.",
        "Bots are not allowed at the ground.",
        "The assistant coach is there on Tuesday.",
        "I'm the club's assistant coach.",
        "Use the automatic door. I'm happy to help.",
    ],
)
def test_a_reply_that_does_not_say_it_is_not_taken_for_one(text: str) -> None:
    assert not DISCLOSURE.is_said(text)


def test_it_is_due_once_and_again_after_the_days() -> None:
    told = Steering(disclosed_at=1_000)

    assert DISCLOSURE.is_due(Steering(), 0)
    assert not DISCLOSURE.is_due(told, 1_000 + 30 * DAY_MS - 1)
    assert DISCLOSURE.is_due(told, 1_000 + 30 * DAY_MS)


def test_without_lines_or_days_it_is_never_due() -> None:
    assert not Disclosure(LINES, days=0).is_due(Steering(), 0)
    assert not Disclosure(days=30).is_due(Steering(), 0)


def test_the_line_is_the_last_one_of_the_text() -> None:
    assert DISCLOSURE.under(("Nets are on Tuesday.",), "Nets are on Tuesday.") == (
        "Nets are on Tuesday.\nI'm the club's automated assistant.",
    )


def test_the_line_is_in_the_language_of_the_reply_or_else_in_the_first() -> None:
    assert LINES.in_language_of("Das Training ist am Dienstag um 18 Uhr.").startswith("Ich bin")
    assert LINES.in_language_of("L'entraînement est mardi, vous pouvez venir avec des amis.").startswith("I'm")
    assert LINES.in_language_of("👍").startswith("I'm")


def test_a_line_without_room_is_a_part_of_its_own() -> None:
    full = "x" * TEXT_LIMIT_BYTES

    parts = DISCLOSURE.under(("before", full), full)

    assert parts == ("before", full, "I'm the club's automated assistant.")
    assert all(size(part) <= TEXT_LIMIT_BYTES for part in parts)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The nets are on Tuesday at the ground.", "en"),
        ("Das Training ist am Dienstag.", "de"),
        ("L'entraînement est mardi dans la salle.", "fr"),
        ("El entrenamiento es el martes por la tarde.", "es"),
        ("L'allenamento è martedì alle 18, con noi.", "it"),
        ("O treino é na terça às 18h, com a equipa.", "pt"),
        ("De training is op dinsdag, je kan komen.", "nl"),
        ("Trening jest we wtorek, nie w środę.", "pl"),
        ("अभ्यास मंगलवार को है।", "hi"),
        ("Тренировка во вторник", "ru"),
        ("Тренування у вівторок, її час", "uk"),
        ("練習は火曜日です", "ja"),
        ("训练在星期二", "zh"),
        ("التدريب يوم الثلاثاء", "ar"),
        ("18:00", None),
        ("", None),
    ],
)
def test_languages_are_told_by_script_and_common_words(text: str, language: str | None) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(("name", "key"), [("en", "en"), ("English", "en"), ("pt-BR", "pt"), (" Deutsch ", "de")])
def test_a_profile_may_name_a_language_as_it_likes(name: str, key: str) -> None:
    assert language_key(name) == key
