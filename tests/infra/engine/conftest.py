"""The engine, and what it did to a dev and a prod deployment: each deployed once, then looked at by many tests."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

from tests.infra.engine.deployments import DEV, PROJECT, Sources, program, small_sources
from tests.infra.engine.driver import WRITTEN_ONCE, Engine, Stack
from tests.infra.engine.lifecycle import Lifecycle, dev_lifecycle, prod_lifecycle
from tests.infra.engine.program_host import Program
from tests.infra.engine.provider.cloud import Cloud
from tests.infra.engine.run_once import once
from tools import pulumi_cli


@pytest.fixture(scope="session")
def cli(missing: Callable[[str], NoReturn]) -> Path:
    """The Pulumi CLI; without one the tests are skipped, and fail in CI."""
    found = pulumi_cli.find()
    if found is None:
        missing("no Pulumi CLI: run `make pulumi-cli`")
    return found


@pytest.fixture
def engine(cli: Path, tmp_path: Path) -> Engine:
    """An installation of its own."""
    return Engine(cli, tmp_path)


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """Small files in place of bundles, the same for all: what is deployed of them is in states that tests share."""
    return once(tmp_path_factory, "sources", small_sources)


@pytest.fixture(scope="session")
def run(sources: Sources) -> Program:
    """The dev deployment, with small files in place of bundles."""
    return program("dev", DEV, sources)


@pytest.fixture
def stack(engine: Engine) -> Stack:
    """A new stack that nothing was deployed to, for an engine that ends by itself."""
    return Stack.new(engine, "dev", Cloud(project=PROJECT), WRITTEN_ONCE)


@pytest.fixture
def checkpointed(engine: Engine) -> Stack:
    """A new stack whose state is written after each step, for an engine that is killed."""
    return Stack.new(engine, "dev", Cloud(project=PROJECT))


def _deployed(cli: Path, run: Program, folder: Path) -> Stack:
    stack = Stack.new(Engine(cli, folder), "dev", Cloud(project=PROJECT), WRITTEN_ONCE)
    done = stack.up(run)
    assert done.refused is None, done.refused
    return Stack(stack.engine, stack.name, stack.cloud, stack.environment)


@pytest.fixture(scope="session")
def first_up(cli: Path, run: Program, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A stack after its first `up`, to be copied."""
    return once(tmp_path_factory, "deployed", partial(_deployed, cli, run))


@pytest.fixture
def deployed(first_up: Stack, engine: Engine) -> Stack:
    """A stack after its first `up`."""
    return first_up.copied(engine)


@pytest.fixture(scope="session")
def dev(cli: Path, tmp_path_factory: pytest.TempPathFactory) -> Lifecycle:
    """Everything that happened to the dev deployment, from the first `up` to the `destroy`."""
    return once(tmp_path_factory, "dev", lambda folder: dev_lifecycle(cli, folder))


@pytest.fixture(scope="session")
def prod(cli: Path, tmp_path_factory: pytest.TempPathFactory) -> Lifecycle:
    """Everything that happened to the prod deployment."""
    return once(tmp_path_factory, "prod", lambda folder: prod_lifecycle(cli, folder))
