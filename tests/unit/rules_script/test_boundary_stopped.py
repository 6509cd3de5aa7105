"""A look at the walls that is stopped half-way leaves no process behind."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from node.rules.script.workers import boundary_report
from tests.support.two_nodes import eventually


def _children() -> set[str]:
    tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return {child for task in tasks for child in task.read_text().split()}


@pytest.mark.skipif(sys.platform != "linux", reason="children are counted in /proc")
async def test_a_stopped_look_ends_its_process() -> None:
    """A node that stops while it looks at the walls takes the process that looks with it."""
    before = _children()
    look = asyncio.create_task(boundary_report())

    async def has_begun() -> bool:
        return bool(_children() - before)

    await eventually(has_begun, "the process has begun", pause=0.001)
    look.cancel()
    with suppress(asyncio.CancelledError):
        await look

    async def has_ended() -> bool:
        return not _children() - before

    await eventually(has_ended, "the process has ended")
    assert look.cancelled()
