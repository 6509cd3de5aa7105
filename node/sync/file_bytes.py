"""Reads a file of our tracker to know it by its bytes: attachments carry no marker. Keeps nothing."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

from node.sync.markers import file_marker
from node.sync.site import Site
from node.trackers.issue import Attachment


async def marker_of_file(site: Site, attachment: Attachment) -> str:
    """Download an attachment and return the marker that its bytes are.

    Raises:
        TrackerError: it could not be had.
    """
    path = site.files.temporary()
    try:
        await site.tracker.download(attachment, path, limit=site.max_file)
        digest = await asyncio.to_thread(_sha256, path)
    finally:
        path.unlink(missing_ok=True)
    return file_marker(digest, attachment.size)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
