"""Names the calls of a plan, so that their intents are found again after a crash. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from node.rules.model import Creation
from node.store.steps import CREATE
from node.sync.plan import (
    ISSUE_LINK,
    STATUS,
    AddComment,
    AddIssueLink,
    AddWorklog,
    Attach,
    Create,
    Edit,
    Move,
    Operation,
    Perform,
    Provide,
)
from node.trackers.issue import Value


def keys_of(operation: Operation) -> list[str]:
    """Return the names of the calls of an operation that must not happen twice; none where it is repeatable."""
    keys: list[str] = []
    match operation:
        case Create():
            keys = [CREATE]
        case Provide():
            keys = [name_key(operation.creation)]
        case AddComment():
            keys = [comment_key(operation.comment.handle)]
        case Attach():
            keys = [file_key(file.handle) for file in operation.files]
        case Perform():
            keys = [transition_key(operation.transition)]
        case AddWorklog():
            keys = [worklog_key(operation.worklog.handle)]
        case AddIssueLink():
            keys = [issue_link_key(operation)]
    return keys


def fields_of(operation: Operation) -> Mapping[str, Value]:
    """Return the values that an operation writes into fields of an issue that exists."""
    if isinstance(operation, Edit):
        return operation.fields
    return {STATUS: operation.status, **operation.late} if isinstance(operation, Move) else {}


def but_for(operation: Operation, names: AbstractSet[str]) -> Operation:
    """Leave out of an edit what the tracker cannot hold, so that the rest is still written."""
    if not isinstance(operation, Edit) or not names:
        return operation
    return Edit({name: value for name, value in operation.fields.items() if name not in names})


def name_key(wish: Creation) -> str:
    """Name the call that makes a version, a component or an option."""
    return f"{wish.kind}:{wish.field}:{wish.name}"


def transition_key(name: str) -> str:
    """Name the call that makes a transition."""
    return f"transition:{name}"


def comment_key(handle: str) -> str:
    """Name the call that writes a comment."""
    return f"comment:{handle}"


def worklog_key(handle: str) -> str:
    """Name the call that logs time."""
    return f"worklog:{handle}"


def issue_link_key(operation: AddIssueLink) -> str:
    """Name the call that links two issues."""
    return f"{ISSUE_LINK}:{operation.link.handle}"


def file_key(handle: str) -> str:
    """Name the call that attaches a file."""
    return f"attachment:{handle}"
