"""The bytes of files on their way."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from node.clock import SystemClock
from node.store.blobs import Blob
from node.transport.blobs import BlobFolder
from protocol.blob import CHUNK_BYTES, Chunk, chunk_count, missing_ranges


def wanted(data: bytes, missing: tuple[tuple[int, int], ...] | None = None) -> Blob:
    whole = missing_ranges((), chunk_count(len(data)))
    return Blob(hashlib.sha256(data).hexdigest(), len(data), whole if missing is None else missing, 0)


def chunks(data: bytes) -> list[Chunk]:
    sha256 = hashlib.sha256(data).hexdigest()
    return [
        Chunk(sha256, index, data[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES])
        for index in range(chunk_count(len(data)))
    ]


@pytest.fixture
def folder(tmp_path: Path) -> BlobFolder:
    return BlobFolder(tmp_path, SystemClock())


DATA = random.Random(1).randbytes(2 * CHUNK_BYTES + 5)


async def test_chunks_in_any_order_make_the_file(folder: BlobFolder) -> None:
    """Each is written at its own offset."""
    one, two, three = chunks(DATA)
    (first,) = folder.write_chunks(1, [wanted(DATA)], [three, one])
    assert first.missing == ((1, 1),)
    assert await folder.arrived(1, two.blob) is None
    (second,) = folder.write_chunks(1, [wanted(DATA, first.missing)], [two])
    assert second.missing == ()
    path = await folder.arrived(1, two.blob)
    assert path is not None
    assert path.read_bytes() == DATA


async def test_another_content_is_thrown_away_whole(folder: BlobFolder) -> None:
    """The digest of the whole is what the signed message named."""
    blob = wanted(DATA)
    lies = [Chunk(blob.sha256, chunk.index, bytes(len(chunk.data))) for chunk in chunks(DATA)]
    (written,) = folder.write_chunks(1, [blob], lies)
    assert written.damaged
    assert written.missing == blob.missing
    assert await folder.arrived(1, blob.sha256) is None


async def test_chunks_that_nobody_wants_or_of_the_wrong_size_are_dropped(folder: BlobFolder) -> None:
    """A peer cannot fill the disk with what was not asked for."""
    blob = wanted(DATA)
    assert folder.write_chunks(1, [], chunks(DATA)) == []
    odd = [Chunk(blob.sha256, 0, b"short"), Chunk(blob.sha256, 99, b"far away")]
    (written,) = folder.write_chunks(1, [blob], odd)
    assert written.missing == blob.missing


async def test_a_row_never_promises_what_is_not_on_the_disk(folder: BlobFolder, tmp_path: Path) -> None:
    """If somebody deletes a half file, all of it is fetched again."""
    one, two, three = chunks(DATA)
    (first,) = folder.write_chunks(1, [wanted(DATA)], [one])
    (tmp_path / "1" / "in" / f"{one.blob}.part").unlink()
    (second,) = folder.write_chunks(1, [wanted(DATA, first.missing)], [two, three])
    assert second.missing == ((0, 0),)


async def test_our_own_files_are_read_chunk_by_chunk(folder: BlobFolder) -> None:
    """What the peer asks for is read at its offset, and nothing else is."""
    path = folder.temporary()
    path.write_bytes(DATA)
    digest = await folder.keep(1, path)
    assert (digest.sha256, digest.size) == (hashlib.sha256(DATA).hexdigest(), len(DATA))
    assert [folder.read_chunk(1, digest.sha256, index) for index in range(3)] == chunks(DATA)
    assert folder.read_chunk(1, digest.sha256, 3) is None
    assert folder.read_chunk(2, digest.sha256, 0) is None
    assert await folder.has_outgoing(1, digest.sha256)
    assert not await folder.has_outgoing(2, digest.sha256)


def test_a_name_is_never_a_path(folder: BlobFolder) -> None:
    """Only a digest in hex names a file."""
    with pytest.raises(ValueError, match="SHA-256"):
        folder.read_chunk(1, "../../etc/passwd", 0)
