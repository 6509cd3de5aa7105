"""A hostile Alice cannot fill Bob's disk: what he keeps of her messages is bounded, and an honest one never notices."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from node.store import awaited, inbox, kept
from node.store.connections import Connection
from node.store.engine import restore
from node.transport.crash import live_on
from node.transport.keeping import Keep, Keeping
from node.transport.receipts import Allowance
from protocol.envelope import Kind, peek_header
from protocol.framing import split_frames
from protocol.messages import Code, Outcome, Result, dump_message
from protocol.packing import pack
from tests.support.dying import Death, Killed
from tests.support.fault_proxy import FaultProxy
from tests.support.peers import PeerNode, paired, replica, until

KIB = 1 << 10
SMALL = Keep(settled=512 * KIB, answers=32 * KIB, between=64 * KIB)
"""Little, so that few messages are too many."""


class Pair:
    """Alice and Bob, paired; everything Alice sends to Bob goes through ``network``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.alice = PeerNode("Blue", folder / "alice")
        self.bob = PeerNode("Green", folder / "bob")
        self.network = FaultProxy(lambda: self.bob.url)
        self.hers: Connection
        self.his: Connection

    async def start(self, keep: Keep) -> None:
        """Pair the two, with Bob's bounds."""
        self.bob.settings = replace(self.bob.settings, keep=keep)
        await self.network.start()
        self.bob.public_url = self.network.url
        await self.alice.start()
        await self.bob.start()
        self.hers, self.his = await paired(self.alice, self.bob)

    async def stop(self) -> None:
        """Stop all three."""
        await self.alice.stop()
        await self.bob.stop()
        await self.network.stop()

    async def quiet(self) -> None:
        """Wait until everything of Alice's was signed for."""

        async def nothing_waits() -> bool:
            return await self.alice.unacked() == 0

        await until(nothing_waits)

    async def force(self, *messages: bytes) -> None:
        """Send messages in one envelope from Alice to Bob, whatever her credit, and wait for his receipt."""
        await self.alice.seal_by_hand(self.hers.id, pack(messages), messages=len(messages))
        await self.quiet()

    async def take_nothing(self) -> None:
        """Let Alice grant no credit from now on, so that Bob's answers wait."""
        self.alice.settings = replace(self.alice.settings, allowance=Allowance(messages=0))
        await self.alice.restart()


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    both = Pair(tmp_path)
    await both.start(SMALL)
    yield both
    await both.stop()


def unknown(number: int, size: int = 0) -> bytes:
    return json.dumps({"t": "from.tomorrow", "mid": f"new{number}", "x": "x" * size}).encode()


async def kept_bytes(node: PeerNode) -> int:
    """Return what settled messages take in both tables, as they are and not as they are counted."""
    row = await node.store.fetch_one(
        "SELECT (SELECT COALESCE(SUM(LENGTH(payload)), 0) FROM inbox WHERE state = 'done')"
        " + (SELECT COALESCE(SUM(LENGTH(bytes)), 0) FROM envelope WHERE direction = 'rx') AS size"
    )
    assert row is not None
    return int(row["size"])


async def count(node: PeerNode, where: str) -> int:
    row = await node.store.fetch_one(f"SELECT COUNT(*) AS n FROM {where}")  # noqa: S608 - our own words
    assert row is not None
    return int(row["n"])


async def link(node: PeerNode, connection_id: int, twin: str) -> None:
    await node.store.write(
        lambda tx: tx.execute(
            "INSERT INTO link (connection_id, issue_id, issue_key, handle, twin, state, created_ms)"
            " VALUES (:id, :twin, 'SC-1', :twin, :twin, 'active', 0)",
            {"id": connection_id, "twin": twin},
        )
    )


def said_twice(requests: Iterable[bytes]) -> list[tuple[int, int]]:
    """Return the places of envelopes that were sent more than once: what was refused is sent again."""
    headers = [peek_header(frame) for body in requests for frame in split_frames(body)]
    times = Counter((header.epoch, header.seq) for header in headers if header.kind == Kind.DATA)
    return [place for place, number in times.items() if number > 1]


async def test_messages_that_nobody_understands_leave_no_more_than_the_bound(pair: Pair) -> None:
    """Forty times 250 KB of an unknown type from a peer that takes no answers: 20 MB in two tables without a bound."""
    await pair.take_nothing()
    size = 250_000
    for number in range(40):
        await pair.force(unknown(number, size))
        assert await kept_bytes(pair.bob) <= 2 * (SMALL.settled + SMALL.between + size + KIB)
    left = await pair.bob.store.fetch_all("SELECT mid FROM inbox WHERE kind = 'from.tomorrow' ORDER BY id")
    assert [row["mid"] for row in left] == [f"new{number}".encode() for number in range(40)][-len(left) :]
    assert 0 < len(left) < 40, "the newest are those that stay"
    page = await pair.bob.store.fetch_one(
        "SELECT (page_count - freelist_count) * page_size AS size FROM pragma_page_count, pragma_freelist_count,"
        " pragma_page_size"
    )
    assert page is not None
    assert page["size"] < 3 * (SMALL.settled + SMALL.between + size)


