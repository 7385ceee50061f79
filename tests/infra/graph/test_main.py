"""The program as ``pulumi up`` runs it: from the stack's file to everything declared, both functions really bundled."""

import json
import runpy
from collections.abc import Generator, Mapping
from pathlib import Path

import pulumi
import pytest
from pulumi.runtime import config as pulumi_config

from tests.infra.recording import Graph, graph_of
from tests.infra.stacks import DEV, PROJECT

INFRA = Path(__file__).parents[3] / "infra"


@pytest.fixture(autouse=True)
def configuration_left_as_it_was() -> Generator[None]:
    before = pulumi_config.CONFIG.set(dict(pulumi_config.CONFIG.get()))
    yield
    pulumi_config.CONFIG.reset(before)


def run_main(values: Mapping[str, str]) -> Graph:
    stack = {f"dm-agent:{key}": value for key, value in values.items()} | {"gcp:project": PROJECT}

    def program(_: Graph) -> None:
        pulumi_config.set_all_config(stack)
        runpy.run_path(str(INFRA / "__main__.py"), run_name="__main__")

    return graph_of(program, "dev")


def test_a_stacks_file_becomes_the_deployment_with_both_functions_bundled() -> None:
    graph = run_main(DEV)

    objects = [one for one in graph if one.type.endswith(":BucketObject")]
    assert len(objects) == 2
    for one in objects:
        archive = Path(one.text("source"))
        assert archive.is_file()
        assert archive.stem.rpartition("-")[2] in one.text("name")


def test_what_is_wrong_in_a_stacks_file_ends_the_program_with_every_problem() -> None:
    with pytest.raises(pulumi.RunError, match=r"dm-agent:region(.|\n)*dm-agent:colour"):
        run_main({**DEV, "region": "mars", "colour": "red", "labels": json.dumps({})})
