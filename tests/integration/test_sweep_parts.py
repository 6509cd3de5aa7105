"""A sweep goes on where a part of Jira cannot be seen any more."""

from __future__ import annotations

from pathlib import Path

from node.clock import SystemClock
from node.sandbox.app import running_sandbox
from node.sandbox.seed import create_project, default_world
from node.sandbox.store import World
from node.store import problems
from node.store.engine import Store
from node.store.links import Link, insert
from node.store.port import Transaction
from node.trackers.jira import Auth, JiraTracker
from node.triggers.poller import Poller


async def _connect(tx: Transaction) -> None:
    await tx.execute(
        "INSERT INTO connection (id, name, role, state, project, created_ms) "
        "VALUES (1, 'c', 'inviter', 'active', 'UD', 0)"
    )
    await insert(
        tx, Link(connection_id=1, issue_id="10000", issue_key="UD-1", handle="h", created_ms=0, sent={"fields": {}})
    )


async def test_a_project_that_is_gone_does_not_hide_the_others(tmp_path: Path) -> None:
    """Jira refuses a search that names an unknown project: the others are swept one by one, and it is told."""
    world = default_world()
    create_project(world, "UD", "User desk")
    clock = SystemClock()
    async with running_sandbox(world) as sandbox, await Store.open(tmp_path / "accord.db") as store:
        tracker = JiraTracker(sandbox.url, Auth(_token(world)), clock=clock)
        woken: list[bool] = []
        poller = Poller(
            store,
            tracker,
            clock,
            projects=lambda: _these("GONE", "UD"),
            interval=lambda: 60.0,
            wake=lambda: woken.append(True),
        )
        try:
            await tracker.create_issue("UD", {"summary": "Here", "type": "Task"}, marker="m")
            await store.write(_connect)
            assert await poller.sweep() == 1
            assert woken
            told = await store.read(problems.open_problems)
            assert [one.stage for one in told] == [problems.SWEEP]
            assert "project GONE" in told[0].message
        finally:
            await tracker.close()


def _token(world: World) -> str:
    user = world.user_named("accord")
    assert user is not None
    return world.create_token(user)


async def _these(*projects: str) -> list[str]:
    return list(projects)
