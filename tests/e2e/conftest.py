"""What the end-to-end tests share: Alice and Bob, paired, each with a Jira that reports changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.two_nodes import Party, two_nodes


@pytest.fixture
async def parties(tmp_path: Path) -> AsyncIterator[tuple[Party, Party]]:
    """Run both sides for one test."""
    async with two_nodes(tmp_path) as sides:
        yield sides
