"""Languages of short texts: measured on authored ones, and rather unsure than wrong."""

from dm_evals.checks.language import language_of
from language_cases import CASES, UNSURE
from making import outcome, replied, verdict

from dm_evals.results import Outcome

LEAST_RIGHT = 0.95


def test_enough_of_the_authored_texts_are_told_and_none_is_told_wrong() -> None:
    found = [(wanted, language_of(text), text) for wanted, text in CASES]

    assert len(CASES) >= 60
    assert [row for row in found if row[1] not in (row[0], None)] == []
    assert sum(wanted == told for wanted, told, _ in found) >= LEAST_RIGHT * len(CASES)


def test_other_languages_names_and_mixtures_are_not_sure() -> None:
    assert {text: told for text in UNSURE if (told := language_of(text))} == {}


def test_links_and_addresses_say_nothing_of_a_language() -> None:
    assert language_of("https://hollybankcc.example/join") == "zxx"


def test_not_sure_is_neither_pass_nor_fail() -> None:
    assert outcome({"reply": {"language": "en"}}, replied("Okay")) is Outcome.ERRORED
    assert outcome({"reply": {"language": "no"}}, replied("Hei, det er trening.")) is Outcome.ERRORED


def test_the_wrong_language_or_no_words_at_all_fails() -> None:
    assert verdict({"reply": {"language": "de"}}, replied("See you there on Tuesday!"), "reply.language") == "broken"
    assert verdict({"reply": {"language": "en"}}, replied("👍"), "reply.language") == "broken"
    assert verdict({"reply": {"language": "zxx"}}, replied("👍"), "reply.language") == "held"
