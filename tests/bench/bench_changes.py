"""What a change costs: REST calls, CPU of both nodes together, and whether it stays flat as links grow.

Runs the same four processes as the demo. CPU is read from the nodes' own processes, so the sandbox Jiras and this
benchmark do not count. Figures are printed, never asserted against time.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from node.demo.house import Side, pair, two_sides
from node.demo.jira import Person
from node.demo.play import bring_in, count_calls, until_quiet
from node.demo.samples import Sample

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

ISSUES = 50
CHANGES = 1000
PATIENCE = 600.0


@asynccontextmanager
async def _linked(root: Path) -> AsyncIterator[tuple[Side, Side, list[str]]]:
    """Run both sides with some issues in step."""
    async with two_sides(root, load=None, limit=None) as (blue, green):
        await pair(blue, green)
        async with Person(blue.jira_url, "alice") as alice:
            keys = [
                await alice.create(blue.project, Sample(f"Issue {number}", "A description", "Task"))
                for number in range(ISSUES)
            ]
        await bring_in(blue, "Blue_to_Green", keys, lambda _text: None)
        await until_quiet(blue, green, seconds=PATIENCE)
        yield blue, green, keys


def _cpu_seconds(side: Side) -> float:
    """User and system time of a node's process and its threads, from the kernel."""
    assert side.node is not None
    fields = Path(f"/proc/{side.node.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _edit(blue: Side, green: Side, keys: Sequence[str], count: int, label: str) -> float:
    """Make changes, wait until both sides are quiet, and return the CPU seconds that the nodes took."""
    before = _cpu_seconds(blue) + _cpu_seconds(green)
    async with Person(blue.jira_url, "alice") as alice:
        for number in range(count):
            await alice.edit(keys[number % len(keys)], {"summary": f"{label} {number}"})
    await until_quiet(blue, green, seconds=PATIENCE)
    return _cpu_seconds(blue) + _cpu_seconds(green) - before


async def test_cpu_and_calls_of_a_thousand_changes(tmp_path: Path) -> None:
    """CPU seconds of both nodes for 1,000 edits of 50 issues, and REST calls per change."""
    async with _linked(tmp_path) as (blue, green, keys):
        calls = await count_calls(blue, green)
        seconds = await _edit(blue, green, keys, CHANGES, "edit")
        after = await count_calls(blue, green)
    writes = {route: count - calls.get(route, 0) for route, count in after.items() if count != calls.get(route, 0)}
    print(f"\n{CHANGES} edits of {ISSUES} issues: {seconds:.1f} CPU s of both nodes together")
    print(f"REST calls: {writes} (bursts of edits of one issue are sent as one: at most 1 a change)")


async def test_one_change_costs_the_same_with_many_links(tmp_path: Path) -> None:
    """CPU per change with 100, 1,000 and 10,000 linked issues, as a ratio to the first."""
    async with _linked(tmp_path) as (blue, green, keys):
        costs: dict[int, float] = {}
        for links in (100, 1_000, 10_000):
            for side in (blue, green):
                await _stop_and_fill(side, links)
            await until_quiet(blue, green, seconds=PATIENCE)
            await _edit(blue, green, keys, 50, f"warm {links}")
            costs[links] = await _edit(blue, green, keys, 200, f"with {links}") / 200
    first = costs[100]
    for links, cost in costs.items():
        print(f"{links:6} links: {1000 * cost:.2f} ms of CPU a change, {cost / first:.2f} of the cost with 100")


async def _stop_and_fill(side: Side, links: int) -> None:
    """Stop a node, copy links of its database until there are so many, and start it again."""
    assert side.node is not None
    side.node.terminate()
    await side.node.wait()
    await asyncio.to_thread(_fill, side.folder.database, links)
    await side.start_node()


def _fill(database: Path, links: int) -> None:
    with sqlite3.connect(database) as connection:
        (have,) = connection.execute("SELECT count(*) FROM link").fetchone()
        columns = [row[1] for row in connection.execute("PRAGMA table_info(link)") if row[1] != "id"]
        changed = {
            "issue_id": "'copy' || :n",
            "issue_key": "'UD-' || (100000 + :n)",
            "handle": "'h' || :n",
            "twin": "'t' || :n",
        }
        copied = ", ".join(changed.get(name, name) for name in columns)
        names = ", ".join(columns)
        for number in range(have, links):
            connection.execute(
                f"INSERT INTO link ({names}) SELECT {copied} FROM link ORDER BY id LIMIT 1",  # noqa: S608 - our names
                {"n": number},
            )
            connection.execute(
                "INSERT INTO shadow (issue_id, issue_key, updated_ms, body) "
                "SELECT 'copy' || :n, 'UD-' || (100000 + :n), updated_ms, body FROM shadow ORDER BY issue_id LIMIT 1",
                {"n": number},
            )
        # They stand for links that were made long ago: no sweep asks for their issues, which the tracker does not have.
        connection.execute(
            "UPDATE cursor SET value = json_set(value, '$.link', (SELECT max(id) FROM link)) WHERE name = 'sweep'"
        )
