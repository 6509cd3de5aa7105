"""The bytes of files that a replica brings: asked for, waited for, and let go once our tracker has them.

Says which issues wait; never touches the tracker, and never decides whether a file is wanted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from node.rules.model import Draft
from node.store.port import Transaction
from node.sync.content import FileDigest
from node.sync.job import Job
from node.sync.site import Party, Site


class IncomingFiles:
    """Knows which issues of peers wait for which files; a hint, lost at a restart and found again by asking."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._in_use: Counter[tuple[int, str]] = Counter()
        """(Connection, digest) of files to how many issues are just being given them: the last one lets go."""
        self._missing: dict[tuple[int, str], frozenset[str]] = {}
        """(Connection, the peer's issue) to the digests of the files that it waits for."""

    @contextmanager
    def in_use(self, party: Party, draft: Draft) -> Iterator[None]:
        """Keep the files of a draft while it is applied, whoever else has been given them."""
        files = {(party.id, file.blob) for file in draft.attachments or ()}
        self._in_use.update(files)
        try:
            yield
        finally:
            self._in_use.subtract(files)
            self._in_use = +self._in_use

    async def must_wait(self, job: Job, draft: Draft) -> bool:
        """Ask for the bytes of files that we want and do not have; True while some are missing."""
        site = self._site
        known = {item.handle for item in job.items if item.kind == "attachment"}
        missing = [
            FileDigest(file.blob, file.size)
            for file in draft.attachments or ()
            if file.handle not in known and await site.files.arrived(job.party.id, file.blob) is None
        ]
        waiting = (job.party.id, job.message.replica.issue)
        self._missing.pop(waiting, None)
        if not missing:
            return False

        async def work(tx: Transaction) -> None:
            for digest in missing:
                await site.files.want(tx, job.party.id, digest)

        await site.store.write(work)
        self._missing[waiting] = frozenset(digest.sha256 for digest in missing)
        site.ask_peer(job.party.id)
        return True

    async def release(self, party: Party, draft: Draft) -> None:
        """Let go of files that are in our tracker now, unless another issue is just being given them."""
        for file in draft.attachments or ():
            if self._in_use[party.id, file.blob] == 1:
                await self._site.files.release(party.id, file.blob)

    @property
    def awaited(self) -> bool:
        """Whether any issue waits for files."""
        return bool(self._missing)

    def missing(self, connection_id: int, peer_issue: str) -> int:
        """Return for how many files an issue of the peer was waiting when it was last looked at."""
        return len(self._missing.get((connection_id, peer_issue), ()))

    async def take_complete(self) -> list[tuple[int, str]]:
        """Return the issues, each with its connection, all of whose files are here; they wait no longer."""
        complete = [
            issue
            for issue, digests in list(self._missing.items())
            if all([await self._site.files.arrived(issue[0], sha256) for sha256 in digests])
        ]
        for issue in complete:
            self._missing.pop(issue, None)
        return complete
