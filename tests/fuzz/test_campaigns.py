"""A short campaign against every border; ``python -m dm_sandbox.fuzzing`` runs the long ones."""

import json
from collections import Counter

import pytest

from dm_sandbox.fuzzing.engine import Campaign
from dm_sandbox.fuzzing.targets import TARGETS

RUNS = {
    "webhook": 5_000,
    "webhook_parse": 10_000,
    "processor": 5_000,
    "model": 120,
    "platform": 200,
    "signed_request": 2_000,
    "settings": 1_000,
}


@pytest.mark.parametrize("name", RUNS)
async def test_nothing_breaks_and_memory_stays_bounded(name: str) -> None:
    async with TARGETS[name]() as target:
        report = await Campaign(target, seed=1, shrinking=20).run(RUNS[name])

    assert report.findings == [], report.told()
    assert report.runs == RUNS[name]
    assert len(report.outcomes) >= 2, "every input came to the same end: the target is not reached"
    assert report.grown_kib < 64 * 1024


@pytest.mark.parametrize("moment", [b"0001-01-01T00:00:00+0000", b"9999-12-31T23:59:59Z"])
async def test_a_date_at_the_end_of_the_calendar_costs_no_run(moment: bytes) -> None:
    async with TARGETS["platform"]() as target:
        for seed in target.seeds:
            if moment in seed:
                await target.check(seed)


@pytest.mark.parametrize("address", ["http://\u00ad", "http://a\u0001b"])
async def test_an_address_that_can_not_be_asked_is_refused(address: str) -> None:
    async with TARGETS["settings"]() as target:
        await target.check(json.dumps({"INSTAGRAM_API_BASE_URL": address}).encode())


async def test_the_same_seed_gives_the_same_inputs() -> None:
    outcomes: list[Counter[str]] = []
    for _ in range(2):
        async with TARGETS["webhook_parse"]() as target:
            report = await Campaign(target, seed=7).run(500)
            outcomes.append(report.outcomes)

    assert outcomes[0] == outcomes[1]


async def test_every_target_has_a_short_campaign() -> None:
    assert set(RUNS) == set(TARGETS)
