"""Runs the command line: ``python -m node`` is ``accord``. Ctrl-C ends it in silence from the beginning."""

from __future__ import annotations

import os
import signal
from types import FrameType


def _end(_signal: int, _frame: FrameType | None) -> None:
    """End at once: nothing has begun yet that would have to be cleaned up."""
    os._exit(130)


def main() -> None:
    """Run one command."""
    # A script that starts us in the background has SIGINT ignored; that is left as it is.
    interrupts = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interrupts:
        signal.signal(signal.SIGINT, _end)
    from node.cli import main as run  # noqa: PLC0415 - it takes a while, in which people press Ctrl-C

    if interrupts:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
