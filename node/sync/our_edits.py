"""What of an issue's new state is our people's doing, and what our own. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from node.rules.model import Origin
from node.store.links import Link
from node.store.shadows import Shadow
from node.store.steps import Step
from node.sync.attempts import attempts_in, but_for_ours
from node.sync.merge import same
from node.trackers.fields import field_values
from node.trackers.issue import Issue


def is_before_our_write(issue: Issue, shadow: Shadow) -> bool:
    """Tell whether a notice may show the issue as it was before our last write: then only a fresh read is true.

    Notices are made before or after a write, and arrive whenever. One that does not show what we wrote is either old,
    or somebody has changed it since; taking the first for the second would send the peer's change back undone.
    """
    shown = field_values(issue)
    return any(not same(shown.get(name), value) for name, value in shadow.pending.items())


def but_for_our_own(issue: Issue, shadow: Shadow | None, begun: Sequence[Step]) -> Issue:
    """Leave out what calls of ours may have made whose results are not known: it is no doing of our people.

    Of files nothing is taken over then, since only their absence from the shadow tells ours from those of others.
    """
    if shadow is None or not begun:
        return issue
    issue, _ = but_for_ours(issue, shadow.issue, attempts_in(begun))
    return replace(issue, attachments=shadow.issue.attachments)


def edited_here(shadow: Shadow | None, issue: Issue) -> list[str]:
    """Name the fields that people changed here: our own writes are in the shadow already."""
    if shadow is None:
        return []
    before, after = field_values(shadow.issue), field_values(issue)
    return [name for name in {*before, *after} if not same(before.get(name), after.get(name))]


def made_from(changed: AbstractSet[str], origins: Mapping[str, Origin], link: Link) -> set[str]:
    """Name our fields from which changed fields of a replica were made: both sides must judge a conflict alike.

    Nothing was changed in the first replica of a link.
    """
    if link.sent is None:
        return set()
    return {source for name in changed if name in origins for source in origins[name].sources}
