"""Attachments: their bytes in and out, through files on our disk. Never holds one in memory as a whole.

`files` makes the body of an upload and puts the answer in order; it calls nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from node.errors import TrackerRefused
from node.trackers.base import FileToAttach
from node.trackers.issue import Attachment
from node.trackers.jira.calls import Calls, checked_id, issue_path
from node.trackers.jira.files import in_order, multipart
from node.trackers.jira.lookup import uncertain_if_nonsense
from node.trackers.jira.shapes import entries_of


class AttachmentCalls(Calls):
    """The tracker's calls about attachments."""

    async def download(self, attachment: Attachment, to: Path, *, limit: int) -> None:
        """Write an attachment's bytes to a new file (1 call). Raises OSError where the file cannot be written."""
        what = f"hand out attachment {attachment.id} ({attachment.size} bytes)"
        if attachment.size > limit:
            raise TrackerRefused(
                f"Attachment {attachment.id} has {attachment.size} bytes; {limit} are allowed.",
                advice="Raise the limit for attachments of this node, or leave the file out.",
            )
        await self._client.download(attachment.content_url, to, limit=limit, size=attachment.size, what=what)

    async def attach(self, issue_id: str, files: Sequence[FileToAttach]) -> Sequence[Attachment]:
        """Attach files in one call; the answer keeps their order."""
        reader = await self._lookup.ready()
        path = f"{issue_path(issue_id)}/attachments"
        what = f"attach {len(files)} files to issue {issue_id}" if len(files) != 1 else f"attach a file to {issue_id}"
        upload = await asyncio.to_thread(multipart, files)
        answer = await self._client.upload(path, upload, what=what)
        with uncertain_if_nonsense(what):
            return in_order([reader.attachment(entry) for entry in entries_of(answer)], files)

    async def delete_attachment(self, attachment_id: str) -> None:
        """Delete an attachment (1 call)."""
        path = f"attachment/{checked_id(attachment_id, 'an attachment id')}"
        await self._client.send("DELETE", path, what=f"delete attachment {attachment_id}")
