"""What one side puts into its outbox is in the other side's inbox once, in order, whatever the network does."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.store import blobs
from node.store.connections import Connection
from node.sync.content import FileDigest
from node.transport.receipts import Allowance
from node.transport.transport import TransportSettings
from protocol.blob import CHUNK_BYTES
from protocol.messages import Code, Outcome, parse_message
from tests.support.fault_proxy import BUSY, CUT, DROP, LOGIN_PAGE, PASS, REDIRECT, TWICE, FaultProxy
from tests.support.peers import PeerNode, paired, until


class Pair:
    """Alice and Bob, paired; everything Alice sends to Bob goes through ``network``."""

    def __init__(self, folder: Path) -> None:
        self.alice = PeerNode("Blue", folder / "alice")
        self.bob = PeerNode("Green", folder / "bob")
        self.network = FaultProxy(lambda: self.bob.url)
        self.hers: Connection
        self.his: Connection

    async def start(self) -> None:
        """Pair the two."""
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


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    both = Pair(tmp_path)
    await both.start()
    yield both
    await both.stop()


async def quiet(node: PeerNode) -> None:
    async def nothing_waits() -> bool:
        return await node.unacked() == 0

    await until(nothing_waits)


async def test_messages_arrive_once_and_in_order(pair: Pair) -> None:
    """More than one request's worth, both ways at the same time."""
    await pair.alice.say(pair.hers.id, *range(300))
    await pair.bob.say(pair.his.id, *range(20), issue="b")
    await quiet(pair.alice)
    await quiet(pair.bob)
    assert await pair.bob.issues() == [f"i{n}" for n in range(300)]
    assert await pair.alice.issues() == [f"b{n}" for n in range(20)]
    assert pair.bob.received


@pytest.mark.parametrize("seed", range(3))
async def test_a_network_that_drops_cuts_and_repeats_loses_and_doubles_nothing(pair: Pair, seed: int) -> None:
    """Every answer may be lost after the request took effect, every request may come twice."""
    chance = random.Random(seed)
    pair.network.fault = lambda: chance.choice([PASS, DROP, CUT, TWICE, BUSY])
    for start in range(0, 60, 10):
        await pair.alice.say(pair.hers.id, *range(start, start + 10))
    await quiet(pair.alice)
    assert await pair.bob.issues() == [f"i{n}" for n in range(60)]


@pytest.mark.parametrize("fault", [REDIRECT, LOGIN_PAGE])
async def test_whatever_else_answers_at_the_address_moves_nothing_but_the_back_off(pair: Pair, fault: str) -> None:
    """A redirect is not followed and a login page is not an answer; the reason is told in words."""
    pair.network.fault = lambda: fault
    await pair.alice.say(pair.hers.id, 1)

    async def noted() -> bool:
        return (await pair.alice.connections.by_name("Blue_to_Green")).reach.attempts > 1

    await until(noted)
    reach = (await pair.alice.connections.by_name("Blue_to_Green")).reach
    assert reach.last_error is not None
    assert "peer at" in reach.last_error or "not an Accord node" in reach.last_error
    assert await pair.bob.issues() == []
    pair.network.fault = lambda: PASS
    await quiet(pair.alice)
    assert await pair.bob.issues() == ["i1"]


async def test_a_recorded_request_replayed_later_changes_nothing(pair: Pair) -> None:
    """Replay protection is by position, not by time."""
    await pair.alice.say(pair.hers.id, 1, 2)
    await quiet(pair.alice)
    recorded = list(pair.network.requests)
    before = await pair.bob.issues()
    for body in recorded:
        await pair.bob.transport._receiver.receive(body)
    assert await pair.bob.issues() == before
    await pair.alice.say(pair.hers.id, 3)
    await quiet(pair.alice)
    assert await pair.bob.issues() == ["i1", "i2", "i3"]


