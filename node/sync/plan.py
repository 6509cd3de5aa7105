"""Turns what we want in our issue into the fewest calls to the tracker. Pure: plans, calls nothing.

Names that our Jira lacks come first. Then the order matters to a reader of the issue: the issue itself, its status,
files (texts refer to them), then comments in the order in which they were written. What the sync did not make is never
edited or removed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from node.rules.model import Creation, Draft, DraftAttachment, DraftComment, DraftIssueLink, DraftWorklog
from node.trackers.issue import Value


@dataclass(frozen=True, slots=True)
class TwinItem:
    """A comment, file, worklog or link of our issue that the sync made for one of the peer's."""

    kind: str
    handle: str
    item_id: str
    digest: str


@dataclass(frozen=True, slots=True)
class Provide:
    """See to it that our Jira has a name that fields of the issue are about to be set to."""

    creation: Creation
    fields: frozenset[str]
    """Those that cannot be written without it."""


@dataclass(frozen=True, slots=True)
class Create:
    """Create our issue."""

    project: str
    fields: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Edit:
    """Set fields of our issue."""

    fields: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Move:
    """Bring our issue to a status, by as many transitions as it takes.

    ``given`` are values that a transition may ask for; ``late`` those of them that must be set by an edit afterwards
    where no transition took them along.
    """

    status: str
    given: Mapping[str, Value] = field(default_factory=dict)
    late: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Perform:
    """Make the transition of this name, once. ``given`` and ``late`` are as for ``Move``."""

    transition: str
    given: Mapping[str, Value] = field(default_factory=dict)
    late: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AddComment:
    """Write a comment for one of the peer's."""

    comment: DraftComment


@dataclass(frozen=True, slots=True)
class EditComment:
    """Bring our copy of a comment up to date."""

    comment: DraftComment
    item_id: str


@dataclass(frozen=True, slots=True)
class Attach:
    """Attach files, all in one call."""

    files: tuple[DraftAttachment, ...]


@dataclass(frozen=True, slots=True)
class AddWorklog:
    """Log time for one of the peer's worklogs."""

    worklog: DraftWorklog


@dataclass(frozen=True, slots=True)
class AddIssueLink:
    """Link our issue with another of ours."""

    link: DraftIssueLink
    other_id: str


@dataclass(frozen=True, slots=True)
class ClaimIssueLink:
    """Let our issue's replicas have a say in a link that the sync made from its other end."""

    item: TwinItem


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove our copy of a comment, file, worklog or link that the peer no longer has or shares."""

    item: TwinItem


Operation: TypeAlias = (
    Provide
    | Create
    | Edit
    | Move
    | Perform
    | AddComment
    | EditComment
    | Attach
    | AddWorklog
    | AddIssueLink
    | ClaimIssueLink
    | Remove
)

ISSUE_LINK = "issue link"
"""The kind of a twin item that is a link between two issues of ours."""
OTHER_END = "other end"
"""The digest of such a link in the eyes of the issue at its other end: ours as well, but not that issue's to remove."""

UNKNOWN = ""
"""The digest of a text that we do not have, so that the peer's next word about it is written."""

_ITEMS: Mapping[str, str] = {
    "comment": "comments", "attachment": "attachments", "worklog": "worklogs", ISSUE_LINK: "links"
}  # fmt: skip


def items_of(operation: Operation) -> str | None:
    """Name the list of the issue that an operation adds to, edits or removes from; None where it is about fields."""
    match operation:
        case AddComment() | EditComment():
            return "comments"
        case Attach():
            return "attachments"
        case AddWorklog():
            return "worklogs"
        case AddIssueLink() | ClaimIssueLink():
            return "links"
        case Remove(item=item):
            return _ITEMS.get(item.kind, item.kind)
        case _:
            return None


def made_for(operation: Operation) -> tuple[str, str] | None:
    """Return kind and handle of what of the peer's an operation makes a copy of, alone; None where it makes none."""
    match operation:
        case AddComment(comment=comment):
            return "comment", comment.handle
        case AddWorklog(worklog=worklog):
            return "worklog", worklog.handle
        case _:
            return None


STATUS = "status"
TRANSITION = "transition"
"""What a draft can ask for that an edit cannot set."""
RESOLUTION = "resolution"
"""What an edit can set in few Jiras only, and a transition in all."""


def digest(text: str) -> str:
    """Digest a text that was written, so that an unchanged one is never written again."""
    return hashlib.sha256(text.encode()).hexdigest()


