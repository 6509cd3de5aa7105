"""What each group of the tracker's calls has, and what may go into a path. Calls nobody, decides nothing.

The groups are parts of one class, `tracker.JiraTracker`: each is what Jira offers for one noun, on the same client and
with the same knowledge of this Jira.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from node.clock import Clock
from node.errors import TrackerNotFound
from node.trackers.jira.client import JiraClient
from node.trackers.jira.lookup import Lookup
from node.trackers.jira.shapes import identifier

_ISSUE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,254}-[0-9]{1,19}|[0-9]{1,19}", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


class Calls:
    """A group of the tracker's calls: the network, what is known of this Jira, and our time."""

    def __init__(self, client: JiraClient, lookup: Lookup, clock: Clock) -> None:
        self._client = client
        self._lookup = lookup
        self._clock = clock


def checked_issue(text: str, *, of: str = "an issue id") -> str:
    """Return what names an issue in a path: its id or its key. Raises TrackerNotFound."""
    return _checked(text, _ISSUE, of)


def checked_id(text: str, of: str) -> str:
    """Return the id of anything else, which errors call ``of``, as it may go into a path. Raises TrackerNotFound."""
    return _checked(text, _ID, of)


def project_key(text: str) -> str:
    """Return a project's key as it may go into a path. Raises TrackerNotFound."""
    return _checked(text, _ID, "a project key")


def issue_path(issue_id: str, *, of: str = "an issue id") -> str:
    """Return the path of an issue. Raises TrackerNotFound."""
    return f"issue/{checked_issue(issue_id, of=of)}"


def part_path(issue_id: str, kind: str, part_id: str) -> str:
    """Return the path of an issue's comment or worklog, as Jira calls the ``kind``. Raises TrackerNotFound."""
    return f"{issue_path(issue_id)}/{kind}/{checked_id(part_id, f'a {kind} id')}"


def new_id(raw: Mapping[str, Any]) -> str:
    """Return the id of what a call has made. Raises TrackerNonsense."""
    return identifier(raw, "what was created")


def _checked(text: str, pattern: re.Pattern[str], of: str) -> str:
    """Return what goes into a path; anything that could lead elsewhere is something that Jira does not have."""
    if not pattern.fullmatch(text):
        raise TrackerNotFound(f"{text[:60]!r} is not {of}.", advice="Correct it and try again.")
    return text