async def test_days_of_outage_cost_one_replica_an_issue(pair: Pair) -> None:
    """Replicas that nobody has sealed give way to newer ones of the same link."""
    await _link(pair.alice, pair.hers.id)
    pair.network.fault = lambda: DROP
    await pair.alice.say(pair.hers.id, 0)  # takes its place in the stream, and is stuck there

    async def stuck() -> bool:
        row = await pair.alice.store.fetch_one("SELECT COUNT(*) AS n FROM outbox WHERE state = 'sealed'")
        return row is not None and row["n"] == 1

    await until(stuck)
    await pair.alice.connections.pause("Blue_to_Green")
    for revision in range(1, 31):
        await pair.alice.enqueue(pair.hers.id, f"linked-{revision}", b"{}", link_id=1)
    states = await pair.alice.store.fetch_all(
        "SELECT state, COUNT(*) AS n FROM outbox WHERE link_id = 1 GROUP BY state"
    )
    assert {row["state"]: row["n"] for row in states} == {"superseded": 29, "queued": 1}
    pair.network.fault = lambda: PASS
    await pair.alice.connections.resume("Blue_to_Green")
    await quiet(pair.alice)
    row = await pair.bob.store.fetch_one("SELECT COUNT(*) AS n FROM inbox WHERE kind IN ('malformed', 'issue.replica')")
    assert row is not None
    assert row["n"] == 2


