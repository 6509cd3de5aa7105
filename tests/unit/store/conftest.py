"""An open store with a scratch table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.store.engine import Store
from tests.support.store_log import open_with_log


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "house" / "accord.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    async with await open_with_log(path) as opened:
        yield opened
