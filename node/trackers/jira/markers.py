"""The marker that a call leaves in what it makes: written with it, and read where it is looked for. Pure.

What a marker says is not known here; `node.sync.markers` makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.trackers.jira.payload import property_value

MARKER = "accord.marker"
"""The entity property that tells what we created."""


def marked(marker: str) -> list[dict[str, Any]]:
    """Return the properties with which something is made."""
    return [{"key": MARKER, "value": {"marker": marker}}]


def marker_of(raw: Mapping[str, object]) -> str | None:
    """Return the marker among the properties of an issue, a comment or a worklog."""
    value = property_value(raw, MARKER)
    found = value.get("marker") if isinstance(value, Mapping) else None
    return found if isinstance(found, str) else None
