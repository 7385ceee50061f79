"""A terminal that knows of no store, or of one that is not there."""

import pytest

from dm_sandbox.world import Sandbox
from tests.integration.admin.operator_stage import Operator


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"STORE_URL": "sqlite:////nowhere/threads.db"}, "there is no file /nowhere/threads.db"),
        ({"STORE_URL": "postgres:x"}, "STORE_URL must be firestore: or sqlite:///path"),
        ({}, "GOOGLE_CLOUD_PROJECT is missing"),
    ],
)
async def test_a_store_that_is_not_there_is_one_line(extra: dict[str, str], says: str) -> None:
    assert says in await Operator(Sandbox()).is_refused("threads", extra=extra)
