"""A process that writes to a store until it is killed; its standard output lists what it was told is durable.

Each unit adds one number to two tables. Run as ``python -m tests.support.store_writer DATABASE FIRST``.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from pathlib import Path

from node.store.engine import Store, Transaction

CALLERS = 16


async def main(path: Path, first: int) -> None:
    """Write numbers from ``first`` on with many callers at once, for ever."""
    numbers = itertools.count(first)
    async with await Store.open(path) as store:

        async def make(tx: Transaction) -> None:
            for side in ("left", "right"):
                await tx.execute(f"CREATE TABLE IF NOT EXISTS {side} (number INTEGER PRIMARY KEY, body BLOB) STRICT")

        await store.write(make)

        async def call() -> None:
            for number in numbers:

                async def add(tx: Transaction, number: int = number) -> None:
                    await tx.execute("INSERT INTO left VALUES (?, ?)", (number, bytes(2000)))
                    await tx.execute("INSERT INTO right VALUES (?, ?)", (number, bytes(2000)))

                await store.write(add)
                os.write(sys.stdout.fileno(), b"%d\n" % number)

        async with asyncio.TaskGroup() as callers:
            for _ in range(CALLERS):
                callers.create_task(call())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
