"""Schema 0004, for a node that was in the middle of its work: nothing of a stream, a box or the ledger is lost."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from node.clock import SystemClock
from node.ledger_chain import Chain
from node.store import envelopes, inbox, ledger
from node.store.engine import Store
from node.store.migrate import MIGRATIONS, prepare

CONN, PEER, EPOCH = bytes(range(16)), bytes(32), (1 << 32) | 1
FIRST = bytes.fromhex("f3fd33a043d1dfc403db72ab241aa26aca4999e03411725a306d659de51e61cf")
SECOND = bytes.fromhex("061a8b0ba3009dc30a36541ad205d3fbe062a71ff3a7c1935f85146903393cc4")
"""Hashes of the two rows below, as the accord before it made them."""


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """A database of schema 0003: two envelopes sent, one acknowledged, two received, and a gap at the end of ids."""
    steps = tmp_path / "steps"
    shutil.copytree(MIGRATIONS, steps, ignore=shutil.ignore_patterns("__pycache__", "v0004*", "v0005*"))
    path = tmp_path / "node.db"
    prepare(path, now_ms=1, steps=steps)
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute(
            "INSERT INTO connection (id, name, role, state, conn, peer_node_key, project, created_ms) "
            "VALUES (1, 'Blue_to_Green', 'inviter', 'active', ?, ?, 'BLUE', 0)",
            (CONN, PEER),
        )
        for number, state in ((1, "acked"), (2, "sealed"), (3, "queued")):
            placed = state != "queued"
            raw.execute(
                "INSERT INTO outbox (id, connection_id, mid, kind, payload, state, epoch, seq, envelope, created_ms) "
                "VALUES (?, 1, ?, 'issue.replica', ?, ?, ?, ?, ?, 0)",
                (number, b"m%d" % number, b"p%d" % number, state, EPOCH if placed else None, number if placed else None,
                 b"sealed %d" % number if placed else None),
            )  # fmt: skip
        for number in (1, 2, 3):
            raw.execute(
                "INSERT INTO inbox (id, connection_id, epoch, seq, mid, kind, issue, envelope, size, payload, "
                "state, attempts, due_ms, received_ms) "
                "VALUES (?, 1, ?, ?, ?, 'issue.replica', 'i', ?, 9, ?, 'waiting', 2, 7, 5)",
                (number + 40, EPOCH, number, b"t%d" % number, b"theirs %d" % number, b"q%d" % number),
            )
        raw.execute("DELETE FROM inbox WHERE id = 43")
        prev = ledger.START
        for number, digest in ((1, FIRST), (2, SECOND)):
            values: dict[str, object] = {
                "connection_id": 1, "number": number, "at_ms": 5, "conn": CONN, "peer_node_key": PEER, "link_id": None,
                "issue_key": "UD-1", "kind": "issue.replica", "mid": f"m{number}", "epoch": EPOCH, "seq": number,
                "revision": 1, "rule_version": 1, "head": bytes([number]) * 32, "payload_sha256": bytes(32),
                "payload": None, "prev": prev, "hash": digest,
            }  # fmt: skip
            raw.execute(
                f"INSERT INTO ledger ({', '.join(values)}) VALUES ({', '.join(f':{name}' for name in values)})",  # noqa: S608 - our own names
                values,
            )
            prev = digest
    return path


async def test_what_was_on_its_way_goes_on(before: Path) -> None:
    """The bytes that were sealed are the bytes that are sent, and what is not acknowledged is counted as before."""
    store = await Store.open(before, clock=SystemClock())
    try:
        sent = await store.read(lambda tx: envelopes.after(tx, 1, EPOCH, 0, limit=10, size=1_000))
        assert sent == [b"sealed 1", b"sealed 2"]
        assert await store.read(lambda tx: envelopes.unacked(tx, 1, EPOCH, 1)) == (1, len(b"sealed 2"))
        rows = await store.fetch_all("SELECT id, state, seq, payload FROM outbox ORDER BY id")
        assert [tuple(row) for row in rows] == [  # type: ignore[arg-type]  # a row of the driver has a length
            (1, "acked", 1, b"p1"), (2, "sealed", 2, b"p2"), (3, "queued", None, b"p3"),
        ]  # fmt: skip
    finally:
        await store.close()


async def test_what_arrived_waits_as_before_and_ids_are_not_given_again(before: Path) -> None:
    """Attempts and times stay; the id of a deleted row is not given again, since problems name rows by id."""
    store = await Store.open(before, clock=SystemClock())
    try:
        rows = await store.read(lambda tx: inbox.ready(tx, 100, limit=10))
        assert [(row.id, row.mid, row.payload, row.state, row.attempts, row.received_ms) for row in rows] == [
            (41, "t1", b"q1", "waiting", 2, 5), (42, "t2", b"q2", "waiting", 2, 5),
        ]  # fmt: skip
        kept = await store.fetch_all("SELECT bytes, messages FROM envelope WHERE direction = 'rx' ORDER BY seq")
        assert [(row["bytes"], row["messages"]) for row in kept] == [(b"theirs 1", 1), (b"theirs 2", 1)]
        new = [
            inbox.Arrived(EPOCH, 4, place, f"n{place}", "issue.replica", "i", payload=b"{}", size=9) for place in (1, 2)
        ]
        await store.write(lambda tx: inbox.add(tx, 1, new, 6))
        ids = await store.fetch_all("SELECT id FROM inbox WHERE seq = 4 ORDER BY place")
        assert [row["id"] for row in ids] == [44, 45]
    finally:
        await store.close()


async def test_a_chain_from_before_still_verifies(before: Path) -> None:
    """Its rows keep the hashes that the node signed for."""
    store = await Store.open(before, clock=SystemClock())
    try:
        rows = await store.read(lambda tx: ledger.part(tx, 1, after=0, limit=10))
    finally:
        await store.close()
    chain = Chain(conn=CONN, peer_node_key=PEER, signed=(2, rows[-1].hash))
    chain.take(rows)
    assert chain.rows == 2
    assert chain.finish(last=2, sending=None) == []
