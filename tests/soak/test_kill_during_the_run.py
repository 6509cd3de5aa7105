"""kill -9 of either node at any moment of the main job, again and again: the same end, nothing lost, nothing twice.

Real processes, real issues. A run that fails names its seed and keeps its folders, so that the databases can be read.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.data import data_file
from tests.support.kills import STOP_SECONDS, Plan, assert_whole, play

pytestmark = pytest.mark.soak


@pytest.mark.parametrize("seed", range(101, 109))
async def test_many_kills_lose_and_double_nothing(tmp_path: Path, seed: int) -> None:
    """A few issues and kills as dense as a node can be started: most fall into its first seconds of work."""
    plan = Plan(seed, kills=14, between=(0.05, 1.5))
    assert_whole(await play(tmp_path, plan, issues=data_file("issues-800.jsonl.gz"), limit=25), plan)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [201, 202])
async def test_kills_during_a_larger_run(tmp_path: Path, seed: int) -> None:
    """150 issues, kills of either node and of both in every phase, some of them stops by SIGTERM."""
    plan = Plan(seed, kills=16, between=(0.3, 3.0), gently=0.2)
    assert_whole(await play(tmp_path, plan, issues=data_file("issues-800.jsonl.gz"), limit=150), plan)


@pytest.mark.timeout(1800)
async def test_kills_during_the_whole_run(tmp_path: Path) -> None:
    """All 800 real issues; what Jira itself refuses is named, and the rest is in step."""
    plan = Plan(seed=301, kills=20, between=(1.0, 6.0), gently=0.1)
    outcome = await play(tmp_path, plan, issues=data_file("issues-800.jsonl.gz"), limit=800, seconds=900)
    assert_whole(outcome, plan)


@pytest.mark.timeout(900)
async def test_a_node_that_is_asked_to_stop_stops_soon(tmp_path: Path) -> None:
    """SIGTERM in the middle of work ends a node within 10 seconds and loses nothing."""
    plan = Plan(seed=401, kills=12, between=(0.3, 2.5), gently=1.0)
    outcome = await play(tmp_path, plan, issues=data_file("issues-800.jsonl.gz"), limit=150)
    assert_whole(outcome, plan)
    assert max(outcome.stop_seconds) < STOP_SECONDS
