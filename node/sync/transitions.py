"""Brings an issue to a status through the transitions that its workflow offers, loudly where there is no way.

Looks one step ahead at a time and remembers where it was: Jira tells only the transitions out of the current status.
"""

from __future__ import annotations

from node.errors import TrackerRefused
from node.trackers.base import Tracker
from node.trackers.issue import IssueRef

MAX_STEPS = 8
"""More transitions than this for one change of status is a workflow that goes in circles."""


async def perform(tracker: Tracker, ref: IssueRef, name: str, *, again: bool) -> str | None:
    """Make the transition of this name; return the status that it leads to.

    ``again`` says that an earlier try may have had its effect: then a transition that is not offered has been made,
    and None is returned.

    Raises:
        TrackerRefused: no such transition leads out of the current status.
    """
    offered = await tracker.transitions(ref.id)
    for one in offered:
        if one.name.casefold() == name.casefold():
            await tracker.transition(ref.id, one.id)
            return one.to_status
    if again:
        return None
    names = ", ".join(sorted(one.name for one in offered)) or "none"
    raise TrackerRefused(
        f"{ref.key} offers no transition {name!r} now; it offers: {names}.",
        fields={"transition": f"no {name} from here"},
        advice="Name one that this status offers, or set issue.status and let the node find the way.",
    )


async def move(tracker: Tracker, ref: IssueRef, status: str, *, current: str | None) -> None:
    """Reach ``status``; the direct transition where there is one, else by way of statuses not visited yet.

    Raises:
        TrackerRefused: no way leads there, or a screen asks for fields that nobody gave; the issue stays where the
            last transition that worked left it.
    """
    if current is not None and current.casefold() == status.casefold():
        return
    visited = {(current or "").casefold()}
    for _ in range(MAX_STEPS):
        offered = await tracker.transitions(ref.id)
        direct = [one for one in offered if one.to_status.casefold() == status.casefold()]
        if direct:
            await tracker.transition(ref.id, direct[0].id)
            return
        detour = [one for one in offered if one.to_status.casefold() not in visited and not one.required]
        if not detour:
            ways = ", ".join(sorted({one.to_status for one in offered})) or "nowhere"
            raise TrackerRefused(
                f"{ref.key} cannot be brought to the status {status!r}: from here the workflow leads to {ways}.",
                fields={"status": f"no way to {status}"},
                advice="Map the status to one that this project's workflow reaches, or add a transition in Jira.",
            )
        step = detour[0]
        visited.add(step.to_status.casefold())
        await tracker.transition(ref.id, step.id)
    raise TrackerRefused(
        f"{ref.key} did not reach the status {status!r} within {MAX_STEPS} transitions.",
        advice="Map the status to one that this project's workflow reaches in fewer transitions.",
    )
