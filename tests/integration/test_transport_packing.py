"""Messages that wait share envelopes, and still each is itself: its place, outcome, credit and row of the ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from node.clock import SystemClock
from node.ledger import Ledger
from node.store import envelopes, inbox, ledger
from node.store.connections import Connection
from node.transport.receipts import Allowance
from protocol.messages import Code, Outcome, dump_message, parse_message
from protocol.packing import pack
from tests.support.peers import PeerNode, paired, replica, until


class Pair:
    """Alice and Bob, paired."""

    def __init__(self, folder: Path) -> None:
        self.alice = PeerNode("Blue", folder / "alice")
        self.bob = PeerNode("Green", folder / "bob")
        self.hers: Connection
        self.his: Connection

    async def start(self) -> None:
        """Pair the two."""
        await self.alice.start()
        await self.bob.start()
        self.hers, self.his = await paired(self.alice, self.bob)

    async def stop(self) -> None:
        """Stop both."""
        await self.alice.stop()
        await self.bob.stop()

    async def quiet(self) -> None:
        """Wait until everything of Alice's was signed for."""

        async def nothing_waits() -> bool:
            return await self.alice.unacked() == 0

        await until(nothing_waits)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    both = Pair(tmp_path)
    await both.start()
    yield both
    await both.stop()


