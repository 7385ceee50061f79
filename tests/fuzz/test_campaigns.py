"""A short campaign against every border; ``python -m dm_sandbox.fuzzing`` runs the long ones."""

import json
from collections import Counter
from typing import Self

import pytest
from hypothesis import strategies as st

from dm_sandbox.fuzzing.campaign import Broken, Campaign
from dm_sandbox.fuzzing.inputs import changed, written
from dm_sandbox.fuzzing.targets import TARGETS

RUNS = {
    "webhook": 3_000,
    "webhook_parse": 4_000,
    "processor": 2_000,
    "model": 120,
    "platform": 200,
    "signed_request": 2_000,
    "settings": 1_000,
}


@pytest.mark.parametrize("name", RUNS)
def test_nothing_breaks_and_memory_stays_bounded(name: str) -> None:
    with Campaign(TARGETS[name](), seed=1) as campaign:
        report = campaign.run(RUNS[name])

    assert report.findings == {}, report.told()
    assert report.runs == RUNS[name]
    assert len(report.outcomes) >= 2, "every input came to the same end: the target is not reached"
    assert report.grown_kib < 64 * 1024


@pytest.mark.parametrize("moment", [b"0001-01-01T00:00:00+0000", b"9999-12-31T23:59:59Z"])
def test_a_date_at_the_end_of_the_calendar_costs_no_run(moment: bytes) -> None:
    with Campaign(TARGETS["platform"]()) as campaign:
        for seed in campaign.target.seeds:
            if moment in seed:
                campaign.one(seed)


@pytest.mark.parametrize("address", ["http://\u00ad", "http://a\u0001b"])
def test_an_address_that_can_not_be_asked_is_refused(address: str) -> None:
    with Campaign(TARGETS["settings"]()) as campaign:
        campaign.one(json.dumps({"INSTAGRAM_API_BASE_URL": address}).encode())


def test_the_same_seed_gives_the_same_inputs() -> None:
    outcomes: list[Counter[str]] = []
    for _ in range(2):
        with Campaign(TARGETS["webhook_parse"](), seed=7) as campaign:
            outcomes.append(campaign.run(300).outcomes)

    assert outcomes[0] == outcomes[1]


class TwoNulls:
    """Breaks where two parts became null; of the sixteen that can be changed, others need not be."""

    name, deep = "two_nulls", False
    seeds = (b"{}",)
    KEYS = "abcdefghijklmnop"
    inputs = changed([dict.fromkeys(KEYS, 1)], st.none(), times=12).map(written)

    async def check(self, data: bytes) -> str:
        if data.count(b"null") >= 2:
            raise Broken("two are null")
        return "fine"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...


def test_a_finding_is_made_shorter() -> None:
    with Campaign(TwoNulls(), seed=1) as campaign:
        report = campaign.run(500)

    assert json.loads(report.findings["two are null"]) == dict.fromkeys(TwoNulls.KEYS, 1) | {"a": None, "b": None}


def test_every_target_has_a_short_campaign() -> None:
    assert set(RUNS) == set(TARGETS)
