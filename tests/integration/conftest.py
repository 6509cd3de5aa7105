"""Alice's and Bob's nodes, not paired yet: transports over real HTTP, without a tracker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.peers import PeerNode


@pytest.fixture
async def alice(tmp_path: Path) -> AsyncIterator[PeerNode]:
    node = PeerNode("Blue", tmp_path / "alice")
    await node.start()
    yield node
    await node.stop()


@pytest.fixture
async def bob(tmp_path: Path) -> AsyncIterator[PeerNode]:
    node = PeerNode("Green", tmp_path / "bob")
    await node.start()
    yield node
    await node.stop()
