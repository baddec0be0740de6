"""One cluster for all tests of this folder; every test adds its own nodes."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from tests.on_ray.cluster import TestCluster


@pytest.fixture(scope="session")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    """A head without room for replicas."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("ray is not installed: pip install 'mmeval-harness[ray]'")
    cluster = TestCluster(tmp_path_factory.mktemp("cluster") / "log")
    yield cluster
    cluster.close()


@pytest.fixture
def cluster(head: TestCluster) -> Iterator[TestCluster]:
    """A cluster without nodes but its head."""
    yield head
    head.clear()
