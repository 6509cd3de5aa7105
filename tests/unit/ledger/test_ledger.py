"""The ledger: whatever is changed in it or taken out of it is found, and the first row is named."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.clock import SystemClock
from node.ledger import ANCHOR_FILE, Ledger, LedgerError
from node.store import connections, ledger, streams
from node.store.engine import Store
from node.store.ledger import Leaving
from node.store.port import Transaction
from protocol.identity import NodeKey
from protocol.stream import after_sealing, start_tx

CONN = bytes(range(16))
PEER = bytes(32)
KEY = NodeKey.from_bytes(bytes(range(32)))


def leaving(number: int, seq: int | None = None) -> Leaving:
    return Leaving(
        at_ms=1_000 + number,
        kind="issue.replica",
        head=number.to_bytes(32, "big"),
        payload=f"payload {number}".encode(),
        issue_key=f"UD-{number}",
        mid=f"mid{number}",
        epoch=start_tx(1, bytes(16)).epoch,
        seq=seq or number,
        rule_version=3,
    )


async def fill(store: Store, count: int) -> None:
    """Seal ``count`` messages on one connection, as the transport does: stream and ledger in one transaction."""

    async def work(tx: Transaction) -> None:
        connection_id = await connections.insert(
            tx, name="Alice_to_Bob", role="inviter", conn=CONN, project="UD", peer_label="Bob", peer_urls=[],
            pairing=None, default_type=None, description="", now_ms=1,
        )  # fmt: skip
        await tx.execute("UPDATE connection SET peer_node_key = :key", {"key": PEER})
        state = start_tx(1, bytes(16))
        for number in range(1, count + 1):
            state = after_sealing(state, number.to_bytes(32, "big"))
        await streams.save_tx(tx, connection_id, state)
        rows = [leaving(number) for number in range(1, count + 1)]
        await ledger.append(tx, connection_id, conn=CONN, peer_node_key=PEER, rows=rows[:2])
        await ledger.append(tx, connection_id, conn=CONN, peer_node_key=PEER, rows=rows[2:])

    await store.write(work)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[Store, Ledger]]:
    store = await Store.open(folder / "node.db")
    try:
        yield store, Ledger(store, KEY, folder, SystemClock())
    finally:
        await store.close()


async def sealed(folder: Path, count: int = 6) -> None:
    """Leave a closed database with a signed ledger."""
    async with opened(folder) as (store, book):
        await book.sign()
        await fill(store, count)
        await book.sign()


def tamper(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "node.db")) as raw, raw:
        raw.execute(statement)


def anchors(folder: Path) -> int:
    return len(list(folder.glob(f"{ANCHOR_FILE}*")))


async def first_break(folder: Path) -> tuple[int, str]:
    async with opened(folder) as (_, book):
        report = await book.verify()
    assert not report.sound
    assert not report.problems
    [chain] = report.chains
    return chain.broken[0].row, chain.broken[0].text


async def test_an_untouched_ledger_is_sound(tmp_path: Path) -> None:
    """Six rows, in two transactions, verify against the stream and the anchor."""
    await sealed(tmp_path)
    async with opened(tmp_path) as (_, book):
        report = await book.verify()
    assert report.sound
    assert report.chains[0].rows == 6
    assert report.anchored_ms is not None


@pytest.mark.parametrize(
    "change",
    [
        "payload = 'x'", "at_ms = 5", "issue_key = 'UD-9'", "kind = 'outcome'", "rule_version = 4", "mid = NULL",
        "head = zeroblob(32)", "hash = zeroblob(32)", "seq = 40", "conn = zeroblob(16)", "peer_node_key = x'01'",
        "payload_sha256 = zeroblob(32)", "revision = 0", "link_id = 7", "place = 1", "places = 1",
    ],
)  # fmt: skip
async def test_a_changed_row_is_named(tmp_path: Path, change: str) -> None:
    """Whatever column of row 4 is changed, row 4 is the first that is told."""
    await sealed(tmp_path)
    change = change.replace("payload = 'x'", "payload = CAST('x' AS BLOB)")
    tamper(tmp_path, f"UPDATE ledger SET {change} WHERE number = 4")  # noqa: S608 - our own words
    row, text = await first_break(tmp_path)
    assert row == 4
    assert "4" in text


@pytest.mark.parametrize(("gone", "first"), [("number = 1", 1), ("number = 4", 4), ("number >= 5", 5), ("1", 1)])
async def test_a_missing_row_is_named(tmp_path: Path, gone: str, first: int) -> None:
    """Rows that were removed at the beginning, inside, at the end, or all of them, are told by number."""
    await sealed(tmp_path)
    tamper(tmp_path, f"DELETE FROM ledger WHERE {gone}")  # noqa: S608 - our own words
    row, text = await first_break(tmp_path)
    assert row == first
    assert "missing" in text


async def test_a_chain_that_was_made_anew_does_not_match_the_anchor(tmp_path: Path) -> None:
    """Somebody who changes a row and computes all hashes again is found out by the node's signature."""
    await sealed(tmp_path)
    async with opened(tmp_path) as (store, _):

        async def forge(tx: Transaction) -> None:
            await tx.execute("DELETE FROM ledger")
            rows = [leaving(number) for number in range(1, 7)]
            rows[2] = Leaving(**{**{name: getattr(rows[2], name) for name in Leaving.__slots__}, "payload": b"lie"})
            await ledger.append(tx, 1, conn=CONN, peer_node_key=PEER, rows=rows)

        await store.write(forge)
    row, text = await first_break(tmp_path)
    assert row == 6
    assert "made anew" in text


