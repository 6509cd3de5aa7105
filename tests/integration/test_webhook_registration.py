"""Our webhook in a real Jira: registered for what is watched, found when it is gone, and never asked for in vain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from node.clock import SystemClock
from node.sandbox.app import RunningSandbox, running_sandbox
from node.sandbox.model import Webhook
from node.sandbox.seed import create_project, default_world
from node.store.engine import Store
from node.trackers.jira import Auth, JiraTracker
from node.triggers.registration import Registration
from tests.support.small_house import HandClock
from tests.support.two_nodes import eventually, there

Mode = Literal["auto", "manual", "off"]
ADDRESS = "http://127.0.0.1:9/webhook/a-token"


@dataclass(slots=True)
class Desk:
    """A registration, the Jira that it speaks to, and what it was told."""

    sandbox: RunningSandbox
    registration: Registration
    clock: HandClock
    projects: list[str] = field(default_factory=list)
    begun: list[None] = field(default_factory=list)

    @property
    def hooks(self) -> list[Webhook]:
        """The webhooks that Jira has."""
        return list(self.sandbox.world.site.webhooks.values())

    async def ask(self) -> bool:
        """Look at once; tell whether Jira reports changes."""
        return (await self.registration.look()).active


@asynccontextmanager
async def _desk(root: Path, mode: Mode = "auto") -> AsyncIterator[Desk]:
    world = default_world()
    for key in ("UD", "SC"):
        create_project(world, key, key)
    async with running_sandbox(world) as sandbox, await Store.open(root / "accord.db") as store:
        token = world.create_token(there(world.user_named("accord")))
        tracker = JiraTracker(sandbox.url, Auth(token), clock=SystemClock())
        projects: list[str] = []
        begun: list[None] = []

        async def watched() -> list[str]:
            return list(projects)

        clock = HandClock()
        registration = Registration(
            store,
            tracker,
            clock,
            mode=mode,
            address=lambda: ADDRESS,
            projects=watched,
            begun=lambda: begun.append(None),
        )
        try:
            yield Desk(sandbox, registration, clock, projects, begun)
        finally:
            await registration.stop()
            await tracker.close()


async def test_nothing_is_registered_before_a_project_is_watched(tmp_path: Path) -> None:
    """A node without connections leaves Jira alone, and says when that will change."""
    async with _desk(tmp_path) as desk:
        assert not await desk.ask()
        assert (desk.hooks, desk.sandbox.calls.count()) == ([], 0)
        assert "as soon as there is a connection" in desk.registration.webhook.advice


async def test_it_follows_the_projects_that_are_watched(tmp_path: Path) -> None:
    """One webhook for all of them, corrected when they change; each time what was not reported before is swept."""
    async with _desk(tmp_path) as desk:
        desk.projects[:] = ["UD"]
        assert await desk.ask()
        [hook] = desk.hooks
        assert (hook.url, "SC" in hook.jql, len(desk.begun)) == (ADDRESS, False, 1)
        assert await desk.ask()
        assert len(desk.begun) == 1
        desk.projects[:] = ["SC", "UD"]
        assert await desk.ask()
        [hook] = desk.hooks
        assert ("SC" in hook.jql, "UD" in hook.jql, len(desk.begun)) == (True, True, 2)


async def test_one_that_somebody_removed_is_registered_again(tmp_path: Path) -> None:
    """An admin of Jira deleted it: a look finds that, and the changes of the meantime are swept."""
    async with _desk(tmp_path) as desk:
        desk.projects[:] = ["UD"]
        assert await desk.ask()
        desk.sandbox.world.site.webhooks.clear()
        assert await desk.ask()
        assert (len(desk.hooks), len(desk.begun)) == (1, 2)


async def test_a_project_that_is_gone_leaves_the_others_reported(tmp_path: Path) -> None:
    """Jira would refuse a filter that names it; so it is left out."""
    async with _desk(tmp_path) as desk:
        desk.projects[:] = ["GONE", "UD"]
        assert await desk.ask()
        [hook] = desk.hooks
        assert ("GONE" in hook.jql, "UD" in hook.jql) == (False, True)


async def test_what_jira_refuses_is_told_and_tried_again(tmp_path: Path) -> None:
    """A Jira that fails is no end: people read why, and the next look registers it."""
    async with _desk(tmp_path) as desk:
        desk.projects[:] = ["UD"]
        desk.sandbox.faults.add("error", "*", count=None, status=500)
        assert not await desk.ask()
        assert "tried again by itself" in desk.registration.webhook.advice
        desk.sandbox.faults.clear()
        assert await desk.ask()
        assert len(desk.begun) == 1


@pytest.mark.parametrize(("mode", "active"), [("manual", True), ("off", False)])
async def test_settings_may_leave_it_to_an_admin_or_to_sweeps(tmp_path: Path, mode: Mode, active: bool) -> None:
    """With manual or off nothing is registered; the first counts as reporting, the second does not."""
    async with _desk(tmp_path, mode) as desk:
        desk.projects[:] = ["UD"]
        assert await desk.ask() is active
        assert (desk.hooks, desk.sandbox.calls.count()) == ([], 0)


async def test_while_it_runs_news_of_a_project_is_enough(tmp_path: Path) -> None:
    """Nobody has to ask: it registers when it is told that other projects may be watched."""
    async with _desk(tmp_path) as desk:
        desk.registration.start()
        desk.projects[:] = ["UD"]
        desk.registration.soon()

        async def registered() -> bool:
            return desk.registration.webhook.active

        await eventually(registered, "the webhook is registered")
        assert [hook.url for hook in desk.hooks] == [ADDRESS]
