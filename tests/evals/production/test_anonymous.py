"""Who is in a text is replaced, always by the same one; what the business makes public stays."""

import pytest

from dm_core.agent.links import AllowList
from dm_evals.production.anonymous import Anonymous


def anonymous() -> Anonymous:
    allowed = AllowList(("https://hollybankcc.example",), ("secretary@hollybankcc.example",))
    made = Anonymous(allowed, ("secretary@hollybankcc.example",), ("+44 1632 960001",), "Hollybank, Mill Lane. Priya")
    made.knows("Sam Jones", "sam.jones")
    return made


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Hi Sam, is it sam jones or JONES?", "Hi Person One, is it Person One or Person One?"),
        ("Sam's bat, and Samantha's", "Person One's bat, and Samantha's"),
        ("it's @sam.jones here", "it's @person_one here"),
        ("ask @mike.h_batter.", "ask @person_two."),
        ("sam@mail.example or SAM@mail.example", "person1@example.org or person1@example.org"),
        ("07911 123456, +44 7911 123456 and 0044 7911-123456", "{0}, {0} and {0}"),
        ("call 07911 123456 or 07911 123457", "call +44 7700 900001 or +44 7700 900002"),
        ("my page: https://sam.example/me?x=1", "my page: https://example.org/link1"),
        ("my id is 17841400000000000", "my id is +44 7700 900001"),
    ],
)
def test_people_are_replaced(text: str, clean: str) -> None:
    assert anonymous().text(text) == clean.format("+44 7700 900001")


@pytest.mark.parametrize(
    "text",
    [
        "Tuesday 24 November 2026, 18:00-20:00, 120 pounds",
        "2026-11-24T18:00:00+00:00 or 24.11.2026",
        "write to secretary@hollybankcc.example or ring +44 1632 960001",
        "https://hollybankcc.example/join, HB4 7QX",
        "नमस्ते, kommst du am Donnerstag? 🏏",
    ],
)
def test_what_is_public_stays(text: str) -> None:
    assert anonymous().text(text) == text


def test_the_same_thread_gives_the_same_replacements() -> None:
    texts = ["Sam, 07911 123456", "@mike and sam@mail.example", "again @mike"]

    first, second = ([made.text(text) for text in texts] for made in (anonymous(), anonymous()))

    assert first == second
    assert first[1].split()[0] == first[2].split()[1]


@pytest.mark.parametrize(
    ("said", "later", "clean"),
    [
        ("My name is Gary Patel", "gary and Patel", "Person Two and Person Two"),
        ("this is my daughter Wilhelmina", "Is Wilhelmina ok?", "Is Person Two ok?"),
        ("my name is Sam", "Sam", "Person One"),
        ("This is Priya", "Priya", "Priya"),  # the club names her itself
        ("my son May plays", "May plays in may", "Person Two plays in may"),
    ],
)
def test_people_who_introduce_somebody_are_heard(said: str, later: str, clean: str) -> None:
    made = anonymous()

    made.introduces([said])

    assert made.text(later) == clean


def test_values_keep_their_shape() -> None:
    value = {"to": ["Sam", 3, None, {"Sam": "07911 123456"}]}

    assert anonymous().value(value) == {"to": ["Person One", 3, None, {"Sam": "+44 7700 900001"}]}
