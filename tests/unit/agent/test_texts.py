"""Cleaning and splitting texts."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dm_core.agent.texts import TEXT_LIMIT_BYTES, graphemes, size, split_text, without_controls

PIECES = st.sampled_from(
    [
        "Nets on Tuesday. ",
        "really? ",
        "æøå",
        "é",
        "👨‍👩‍👧‍👦",
        "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
        "🇬🇧",
        " ",
        "\n",
        "한국어",
        "word ",
        "x" * 80,
        "\u0301",
        "\r\n",
    ]
)


def spaceless(text: str) -> str:
    return "".join(grapheme for grapheme in graphemes(text) if not grapheme.isspace())


def test_a_short_text_stays_one_part() -> None:
    assert split_text("  Nets are on Tuesday, 18:00.\n") == ("Nets are on Tuesday, 18:00.",)


def test_a_long_text_is_cut_after_a_sentence() -> None:
    sentence = "Nets are on Tuesday at six in the evening, bring trainers. "

    parts = split_text(sentence * 40)

    assert len(parts) == 3
    assert all(part.endswith("trainers.") and part.startswith("Nets") for part in parts)


def test_without_sentences_it_is_cut_between_words() -> None:
    parts = split_text("wicket " * 300)

    assert {word for part in parts for word in part.split(" ")} == {"wicket"}


def test_without_spaces_it_is_cut_between_graphemes() -> None:
    family = "👨‍👩‍👧‍👦"

    parts = split_text(family * 100)

    assert all(set(graphemes(part)) == {family} for part in parts)
    assert "".join(parts) == family * 100


def test_a_single_grapheme_above_the_limit_is_the_only_thing_cut_inside() -> None:
    zalgo = "a" + "\u0301" * 800

    parts = split_text(f"before {zalgo} after")

    assert all(size(part) <= TEXT_LIMIT_BYTES for part in parts)
    assert spaceless("".join(parts)) == spaceless(f"before{zalgo}after")


@pytest.mark.parametrize("text", ["", " \n\t ", "\u00a0"])
def test_nothing_to_send_is_no_part(text: str) -> None:
    assert split_text(text) == ()


@given(st.lists(PIECES, max_size=400).map("".join), st.sampled_from([40, 200, TEXT_LIMIT_BYTES]))
def test_no_split_loses_or_breaks_anything(text: str, limit: int) -> None:
    parts = split_text(text, limit)

    assert all(0 < size(part) <= limit for part in parts)
    assert spaceless("".join(parts)) == spaceless(text) or "\u0301" in text
    assert re.sub(r"\s", "", "".join(parts)) == re.sub(r"\s", "", text)
    whole = set(graphemes(text))
    if all(size(grapheme) <= limit for grapheme in whole):
        assert {grapheme for part in parts for grapheme in graphemes(part)} <= whole


@given(st.text())
def test_any_text_can_be_split(text: str) -> None:
    assert all(size(part) <= TEXT_LIMIT_BYTES for part in split_text(without_controls(text)))


def test_cleaning_removes_what_no_reader_sees_and_keeps_emoji() -> None:
    assert without_controls("a\x00b\x1b[31m\u202ec\ud800d\r\ne\u2028f\tg 👨‍👩‍👧") == "ab[31mcd\ne\nf\tg 👨‍👩‍👧"
