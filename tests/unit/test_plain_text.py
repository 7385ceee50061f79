"""Text from outside is harmless wherever it is shown, and what its writer meant is kept."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dm_core.plain_text import MAX_MARKS, readable, shown, visible

HIDING = {
    "bidi override": ("Ana \u202egro.live\u202c", "Ana gro.live"),
    "bidi isolate": ("\u2067Ana\u2069", "Ana"),
    "bidi mark": ("Ana\u200f\u061c", "Ana"),
    "zero width": ("A\u200bn\u2060a\ufeff", "Ana"),
    "soft hyphen": ("A\u00adna", "Ana"),
    "joiner": ("A\u200dna", "Ana"),
    "line break": ("Ana\nERROR all is lost\r\nx", "Ana ERROR all is lost x"),
    "line separator": ("Ana\u2028x\u2029y\x85z", "Ana x y z"),
    "escape sequence": ("\x1b[31mAna\x07", "[31mAna"),
    "null": ("A\x00na", "Ana"),
    "tags": ("Ana\U000e0049\U000e0047", "Ana"),
    "variation selectors beyond the first": ("Ana\U000e0101\U000e0150", "Ana"),
    "filler": ("Ana\u3164\u2800", "Ana"),
    "lone surrogate": ("An\ud83da", "Ana"),
    "private use": ("An\ue000a", "Ana"),
    "marks without end": ("A" + "\u0301" * 40, "A" + "\u0301" * MAX_MARKS),
    "spaces": ("  Ana \t\u00a0\u2003 B ", "Ana B"),
}


@pytest.mark.parametrize("kind", HIDING)
def test_a_name_hides_nothing(kind: str) -> None:
    name, harmless = HIDING[kind]

    assert shown(name) == harmless


NAMES = [
    "Ana",
    "Łukasz Żółć",
    "فاطمة",
    "अनीता शर्मा",
    "นภา",
    "李小龍",
    "Nguyễn Thị Ánh",
    "O'Neil-Smith",
    "🏏 Ben 🏏",
    "Zoë 2",
]


@pytest.mark.parametrize("name", NAMES)
def test_an_ordinary_name_stays_as_it_is(name: str) -> None:
    assert shown(name) == name
    assert readable(name) == name


TEXTS = ["می‌خواهم", "क्‍ष", "👨‍👩‍👧‍👦 family", "🏴󠁧󠁢󠁥󠁮󠁧󠁿 England", "❤️", "line one\n\tline two", "👏🏽", "🇬🇧", "1️⃣"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_keeps_its_spelling_and_its_emoji(text: str) -> None:
    assert readable(text) == text


def test_joiners_that_join_nothing_are_left_out() -> None:
    assert readable("ev\u200dil \u200c\u200d x\u200c") == "evil  x"


def test_a_long_name_is_cut_and_says_so() -> None:
    assert shown("a" * 100, 10) == "a" * 9 + "…"


@given(st.text())
def test_whatever_comes_is_one_line_without_anything_invisible(text: str) -> None:
    line = shown(text)

    assert "\n" not in line
    assert shown(line) == line
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co") for char in line)
    assert visible(visible(text)) == visible(text)
    line.encode()
