"""Brings the bytes of files that leave into the node's folder. What leaves was decided by the rules; sends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from node.errors import AccordError, TrackerError, TrackerRefused
from node.rules.model import Shared
from node.store import shadows
from node.store.port import Transaction
from node.sync.content import FileDigest
from node.sync.site import Party, Site
from node.trackers.issue import Issue


async def with_files(
    site: Site, party: Party, issue: Issue, shared: Shared, had: AbstractSet[str]
) -> tuple[Shared, Mapping[str, FileDigest], list[AccordError]]:
    """Fetch files that the peer was not offered yet; one that cannot be had is left out and told, the rest goes.

    ``had`` are the handles of files that the peer was offered before.
    """
    if not shared.attachments:
        return shared, {}, []
    wanted = {file.id for file in shared.attachments}
    known = await site.store.read(lambda tx: shadows.file_digests(tx, sorted(wanted)))
    digests: dict[str, FileDigest] = {}
    left_out: list[AccordError] = []
    for attachment in issue.attachments:
        if attachment.id not in wanted:
            continue
        digest = known.get(attachment.id)
        offered = party.names.handle("attachment", attachment.id) in had
        if digest is None or not (offered or await site.files.has_outgoing(party.id, digest.sha256)):
            path = site.files.temporary()
            try:
                if attachment.size > site.max_file:
                    raise TrackerRefused(
                        f"The file {attachment.name!r} of {issue.key} is larger than {site.max_file:,} bytes, "
                        "the most that this node sends.",
                        advice="Share it another way, or raise the limit in the node's settings.",
                    )
                await site.tracker.download(attachment, path, limit=site.max_file)
                digest = await site.files.keep(party.id, path)
            except TrackerError as error:
                if error.temporary:
                    raise
                left_out.append(error)
                continue
            finally:
                path.unlink(missing_ok=True)
            found = digest

            async def remember(tx: Transaction, file: str = attachment.id, found: FileDigest = found) -> None:
                await shadows.put_file_digest(tx, file, found)
                await site.files.offer(tx, party.id, found)

            await site.store.write(remember)
        digests[attachment.id] = digest
    attachments = tuple(file for file in shared.attachments if file.id in digests)
    return replace(shared, attachments=attachments), digests, left_out
