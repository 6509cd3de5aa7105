"""The bytes of attachments on their way, in files named by their SHA-256. A name given by a peer is never a path.

    blobs/tmp/<random>               being downloaded from our tracker
    blobs/<connection>/out/<sha256>  ours, for the peer to ask for
    blobs/<connection>/in/<sha256>.part, and without .part once all of it is here and its digest is right

No file is shared between connections: whether another peer has the same file is nobody's business. Chunks are on the
disk before a row says so, so that a crash asks for a chunk again rather than taking a hole for a file.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from node.clock import Clock
from node.store import blobs
from node.store.blobs import Blob
from node.store.engine import Transaction
from node.sync.content import FileDigest
from protocol.blob import Chunk, Ranges, add_to_ranges, chunk_count, chunk_size, missing_ranges
from protocol.replica import MAX_BLOB_BYTES

QUOTA: Final = 4 << 30
"""Bytes of files on their way that one peer may occupy here; further ones wait until others have arrived."""
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_EMPTY: Final = hashlib.sha256(b"").hexdigest()
_READ: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Written:
    """What chunks did to one file: what is still missing, and whether the whole turned out to be another file."""

    blob: Blob
    missing: Ranges
    damaged: bool = False


class BlobFolder:
    """The blob folder of a node; `node.sync.site.Files` is this."""

    def __init__(self, folder: Path, clock: Clock, *, max_file: int = MAX_BLOB_BYTES, quota: int = QUOTA) -> None:
        self._folder = folder
        self._clock = clock
        self._max_file = min(max_file, MAX_BLOB_BYTES)
        self._quota = quota

    def temporary(self) -> Path:
        """Return the path of a file that does not exist yet, beside the kept ones."""
        folder = self._folder / "tmp"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / self._clock.random_bytes(16).hex()

    def clear_temporary(self) -> None:
        """Delete downloads that a crash interrupted; call it before anything runs."""
        shutil.rmtree(self._folder / "tmp", ignore_errors=True)

    async def keep(self, connection_id: int, path: Path) -> FileDigest:
        """Move a downloaded file to where the sender finds it."""
        return await asyncio.to_thread(self._keep, connection_id, path)

    def _keep(self, connection_id: int, path: Path) -> FileDigest:
        sha256, size = digest_of(path)
        _move(path, self._outgoing(connection_id, sha256))
        return FileDigest(sha256, size)

    async def offer(self, tx: Transaction, connection_id: int, digest: FileDigest) -> None:
        """Note, with the message that names it, that the peer may ask for this file."""
        await blobs.offer(tx, connection_id, digest.sha256, digest.size, self._clock.now_ms())

    async def has_outgoing(self, connection_id: int, sha256: str) -> bool:
        """Tell whether a file of ours is still kept for this peer."""
        return await asyncio.to_thread(self._outgoing(connection_id, sha256).exists)

    async def arrived(self, connection_id: int, sha256: str) -> Path | None:
        """Return the file of the peer's with this digest once all of it is here."""
        path = self._incoming(connection_id, sha256)
        return path if await asyncio.to_thread(path.exists) else None

    async def want(self, tx: Transaction, connection_id: int, digest: FileDigest) -> None:
        """Ask the peer for a file. Beyond this node's limits it is not asked for: ask again when others have arrived.

        Runs inside a unit of work, so the one file that needs no asking, the empty one, is made here and now.
        """
        if digest.sha256 == _EMPTY:
            path = self._incoming(connection_id, digest.sha256)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            return
        if not 0 < digest.size <= self._max_file:
            return
        if await blobs.wanted_bytes(tx, connection_id) + digest.size > self._quota:
            return
        await blobs.want(tx, connection_id, digest.sha256, digest.size, self._clock.now_ms())

    async def release(self, connection_id: int, sha256: str) -> None:
        """Delete a file of the peer's: it is in our tracker, and its bytes are not needed any more."""
        path = self._incoming(connection_id, sha256)
        await asyncio.to_thread(path.unlink, missing_ok=True)

    async def withdraw(self, connection_id: int, sha256: str) -> None:
        """Delete a file of ours that nobody will ask for any more."""
        path = self._outgoing(connection_id, sha256)
        await asyncio.to_thread(path.unlink, missing_ok=True)

    async def remove_connection(self, connection_id: int) -> None:
        """Delete all files of a connection that has ended."""
        await asyncio.to_thread(shutil.rmtree, self._folder / str(connection_id), ignore_errors=True)

    def read_chunk(self, connection_id: int, sha256: str, index: int) -> Chunk | None:
        """Read one chunk of a file of ours; None if the file or the chunk is not there. Blocks."""
        try:
            with self._outgoing(connection_id, sha256).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if not 0 <= index < chunk_count(size):
                    return None
                chunk = Chunk(sha256, index, b"")
                file.seek(chunk.offset)
                return Chunk(sha256, index, file.read(chunk_size(size, index)))
        except FileNotFoundError:
            return None

    def write_chunks(self, connection_id: int, wanted: Sequence[Blob], chunks: Sequence[Chunk]) -> list[Written]:
        """Put chunks of wanted files at their places, durably; what nobody wants is dropped. Blocks.

        When none is missing the whole is compared with its digest and gets its name, or is discarded.
        """
        return [
            self._write(connection_id, blob, [chunk for chunk in chunks if chunk.blob == blob.sha256])
            for blob in wanted
            if any(chunk.blob == blob.sha256 for chunk in chunks)
        ]

    def _write(self, connection_id: int, blob: Blob, chunks: Sequence[Chunk]) -> Written:
        path = self._incoming(connection_id, blob.sha256)
        if path.exists():  # a crash came between the name and the row
            return Written(blob, ())
        count = chunk_count(blob.size)
        held = missing_ranges(blob.missing, count)
        part = path.with_suffix(".part")
        part.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not part.exists():
            held = ()  # somebody tidied up: the row must not promise what is not there
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                if chunk.index < count and len(chunk.data) == chunk_size(blob.size, chunk.index):
                    file.seek(chunk.offset)
                    file.write(chunk.data)
                    held = add_to_ranges(held, chunk.index)
            file.flush()
            os.fsync(file.fileno())
        missing = missing_ranges(held, count)
        if missing:
            return Written(blob, missing)
        if digest_of(part) != (blob.sha256, blob.size):
            part.unlink()
            return Written(blob, missing_ranges((), count), damaged=True)
        _move(part, path)
        return Written(blob, ())

    def _outgoing(self, connection_id: int, sha256: str) -> Path:
        return self._folder / str(connection_id) / "out" / _checked(sha256)

    def _incoming(self, connection_id: int, sha256: str) -> Path:
        return self._folder / str(connection_id) / "in" / _checked(sha256)


def digest_of(path: Path) -> tuple[str, int]:
    """Return SHA-256 (hex) and size (bytes) of a file. Blocks."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while block := file.read(_READ):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


def _checked(sha256: str) -> str:
    if not _SHA256.fullmatch(sha256):
        raise ValueError("a file is named by its SHA-256 in hex")
    return sha256


def _move(path: Path, to: Path) -> None:
    """Give a file its name, durably."""
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("rb") as file:
        os.fsync(file.fileno())
    path.replace(to)
    descriptor = os.open(to.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
