"""The process that parses one script: closes itself in, reads a script on its input, writes what it found, ends.

Run as a file by a bare interpreter, never imported by the node. One process per script: whatever the parser was made
to do ends with it. Input: JSON ``[source, direction]``; output: the JSON of ``subset.analyse``.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - nothing can be loaded later
import json
import os
import sys
import unicodedata  # noqa: F401 - the parser wants it for names outside ASCII

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3)))  # noqa: PTH100, PTH118, PTH120 - as in the launcher

from node.rules.script import confine, subset


def main() -> int:
    """Return an exit status."""
    # Once outside the box, so that everything the parser loads late is loaded.
    subset.analyse("a = f'{1}' if issue.labels else re_sub('é', '', b)", "incoming")
    try:
        confine.enter(confine.Plan())
    except OSError as error:
        sys.stderr.write(f"the parser was not started, a layer did not close: {error}\n")
        return 111
    source, direction = json.loads(sys.stdin.buffer.read())
    sys.stdout.buffer.write(json.dumps(subset.analyse(source, direction)).encode())
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # Not sys.exit: the interpreter's clean-up makes calls that the filter refuses.
    os._exit(status)
