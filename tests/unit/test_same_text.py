"""Two texts are one message however the platform writes ours down."""

import html
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dm_core.same_text import normal_form


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("Nets at 6", "Nets at 6"),
        ("Nets at 6 \n", "Nets at 6"),
        ("Tue:\n- nets\n- slips", "Tue:\r\n- nets\r\n- slips"),
        ("Tue: \n- nets", "Tue:\n- nets"),
        ('Bat & ball <new> "it\'s"', "Bat &amp; ball &lt;new&gt; &quot;it&#039;s&quot;"),
        ("Bat &amp; ball", "Bat &amp;amp; ball"),
        ("Søndag på Ås", unicodedata.normalize("NFD", "Søndag på Ås")),
        ("Love it ❤️", "Love it ❤"),
        ("6\u00a0pm", "6 pm"),
        ("Nets\u200b at 6\ufeff", "Nets at 6"),
        ("two  blanks\tand a tab", "two blanks and a tab"),
        ("a\u2028b", "a\nb"),
    ],
)
def test_what_a_platform_does_to_a_text_makes_no_other_message(ours: str, theirs: str) -> None:
    assert normal_form(ours) == normal_form(theirs)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Nets at 6", "Nets at 7"),
        ("Nets at 6", "nets at 6"),
        ("Nets at 6", "Nets at 6!"),
        ("No.", "No"),
        ("a\nb", "a b"),
        ("a\n\nb", "a\nb"),
        ("x² is 4", "x2 is 4"),
        ("", "."),
    ],
)
def test_other_words_are_another_message(one: str, other: str) -> None:
    assert normal_form(one) != normal_form(other)


@given(st.text(alphabet=st.characters(exclude_characters="&")))
def test_escaping_changes_nothing(text: str) -> None:
    assert normal_form(html.escape(text)) == normal_form(text)


@given(st.text())
def test_normal_is_normal_and_has_no_ends_of_white_space(text: str) -> None:
    form = normal_form(text)

    assert form == form.strip()
    assert "\r" not in form
    assert normal_form(f" {form}\r\n") == form


def test_a_hostile_text_takes_no_long_time() -> None:
    assert normal_form("&" + "amp;" * 100_000 + "lt;") == "<"
    assert normal_form(" \n" * 100_000) == ""
