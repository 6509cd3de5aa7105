"""Logged time: made with a marker, looked for by it, deleted. Never touches the remaining estimate.

A worklog has properties on Cloud only; on Data Center the marker's digest ends its comment, in an invisible anchor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime
from typing import Any

from node.trackers.base import Marked
from node.trackers.jira.calls import Calls, issue_path, new_id, part_path
from node.trackers.jira.markers import marked, marker_of
from node.trackers.jira.payload import marked_worklog_comment, worklog_marker
from node.trackers.jira.shapes import identifier
from node.trackers.jira.writing import rest_moment


class WorklogCalls(Calls):
    """The tracker's calls about logged time."""

    async def add_worklog(
        self, issue_id: str, *, seconds: int, started: datetime | None, comment: str | None, marker: str
    ) -> str:
        """Log time without touching the remaining estimate; return the worklog's id (1 call)."""
        body: dict[str, Any] = {"timeSpentSeconds": seconds}
        if started is not None:
            body["started"] = rest_moment(started)
        if (await self._lookup.kind()).cloud:
            body["properties"] = marked(marker)
            body["comment"] = comment or ""
        else:
            body["comment"] = marked_worklog_comment(comment, _digest(marker))
        path = f"{issue_path(issue_id)}/worklog"
        what = f"log time on issue {issue_id}"
        return await self._lookup.create(path, body, new_id, what=what, params={"adjustEstimate": "leave"})

    async def find_worklog(self, issue_id: str, marker: str) -> str | None:
        """Return the id of the worklog that carries this marker (1 call; 1 per 100 worklogs on Cloud)."""
        return (await self.marked_worklogs(issue_id, [marker])).found.get(marker)

    async def marked_worklogs(self, issue_id: str, markers: Collection[str]) -> Marked:
        """Return the worklogs that carry these markers, and those that carry any (as ``find_worklog``)."""
        path = f"{issue_path(issue_id)}/worklog"
        what = f"list the worklogs of issue {issue_id}"
        in_texts = {_digest(marker): marker for marker in markers}
        found: dict[str, str] = {}
        every: set[str] = set()
        async for worklog in self._lookup.each(path, "worklogs", what=what, expand="properties"):
            digest, marker = worklog_marker(worklog.get("comment")), marker_of(worklog)
            if digest is None and marker is None:
                continue
            number = identifier(worklog, "a worklog")
            every.add(number)
            wanted = in_texts.get(digest or "", marker if marker in markers else None)
            if wanted is not None:
                found[wanted] = number
        return Marked(found=found, every=frozenset(every))

    async def delete_worklog(self, issue_id: str, worklog_id: str) -> None:
        """Delete a worklog without touching the remaining estimate (1 call)."""
        path, what = part_path(issue_id, "worklog", worklog_id), f"delete worklog {worklog_id} of issue {issue_id}"
        await self._client.send("DELETE", path, what=what, params={"adjustEstimate": "leave"})


def _digest(marker: str) -> str:
    return hashlib.sha256(marker.encode()).hexdigest()[:32]
