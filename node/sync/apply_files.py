"""Gives our issue the files that a peer sent, and finds again those that a call whose answer was lost has given it."""

from __future__ import annotations

from collections.abc import Mapping

from node.errors import TrackerError, TrackerRefused
from node.rules.model import DraftAttachment
from node.store import links, shadows, steps
from node.store.engine import Transaction
from node.store.steps import Step
from node.sync.file_bytes import marker_of_file
from node.sync.intents import Intents, Target
from node.sync.markers import file_marker
from node.sync.plan import TwinItem
from node.sync.site import Site
from node.sync.step_keys import file_key
from node.trackers.base import FileToAttach


class FileApplier:
    """Attaches files."""

    def __init__(self, site: Site, intents: Intents) -> None:
        self._site = site
        self._intents = intents

    async def attach(self, target: Target, files: tuple[DraftAttachment, ...], before: Mapping[str, Step]) -> None:
        """Give an issue files, all in one call where the tracker takes them all.

        Raises:
            TrackerError: one was refused, after the others got in; or a temporary failure.
        """
        begun = {file_key(file.handle): file_marker(file.blob, file.size) for file in files}
        found = await self.probe(target, {key: marker for key, marker in begun.items() if key in before})
        for file in files:
            key = file_key(file.handle)
            if key in found:
                await self._intents.made(target, key, TwinItem("attachment", file.handle, found[key], file.blob))
        rest = tuple(file for file in files if file_key(file.handle) not in found)
        if not rest:
            return
        try:
            await self._upload(target, rest)
        except TrackerError as error:
            if error.temporary:
                raise
            if len(rest) == 1:
                await self._intents.end(target, file_key(rest[0].handle))
                raise
            await self._upload_singly(target, rest)

    async def _upload_singly(self, target: Target, files: tuple[DraftAttachment, ...]) -> None:
        """One of several files was refused: the others still get in, and the error names the one."""
        refused: list[TrackerError] = []
        for file in files:
            try:
                await self._upload(target, (file,))
            except TrackerError as error:
                if error.temporary:
                    raise
                await self._intents.end(target, file_key(file.handle))
                refused.append(error)
        if refused:
            raise refused[0]

    async def _upload(self, target: Target, files: tuple[DraftAttachment, ...]) -> None:
        uploads = []
        for file in files:
            path = await self._site.files.arrived(target.connection_id, file.blob)
            if path is None:
                raise TrackerRefused(
                    f"The bytes of the file {file.name!r} are no longer here.",
                    advice="Retry the issue, so that the other side sends the file again.",
                )
            uploads.append(FileToAttach(path, file.name, file.mime))
        made = await self._site.tracker.attach(target.issue.id, uploads)
        self._site.crash_point("call made")

        async def work(tx: Transaction) -> None:
            for file, attachment in zip(files, made, strict=True):
                await steps.end(tx, target.connection_id, target.peer_issue, file_key(file.handle))
                item = TwinItem("attachment", file.handle, attachment.id, file.blob)
                await links.put_item(tx, target.link, item)

        await self._site.store.write(work)
        self._site.crash_point("result stored")

    async def probe(self, target: Target, markers: Mapping[str, str]) -> dict[str, str]:
        """Find files that a call whose answer was lost did attach: same size and bytes, not known as anybody's.

        Attachments carry no properties, so their bytes are the marker; their names may be changed by the tracker. What
        the stored shadow shows was there before the call: it is not renewed while an intent is open.

        Args:
            target: where the plan is carried out.
            markers: step to marker of each call.
        """
        if not markers:
            return {}
        site = self._site
        ref = target.issue
        issue = await site.tracker.issue(ref.id)
        known = {item_id for _, item_id in await site.store.read(lambda tx: links.made_by_sync(tx, ref.id))}
        shadow = await site.store.read(lambda tx: shadows.read(tx, ref.id))
        before_us = {attachment.id for attachment in shadow.issue.attachments} if shadow else set()
        free = [a for a in issue.attachments if a.id not in known and a.id not in before_us]
        sizes = {marker.partition("/")[2] for marker in markers.values()}
        bytes_of = {one.id: await marker_of_file(site, one) for one in free if str(one.size) in sizes}
        found: dict[str, str] = {}
        for key, marker in markers.items():
            item_id = next((one for one, seen in bytes_of.items() if seen == marker), None)
            if item_id is not None:
                found[key] = item_id
                del bytes_of[item_id]
        return found
