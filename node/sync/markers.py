"""The markers that calls which must not happen twice leave in the tracker; `step_keys` names the calls. Pure.

A marker follows from what the call is for, so a node that has forgotten the call still knows what to look for.
"""

from __future__ import annotations

import hashlib


def marker_for(connection_id: int, issue: str, key: str) -> str:
    """Return the marker of a call: 32 hexadecimal digits.

    Args:
        connection_id: the row of the connection.
        issue: the peer's handle of its issue.
        key: the name of the call.
    """
    return hashlib.sha256(f"{connection_id}\n{issue}\n{key}".encode()).hexdigest()[:32]


def file_marker(blob: str, size: int) -> str:
    """Return the marker of a file, which carries nothing but its bytes: SHA-256 in hex, and how many there are."""
    return f"{blob}/{size}"
