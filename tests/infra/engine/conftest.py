"""The engine, and what it did to a dev and a prod deployment: each deployed once, then looked at by many tests."""

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from tests.infra.engine.deployments import DEV, PROJECT, program, small_sources
from tests.infra.engine.driver import Engine, Stack
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


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The dev deployment, with small files in place of bundles."""
    return program("dev", DEV, small_sources(tmp_path_factory.mktemp("sources")))


@pytest.fixture
def stack(engine: Engine) -> Stack:
    """A new stack that nothing was deployed to."""
    return Stack.new(engine, "dev", Cloud(project=PROJECT))


@pytest.fixture(scope="session")
def dev(cli: Path, tmp_path_factory: pytest.TempPathFactory) -> Lifecycle:
    """Everything that happened to the dev deployment, from the first `up` to the `destroy`."""
    return once(tmp_path_factory, "dev", lambda folder: dev_lifecycle(cli, folder))


@pytest.fixture(scope="session")
def prod(cli: Path, tmp_path_factory: pytest.TempPathFactory) -> Lifecycle:
    """Everything that happened to the prod deployment."""
    return once(tmp_path_factory, "prod", lambda folder: prod_lifecycle(cli, folder))
