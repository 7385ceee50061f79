"""Words that decide by themselves: one form for all the ways in which people type them."""

from dataclasses import replace

import pytest

from dm_core.agent.rules import Rules, word_form
from dm_core.messages import Content
from dm_core.processing.outbox.commands import Command, Commands
from dm_sandbox.examples import dm


@pytest.mark.parametrize(
    ("typed", "word"),
    [
        ("STOP!!!", "stop"),
        ("stop 🙏", "stop"),
        ("STOP ❤️", "stop"),
        ("stop 👍🏽", "stop"),
        ("ＳＴＯＰ", "stop"),
        ("„Stopp“", "stopp"),
        ("*stop*", "stop"),
        ("stop\u200b", "stop"),
        ("stop\u00a0", "stop"),
        ("ARRET", "arrêt"),
        ("İPTAL", "iptal"),
        ("ÇIK", "çık"),
        ("ΣΤΑΜΑΤΑ", "σταμάτα"),
        ("«СТОП»", "стоп"),
        ("停止。", "停止"),
        ("बंद।", "बंद"),
        ("\u2067توقّف\u2069", "توقف"),
        ("¡Alto!", "alto"),
        ("🛑", "🛑"),
    ],
)
def test_a_word_is_the_same_however_it_is_typed(typed: str, word: str) -> None:
    assert word_form(typed) == word_form(word)


@pytest.mark.parametrize(
    ("typed", "word"),
    [("don't stop", "stop"), ("stop 2", "stop"), ("🙏", "🛑"), ("🙏", "stop"), ("", "stop"), ("बंदा", "बंद")],
)
def test_what_is_not_the_word_is_not_taken_for_it(typed: str, word: str) -> None:
    assert word_form(typed) != word_form(word)


def test_a_dm_without_words_is_never_a_stop_word() -> None:
    rules = Rules(stop=frozenset({word_form("🛑")}))
    silent = replace(dm(1), content=Content())

    assert rules.stopped_at(None, [silent]) is None


def test_commands_are_the_profiles_words_too_in_any_case() -> None:
    commands = Commands.of(("de", "fr"))

    assert [commands.find(text) for text in ("PAUSIEREN!", "Arret", "ändern", "AENDERN", "off 👍")] == [
        Command.PAUSE,
        Command.OFF,
        Command.EDIT,
        None,
        Command.OFF,
    ]