async def test_many_small_messages_are_bounded_by_their_rows(pair: Pair) -> None:
    """A row costs more than an empty message: 1,600 of them are no more than the bound allows rows."""
    for start in range(0, 1_600, 64):
        await pair.force(*(unknown(number) for number in range(start, start + 64)))
    rows = await count(pair.bob, "inbox WHERE state = 'done'")
    assert rows <= (SMALL.settled + SMALL.between) // kept.ROW + 2 * 64


async def test_answers_that_a_peer_does_not_take_are_bounded(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    """It grants no credit and makes Bob answer: the newest answers wait for it, the oldest are forgotten and told."""
    await pair.take_nothing()
    caplog.set_level(logging.WARNING)
    for start in range(0, 60 * 8, 8):
        await pair.force(*(unknown(number) for number in range(start, start + 8)))
    rows = await pair.bob.store.fetch_all(
        "SELECT LENGTH(payload) AS size, payload FROM outbox WHERE kind = 'outcome' AND state = 'queued' ORDER BY id"
    )
    assert b"new479" in rows[-1]["payload"]
    since_the_last_look = SMALL.between // (8 * kept.ROW) + 1
    assert sum(2 * row["size"] + kept.ROW for row in rows[:-since_the_last_look]) <= SMALL.answers
    assert any("does not take our answers" in record.message for record in caplog.records)


async def test_answers_that_a_peer_takes_are_bounded_too(pair: Pair) -> None:
    """They are kept for a peer that is restored, but not as many as it likes to cause."""
    for start in range(0, 60 * 8, 8):
        await pair.force(*(unknown(number) for number in range(start, start + 8)))

    async def taken() -> bool:
        return await pair.bob.unacked() == 0

    await until(taken)
    await pair.force(*(unknown(number) for number in range(2_000, 2_064)))  # and a look at all of it
    rows = await pair.bob.store.fetch_all("SELECT LENGTH(payload) AS size FROM outbox WHERE kind = 'outcome'")
    since_the_last_look = SMALL.between // (8 * kept.ROW) + 2
    assert len(rows) <= SMALL.answers // kept.ROW + since_the_last_look
    assert await count(pair.bob, "envelope WHERE direction = 'tx'") <= len(rows)


async def test_a_peer_restored_to_before_forgotten_answers_is_not_stuck(pair: Pair) -> None:
    """What is left of Bob's envelopes has no gap; where Alice lacks more than that, Bob says everything anew."""
    backup = pair.folder / "alice.backup"
    await pair.bob.say(pair.his.id, 1, issue="b")
    await pair.force(unknown(9_999))

    async def taken() -> bool:
        return await pair.bob.unacked() == 0

    await until(taken)
    await pair.alice.store.backup(backup)
    await pair.bob.say(pair.his.id, 2, issue="b")
    for start in range(0, 100 * 8, 8):
        await pair.force(*(unknown(number) for number in range(start, start + 8)))
    await until(taken)
    await pair.force(unknown(5_000, 70_000))
    await pair.force(unknown(5_001))
    assert await count(pair.bob, "outbox WHERE kind = 'outcome'") < 100
    await pair.alice.stop()
    await restore(backup, pair.alice.folder / "node.db")
    await pair.alice.start()
    await pair.bob.say(pair.his.id, 3, issue="b")

    async def heard() -> bool:
        return "b3" in await pair.alice.issues() and await pair.bob.unacked() == 0

    await until(heard)
    assert {"Resync", "Resend"} & set(await pair.bob.problems())


async def test_the_newest_replica_of_a_linked_issue_stays_and_can_be_looked_at_again(pair: Pair) -> None:
    """Rules that asked for another issue come back to it; older ones of it, and those of other issues, go."""
    await link(pair.bob, pair.his.id, "i1")
    for revision in (1, 2):
        await pair.force(dump_message(replica("i1", revision)), dump_message(replica("i2", revision)))
        for row in await pair.bob.inbox():
            await pair.bob.settle(row)
    await pair.bob.store.write(lambda tx: awaited.remember(tx, pair.his.id, "i1", ["parent"]))
    await pair.bob.store.write(lambda tx: awaited.remember(tx, pair.his.id, "i2", ["parent"]))
    for number in range(12):
        await pair.force(unknown(number, 100_000))
    rows = await pair.bob.store.fetch_all("SELECT mid FROM inbox WHERE kind = 'issue.replica'")
    assert [row["mid"] for row in rows] == [b"i1-2"]
    waiting = await pair.bob.store.fetch_all("SELECT issue FROM awaited")
    assert [row["issue"] for row in waiting] == ["i1"], "nothing is left of the other to look at"
    await pair.bob.store.write(lambda tx: awaited.arrived(tx, pair.his.id, ["parent"]))
    assert [row.mid for row in await pair.bob.inbox()] == ["i1-2"]


async def test_linked_issues_take_no_room_from_what_else_is_kept(pair: Pair) -> None:
    """Where they alone are more than the bound, messages that were just settled stay all the same."""
    text = "x" * 100_000
    for number in range(10):
        await link(pair.bob, pair.his.id, f"i{number}")
        await pair.force(dump_message(replica(f"i{number}", text=text)))
    for row in await pair.bob.inbox():
        await pair.bob.settle(row)
    for number in range(4):
        await pair.force(unknown(number, 70_000))
    assert await count(pair.bob, "inbox WHERE kind = 'issue.replica'") == 10
    assert await count(pair.bob, "inbox WHERE kind = 'from.tomorrow'") == 4


async def test_what_waits_or_is_held_is_never_forgotten(pair: Pair) -> None:
    """Whatever else comes."""
    await pair.force(dump_message(replica("i1")), dump_message(replica("i2")))
    held = (await pair.bob.inbox())[0]
    await pair.bob.store.write(lambda tx: inbox.hold(tx, held.id))
    for number in range(12):
        await pair.force(unknown(number, 100_000))
    rows = await pair.bob.store.fetch_all("SELECT mid, state FROM inbox WHERE kind = 'issue.replica' ORDER BY id")
    assert [(row["mid"], row["state"]) for row in rows] == [(b"i1-1", "held"), (b"i2-1", "new")]


async def test_an_envelope_of_known_messages_counts_whole_with_its_one_new_one(pair: Pair) -> None:
    """Its bytes are kept for the sake of one small message, so they are counted for that one."""
    known = unknown(1, 200_000)
    await pair.force(known)
    for number in range(100, 120):
        await pair.force(known, unknown(number))
        assert await kept_bytes(pair.bob) <= 2 * (SMALL.settled + SMALL.between + 200_000 + KIB)


async def test_held_messages_close_the_door_in_the_end(tmp_path: Path) -> None:
    """A peer whose every message nobody can apply is stopped by its credit, until people have decided about some."""
    pair = Pair(tmp_path)
    pair.bob.settings = replace(pair.bob.settings, allowance=Allowance(messages=4))
    await pair.start(SMALL)
    try:
        door = 4 * inbox.HELD_TO_ONE
        await pair.alice.say(pair.hers.id, *range(door + 20))

        async def hold_all(requests: int) -> bool:
            for row in await pair.bob.inbox():
                await pair.bob.store.write(lambda tx, row=row: inbox.hold(tx, row.id))  # type: ignore[misc]  # bound early, on purpose
            pair.alice.transport.wake(pair.hers.id, speak=True)
            enough = await count(pair.bob, "inbox WHERE state = 'held'") >= door
            return enough and len(pair.network.requests) >= requests

        await until(lambda: hold_all(0))
        asked = len(pair.network.requests)
        await until(lambda: hold_all(asked + 20))
        assert await pair.alice.unacked() > 0
        assert await count(pair.bob, "inbox") < door + 20

        async def decided() -> bool:
            for row in await pair.bob.store.fetch_all("SELECT id FROM inbox WHERE state IN ('held', 'new')"):
                await pair.bob.store.write(
                    lambda tx, one=row["id"]: inbox.finish(tx, one, Code.IGNORED, pair.bob.clock.now_ms())  # type: ignore[misc]  # bound early, on purpose
                )
            pair.alice.transport.wake(pair.hers.id, speak=True)
            return await pair.alice.unacked() == 0

        await until(decided)
    finally:
        await pair.stop()


async def test_a_peer_that_sends_for_ever_has_a_pace(tmp_path: Path) -> None:
    """The burst is taken at once, results counted one by one; after that only what time gives back."""
    pair = Pair(tmp_path)
    await pair.start(Keep(burst=401, per_second=1))
    try:
        results = tuple(Result(mid=f"m{number}", c=0) for number in range(256))
        await pair.force(dump_message(Outcome(results=results)))

        async def settled() -> None:
            for row in await pair.bob.inbox():
                await pair.bob.settle(row)

        async def went_on(messages: int) -> bool:
            await settled()
            pair.alice.transport.wake(pair.hers.id, speak=True)
            return len(await pair.bob.issues()) >= messages

        async def said_more(requests: int) -> bool:
            await went_on(0)
            return len(pair.network.requests) >= requests

        await pair.alice.say(pair.hers.id, *range(100))
        await until(lambda: went_on(100))
        await pair.alice.say(pair.hers.id, *range(100, 450))
        asked = len(pair.network.requests)
        await until(lambda: said_more(asked + 20))
        assert len(await pair.bob.issues()) < 200, "the rest waits at Alice's"
        pair.bob.clock.ahead_ms += 1_000_000
        await until(lambda: went_on(450))
    finally:
        await pair.stop()


def test_large_messages_use_up_more_of_the_pace_than_small_ones() -> None:
    """Ten of 16 KiB count as twenty, time gives that back, and a clock that is put back takes nothing."""
    keeping = Keeping(Keep(burst=20, per_second=2))
    assert keeping.allowed(1, Allowance(messages=100), 5_000).messages == 20
    keeping.came(1, 10, 10 * 16 * KIB, 5_000)
    assert keeping.is_spent(1, 5_000)
    assert keeping.is_spent(1, 0)
    assert keeping.allowed(1, Allowance(messages=100), 9_000).messages == 8
    assert keeping.allowed(1, Allowance(messages=100), 1_000_000).messages == 20
    assert not keeping.is_spent(2, 5_000), "each connection has its own"


async def test_asking_for_files_that_never_were_has_the_same_pace(tmp_path: Path) -> None:
    """Each is answered with a message of Bob's, so it counts as one of Alice's."""
    pair = Pair(tmp_path)
    await pair.start(Keep(burst=10, per_second=1))
    try:
        channel = await pair.bob.transport.channels.by_id(pair.his.id)
        assert channel is not None
        for number in range(100):
            here = await pair.bob.transport._outgoing.give_up_files(channel, {f"{number:032x}" * 2: ((0, 0),)})
            assert here == {}
        assert 9 <= await count(pair.bob, "outbox WHERE kind = 'blob.gone'") < 50
        pair.bob.clock.ahead_ms += 10_000
        await pair.bob.transport._outgoing.give_up_files(channel, {"f" * 64: ((0, 0),)})
        last = await pair.bob.store.fetch_one("SELECT mid FROM outbox ORDER BY id DESC LIMIT 1")
        assert last is not None
        assert last["mid"].startswith(b"gone-ffff"), "who asks again later is told"
    finally:
        await pair.stop()


async def test_an_honest_burst_passes_without_one_refusal(pair: Pair) -> None:
    """2,000 messages, settled as they come, while far fewer than that are kept: none is sent twice, none is lost."""
    arrived: list[str] = []

    async def apply() -> bool:
        for row in await pair.bob.inbox():
            arrived.append(row.issue or "")
            await pair.bob.settle(row)
        return await pair.alice.unacked() == 0 and not await pair.bob.inbox()

    await pair.alice.say_together(
        pair.hers.id,
        [(f"i{number}-1", dump_message(replica(f"i{number}", text="x" * (number % 700)))) for number in range(2_000)],
    )
    await until(apply, seconds=60)
    assert arrived == [f"i{number}" for number in range(2_000)]
    assert said_twice(pair.network.requests) == []
    assert await count(pair.bob, "inbox WHERE state = 'done'") < 1_500, "while that much was forgotten"


@pytest.mark.parametrize("place", ["received: verified", "received: stored", "received: receipt sealed"])
async def test_a_death_while_messages_are_forgotten_loses_none_that_waits(pair: Pair, place: str) -> None:
    """What came and what went for it are one unit of work, and the bound holds again after the start."""
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    for number in range(5):
        await pair.force(unknown(number, 100_000))
    death = Death(place, 2)
    pair.bob.crash_point = death
    await pair.bob.restart()
    for number in range(5, 10):
        mid = f"new{number}"
        await pair.alice.say_together(pair.hers.id, [(mid, unknown(number, 100_000))])
        await pair.alice.say(pair.hers.id, number)
    pair.alice.transport.wake(pair.hers.id, speak=True)
    async with asyncio.timeout(20):
        await death.happened.wait()
    pair.bob.crash_point = live_on
    with contextlib.suppress(Killed):
        await pair.bob.stop()
    await pair.bob.start()
    await pair.quiet()
    await pair.force(unknown(10))
    assert [row.issue for row in await pair.bob.inbox()] == [f"i{number}" for number in range(5, 10)]
    waiting = await pair.bob.store.read(lambda tx: inbox.backlog(tx, pair.his.id))
    one_exchange = 6 * 100_000
    assert await kept_bytes(pair.bob) <= 2 * (SMALL.settled + SMALL.between + one_exchange) + waiting[1]
