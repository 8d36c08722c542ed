"""A running demo cluster and a client of its API."""

from collections.abc import AsyncIterator

import pytest

from lab.cluster import LabCluster
from tests.lab.clients import Client, connect


@pytest.fixture
async def cluster() -> AsyncIterator[LabCluster]:
    """Start the healthy demo cluster."""
    async with LabCluster("healthy", bookmark_seconds=0.1, lease_seconds=0.5) as running:
        yield running


@pytest.fixture
async def client(cluster: LabCluster) -> AsyncIterator[Client]:
    """Connect to the healthy demo cluster."""
    connected = await connect(cluster)
    yield connected
    await connected.session.close()
