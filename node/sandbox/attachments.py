"""Files on issues: adding and removing them, and their bytes.

An imported file has no bytes. They are made up when somebody asks: always the same for the same file.
"""

from __future__ import annotations

import hashlib

from node.sandbox.changes import record, single
from node.sandbox.errors import Forbidden, NotThere
from node.sandbox.events import Event
from node.sandbox.model import Attachment, Issue, User
from node.sandbox.permissions import may
from node.sandbox.store import World


def add(world: World, issue: Issue, actor: User, files: list[tuple[str, str, bytes]]) -> list[Attachment]:
    """Hang files (name, media type, bytes) on an issue; a name may be there already."""
    now = world.stamp(issue)
    added = []
    for name, mime_type, content in files:
        attachment = Attachment(world.new_id("attachment"), name, actor.key, now, len(content), mime_type)
        world.add_attachment(issue, attachment, content)
        added.append(attachment)
    items = [single("Attachment", before=(None, None), after=(one.id, one.filename)) for one in added]
    change = record(world, issue, actor, items)
    for one in added:
        world.tell(Event("attachment_created", now, actor, issue, attachment_id=one.id, whole_issue=False))
    world.tell(Event("jira:issue_updated", now, actor, issue, type_name="issue_updated", change=change))
    return added


def delete(world: World, issue: Issue, actor: User, attachment: Attachment) -> None:
    """Take a file off an issue. Raises Forbidden."""
    project = world.site.projects[issue.project_id]
    own = attachment.author == actor.key and may(actor, "DELETE_OWN_ATTACHMENTS", project)
    if not own and not may(actor, "DELETE_ALL_ATTACHMENTS", project):
        raise Forbidden(f"You do not have permission to delete attachment with id: {attachment.id}.")
    now = world.stamp(issue)
    world.tell(Event("attachment_deleted", now, actor, issue, attachment_id=attachment.id, whole_issue=False))
    world.remove_attachment(issue, attachment)
    change = record(
        world, issue, actor, [single("Attachment", before=(attachment.id, attachment.filename), after=(None, None))]
    )
    world.tell(Event("jira:issue_updated", now, actor, issue, type_name="issue_updated", change=change))


def find(world: World, attachment_id: str) -> tuple[Issue, Attachment]:
    """Return a file and its issue. Raises NotThere."""
    found = world.attachment(attachment_id)
    if found is None:
        raise NotThere(f"The attachment with id '{attachment_id}' does not exist")
    return found


def content_of(world: World, attachment: Attachment) -> bytes:
    """Return a file's bytes, made-up ones for an imported file: as many as its ``size`` says."""
    if attachment.blob:
        return world.blobs[attachment.blob]
    seed = f"{attachment.id}/{attachment.filename}".encode()
    return hashlib.shake_128(seed).digest(attachment.size)
