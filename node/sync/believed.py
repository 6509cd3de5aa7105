"""What we believe of our issue between our own write and the moment when the tracker shows it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from node.rules.model import Draft
from node.sync.plan import STATUS, TwinItem
from node.trackers.fields import with_fields
from node.trackers.issue import Attachment, Comment, Issue, IssueRef


def believed(draft: Draft, ref: IssueRef, now_ms: int) -> Issue:
    """Return the issue that we just created as it must be, until the tracker shows it."""
    created = datetime.fromtimestamp(now_ms / 1000, tz=UTC)
    issue = Issue(id=ref.id, key=ref.key, project=draft.project, type="", summary="", created=created, updated=created)
    return with_fields(issue, {name: value for name, value in draft.fields.items() if name != STATUS})


def with_items(issue: Issue, draft: Draft, items: Sequence[TwinItem]) -> Issue:
    """Add what the sync made to the believed state, so that the shadow is whole."""
    comments = {comment.id: comment for comment in issue.comments}
    attachments = {attachment.id: attachment for attachment in issue.attachments}
    by_handle = {(item.kind, item.handle): item.item_id for item in items}
    for comment in draft.comments or ():
        item_id = by_handle.get(("comment", comment.handle))
        if item_id is not None:
            comments[item_id] = Comment(id=item_id, body=comment.body, internal=comment.internal)
    for file in draft.attachments or ():
        item_id = by_handle.get(("attachment", file.handle))
        if item_id is not None and item_id not in attachments:
            attachments[item_id] = Attachment(
                id=item_id, name=file.name, size=file.size, content_url="", mime=file.mime
            )
    return replace(issue, comments=tuple(comments.values()), attachments=tuple(attachments.values()))


def without(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the values without one."""
    return {one: value for one, value in values.items() if one != name}
