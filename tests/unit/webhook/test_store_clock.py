"""The store's clock puts the webhook's right, and is not believed where it can't be one."""

import pytest

from dm_core.webhook.store_clock import StoreClock

NOW = 1_800_000_000_000


@pytest.mark.parametrize(
    ("at", "offset"),
    [
        (NOW - 300, 0),
        (NOW - 900, 0),
        (NOW + 900, 0),
        (NOW + 60_000, 60_000),
        (NOW - 60_000, -59_500),
        (NOW + 3_600_000, 0),
        (0, 0),
        (None, 0),
    ],
)
def test_a_commit_says_how_far_the_clock_is_off(at: int | None, offset: int) -> None:
    clock = StoreClock(lambda: NOW)

    clock.heard(before=NOW - 500, at=at)

    assert clock() - NOW == offset


def test_a_clock_that_was_put_right_itself_is_left_alone_again() -> None:
    clock = StoreClock(lambda: NOW)
    clock.heard(NOW - 500, NOW + 60_000)

    clock.heard(NOW - 500, NOW - 200)

    assert clock() == NOW
