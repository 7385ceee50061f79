"""Languages of short texts: measured on authored ones, and rather unsure than wrong."""

from dm_evals.rules.texts import language_of
from tests.evals.rules.language_cases import CASES

LEAST_RIGHT = 0.75
MOST_WRONG = 0.03


def test_most_of_the_authored_texts_are_told_and_hardly_any_is_told_wrong() -> None:
    found = [(wanted, language_of(text), text) for wanted, text in CASES]
    wrong = [row for row in found if row[1] not in (row[0], None)]

    assert len(CASES) >= 60
    assert len(wrong) <= MOST_WRONG * len(CASES), wrong
    assert sum(wanted == told for wanted, told, _ in found) >= LEAST_RIGHT * len(CASES)


def test_links_and_addresses_say_nothing_of_a_language() -> None:
    assert language_of("https://hollybankcc.example/join") == "zxx"


def test_one_word_is_not_sure() -> None:
    assert language_of("Okay") is None
