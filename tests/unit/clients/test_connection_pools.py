"""Small connection pools: one while there is little to do, more when it is full, none lost."""

from contextlib import ExitStack
from itertools import count

from dm_core.clients.connection_pools import MAX_POOLS, POOL_SIZE, Pools


def numbered() -> Pools[int]:
    """Pools that are their own number, in the order in which they were made."""
    numbers = count()
    return Pools(lambda: next(numbers))


def test_requests_one_after_the_other_share_one_pool() -> None:
    pools = numbered()

    for _ in range(POOL_SIZE * 3):
        with pools.one() as pool:
            assert pool == 0

    assert pools.taken() == [0]


def test_a_full_pool_is_left_alone_until_a_request_of_it_has_ended() -> None:
    pools = numbered()

    with ExitStack() as others:
        with ExitStack() as first:
            for _ in range(POOL_SIZE):
                assert first.enter_context(pools.one()) == 0
            assert others.enter_context(pools.one()) == 1
        with pools.one() as pool:
            assert pool == 0


def test_requests_beyond_all_pools_are_spread_over_them() -> None:
    pools = numbered()

    with ExitStack() as stack:
        for _ in range(POOL_SIZE * MAX_POOLS):
            stack.enter_context(pools.one())
        beyond = [stack.enter_context(pools.one()) for _ in range(MAX_POOLS)]

    assert sorted(beyond) == list(range(MAX_POOLS))


def test_pools_taken_for_closing_are_not_used_again() -> None:
    pools = numbered()
    with pools.one():
        pass

    assert pools.taken() == [0]

    with pools.one() as pool:
        assert pool == 1