async def test_a_message_that_is_not_understood_takes_its_place_and_is_answered(pair: Pair) -> None:
    """Signed nonsense must not stop the stream; whoever sent it hears 301, or that it was ignored."""
    for mid, payload in (("bad", b'{"t":"issue.replica","mid":"bad"}'), ("new", b'{"t":"from.tomorrow","mid":"new"}')):
        await pair.alice.enqueue(pair.hers.id, mid, payload)
    await pair.alice.say(pair.hers.id, 1)
    await quiet(pair.alice)
    rows = await pair.bob.store.fetch_all(
        "SELECT kind, state, code FROM inbox WHERE kind <> 'pair.confirm' ORDER BY id"
    )
    assert [(row["kind"], row["state"], row["code"]) for row in rows] == [
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


async def test_a_deactivated_connection_sends_nothing_and_takes_nothing_until_it_is_resumed(pair: Pair) -> None:
    """The peer is told to wait by a credit of 0, and what it has stays with it."""
    await pair.bob.connections.pause("Green_to_Blue")

    async def told() -> bool:
        state = await pair.alice.store.fetch_one("SELECT state FROM stream WHERE direction = 'tx'")
        return state is not None and '"credit_messages":0' in state["state"]

    await until(told)
    await pair.alice.say(pair.hers.id, 1)
    await pair.bob.say(pair.his.id, 1, issue="b")

    async def polled() -> bool:
        return bool(pair.network.requests)

    await until(polled)
    assert await pair.bob.issues() == []
    assert await pair.alice.issues() == []
    await pair.bob.connections.resume("Green_to_Blue")
    await quiet(pair.alice)
    await quiet(pair.bob)
    assert await pair.bob.issues() == ["i1"]
    assert await pair.alice.issues() == ["b1"]


async def test_a_slow_applier_is_not_flooded(tmp_path: Path) -> None:
    """Credit is what the receiver will still store; it opens again as rows are settled."""
    pair = Pair(tmp_path)
    settings = pair.bob.settings
    pair.bob.settings = TransportSettings(client=settings.client, allowance=Allowance(messages=10))
    await pair.start()
    try:
        await pair.alice.say(pair.hers.id, *range(40))

        async def full() -> bool:
            return len(await pair.bob.issues()) >= 10 and '"credit_messages":0' in await _tx(pair.alice)

        await until(full)
        assert len(await pair.bob.issues()) == 10, "whatever the envelopes hold, messages are counted one by one"

        async def drained() -> bool:
            for row in await pair.bob.inbox():
                await pair.bob.settle(row)
            pair.alice.transport.wake(pair.hers.id, speak=True)
            return await pair.alice.unacked() == 0

        await until(drained)
        assert await pair.bob.issues() == [f"i{n}" for n in range(40)]
    finally:
        await pair.stop()


@pytest.mark.parametrize("size", [1, CHUNK_BYTES, 9 * CHUNK_BYTES + 17])
async def test_a_file_arrives_whole_and_only_when_it_was_asked_for(pair: Pair, size: int) -> None:
    """Chunks go beside the stream, several requests' worth, and the digest of the whole decides."""
    data = random.Random(size).randbytes(size)
    digest = await _offer(pair, data)
    await pair.alice.say(pair.hers.id, 1)
    await quiet(pair.alice)
    assert await pair.bob.files.arrived(pair.his.id, digest.sha256) is None
    await _want(pair, digest)

    async def here() -> bool:
        return await pair.bob.files.arrived(pair.his.id, digest.sha256) is not None

    await until(here)
    path = await pair.bob.files.arrived(pair.his.id, digest.sha256)
    assert path is not None
    assert path.read_bytes() == data

    async def no_row() -> bool:
        return not await pair.bob.store.read(lambda reader: blobs.wanted(reader, pair.his.id, limit=1))

    await until(no_row)
    await pair.bob.files.release(pair.his.id, digest.sha256)
    assert not path.exists()


async def test_a_file_survives_a_bad_network_and_a_restart_in_the_middle(pair: Pair) -> None:
    """What arrived is not sent again; what was lost is."""
    chance = random.Random(5)
    pair.network.fault = lambda: chance.choice([PASS, CUT, DROP])
    data = random.Random(6).randbytes(20 * CHUNK_BYTES)
    digest = await _offer(pair, data)
    await _want(pair, digest)

    async def begun() -> bool:
        wanted = await pair.bob.store.read(lambda reader: blobs.wanted(reader, pair.his.id, limit=1))
        return not wanted or wanted[0].missing != ((0, 19),)

    await until(begun)
    await pair.bob.restart()

    async def here() -> bool:
        return await pair.bob.files.arrived(pair.his.id, digest.sha256) is not None

    await until(here, seconds=40)
    path = await pair.bob.files.arrived(pair.his.id, digest.sha256)
    assert path is not None
    assert path.read_bytes() == data


async def test_a_file_that_is_gone_is_said_to_be_gone(pair: Pair) -> None:
    """The one who asks stops waiting for bytes that nobody has."""
    await _want(pair, FileDigest("ab" * 32, 10))

    async def given_up() -> bool:
        return not await pair.bob.store.read(lambda reader: blobs.wanted(reader, pair.his.id, limit=1))

    await until(given_up)


async def test_the_empty_file_needs_no_asking(pair: Pair) -> None:
    """It has no chunk that could arrive."""
    digest = FileDigest("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", 0)
    await _want(pair, digest)
    path = await pair.bob.files.arrived(pair.his.id, digest.sha256)
    assert path is not None
    assert path.read_bytes() == b""


async def test_connections_see_only_their_own(pair: Pair, tmp_path: Path) -> None:
    """A third node paired with Bob gets none of Alice's, and its frames do not open hers."""
    carol = PeerNode("Red", tmp_path / "carol")
    await carol.start()
    try:
        hers, his = await paired(carol, pair.bob)
        await pair.alice.say(pair.hers.id, 1)
        await carol.say(hers.id, 2)
        await quiet(pair.alice)
        await quiet(carol)
        rows = await pair.bob.store.fetch_all("SELECT connection_id, issue FROM inbox WHERE issue IS NOT NULL")
        assert {(row["connection_id"], row["issue"]) for row in rows} == {(pair.his.id, "i1"), (his.id, "i2")}
    finally:
        await carol.stop()


async def _offer(pair: Pair, data: bytes) -> FileDigest:
    path = pair.alice.files.temporary()
    path.write_bytes(data)
    digest = await pair.alice.files.keep(pair.hers.id, path)
    await pair.alice.store.write(lambda tx: pair.alice.files.offer(tx, pair.hers.id, digest))
    return digest


async def _want(pair: Pair, digest: FileDigest) -> None:
    await pair.bob.store.write(lambda tx: pair.bob.files.want(tx, pair.his.id, digest))
    pair.bob.transport.wake(pair.his.id)


async def _tx(node: PeerNode) -> str:
    row = await node.store.fetch_one("SELECT state FROM stream WHERE direction = 'tx'")
    return "" if row is None else str(row["state"])


async def _link(node: PeerNode, connection_id: int) -> None:
    await node.store.write(
        lambda tx: tx.execute(
            "INSERT INTO link (id, connection_id, issue_id, issue_key, handle, state, created_ms)"
            " VALUES (1, :id, '1', 'UD-1', 'h', 'active', 0)",
            {"id": connection_id},
        )
    )
