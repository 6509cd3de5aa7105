"""The short form of `tests/soak/test_kill_during_the_run.py`: real processes, few issues, few kills."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.data import data_file
from tests.support.kills import Plan, assert_whole, play


@pytest.mark.soak  # at random moments, so apart from the tests that must pass alike every time
@pytest.mark.timeout(180)
async def test_killed_nodes_lose_and_double_nothing(tmp_path: Path) -> None:
    """Nodes are killed while 25 real issues come in and while both sides edit them: both Jiras end alike."""
    plan = Plan(seed=1, kills=4, between=(0.2, 2.0), down=(0.0, 1.0))
    assert_whole(await play(tmp_path, plan, issues=data_file("issues-800.jsonl.gz"), limit=25, rounds=1), plan)
