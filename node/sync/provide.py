"""Has versions, components and options made that a draft needs and our Jira lacks. Asks the tracker, stores nothing.

A name is its own marker: the tracker looks it up before it makes it, so a call that a dead node made is found, and
two issues that need the same name at once get one.
"""

from __future__ import annotations

from node.rules.fields import COMPONENTS, VERSIONS
from node.rules.model import Creation
from node.sync.site import Site
from node.trackers.issue import CUSTOM


async def provide(site: Site, wish: Creation) -> None:
    """See to it that a name is there, and that it is known. Safe to repeat.

    Raises:
        TrackerRefused: our Jira will not have it, or not from us.
        TrackerError: a temporary failure.
    """
    async with site.locks.hold(f"name:{wish.project}:{wish.kind}:{wish.field}"):
        if wish.kind == VERSIONS:
            await site.tracker.ensure_version(wish.project, wish.name)
        elif wish.kind == COMPONENTS:
            await site.tracker.ensure_component(wish.project, wish.name)
        else:
            await site.tracker.ensure_option(wish.project, wish.field.removeprefix(CUSTOM), wish.name)
    site.choices_changed(wish.project)
