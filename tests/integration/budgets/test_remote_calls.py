"""What one plain DM may cost in remote calls, counted at the servers (docs/promises.md#budgets)."""

from pathlib import Path

import pytest

from benchmarks.remote_calls import Cost, Ledger, Seen, of_one_plain_dm


@pytest.fixture(params=["sqlite", "firestore"])
async def cost(request: pytest.FixtureRequest, tmp_path: Path) -> Cost:
    """The second DM of a thread, answered."""
    if request.param == "firestore":
        return await of_one_plain_dm("firestore:", str(request.getfixturevalue("firestore_host")))
    return await of_one_plain_dm(f"sqlite:///{tmp_path / 'threads.db'}")


async def test_a_plain_dm_stays_within_its_remote_calls(cost: Cost) -> None:
    assert len(cost.replies) == 1
    assert cost.model_calls == 1
    assert cost.processor["instagram"] == 1
    assert cost.webhook["CreateTask"] == 1
    assert cost.store_calls <= 1 + 5
    assert cost.total <= 9


async def test_two_calls_side_by_side_before_the_ack_and_seven_in_six_steps_after(firestore_host: str) -> None:
    cost = await of_one_plain_dm("firestore:", firestore_host)

    assert (cost.webhook.total(), cost.webhook_depth) == (2, 1)
    assert cost.processor.total() <= 7
    assert cost.processor_depth <= 6
    assert cost.store_calls == sum(
        (cost.webhook + cost.processor)[m] for m in ("Commit", "BatchGetDocuments", "RunQuery")
    )


def test_the_depth_is_the_longest_chain_of_calls_that_waited_for_one_another() -> None:
    ledger = Ledger(calls=[Seen("a", 0, 2), Seen("b", 1, 3), Seen("c", 3, 4), Seen("d", 3.5, 5), Seen("e", 5, 6)])

    assert ledger.depth == 3


async def test_calls_that_should_run_side_by_side_but_do_not_make_a_longer_chain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("benchmarks.remote_calls.HOLD_SECONDS", 0.01)
    ledger = Ledger(frozenset({"a", "b"}))

    for name in ("a", "b"):
        Ledger.end(await ledger.begin(name))

    assert ledger.depth == 2
