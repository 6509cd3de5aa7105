"""The message that carries a replica: which fields changed since the last one, and in which revision. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from node.store.links import Link
from node.sync.content import changed_fields, content_of
from node.sync.names import Names
from node.trackers.issue import Issue
from protocol.messages import IssueReplica
from protocol.replica import Replica


@dataclass(frozen=True, slots=True)
class ReplicaMessage:
    """A message with what has to be remembered of it."""

    message: IssueReplica
    content: Mapping[str, Any]
    changed: frozenset[str]
    """Names of the fields that differ from what was sent before."""


def replica_message(names: Names, link: Link, issue: Issue, replica: Replica, *, applied: int = 0) -> ReplicaMessage:
    """Return the next message of a link. The same state of link and issue gives the same message.

    ``applied`` is the highest revision of ours of which we know that the peer applied it.
    """
    revision = link.revision + 1
    content = content_of(replica)
    changed = frozenset(changed_fields(link.sent, content))
    # A field that only ever held what the peer or the tracker gave it is not among them: nobody here changed it.
    earlier = {name: number for name, number in link.sent_changed.items() if name in replica.fields}
    message = IssueReplica(
        mid=names.replica(issue.id, revision, content),
        twin=link.twin,
        revision=revision,
        changed={**earlier, **{name: revision for name in sorted(changed) if name in replica.fields}},
        seen=link.seen,
        applied=applied,
        replica=replica,
    )
    return ReplicaMessage(message, content, changed)
