"""Refuses comments that the rules want to be internal where our project knows no such thing. Asks facts only.

Jira keeps the mark of a comment that is internal on any project and heeds it on service projects alone: elsewhere
everybody who sees the issue would read what was meant for few. A comment that is for one role only is that everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from node.rules.facts import TrackerFacts
from node.rules.model import DraftComment, Origin, Refused


async def without_open_secrets(
    comments: Sequence[DraftComment], origin: Origin | None, facts: TrackerFacts, project: str
) -> tuple[tuple[DraftComment, ...], tuple[Refused, ...]]:
    """Return the comments that may be written, and why others may not; asks only where one is to be internal."""
    secret = [one for one in comments if one.internal and one.restrict_to_role is None]
    if not secret or await facts.service_project(project):
        return tuple(comments), ()
    which = "A comment is" if len(secret) == 1 else f"{len(secret)} comments are"
    place = f" by {origin}" if origin is not None else ""
    refused = Refused(
        message=f"{which} to be internal{place}, and {project} is no service project: everybody who sees the issue "
        "could read it, so it was not written.",
        advice="Write such comments for a role, in a script: comments.merge(issue, replica, role=...); or as ordinary "
        "comments. Then retry the issue.",
        origin=origin,
    )
    return tuple(one for one in comments if one not in secret), (refused,)
