"""What the roll call does about issues that were hidden for a while."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from node.store import problems
from node.trackers.base import Tracker
from node.triggers.roll_call import RollCall
from tests.support.rule_sets import an_issue
from tests.support.small_house import small_house


async def _ud() -> Sequence[str]:
    return ["UD"]


async def test_an_issue_that_is_shown_again_is_looked_at(tmp_path: Path) -> None:
    """Alice's issue was hidden from the sync and edited meanwhile; showing it is no edit, so the roll call finds it."""
    async with small_house(tmp_path) as alice:
        woken: list[bool] = []
        roll_call = RollCall(
            alice.store,
            cast("Tracker", alice.tracker),
            alice.clock,
            projects=_ud,
            wake=lambda: woken.append(True),
            moved=lambda: None,
        )
        issue = an_issue()
        await alice.a_link(issue)
        del alice.tracker.issues[issue.id]
        assert await roll_call.call() == 1
        assert [one.stage for one in await alice.problems()] == [problems.GONE]
        assert not woken
        alice.tracker.put(replace(issue, summary="edited unseen"))
        assert await roll_call.call() == 0
        assert woken
        await alice.look()
        assert (await alice.replicas())[-1].replica.fields["summary"] == "edited unseen"
        assert not await alice.problems()
