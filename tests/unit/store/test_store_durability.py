"""What the store said is stored is there after the process was killed at any moment."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from node.store.engine import Store

REPOSITORY = Path(__file__).parents[3]
KILLS = 6


def write_until_killed(path: Path, first: int, acknowledgements: int, extra_bytes: int) -> set[int]:
    """Kill a writing process with SIGKILL after that many acknowledgements; return all that it gave."""
    command = [sys.executable, "-m", "tests.support.store_writer", str(path), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY) as process:  # noqa: S603 - ourselves
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline() for _ in range(acknowledgements)]
            lines.append(process.stdout.read(extra_bytes))  # so that the kill falls inside a commit, not after a line
        finally:
            process.kill()
        lines.append(process.stdout.read())
    text = b"".join(lines).decode()
    complete = text[: text.rindex("\n") + 1] if "\n" in text else ""
    return {int(line) for line in complete.split()}


async def test_a_killed_writer_loses_nothing_acknowledged_and_leaves_nothing_half_done(path: Path) -> None:
    """After each of several kill -9: every acknowledged unit is there, in both tables; none is there in one only."""
    chance = random.Random(20240917)
    acknowledged: set[int] = set()
    for kill in range(KILLS):
        first = kill * 1_000_000
        acknowledged |= write_until_killed(path, first, chance.randrange(1, 400), chance.randrange(1, 200))
        async with await Store.open(path) as store:
            left = {int(row["number"]) for row in await store.fetch_all("SELECT number FROM left")}
            right = {int(row["number"]) for row in await store.fetch_all("SELECT number FROM right")}
            problems = await store.fetch_all("PRAGMA integrity_check")
        assert left == right
        assert acknowledged <= left
        assert [tuple(row[key] for key in row.keys()) for row in problems] == [("ok",)]  # noqa: SIM118 - a Row is no dict
    assert len(acknowledged) > KILLS
