"""What the peer is taken to know of one of our issues: the content of a replica, without its wire clothes.

Pure. Equal content means that nothing has to be sent. Tracker ids never appear in it: they become handles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from node.errors import RuleError
from node.rules.model import Shared
from node.shape_words import place_of, said
from node.sync.merge import same
from node.trackers.issue import Issue, Value
from protocol.replica import Replica, ReplicaAttachment, ReplicaComment, ReplicaWorklog

ITEMS = ("comments", "attachments", "worklogs")
"""What a replica lists beside its fields."""
Handle = Callable[[str, str], str]
"""(kind, local id) to the opaque name by which the peer knows it."""


@dataclass(frozen=True, slots=True)
class FileDigest:
    """The SHA-256 (hex) and size in bytes of a file of ours."""

    sha256: str
    size: int


def replica_of(
    issue: Issue, shared: Shared, *, handle: Handle, files: Mapping[str, FileDigest], url: str | None = None
) -> Replica:
    """Clothe what the rules let out as a replica. ``files`` holds a digest for every shared attachment.

    Raises:
        RuleError: it is more, or something else, than a replica can hold.
    """
    try:
        return _clothed(issue, shared, handle=handle, files=files, url=url)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = place_of(tuple(part for part in first["loc"] if part != "fields"))
        raise RuleError(
            f"{issue.key} cannot be sent as it is: {place!r} {said(first['type'], first.get('ctx'))}.",
            advice="Shorten or correct it in the issue, or leave it out by the outgoing rules; then it goes by itself.",
        ) from None


def _clothed(
    issue: Issue, shared: Shared, *, handle: Handle, files: Mapping[str, FileDigest], url: str | None
) -> Replica:
    comments = {comment.id: comment for comment in issue.comments}
    attachments = {attachment.id: attachment for attachment in issue.attachments}
    return Replica(
        issue=handle("issue", issue.id),
        key=shared.key,
        url=url if shared.key else None,
        fields={name: wire_value(value) for name, value in shared.fields.items()},
        comments=None
        if shared.comments is None
        else tuple(
            ReplicaComment(
                id=handle("comment", comment.id),
                author=_display(comment.author),
                body=comment.body,
                created=instant(comments[comment.id].created) if comment.id in comments else None,
                internal=comment.internal,
                author_email=comment.author_email,
            )
            for comment in shared.comments
        ),
        attachments=None
        if shared.attachments is None
        else tuple(
            ReplicaAttachment(
                id=handle("attachment", file.id),
                name=_display(file.name) or "file",
                mime=attachments[file.id].mime,
                size=files[file.id].size,
                blob=files[file.id].sha256,
                author=_display(file.author),
                created=instant(attachments[file.id].created),
            )
            for file in shared.attachments
        ),
        worklogs=None
        if shared.worklogs is None
        else tuple(
            ReplicaWorklog(
                id=handle("worklog", worklog.id),
                author=_display(worklog.author),
                started=worklog.started,
                seconds=worklog.seconds,
                comment=worklog.comment,
            )
            for worklog in shared.worklogs
        ),
    )


def content_of(replica: Replica) -> dict[str, Any]:
    """Return what counts for "has anything changed": all but the names by which the issue is known."""
    return replica.model_dump(mode="json", exclude={"issue", "url"})


def changed_fields(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> set[str]:
    """Name the replica fields that differ; a field that is gone counts as changed."""
    old: Mapping[str, Value] = (before or {}).get("fields", {})
    new: Mapping[str, Value] = after["fields"]
    return {name for name in {*old, *new} if (name in old) != (name in new) or not same(old.get(name), new.get(name))}


def changed_items(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[str]:
    """Name the lists of a replica that differ: comments, attachments, worklogs."""
    return [name for name in ITEMS if ((before or {}).get(name) or None) != (after.get(name) or None)]


def differs(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> bool:
    """Tell whether the peer has to hear of it."""
    if before is None or changed_fields(before, after):
        return True
    rest = [name for name in {*before, *after} if name != "fields"]
    return any(before.get(name) != after.get(name) for name in rest)


def wire_value(value: Value) -> Value:
    """Replace fractions by decimal strings: the wire has no floating point."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, list):
        return [wire_value(item) for item in value]
    if isinstance(value, dict):
        return {name: wire_value(item) for name, item in value.items()}
    return value


def instant(time: datetime | None) -> str | None:
    """Write a time as ISO 8601 in UTC with milliseconds."""
    if time is None:
        return None
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_DISPLAY_LIMIT = 255
"""The protocol's limit on names that are shown, in characters."""


def _display(text: str | None) -> str | None:
    return text[:_DISPLAY_LIMIT] if text else None
