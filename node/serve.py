"""A node as a process: from its start to SIGINT or SIGTERM. What the node is made of is in `app.py`."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from node.app import Node
from node.clock import SystemClock
from node.config import NodeFolder


async def serve(folder: NodeFolder, *, announce: Callable[[str], None], was_restored: bool = False) -> None:
    """Run a node until SIGINT or SIGTERM.

    Args:
        folder: the node's.
        announce: is told that it runs, and that it has stopped.
        was_restored: its database was put back from a backup; needed only where nothing shows that.

    Raises:
        AccordError: it could not start.
    """
    node = Node(folder, clock=SystemClock(), was_restored=was_restored)
    await node.start()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    about = node.about()
    announce(f"Node {about['name']} is up at {about['public_url']}. Fingerprint: {about['fingerprint']}")
    try:
        await stopped.wait()
    finally:
        await node.stop()
    announce(f"Node {about['name']} has stopped.")
