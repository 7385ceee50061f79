"""Each matcher holds for what it says, and not for what nearly is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dm_evals.checks.matching import assigned, in_order, matched, none_of
from dm_evals.scenarios.scenario import Matcher


def of(**matcher: object) -> Matcher:
    return Matcher.model_validate(matcher)


@pytest.mark.parametrize(
    ("matcher", "value"),
    [
        ({"equals": 14}, 14.0),
        ({"equals": "urgent"}, "urgent"),
        ({"equals": False}, False),
        ({"contains": "tuesday"}, "See you on  TUESDAY!"),
        ({"contains": ["18:00", "sports hall"]}, "18:00, in the sports\nhall"),
        ({"contains": "don't"}, "Don’t worry"),
        ({"contains": "20 pounds"}, "It costs 20 pounds."),
        ({"any_of": ["Tue", "Dienstag"]}, "am Dienstag"),
        ({"regex": r"^\d+ pounds$"}, "20 pounds"),
        ({"between": [7, 14]}, 7),
        ({"between": [7, 14]}, 14),
        ({"absent": True}, None),
        ({"anything": True}, 0),
    ],
)
def test_matchers_hold_for_what_they_say(matcher: dict[str, object], value: object) -> None:
    assert matched(of(**matcher), value)


@pytest.mark.parametrize(
    ("matcher", "value"),
    [
        ({"equals": 14}, "14"),
        ({"equals": 1}, True),
        ({"equals": True}, 1),
        ({"equals": "urgent"}, "Urgent"),
        ({"equals": "urgent"}, None),
        ({"contains": "Tuesday"}, "Tues day"),
        ({"contains": "20 pounds"}, "It costs 120 pounds."),
        ({"contains": "5"}, "5.50"),
        ({"contains": "500"}, "1,500"),
        ({"contains": "18:00"}, "118:00"),
        ({"contains": ["18:00", "sports hall"]}, "18:00 at the ground"),
        ({"any_of": ["Tue", "Dienstag"]}, "on Thursday"),
        ({"regex": "^pounds"}, "20 pounds"),
        ({"between": [7, 14]}, 14.01),
        ({"between": [7, 14]}, 6),
        ({"between": [0, 1]}, True),
        ({"between": [7, 14]}, "10"),
        ({"between": [7, 14]}, None),
        ({"absent": True}, ""),
        ({"anything": True}, None),
        ({"anything": True}, "  "),
    ],
)
def test_matchers_break_on_near_misses(matcher: dict[str, object], value: object) -> None:
    assert not matched(of(**matcher), value)


def test_of_several_forbidden_parts_one_is_enough() -> None:
    assert not none_of(of(contains=["refund", "discount"]), "A refund? Of course.")
    assert none_of(of(contains=["refund", "discount"]), "Ask the manager.")


def test_a_call_that_two_requirements_could_use_goes_where_the_other_has_none() -> None:
    assert assigned([[True, True], [True, False]], [1, 1]) == [[1], [0]]


def test_one_call_never_meets_two_requirements() -> None:
    assert assigned([[True], [True]], [1, 1]) == [[0], []]
    assert not in_order([[True], [True]], [1, 1])


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=4))
def test_as_many_slots_are_filled_as_brute_force_fills(fits: list[list[bool]]) -> None:
    def best(row: int, used: frozenset[int]) -> int:
        if row == len(fits):
            return 0
        taken = [1 + best(row + 1, used | {call}) for call in range(4) if fits[row][call] and call not in used]
        return max([best(row + 1, used), *taken])

    found = assigned(fits, [1] * len(fits))

    assert sum(map(len, found)) == best(0, frozenset())
    assert all(fits[row][call] for row, calls in enumerate(found) for call in calls)
    assert len({call for calls in found for call in calls}) == sum(map(len, found))
