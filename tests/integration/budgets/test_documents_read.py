"""What a DM reads does not grow with its thread (docs/promises.md#budgets)."""

from pathlib import Path

import pytest

from benchmarks.long_thread import LONG, SHORT, documents_read
from dm_core.store.port import PAGE_SIZE

STORES = ["sqlite", "firestore"]


async def _reads(store: str, request: pytest.FixtureRequest, tmp_path: Path, *sizes: int) -> dict[int, int]:
    if store == "firestore":
        return await documents_read("firestore:", str(request.getfixturevalue("firestore_host")), sizes)
    return await documents_read(f"sqlite:///{tmp_path / 'threads.db'}", None, sizes)


@pytest.mark.parametrize("store", STORES)
async def test_a_thread_of_10_000_messages_costs_no_more_reads_than_one_page(
    store: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    reads = await _reads(store, request, tmp_path, SHORT, PAGE_SIZE, LONG)  # the first also reads the switches

    assert reads[LONG] == reads[PAGE_SIZE]
    # The page, the thread and the person's limits; SQLite's commits look at what they change, too.
    assert reads[LONG] <= PAGE_SIZE + (2 if store == "firestore" else 10)


@pytest.mark.parametrize("store", STORES)
async def test_a_thread_of_10_000_messages_reads_at_most_a_tenth_more_than_one_of_10(
    store: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    reads = await _reads(store, request, tmp_path, SHORT, PAGE_SIZE)

    assert reads[PAGE_SIZE] <= 1.1 * reads[SHORT]
