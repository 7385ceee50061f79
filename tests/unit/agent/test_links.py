"""What a phone makes tappable is refused in every spelling; a full stop without a space after it is not."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dm_core.agent.endings import NO_WORDS, STARTERS, endings
from dm_core.agent.guards import Guards
from dm_core.agent.links import _LINK, _PERHAPS, AllowList, found_links  # pyright: ignore[reportPrivateUsage]

DATA = Path(__file__).parent / "data"
ALLOWED = AllowList(
    ("https://hollybankcc.example", "https://spond.com/client"),
    ("secretary@hollybankcc.example",),
    ("01234 567890",),
    ("@HollybankCC",),
)
GUARDS = Guards(allowed=ALLOWED)


def lines(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


TAPPABLE = lines("links.jsonl")
HARMLESS = lines("no_links.jsonl")


def refused(text: str) -> bool:
    refusal = GUARDS.refusal(text, to_person=True)
    return refusal is not None and refusal.guard == "link"


@pytest.mark.parametrize("line", TAPPABLE, ids=[ascii(line["text"]) for line in TAPPABLE])
def test_what_can_be_tapped_is_refused(line: dict[str, str]) -> None:
    assert refused(line["text"])
    assert refused(f"Hi! Look here: {line['text']} and tell me.")


@pytest.mark.parametrize("line", HARMLESS, ids=[line["language"] for line in HARMLESS])
def test_a_harmless_sentence_passes(line: dict[str, str]) -> None:
    assert found_links(line["text"]) == ()


def test_there_are_enough_of_both() -> None:
    assert len(TAPPABLE) >= 200
    assert len(HARMLESS) >= 200
    assert len({line["language"] for line in HARMLESS}) >= 6


def test_every_public_ending_is_known_in_both_spellings() -> None:
    assert len(endings()) > 1_400
    for ending in ("com", "uk", "you", "open", "now", "is", "it", "рф", "xn--p1ai", "中国", "xn--fiqs8s", "ck"):
        assert ending in endings(), ending
    assert endings() >= STARTERS | NO_WORDS


def test_a_host_under_any_ending_is_refused_in_any_case() -> None:
    hosts = [(f"evil-shop.{end}", f"EVIL.{end.upper()}", f"evil.{end}/x") for end in endings()]

    assert [host for kinds in hosts for host in kinds if not refused(f"see {host} now")] == []


@pytest.mark.parametrize(
    "text",
    ["tel:01234567890", "TEL:01234-567890", "write to @hollybankcc", "@HollybankCC.", "Secretary@HollybankCC.example"],
)
def test_the_clubs_own_numbers_and_names_may_go(text: str) -> None:
    assert not refused(text)


_SHAPED = st.lists(
    st.sampled_from(
        ["a", "1", "Z", "ſ", "é", ".", ":", "::", "/", "\\", "@", "](", " ", "-", "%", "tel", "data", "fe80"]
    )
)


@given(_SHAPED.map("".join) | st.text(max_size=40))
def test_a_text_that_is_not_looked_through_holds_no_link(text: str) -> None:
    assert _PERHAPS.search(text) is not None or _LINK.search(text) is None


@pytest.mark.parametrize("text", ["a." * 9_000, "a-" * 9_000, ":" * 9_000, "@a" * 9_000, "a:" * 9_000, "A.No " * 4_000])
def test_the_longest_text_takes_no_time(text: str) -> None:
    started = time.process_time()

    found_links(text)

    assert time.process_time() - started < 2
