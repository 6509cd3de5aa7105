"""Start of a worker: close this process in (``confine``) and become the engine's program.

Run as a file by a bare interpreter (``python -I -S launcher.py exec PROGRAM ARGUMENTS...``), never imported by the
node. ``probe PROGRAM`` closes itself in the same way, then tries what must not work and prints what it saw as JSON.
"""

from __future__ import annotations

import json
import os
import sys

# -I and -S leave only the standard library; this package is found by where the file lies.
sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3)))  # noqa: PTH100, PTH118, PTH120 - pathlib costs 10 ms of every start

from node.rules.script import confine

_NOT_STARTED = 111


def main(arguments: list[str]) -> int:
    """Return an exit status; on success ``exec`` does not come back."""
    mode, executable, *rest = arguments
    try:
        layers, target = confine.enter(confine.Plan(executable=executable))
    except OSError as error:
        sys.stderr.write(f"the worker was not started, a layer did not close: {error}\n")
        return _NOT_STARTED
    if mode == "probe":
        found = [*layers, *confine.attempts()]
        sys.stdout.write(json.dumps([[layer.name, layer.on, layer.sentence] for layer in found]))
        return 0
    if target is None:
        return _NOT_STARTED
    target.become([executable, *rest])
    return _NOT_STARTED


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    # Not sys.exit: the interpreter's clean-up makes calls that the filter refuses.
    os._exit(status)