def plan_create(draft: Draft) -> list[Operation]:
    """Plan an issue that does not exist here yet, with all that belongs to it."""
    fields, workflow = _parted({name: value for name, value in wishes(draft).items() if value is not None}, draft)
    return [*_plan_names(draft, fields), Create(draft.project, fields), *workflow, *plan_items(draft, ())]


def plan_update(draft: Draft, write: Mapping[str, Value], items: Sequence[TwinItem]) -> list[Operation]:
    """Plan the changes of an issue that exists: ``write`` is what the merge decided."""
    fields, workflow = _parted(write, draft)
    edit: list[Operation] = [Edit(fields)] if fields else []
    return [*_plan_names(draft, fields), *edit, *workflow, *plan_items(draft, items)]


def _plan_names(draft: Draft, fields: Mapping[str, Value]) -> list[Operation]:
    """Plan what has to be made first; what no field that is written needs is not made."""
    needed = [
        (one, frozenset(name for name, value in fields.items() if one.is_for(name, value))) for one in draft.creates
    ]
    return [Provide(one, names) for one, names in needed if names]


def _parted(write: Mapping[str, Value], draft: Draft) -> tuple[dict[str, Value], list[Operation]]:
    """Part what an edit sets from what the workflow does; a resolution goes with the status where that changes."""
    fields = {name: value for name, value in write.items() if not _is_workflow(name)}
    status, transition = write.get(STATUS), write.get(TRANSITION)
    moves = isinstance(status, str) and bool(status)
    performs = isinstance(transition, str) and bool(transition)
    late = {RESOLUTION: fields.pop(RESOLUTION)} if (moves or performs) and RESOLUTION in fields else {}
    given = {name: value for name, value in draft.fields.items() if name != STATUS and value is not None}
    workflow: list[Operation] = []
    if moves:
        workflow.append(Move(str(status), given, {} if performs else late))
    if performs:
        workflow.append(Perform(str(transition), given, late))
    return fields, workflow


def _is_workflow(name: str) -> bool:
    return name in {STATUS, TRANSITION}


def wishes(draft: Draft) -> dict[str, Value]:
    """Return everything that is merged like a field: the fields, and a transition that is asked for by name."""
    asked: dict[str, Value] = {TRANSITION: draft.transition} if draft.transition else {}
    return {**draft.fields, **asked}


def plan_items(draft: Draft, items: Sequence[TwinItem]) -> list[Operation]:
    """Plan files, comments and worklogs. A collection that the draft leaves out stays as it is."""
    known = {(item.kind, item.handle): item for item in items}
    operations: list[Operation] = []
    if draft.attachments is not None:
        fresh = tuple(file for file in draft.attachments if ("attachment", file.handle) not in known)
        operations += [Attach(fresh)] if fresh else []
    if draft.comments is not None:
        for comment in draft.comments:
            operations += _plan_comment(comment, known.get(("comment", comment.handle)))
    if draft.worklogs is not None:
        for worklog in draft.worklogs:
            item = known.get(("worklog", worklog.handle))
            if item is not None and item.digest != worklog_digest(worklog):
                operations.append(Remove(item))
                item = None
            if item is None:
                operations.append(AddWorklog(worklog))
    operations += [Remove(item) for item in items if _is_gone(item, draft)]
    return operations


def _plan_comment(comment: DraftComment, item: TwinItem | None) -> list[Operation]:
    """Plan our copy of a comment; where it is for others than before it is made anew, because an edit may not do."""
    written = comment_digest(comment)
    if item is None:
        return [AddComment(comment)]
    if item.digest not in {UNKNOWN, written} and _audience(item.digest) != _audience(written):
        return [Remove(item), AddComment(comment)]
    return [EditComment(comment, item.item_id)] if item.digest != written else []


def _audience(written: str) -> str:
    return written.partition("/")[2]


def comment_digest(comment: DraftComment) -> str:
    """Digest what a comment says, and name for whom it is where that is not everybody."""
    audience = "/internal" if comment.internal else ""
    audience += f"/role {comment.restrict_to_role}" if comment.restrict_to_role is not None else ""
    return digest(comment.body) + audience


def worklog_digest(worklog: DraftWorklog) -> str:
    """Digest what a worklog says."""
    return digest(f"{worklog.seconds}\n{worklog.started}\n{worklog.comment}")


def _is_gone(item: TwinItem, draft: Draft) -> bool:
    wanted: Mapping[str, Sequence[DraftComment | DraftAttachment | DraftWorklog] | None] = {
        "comment": draft.comments,
        "attachment": draft.attachments,
        "worklog": draft.worklogs,
    }
    collection = wanted.get(item.kind)
    return collection is not None and all(entry.handle != item.handle for entry in collection)
