"""The two bundles of this tree, made once, and copies of the tree to change."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from bundling import FUNCTIONS, Bundle, bundle
from tests.infra.checkouts import REPOSITORY, copy_checkout


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Bundle]:
    """This tree's, by function."""
    target = tmp_path_factory.mktemp("bundles")
    return {function: bundle(function, REPOSITORY, target) for function in FUNCTIONS}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the tree that the test may change."""
    return copy_checkout(tmp_path / "checkout")
