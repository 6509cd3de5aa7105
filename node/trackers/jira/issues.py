"""Issues: one of them, many by a search, what a notice says of one; making, changing and moving them.

What hangs on an issue has calls of its own: `comments`, `worklogs`, `issue_links`, `attachments`. Never reads back
what it has written.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from node.errors import UsageError
from node.trackers.base import Change, Page, Transition
from node.trackers.issue import Issue, IssueRef, Value
from node.trackers.jira.calls import Calls, checked_id, checked_issue, issue_path, project_key
from node.trackers.jira.custom import read_moment
from node.trackers.jira.markers import marked
from node.trackers.jira.setup import read_transitions
from node.trackers.jira.shapes import identifier, mapping, word
from node.trackers.jira.sweep import Place
from node.trackers.jira.webhooks import projects_jql, read_webhook

SEARCH_PAGE = 50
"""Issues asked for at once; whole issues are large."""
LOOK_BACK_MS = 600_000
"""How much earlier than the call a lost issue is looked for: ten minutes, for times that were taken elsewhere."""

_NUMBER = re.compile(r"[0-9]{1,12}", re.ASCII)


class IssueCalls(Calls):
    """The tracker's calls about issues."""

    async def issue(self, ref: str) -> Issue:
        """Return an issue by id or key, whole (1 call; more where Jira cuts long lists of comments or worklogs)."""
        path = issue_path(ref, of="an issue id or key")
        raw = mapping(await self._client.get(path, {"fields": "*all"}, what=f"show issue {ref}"), f"issue {ref}")
        reader = await self._lookup.reader_for([raw])
        found = reader.issue(raw)
        if found.complete:
            return found
        fields = dict(mapping(raw.get("fields"), f"issue {ref} without fields"))
        comments_cut, worklogs_cut = reader.cut(fields)
        if comments_cut:
            # Asked for with their properties, comments without any have none and are not internal.
            newest_first = [{"properties": [], **entry} async for entry in self._lookup.comments(found.id)]
            fields["comment"] = newest_first[::-1]
        if worklogs_cut:
            worklogs = self._lookup.each(f"issue/{found.id}/worklog", "worklogs", what=f"list the worklogs of {ref}")
            fields["worklog"] = [entry async for entry in worklogs]
        return reader.issue({**raw, "fields": fields})

    async def search(self, query: str, *, cursor: str | None = None, limit: int = SEARCH_PAGE) -> Page:
        """Return a page of whole issues for a JQL query (1 call)."""
        if (await self._lookup.kind()).cloud:
            return await self._lookup.search_cloud(query, cursor, limit)
        if not _NUMBER.fullmatch(cursor or "0"):
            raise UsageError("That is not a cursor of a search in this tracker.")
        start = int(cursor or "0")
        issues, total = await self._lookup.search(query, start, limit)
        following = start + len(issues)
        return Page(issues=issues, next=str(following) if issues and following < total else None, total=total)

    async def updated_since(self, projects: Sequence[str], since_ms: int, *, cursor: str | None = None) -> Page:
        """Return a page of issues updated at or after that time, oldest first (1 call).

        Issues may come twice, but none is left out, however they are updated meanwhile (``sweep``).
        """
        scope, order = projects_jql(projects), "ORDER BY updated ASC, key ASC"
        if (await self._lookup.kind()).cloud:
            jql = f"{scope} AND {Place.parse(str(since_ms)).condition} {order}"
            return await self._lookup.search_cloud(jql, cursor, SEARCH_PAGE)
        place = Place.parse(cursor or str(since_ms))
        jql = f"{scope} AND {place.condition} {order}"
        issues, total = await self._lookup.search(jql, place.start or 0, SEARCH_PAGE)
        return Page(issues=issues, next=place.next(_updated_ms(issues, place.since_ms), total), total=total)

    async def issue_refs(self, project: str) -> Sequence[IssueRef]:
        """Return id and key of every issue of a project (1 call for 1,000)."""
        jql = f"{projects_jql([project_key(project)])} ORDER BY key ASC"
        return [ref async for ref in self._lookup.refs(jql)]

    def read_issue(self, raw: Mapping[str, object]) -> Issue:
        """Translate the JSON of one issue, as ``search`` and ``updated_since`` give it."""
        return self._lookup.reader.issue(raw)

    def read_webhook(self, raw: Mapping[str, object]) -> Change | None:
        """Translate a webhook's body; its issue is left out where it could not be read as a whole."""
        change = read_webhook(raw, self._lookup.reader)
        if change is not None and not self._lookup.known:
            return dataclasses.replace(change, issue=None)
        return change

    async def create_issue(self, project: str, fields: Mapping[str, Value], *, marker: str) -> IssueRef:
        """Create an issue that carries ``marker`` from its first moment (1 call)."""
        key = project_key(project)
        body = {"fields": {"project": {"key": key}, **await self._lookup.rest(fields)}, "properties": marked(marker)}
        what = f"create an issue in project {project}"
        return await self._lookup.create("issue", body, _issue_ref, what=what)

    async def find_created(self, project: str, marker: str, *, since_ms: int, until_ms: int = 0) -> IssueRef | None:
        """Return the issue that we created with this marker (2 calls, and 1 per candidate on Data Center)."""
        key = project_key(project)
        told = read_moment((await self._lookup.server()).time)
        ahead = int(told.timestamp() * 1000) - self._clock.now_ms() if told else 0
        until = until_ms + ahead + LOOK_BACK_MS if until_ms else 0
        return await self._lookup.marked(key, marker, max(since_ms + ahead - LOOK_BACK_MS, 0), until)

    async def issue_marker(self, issue_id: str) -> str | None:
        """Return the marker with which we created an issue (1 call)."""
        return await self._lookup.issue_marker(checked_issue(issue_id))

    async def edit_issue(self, issue_id: str, fields: Mapping[str, Value]) -> None:
        """Set fields (1 call)."""
        path = issue_path(issue_id)
        body = {"fields": await self._lookup.rest(fields)}
        await self._lookup.write("PUT", path, body, what=f"change issue {issue_id}")

    async def transitions(self, issue_id: str) -> Sequence[Transition]:
        """Return the transitions open to us from the issue's current status, fields named in our words (1 call)."""
        reader = await self._lookup.ready()
        path = f"{issue_path(issue_id)}/transitions"
        what = f"list the transitions of issue {issue_id}"
        answer = await self._client.get(path, {"expand": "transitions.fields"}, what=what)
        return read_transitions(answer, reader.catalogue)

    async def transition(self, issue_id: str, transition_id: str, fields: Mapping[str, Value] | None = None) -> None:
        """Perform a transition (1 call)."""
        body: dict[str, Any] = {"transition": {"id": checked_id(transition_id, "a transition id")}}
        if fields:
            body["fields"] = await self._lookup.rest(fields)
        path = f"{issue_path(issue_id)}/transitions"
        await self._lookup.write("POST", path, body, what=f"move issue {issue_id} to another status")


def _issue_ref(raw: Mapping[str, Any]) -> IssueRef:
    return IssueRef(identifier(raw, "the new issue"), word(raw, "key", "the new issue"))


def _updated_ms(issues: Sequence[Mapping[str, Any]], since_ms: int) -> list[int]:
    """Return when issues were updated; one that does not say so does not stop a sweep, and counts as the one before."""
    times: list[int] = []
    for raw in issues:
        fields = raw.get("fields")
        moment = read_moment(fields.get("updated")) if isinstance(fields, Mapping) else None
        times.append(int(moment.timestamp() * 1000) if moment else (times or [since_ms])[-1])
    return times
