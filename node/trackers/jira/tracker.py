"""The tracker port over Jira's REST interface, version 2, on Data Center and Cloud: which call does what.

One call per change, and nothing read back. What it must know first (kind and version of the Jira, its fields) is asked
once, when it is first needed. Decides nothing about syncing, keeps no state besides that, never tries again.

Jira has no idempotency key, so what we create carries a marker that can be looked for after a crash: an issue or
comment property ``accord.marker``; a worklog on Data Center has no properties, its comment ends in an invisible anchor.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import re
import ssl
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from node.clock import Clock
from node.errors import TrackerDenied, TrackerNonsense, TrackerNotFound, TrackerRefused, TrackerUncertain, UsageError
from node.trackers.base import (
    Change,
    Field,
    FileToAttach,
    Marked,
    Page,
    Project,
    TrackerInfo,
    Transition,
    Version,
    WebhookState,
)
from node.trackers.issue import Attachment, Issue, IssueRef, User, Value
from node.trackers.jira.access import Auth, Timeouts
from node.trackers.jira.choices import Choices
from node.trackers.jira.client import MAX_ANSWER, JiraClient
from node.trackers.jira.custom import read_moment
from node.trackers.jira.files import in_order, multipart
from node.trackers.jira.lookup import MARKER, PAGE, Lookup, marker_of, uncertain_if_nonsense
from node.trackers.jira.payload import INTERNAL, marked_worklog_comment, read_links, worklog_marker
from node.trackers.jira.setup import read_create_field, read_project, read_transitions
from node.trackers.jira.shapes import entries_of, identifier, mapping, name_of, word
from node.trackers.jira.sweep import Place
from node.trackers.jira.webhooks import Registrar, projects_jql, read_webhook
from node.trackers.jira.writing import rest_moment

SEARCH_PAGE = 50
"""Issues asked for at once; whole issues are large."""
LOOK_BACK_MS = 600_000
"""How much earlier than the call a lost issue is looked for: ten minutes, for times that were taken elsewhere."""

_PERMISSIONS = (
    "BROWSE_PROJECTS", "CREATE_ISSUES", "EDIT_ISSUES", "ADD_COMMENTS", "EDIT_OWN_COMMENTS", "DELETE_OWN_COMMENTS",
    "CREATE_ATTACHMENTS", "DELETE_OWN_ATTACHMENTS",
)  # fmt: skip
_ISSUE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,254}-[0-9]{1,19}|[0-9]{1,19}", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,12}", re.ASCII)


class JiraTracker:
    """One Jira as one user. See ``node.trackers.base.Tracker`` for what each method promises.

    Args:
        url: the address of the Jira, with its context path if it has one.
        auth: who we are.
        clock: our time.
        timeouts: how long calls may take.
        max_parallel: calls at the same time; Jira slows down users who ask for more.
        max_answer: bytes that one answer may have.
    """

    def __init__(
        self,
        url: str,
        auth: Auth,
        *,
        clock: Clock,
        timeouts: Timeouts | None = None,
        max_parallel: int = 4,
        max_answer: int = MAX_ANSWER,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._client = JiraClient(
            url, auth, clock=clock, timeouts=timeouts, max_parallel=max_parallel, max_answer=max_answer, tls=tls
        )
        self._clock = clock
        self._own_id: str | None = None
        self._lookup = Lookup(self._client)
        self._choices = Choices(self._client, self._lookup)

    async def describe(self) -> TrackerInfo:
        """Return who the tracker is and who we are in it (2 calls)."""
        server = await self._lookup.server()
        user, me = await self._myself()
        zone = me.get("timeZone")
        return TrackerInfo(
            kind="cloud" if server.cloud else "data-center",
            title=server.title,
            version=server.version,
            url=self._client.url,
            user=user,
            time_zone=zone if isinstance(zone, str) else "UTC",
            server_time=read_moment(server.time),
        )

    async def own_id(self) -> str:
        """Return the id of our user (1 call, 2 where the kind of Jira is not known; none once it is known)."""
        if self._own_id is None:
            await self._lookup.kind()
            self._own_id = (await self._myself())[0].id
        return self._own_id

    async def _myself(self) -> tuple[User, Mapping[str, Any]]:
        me = mapping(await self._client.get("myself", what="say who we are"), "our own user")
        user = self._lookup.reader.user(me)
        if user is None or not user.id:
            raise TrackerNonsense("Jira does not say who we are in it.", advice="Check the token of this node.")
        return user, me

    async def project(self, key: str) -> Project:
        """Return a project with its issue types and their statuses (2 calls)."""
        path = f"project/{_checked(key, _ID, 'a project key')}"
        raw = await self._client.get(path, what=f"show project {key}")
        statuses = await self._client.get(f"{path}/statuses", what=f"list the statuses of project {key}")
        return read_project(raw, entries_of(statuses))

    async def projects(self) -> Sequence[Project]:
        """Return the projects that we can see (1 call on Data Center, 1 per 100 of them on Cloud)."""
        if (await self._lookup.kind()).cloud:
            found = self._lookup.each("project/search", "values", what="list its projects")
            return [read_project(entry) async for entry in found]
        return [
            read_project(entry) for entry in entries_of(await self._client.get("project", what="list its projects"))
        ]

    async def fields(self) -> Sequence[Field]:
        """Return all fields of the tracker, and learn them anew (1 call)."""
        return (await self._lookup.learn_fields()).fields

    async def create_fields(self, project: str, issue_type: str) -> Sequence[Field]:
        """Return the fields that may be set when an issue of that type is created (2 calls; Data Center 8.4 and on)."""
        catalogue = (await self._lookup.ready()).catalogue
        path = f"issue/createmeta/{_checked(project, _ID, 'a project key')}/issuetypes"
        what = f"show what issues of project {project} need"
        async for entry in self._lookup.each(path, "values", "issueTypes", what=what):
            if name_of(entry) == issue_type:
                path = f"{path}/{identifier(entry, 'an issue type')}"
                found = self._lookup.each(path, "values", "fields", what=what)
                return [read_create_field(field, catalogue) async for field in found]
        raise TrackerNotFound(
            f"Project {project} has no issue type {issue_type!r} that our user may create.",
            advice="Choose another type, or let our Jira user create issues there.",
        )

    async def versions(self, project: str) -> Sequence[Version]:
        """Return the versions of a project (1 call)."""
        return await self._choices.versions(_checked(project, _ID, "a project key"))

    async def components(self, project: str) -> Sequence[str]:
        """Return the names of a project's components (1 call)."""
        return await self._choices.components(_checked(project, _ID, "a project key"))

    async def ensure_version(self, project: str, name: str) -> None:
        """See to it that a project has a version (1 call where it has; 2 where it is made)."""
        await self._choices.ensure_version(_checked(project, _ID, "a project key"), name)

    async def ensure_component(self, project: str, name: str) -> None:
        """See to it that a project has a component (1 call where it has; 2 where it is made)."""
        await self._choices.ensure_component(_checked(project, _ID, "a project key"), name)

    async def ensure_option(self, project: str, field: str, value: str) -> None:
        """See to it that a custom field offers an option in a project (Cloud: 4 calls, 5 where it is made)."""
        await self._choices.ensure_option(_checked(project, _ID, "a project key"), field, value)

    async def missing_permissions(self, project: str, *, also: Sequence[str] = ()) -> Sequence[str]:
        """Return the permissions that syncing with this project needs and that we lack (1 call)."""
        needed = (*_PERMISSIONS, *also)
        params = {"projectKey": _checked(project, _ID, "a project key"), "permissions": ",".join(needed)}
        answer = await self._client.get("mypermissions", params, what=f"show our permissions in project {project}")
        told = mapping(mapping(answer, "our permissions").get("permissions"), "our permissions")
        entries = [(key, told.get(key)) for key in needed]
        return [
            (name_of(entry) if isinstance(entry, Mapping) else None) or key
            for key, entry in entries
            if not isinstance(entry, Mapping) or entry.get("havePermission") is not True
        ]

    async def issue(self, ref: str) -> Issue:
        """Return an issue by id or key, whole (1 call; more where Jira cuts long lists of comments or worklogs)."""
        path = f"issue/{_checked(ref, _ISSUE, 'an issue id or key')}"
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
        jql = f"{projects_jql([_checked(project, _ID, 'a project key')])} ORDER BY key ASC"
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
        key = _checked(project, _ID, "a project key")
        body = {"fields": {"project": {"key": key}, **await self._lookup.rest(fields)}, "properties": _marked(marker)}
        what = f"create an issue in project {project}"
        return await self._lookup.create("issue", body, _issue_ref, what=what)

    async def find_created(self, project: str, marker: str, *, since_ms: int, until_ms: int = 0) -> IssueRef | None:
        """Return the issue that we created with this marker (2 calls, and 1 per candidate on Data Center)."""
        key = _checked(project, _ID, "a project key")
        told = read_moment((await self._lookup.server()).time)
        ahead = int(told.timestamp() * 1000) - self._clock.now_ms() if told else 0
        until = until_ms + ahead + LOOK_BACK_MS if until_ms else 0
        return await self._lookup.marked(key, marker, max(since_ms + ahead - LOOK_BACK_MS, 0), until)

    async def issue_marker(self, issue_id: str) -> str | None:
        """Return the marker with which we created an issue (1 call)."""
        return await self._lookup.issue_marker(_checked(issue_id, _ISSUE, "an issue id"))

    async def edit_issue(self, issue_id: str, fields: Mapping[str, Value]) -> None:
        """Set fields (1 call)."""
        path = f"issue/{_checked(issue_id, _ISSUE, 'an issue id')}"
        body = {"fields": await self._lookup.rest(fields)}
        await self._lookup.write("PUT", path, body, what=f"change issue {issue_id}")

    async def add_comment(
        self,
        issue_id: str,
        body: str,
        *,
        marker: str,
        internal: bool = False,
        restrict_to_role: str | None = None,
    ) -> str:
        """Add a comment that carries ``marker``; return its id (1 call)."""
        properties = _marked(marker)
        if internal:
            properties.append({"key": INTERNAL, "value": {"internal": True}})
        comment = {"body": body, "properties": properties, **_visibility(restrict_to_role)}
        path = f"issue/{_checked(issue_id, _ISSUE, 'an issue id')}/comment"
        what = f"add a comment to issue {issue_id}"
        return await self._lookup.create(path, comment, _new_id, what=what)

    async def find_comment(self, issue_id: str, marker: str) -> str | None:
        """Return the id of the comment that carries this marker (1 call per 100 comments)."""
        async for comment in self._lookup.comments(_checked(issue_id, _ISSUE, "an issue id")):
            if marker_of(comment) == marker:
                return identifier(comment, "a comment")
        return None

    async def marked_comments(self, issue_id: str, markers: Collection[str]) -> Marked:
        """Return the comments that carry these markers, and those that carry any (1 call per 100 comments)."""
        found: dict[str, str] = {}
        every: set[str] = set()
        async for comment in self._lookup.comments(_checked(issue_id, _ISSUE, "an issue id")):
            marker = marker_of(comment)
            if marker is not None:
                number = identifier(comment, "a comment")
                every.add(number)
                if marker in markers:
                    found[marker] = number
        return Marked(found=found, every=frozenset(every))

    async def edit_comment(
        self, issue_id: str, comment_id: str, body: str, *, restrict_to_role: str | None = None
    ) -> None:
        """Replace a comment's text (1 call).

        Jira Data Center does not promise that an edit without a restriction keeps the one that the comment has.
        """
        what = f"change comment {comment_id} of issue {issue_id}"
        comment = {"body": body, **_visibility(restrict_to_role)}
        path = _part(issue_id, "comment", comment_id)
        answer = await self._client.send("PUT", path, comment, what=what, answer=True)
        with uncertain_if_nonsense(what):
            identifier(mapping(answer, "the changed comment"), "the changed comment")

    async def delete_comment(self, issue_id: str, comment_id: str) -> None:
        """Delete a comment (1 call)."""
        what = f"delete comment {comment_id} of issue {issue_id}"
        await self._client.send("DELETE", _part(issue_id, "comment", comment_id), what=what)

    async def add_worklog(
        self, issue_id: str, *, seconds: int, started: datetime | None, comment: str | None, marker: str
    ) -> str:
        """Log time without touching the remaining estimate; return the worklog's id (1 call)."""
        body: dict[str, Any] = {"timeSpentSeconds": seconds}
        if started is not None:
            body["started"] = rest_moment(started)
        if (await self._lookup.kind()).cloud:
            body["properties"] = _marked(marker)
            body["comment"] = comment or ""
        else:
            body["comment"] = marked_worklog_comment(comment, _digest(marker))
        path = f"issue/{_checked(issue_id, _ISSUE, 'an issue id')}/worklog"
        what = f"log time on issue {issue_id}"
        return await self._lookup.create(path, body, _new_id, what=what, params={"adjustEstimate": "leave"})

    async def find_worklog(self, issue_id: str, marker: str) -> str | None:
        """Return the id of the worklog that carries this marker (1 call; 1 per 100 worklogs on Cloud)."""
        return (await self.marked_worklogs(issue_id, [marker])).found.get(marker)

    async def marked_worklogs(self, issue_id: str, markers: Collection[str]) -> Marked:
        """Return the worklogs that carry these markers, and those that carry any (as ``find_worklog``)."""
        path = f"issue/{_checked(issue_id, _ISSUE, 'an issue id')}/worklog"
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
        path, what = _part(issue_id, "worklog", worklog_id), f"delete worklog {worklog_id} of issue {issue_id}"
        await self._client.send("DELETE", path, what=what, params={"adjustEstimate": "leave"})

    async def find_issue_link(self, issue_id: str, kind: str, other_id: str, *, outward: bool) -> str | None:
        """Return the id of a link between two issues, seen from the first, if there is one (1 call)."""
        path = f"issue/{_checked(issue_id, _ISSUE, 'an issue id')}"
        raw = mapping(
            await self._client.get(path, {"fields": "issuelinks"}, what=f"list the links of {issue_id}"), "it"
        )
        for link in read_links(mapping(raw.get("fields"), "the links of an issue").get("issuelinks")):
            same = link.type.casefold() == kind.casefold() and link.other_id == other_id
            if same and link.outward == outward:
                return link.id
        return None

    async def add_issue_link(self, issue_id: str, kind: str, other_id: str, *, outward: bool) -> str:
        """Link two issues and return the link's id (2 calls).

        Jira answers without a body, and a link that is there already with the same status. What it calls the inward
        issue is the one that "blocks" (measured by others on a real Jira; Atlassian's prose says the opposite).
        """
        one, other = ({"id": _checked(number, _ISSUE, "an issue id")} for number in (issue_id, other_id))
        source, destination = (one, other) if outward else (other, one)
        body = {"type": {"name": kind}, "inwardIssue": source, "outwardIssue": destination}
        what = f"link issue {issue_id} with issue {other_id} as {kind!r}"
        try:
            await self._client.send("POST", "issueLink", body, what=what)
        except (TrackerNotFound, TrackerDenied) as error:
            raise TrackerRefused(
                error.message,
                advice=f"Give our Jira user 'Link Issues', and see whether there is a link type {kind!r} here: a value "
                "map, or `types` in a script, gives the other side's link types our names.",
            ) from None
        found = await self.find_issue_link(issue_id, kind, other_id, outward=outward)
        if found is None:
            raise TrackerUncertain(
                f"Jira was asked to {what}, said that it did, and does not show the link.",
                advice="Nothing needs to be done if this passes; otherwise see whether issue linking is switched on.",
            )
        return found

    async def delete_issue_link(self, link_id: str) -> None:
        """Delete a link between two issues (1 call)."""
        path = f"issueLink/{_checked(link_id, _ID, 'a link id')}"
        await self._client.send("DELETE", path, what=f"remove the link {link_id}")

    async def download(self, attachment: Attachment, to: Path, *, limit: int) -> None:
        """Write an attachment's bytes to a new file (1 call). Raises OSError where the file cannot be written."""
        what = f"hand out attachment {attachment.id} ({attachment.size} bytes)"
        if attachment.size > limit:
            raise TrackerRefused(
                f"Attachment {attachment.id} has {attachment.size} bytes; {limit} are allowed.",
                advice="Raise the limit for attachments of this node, or leave the file out.",
            )
        await self._client.download(attachment.content_url, to, limit=limit, size=attachment.size, what=what)

    async def attach(self, issue_id: str, files: Sequence[FileToAttach]) -> Sequence[Attachment]:
        """Attach files in one call; the answer keeps their order."""
        reader = await self._lookup.ready()
        path = f"issue/{_checked(issue_id, _ISSUE, 'an issue id')}/attachments"
        what = f"attach {len(files)} files to issue {issue_id}" if len(files) != 1 else f"attach a file to {issue_id}"
        upload = await asyncio.to_thread(multipart, files)
        answer = await self._client.upload(path, upload, what=what)
        with uncertain_if_nonsense(what):
            return in_order([reader.attachment(entry) for entry in entries_of(answer)], files)

    async def delete_attachment(self, attachment_id: str) -> None:
        """Delete an attachment (1 call)."""
        path = f"attachment/{_checked(attachment_id, _ID, 'an attachment id')}"
        await self._client.send("DELETE", path, what=f"delete attachment {attachment_id}")

    async def transitions(self, issue_id: str) -> Sequence[Transition]:
        """Return the transitions open to us from the issue's current status, fields named in our words (1 call)."""
        reader = await self._lookup.ready()
        path = f"issue/{_checked(issue_id, _ISSUE, 'an issue id')}/transitions"
        what = f"list the transitions of issue {issue_id}"
        answer = await self._client.get(path, {"expand": "transitions.fields"}, what=what)
        return read_transitions(answer, reader.catalogue)

    async def transition(self, issue_id: str, transition_id: str, fields: Mapping[str, Value] | None = None) -> None:
        """Perform a transition (1 call)."""
        body: dict[str, Any] = {"transition": {"id": _checked(transition_id, _ID, "a transition id")}}
        if fields:
            body["fields"] = await self._lookup.rest(fields)
        path = f"issue/{_checked(issue_id, _ISSUE, 'an issue id')}/transitions"
        await self._lookup.write("POST", path, body, what=f"move issue {issue_id} to another status")

    async def find_users(self, query: str) -> Sequence[User]:
        """Return users matching a name or an e-mail address (1 call)."""
        reader = await self._lookup.ready()
        params = {"query" if reader.cloud else "username": query, "maxResults": PAGE}
        found = entries_of(await self._client.get("user/search", params, what="find users"))
        users = (reader.user(entry) for entry in found)
        return [user for user in users if user is not None and user.id]

    async def ensure_webhook(self, url: str, *, projects: Sequence[str], name: str) -> WebhookState:
        """Register our webhook, or correct it, where we may; otherwise say what to do by hand."""
        return await (await self._registrar()).ensure(url, projects=projects, name=name)

    async def remove_webhook(self, name: str) -> None:
        """Remove the webhooks that we registered under this name."""
        await (await self._registrar()).remove(name)

    async def close(self) -> None:
        """Release the network."""
        await self._client.close()

    async def _registrar(self) -> Registrar:
        server = await self._lookup.kind()
        return Registrar(self._client, cloud=server.cloud, major=server.major)


def _checked(text: str, pattern: re.Pattern[str], of: str) -> str:
    """Return what goes into a path; anything that could lead elsewhere is something that Jira does not have."""
    if not pattern.fullmatch(text):
        raise TrackerNotFound(f"{text[:60]!r} is not {of}.", advice="Correct it and try again.")
    return text


def _part(issue_id: str, kind: str, part_id: str) -> str:
    return f"issue/{_checked(issue_id, _ISSUE, 'an issue id')}/{kind}/{_checked(part_id, _ID, f'a {kind} id')}"


def _marked(marker: str) -> list[dict[str, Any]]:
    return [{"key": MARKER, "value": {"marker": marker}}]


def _visibility(role: str | None) -> dict[str, Any]:
    return {} if role is None else {"visibility": {"type": "role", "value": role}}


def _new_id(raw: Mapping[str, Any]) -> str:
    return identifier(raw, "what was created")


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


def _digest(marker: str) -> str:
    return hashlib.sha256(marker.encode()).hexdigest()[:32]
