"""The words that REST uses for what hangs on an issue: comments, files, worklogs, links, changes.

What the viewer may not read (restricted comments and worklogs) is left out.
"""

from __future__ import annotations

from datetime import tzinfo
from urllib.parse import quote

from node.sandbox.clock import write_moment, zone_of
from node.sandbox.durations import write_duration
from node.sandbox.model import Attachment, Change, Comment, Issue, IssueLink, RemoteLink, User, Visibility, Worklog
from node.sandbox.permissions import can_read
from node.sandbox.render import Json, Renderer
from node.sandbox.store import World


class PartRenderer:
    """Renders parts of issues for one viewer, with moments in the viewer's time zone."""

    def __init__(self, renderer: Renderer, viewer: User | None) -> None:
        self.renderer = renderer
        self.world: World = renderer.world
        self.viewer = viewer
        self.zone: tzinfo = zone_of(viewer.time_zone if viewer is not None else "UTC")

    def moment(self, moment_ms: int | None) -> str | None:
        """Write a moment in the viewer's time zone."""
        return None if moment_ms is None else write_moment(moment_ms, self.zone)

    def stub(self, issue: Issue) -> Json:
        """Render an issue as it stands in a link, a parent or a sub-task."""
        site = self.world.site
        fields: Json = {
            "summary": issue.summary,
            "status": self.renderer.status(site.statuses[issue.status_id]),
            "issuetype": self.renderer.issue_type(site.issue_types[issue.type_id]),
        }
        if issue.priority_id is not None:
            fields["priority"] = self.renderer.priority(site.priorities[issue.priority_id])
        return {"id": issue.id, "key": issue.key, "self": self.renderer.url("issue", issue.id), "fields": fields}

    def comment(self, issue: Issue, comment: Comment) -> Json:
        """Render a comment."""
        rendered: Json = {"self": self.renderer.url("issue", issue.id, "comment", comment.id), "id": comment.id}
        if comment.author is not None:
            rendered["author"] = self.renderer.user(comment.author)
        if comment.body is not None:
            rendered["body"] = comment.body
        if comment.update_author is not None:
            rendered["updateAuthor"] = self.renderer.user(comment.update_author)
        rendered["created"] = self.moment(comment.created)
        rendered["updated"] = self.moment(comment.updated)
        if comment.visibility is not None:
            rendered["visibility"] = _visibility(comment.visibility)
        return rendered

    def comment_properties(self, comment: Comment) -> list[Json]:
        """Render a comment's properties, for ``expand=properties``."""
        return [{"key": key, "value": value} for key, value in comment.properties.items()]

    def readable_comments(self, issue: Issue) -> list[Comment]:
        """Return the comments that the viewer may read, oldest first."""
        return [one for one in issue.comments if can_read(self.world, self.viewer, issue, one.visibility)]

    def comments(self, issue: Issue) -> Json:
        """Render the ``comment`` field: all comments on one page."""
        rendered = [self.comment(issue, comment) for comment in self.readable_comments(issue)]
        return {"comments": rendered, "maxResults": len(rendered), "total": len(rendered), "startAt": 0}

    def attachment(self, attachment: Attachment) -> Json:
        """Render a file's record."""
        rendered: Json = {
            "self": self.renderer.url("attachment", attachment.id),
            "id": attachment.id,
            "filename": attachment.filename,
        }
        if attachment.author is not None:
            rendered["author"] = self.renderer.user(attachment.author)
        rendered |= {
            "created": self.moment(attachment.created),
            "size": attachment.size,
            "mimeType": attachment.mime_type,
            "content": f"{self.renderer.base}/secure/attachment/{attachment.id}/{quote(attachment.filename, safe='')}",
        }
        if attachment.mime_type.startswith("image/"):
            rendered["thumbnail"] = f"{self.renderer.base}/secure/thumbnail/{attachment.id}/_thumb_{attachment.id}.png"
        return rendered

    def worklog(self, issue: Issue, worklog: Worklog) -> Json:
        """Render a worklog."""
        rendered: Json = {"self": self.renderer.url("issue", issue.id, "worklog", worklog.id)}
        if worklog.author is not None:
            rendered["author"] = self.renderer.user(worklog.author)
        if worklog.update_author is not None:
            rendered["updateAuthor"] = self.renderer.user(worklog.update_author)
        rendered |= {
            "comment": worklog.comment,
            "created": self.moment(worklog.created),
            "updated": self.moment(worklog.updated),
            "started": self.moment(worklog.started),
            "timeSpent": write_duration(worklog.seconds),
            "timeSpentSeconds": worklog.seconds,
            "id": worklog.id,
            "issueId": issue.id,
        }
        if worklog.visibility is not None:
            rendered["visibility"] = _visibility(worklog.visibility)
        return rendered

    def worklogs(self, issue: Issue, limit: int | None = None) -> Json:
        """Render a page of worklogs: the ``worklog`` field with a limit, else all of them."""
        readable = [one for one in issue.worklogs if can_read(self.world, self.viewer, issue, one.visibility)]
        shown = readable if limit is None else readable[:limit]
        return {
            "startAt": 0,
            "maxResults": limit if limit is not None else len(readable),
            "total": len(readable),
            "worklogs": [self.worklog(issue, worklog) for worklog in shown],
        }

    def link(self, issue: Issue, link: IssueLink) -> Json:
        """Render a link as its entry on one of its ends: the source's entry names the ``outwardIssue``."""
        kind = self.world.site.link_types[link.type_id]
        rendered: Json = {
            "id": link.id,
            "self": self.renderer.url("issueLink", link.id),
            "type": self.renderer.link_type(kind),
        }
        if link.source_id == issue.id:
            rendered["outwardIssue"] = self.stub(self.world.issues[link.destination_id])
        else:
            rendered["inwardIssue"] = self.stub(self.world.issues[link.source_id])
        return rendered

    def remote_link(self, issue: Issue, link: RemoteLink) -> Json:
        """Render a link to something elsewhere."""
        rendered: Json = {
            "id": int(link.id),
            "self": self.renderer.url("issue", issue.key, "remotelink", link.id),
            "application": link.application,
            "object": link.object,
        }
        if link.global_id is not None:
            rendered["globalId"] = link.global_id
        if link.relationship is not None:
            rendered["relationship"] = link.relationship
        return rendered

    def change(self, change: Change) -> Json:
        """Render one entry of the changelog."""
        rendered: Json = {"id": change.id}
        if change.author is not None:
            rendered["author"] = self.renderer.user(change.author)
        return {**rendered, "created": self.moment(change.at), "items": change_items(change)}

    def changelog(self, issue: Issue) -> Json:
        """Render the whole changelog, oldest first."""
        histories = [self.change(change) for change in issue.history]
        return {"startAt": 0, "maxResults": len(histories), "total": len(histories), "histories": histories}


def _visibility(visibility: Visibility) -> Json:
    return {"type": visibility.type, "value": visibility.value}


def change_items(change: Change) -> list[Json]:
    """Render the items of a change, as in a changelog and in a webhook's body."""
    return [
        {
            "field": item.field,
            "fieldtype": "custom" if item.custom else "jira",
            "from": item.before,
            "fromString": item.before_text,
            "to": item.after,
            "toString": item.after_text,
        }
        for item in change.items
    ]