async def test_a_lie_beyond_the_anchor_is_found_by_the_stream(tmp_path: Path) -> None:
    """Rows that were not signed for yet cannot be cut off either: the stream knows how many were sealed."""
    async with opened(tmp_path) as (store, book):
        await book.sign()
        await fill(store, 6)
    tamper(tmp_path, "DELETE FROM ledger WHERE number = 6")
    row, text = await first_break(tmp_path)
    assert row == 6
    assert "missing at the end" in text


SHARED = {1: (1, 1, 1), 2: (2, 1, 3), 3: (2, 2, 3), 4: (2, 3, 3), 5: (3, 1, 2), 6: (3, 2, 2)}
"""Six messages in three envelopes: row, and its envelope, its place in it and the messages there."""


async def shared(folder: Path, *, without: tuple[int, ...] = (), places: int | None = None) -> None:
    """Leave a ledger of three envelopes; ``without`` rows, which somebody left out and computed all hashes again.

    With ``places`` that many are said to be in the last envelope. The anchor is from before.
    """

    async def work(tx: Transaction) -> None:
        await tx.execute("DELETE FROM ledger")
        rows = []
        for number, (seq, place, count) in SHARED.items():
            row = replace(leaving(number, seq), head=seq.to_bytes(32, "big"))
            if count > 1:
                row = replace(row, place=place, places=places if places and seq == 3 else count)
            rows += [] if number in without else [row]
        await ledger.append(tx, 1, conn=CONN, peer_node_key=PEER, rows=rows)

    async with opened(folder) as (store, book):
        await book.sign()
        await fill(store, 3)
        await store.write(work)


async def test_messages_that_share_an_envelope_are_one_step_of_the_stream(tmp_path: Path) -> None:
    """Six rows prove three envelopes."""
    await shared(tmp_path)
    async with opened(tmp_path) as (_, book):
        report = await book.verify()
    assert report.sound
    assert report.chains[0].rows == 6


@pytest.mark.parametrize(
    ("gone", "first"), [((2,), 2), ((3,), 3), ((4,), 4), ((3, 4), 3), ((6,), 6), ((5, 6), 5), ((2, 3, 4), 2)]
)
async def test_a_message_left_out_of_an_envelope_is_missed_without_any_anchor(
    tmp_path: Path, gone: tuple[int, ...], first: int
) -> None:
    """Rows say their place among how many, so a chain that was made anew without one does not fit the stream."""
    await shared(tmp_path, without=gone)
    row, text = await first_break(tmp_path)
    assert row == first
    assert "should come there" in text or "missing at the end" in text


async def test_a_message_more_than_an_envelope_carries_is_found(tmp_path: Path) -> None:
    """Row 6 cannot be the second of one."""
    await shared(tmp_path, places=1)
    row, _ = await first_break(tmp_path)
    assert row == 6


async def test_a_dropped_payload_leaves_the_chain_whole(tmp_path: Path) -> None:
    """The payload enters by its digest: without it the chain still verifies, and it is said how many are dropped."""
    await sealed(tmp_path)
    tamper(tmp_path, "UPDATE ledger SET payload = NULL WHERE number < 4")
    async with opened(tmp_path) as (_, book):
        report = await book.verify()
    assert report.sound
    assert report.chains[0].payloads_dropped == 3


async def test_an_anchor_that_another_key_signed_is_refused(tmp_path: Path) -> None:
    """An anchor that was changed is a finding, and nothing is signed over it."""
    await sealed(tmp_path)
    path = tmp_path / ANCHOR_FILE
    path.write_text(path.read_text().replace("1", "2", 1))
    async with opened(tmp_path) as (_, book):
        report = await book.verify()
        assert not report.sound
        assert "anchor" in report.problems[0]
        with pytest.raises(LedgerError):
            await book.sign()


async def test_a_missing_anchor_is_a_finding_and_is_not_made_again(tmp_path: Path) -> None:
    """Who deletes the anchor cannot make the node sign for whatever is there now."""
    await sealed(tmp_path)
    (tmp_path / ANCHOR_FILE).unlink()
    async with opened(tmp_path) as (_, book):
        report = await book.verify()
        assert "missing" in report.problems[0]
        with pytest.raises(LedgerError):
            await book.sign()


async def test_a_restored_database_is_not_signed_for_until_a_person_says_so(tmp_path: Path) -> None:
    """After a restored backup the anchor names rows that are gone; a person sets it aside, and it is kept."""
    await sealed(tmp_path)
    tamper(tmp_path, "DELETE FROM ledger WHERE number > 3")
    async with opened(tmp_path) as (_, book):
        with pytest.raises(LedgerError, match="does not hold"):
            await book.sign()
        await book.sign(anew=True)
        await book.sign()
    assert anchors(tmp_path) == 2


@given(st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=5), st.binary(max_size=5)), min_size=2))
def test_no_two_rows_have_the_same_parts(values: list[object]) -> None:
    """Columns of different kinds or at different places never give the same hash."""
    names = ("mid", "kind")
    base: dict[str, object] = dict.fromkeys(field.name for field in fields(ledger.Entry))
    one = {**base, names[0]: values[0], names[1]: values[1]}
    other = {**base, names[0]: values[1], names[1]: values[0]}
    same = values[0] == values[1] and type(values[0]) is type(values[1])
    assert (ledger.hash_of(one) == ledger.hash_of(other)) == same
