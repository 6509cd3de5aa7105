"""One received replica on its way into our issue, with all that is known when the work on it begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from node.store.inbox import Received
from node.store.links import Link
from node.store.restored import Restored
from node.store.shadows import Shadow
from node.sync.plan import TwinItem
from node.sync.site import Party
from node.sync.twins import AskedTwins
from node.trackers.issue import Issue
from protocol.messages import IssueReplica


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """``link`` and ``ours`` are None while the issue does not exist here; ``items`` are what the sync made on it.

    ``unseen`` names fields that people changed here since the state that we knew: no notice of that has come yet.
    ``attempted`` names fields into which an earlier wish of the peer's may have been written without our knowing.
    ``asked`` answers the rules, and knows what they asked for in vain. ``again``: what they asked for in vain the last
    time is linked now, so that the same replica may mean something else.
    ``restored`` is there where this message is the first about an issue since our database was put back, and ``before``
    is our issue as that database knows it.
    """

    row: Received
    message: IssueReplica
    party: Party
    link: Link | None
    ours: Shadow | None
    items: Sequence[TwinItem]
    unseen: frozenset[str] = frozenset()
    attempted: frozenset[str] = frozenset()
    asked: AskedTwins
    again: bool = False
    restored: Restored | None = None
    before: Issue | None = None