async def test_what_waits_already_shares_envelopes(pair: Pair) -> None:
    """At most 64 to one, in order, each in a row of its own on the other side."""
    await pair.alice.say(pair.hers.id, *range(150))
    await pair.quiet()
    assert await pair.bob.issues() == [f"i{n}" for n in range(150)]
    assert await pair.alice.envelopes("tx") == [64, 64, 22]
    assert await pair.bob.envelopes("rx") == [64, 64, 22]
    rows = await pair.bob.store.fetch_all("SELECT seq, place FROM inbox ORDER BY id")
    expected = [(1 + number // 64, 1 + number % 64) for number in range(150)]
    assert [(row["seq"], row["place"]) for row in rows] == expected


async def test_a_message_alone_is_sent_at_once_and_alone(pair: Pair) -> None:
    """Nothing waits for company."""
    for number in range(3):
        await pair.alice.say(pair.hers.id, number)
        await pair.quiet()
    assert await pair.alice.envelopes("tx") == [1, 1, 1]
    rows = await pair.alice.store.fetch_all("SELECT place, places FROM ledger")
    assert {(row["place"], row["places"]) for row in rows} == {(None, None)}


async def test_large_and_small_messages_share_what_an_envelope_holds(pair: Pair) -> None:
    """No more than 1 MiB together; the largest message of all goes alone between the others."""
    sizes = [10, 500_000, 10, 500_000, 500_000, 10, 1_048_400, 10, 10]
    messages = [replica(f"i{number}", text="x" * size) for number, size in enumerate(sizes)]
    await pair.alice.say_together(pair.hers.id, [(message.mid, dump_message(message)) for message in messages])
    await pair.quiet()
    assert await pair.bob.issues() == [f"i{n}" for n in range(len(sizes))]
    assert await pair.bob.envelopes("rx") == [4, 2, 1, 2]


async def test_bytes_of_the_rows_are_the_bytes_of_the_envelopes(pair: Pair) -> None:
    """Credit counts each byte once: the shares of the messages add up to what travelled."""
    await pair.alice.say(pair.hers.id, *range(70))
    await pair.quiet()
    waiting = await pair.bob.store.read(lambda tx: inbox.backlog(tx, pair.his.id))
    row = await pair.bob.store.fetch_one("SELECT SUM(LENGTH(bytes)) AS size FROM envelope WHERE direction = 'rx'")
    assert row is not None
    assert waiting == (70, row["size"])


async def test_a_malformed_message_harms_none_of_its_neighbours(pair: Pair) -> None:
    """In one envelope: a good one, nonsense with an id, bytes that are no JSON, a type of tomorrow, a good one."""
    payloads = [
        ("i1-1", dump_message(replica("i1"))),
        ("bad", b'{"t":"issue.replica","mid":"bad"}'),
        ("noise", b"\xff\xfe"),
        ("new", b'{"t":"from.tomorrow","mid":"new"}'),
        ("i2-1", dump_message(replica("i2"))),
    ]
    await pair.alice.say_together(pair.hers.id, payloads)
    await pair.quiet()
    assert await pair.bob.envelopes("rx") == [5]
    rows = await pair.bob.store.fetch_all("SELECT kind, state, code FROM inbox ORDER BY id")
    assert [(row["kind"], row["state"], row["code"]) for row in rows] == [
        ("issue.replica", "new", None),
        ("malformed", "done", int(Code.MALFORMED)),
        ("malformed", "done", int(Code.MALFORMED)),
        ("from.tomorrow", "done", int(Code.IGNORED)),
        ("issue.replica", "new", None),
    ]

    async def answered() -> bool:
        return bool(await pair.alice.inbox())

    await until(answered)
    answer = parse_message((await pair.alice.inbox())[0].payload)
    assert isinstance(answer, Outcome)
    assert {(one.mid, one.c) for one in answer.results} == {("bad", 301), ("new", 1)}


async def test_an_envelope_that_cannot_be_cut_takes_its_place_as_one_malformed_message(pair: Pair) -> None:
    """Signed by the peer and not understood: it must not stop the stream for ever."""
    await pair.alice.say(pair.hers.id, 1)
    await pair.quiet()
    await pair.alice.seal_by_hand(pair.hers.id, b"\0\0\0\2{}\0\0\0\x09{}", messages=2)
    await pair.quiet()
    await pair.alice.say(pair.hers.id, 2, 3)
    await pair.quiet()
    assert await pair.bob.issues() == ["i1", "i2", "i3"]
    rows = await pair.bob.store.fetch_all("SELECT seq, place, kind, state, code, payload FROM inbox WHERE mid IS NULL")
    assert [(row["seq"], row["place"], row["kind"], row["state"], row["code"]) for row in rows] == [
        (2, 1, "malformed", "done", int(Code.MALFORMED))
    ]
    assert rows[0]["payload"] == b"\0\0\0\2{}\0\0\0\x09{}"


async def test_the_same_id_twice_in_one_envelope_is_one_message(pair: Pair) -> None:
    """As if the second had come later."""
    twice = dump_message(replica("i1"))
    await pair.alice.seal_by_hand(pair.hers.id, pack([twice, dump_message(replica("i2")), twice]), messages=3)
    await pair.quiet()
    assert await pair.bob.issues() == ["i1", "i2"]


async def test_more_answers_than_one_message_holds_become_several(pair: Pair) -> None:
    """An exchange can bring more malformed messages than an outcome may answer."""
    bad = [b'{"t":"issue.replica","mid":"bad%d"}' % number for number in range(320)]
    await pair.alice.connections.pause("Blue_to_Green")
    for start in range(0, len(bad), 64):
        await pair.alice.seal_by_hand(pair.hers.id, pack(bad[start : start + 64]), messages=64)
    await pair.alice.connections.resume("Blue_to_Green")
    await pair.quiet()

    async def all_answered() -> bool:
        answers = [parse_message(row.payload) for row in await pair.alice.inbox()]
        found = [one.mid for answer in answers if isinstance(answer, Outcome) for one in answer.results]
        return sorted(found) == sorted(f"bad{number}" for number in range(320))

    await until(all_answered)


@pytest.mark.parametrize("allowance", [Allowance(messages=1), Allowance(size=1_000)])
async def test_a_peer_that_ignores_its_credit_cannot_flood_and_is_not_stuck(
    tmp_path: Path, allowance: Allowance
) -> None:
    """While there is room for anything an envelope is taken, whatever it holds; the next waits until there is again."""
    pair = Pair(tmp_path)
    pair.bob.settings = replace(pair.bob.settings, allowance=allowance)
    await pair.start()
    try:
        for start in (0, 64):
            several = [dump_message(replica(f"i{number}", text="x" * 50)) for number in range(start, start + 64)]
            await pair.alice.seal_by_hand(pair.hers.id, pack(several), messages=64)

        async def first_is_there() -> bool:
            return len(await pair.bob.issues()) == 64

        await until(first_is_there)
        channel = await pair.alice.transport.channels.by_id(pair.hers.id)
        assert channel is not None
        again = await pair.alice.transport._outgoing.request(channel, {})
        assert again.data >= 1
        assert await pair.bob.transport._receiver.receive(again.body) is not None
        assert await pair.bob.envelopes("rx") == [64]

        async def drained() -> bool:
            for row in await pair.bob.inbox():
                await pair.bob.settle(row)
            pair.alice.transport.wake(pair.hers.id, speak=True)
            return await pair.alice.unacked() == 0

        await until(drained)
        assert await pair.bob.issues() == [f"i{n}" for n in range(128)]
    finally:
        await pair.stop()


async def test_the_ledger_shows_each_message_and_proves_that_none_is_missing(pair: Pair) -> None:
    """One row a message with its place in the envelope, and the head that the peer signed for."""
    await pair.alice.say(pair.hers.id, *range(3))
    await pair.quiet()
    await pair.alice.say(pair.hers.id, 3)
    await pair.quiet()
    rows = await pair.alice.store.read(lambda tx: ledger.part(tx, pair.hers.id, after=0, limit=100))
    assert [row.mid for row in rows] == [f"i{number}-1" for number in range(4)]
    assert [(row.seq, row.place, row.places) for row in rows] == [(1, 1, 3), (1, 2, 3), (1, 3, 3), (2, None, None)]
    assert len({row.head for row in rows}) == 2
    book = Ledger(pair.alice.store, pair.alice.keys.node_key(), pair.alice.folder, SystemClock())
    assert not (await book.verify()).chains[0].broken


async def test_envelopes_are_forgotten_with_their_last_message(pair: Pair) -> None:
    """Not before: while one message of an envelope is kept, it can be sent again, and proved."""
    await pair.alice.say(pair.hers.id, *range(70))
    await pair.quiet()

    async def forget(node: PeerNode, table: str, below: int) -> list[int]:
        await node.store.write(
            lambda tx: tx.execute(f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} LIMIT {below})")  # noqa: S608 - our own words
        )
        connection = pair.hers if node is pair.alice else pair.his
        await node.store.write(lambda tx: envelopes.prune(tx, connection.id))
        return await node.envelopes("tx" if node is pair.alice else "rx")

    assert await forget(pair.alice, "outbox", 63) == [64, 6]
    assert await forget(pair.alice, "outbox", 1) == [6]
    assert await forget(pair.bob, "inbox", 63) == [64, 6]
    assert await forget(pair.bob, "inbox", 1) == [6]
