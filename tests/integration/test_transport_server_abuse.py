"""What strangers and damaged frames get from a node: one and the same answer, and no change."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from node.store.connections import Connection
from node.transport.wire import CONTENT_TYPE, EXCHANGE_PATH, HEALTH_PATH, MAX_EXCHANGE, PAIR_PATH
from protocol.envelope import Kind, Slot, seal_envelope
from protocol.framing import join_frames
from tests.support.fault_proxy import FaultProxy
from tests.support.peers import PeerNode, paired, until

HEADERS = {"Content-Type": CONTENT_TYPE}


@dataclasses.dataclass
class Target:
    """Bob, a recorded honest request to him, and a client of a stranger."""

    bob: PeerNode
    alice: PeerNode
    hers: Connection
    honest: bytes
    session: aiohttp.ClientSession

    async def post(
        self, path: str, body: bytes, headers: dict[str, str] = HEADERS
    ) -> tuple[int, bytes, dict[str, str]]:
        """Post as a stranger; return status, body and headers."""
        async with self.session.post(self.bob.url + path, data=body, headers=headers) as answer:
            kept = {name: value for name, value in answer.headers.items() if name != "Date"}
            return answer.status, await answer.read(), kept


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[Target]:
    alice, bob = PeerNode("Blue", tmp_path / "alice"), PeerNode("Green", tmp_path / "bob")
    network = FaultProxy(lambda: bob.url)
    await network.start()
    bob.public_url = network.url
    await alice.start()
    await bob.start()
    hers, _ = await paired(alice, bob)
    await alice.say(hers.id, 1)

    async def quiet() -> bool:
        return await alice.unacked() == 0

    await until(quiet)
    async with aiohttp.ClientSession() as session:
        yield Target(bob, alice, hers, network.requests[-1], session)
    await alice.stop()
    await bob.stop()
    await network.stop()


async def test_every_refusal_is_the_same_bytes(target: Target) -> None:
    """Unknown, unsigned, damaged, foreign, empty: a stranger cannot tell which check failed."""
    honest = target.honest
    channel = await target.alice.transport.channels.by_id(target.hers.id)
    assert channel is not None
    no_receipt = seal_envelope(
        channel.sealing, Slot(Kind.BLOB, seq=1), b"x" * 60, now_ms=1, random_bytes=os.urandom
    ).envelope
    not_a_receipt = seal_envelope(
        channel.sealing, Slot(Kind.ACK), b'{"a":1}', now_ms=1, random_bytes=os.urandom
    ).envelope
    answers = [
        await target.post(EXCHANGE_PATH, b""),
        await target.post(EXCHANGE_PATH, os.urandom(500)),
        await target.post(EXCHANGE_PATH, honest[:20] + os.urandom(16) + honest[36:]),
        await target.post(EXCHANGE_PATH, honest[:180] + bytes([honest[180] ^ 1]) + honest[181:]),
        await target.post(EXCHANGE_PATH, honest[:-1] + bytes([honest[-1] ^ 1])),
        await target.post(EXCHANGE_PATH, honest[:-1]),
        await target.post(EXCHANGE_PATH, honest + b"\0"),
        await target.post(EXCHANGE_PATH, honest, {"Content-Type": "application/json"}),
        await target.post(EXCHANGE_PATH, join_frames([no_receipt])),
        await target.post(EXCHANGE_PATH, join_frames([not_a_receipt])),
        await target.post(PAIR_PATH, b"ACC1 m1\0" + os.urandom(300)),
        await target.post(PAIR_PATH, b"nonsense"),
        await target.post(PAIR_PATH, b""),
    ]
    assert {answer[0] for answer in answers} == {404}
    assert all(answer[1:] == answers[0][1:] for answer in answers)
    assert await target.bob.issues() == ["i1"]


async def test_too_much_is_not_read(target: Target) -> None:
    """One byte over the limit, said or unsaid, is refused like everything else."""

    async def endless() -> AsyncIterator[bytes]:
        yield target.honest
        for _ in range(MAX_EXCHANGE // (1 << 20) + 1):
            yield b"\0" * (1 << 20)

    async with target.session.post(target.bob.url + EXCHANGE_PATH, data=endless(), headers=HEADERS) as answer:
        assert answer.status == 404
    async with target.session.post(target.bob.url + PAIR_PATH, data=b"\0" * 20_000, headers=HEADERS) as answer:
        assert answer.status == 404


async def test_a_stranger_who_does_not_stop_is_slowed_down(target: Target) -> None:
    """Failures are counted per address, before any cryptography."""
    statuses = [(await target.post(EXCHANGE_PATH, b"x"))[0] for _ in range(40)]
    assert statuses[0] == 404
    assert statuses[-1] == 429


async def test_strangers_behind_the_same_proxy_do_not_lock_a_peer_out(target: Target) -> None:
    """All who come through a proxy have its address: Alice is heard however many others fail there."""
    statuses = [(await target.post(EXCHANGE_PATH, b"x"))[0] for _ in range(40)]
    assert statuses[-1] == 429
    assert (await target.post(EXCHANGE_PATH, target.honest))[0] == 200
    await target.alice.say(target.hers.id, 2)

    async def arrived() -> bool:
        for _ in range(10):
            await target.post(EXCHANGE_PATH, b"x")
        return await target.bob.issues() == ["i1", "i2"]

    await until(arrived)


async def test_what_is_half_sent_takes_no_more_memory_than_two_requests(target: Target) -> None:
    """Who knows a connection's id can hold two requests' worth of bytes, not as many as there are sockets."""
    body = target.honest[:400] + bytes(MAX_EXCHANGE - 401)
    head = f"POST {EXCHANGE_PATH} HTTP/1.1\r\nHost: bob\r\nContent-Type: {CONTENT_TYPE}\r\n"
    head += f"Content-Length: {MAX_EXCHANGE}\r\n\r\n"
    held = target.bob.transport._server._held

    writers: list[asyncio.StreamWriter] = []

    async def half() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", target.bob.port)
        writers.append(writer)
        writer.write(head.encode() + body)
        return await reader.readline()

    first = [asyncio.create_task(half()) for _ in range(2)]
    await until(lambda: sum(held.values()) == 2 * len(body))
    for _ in range(5):
        assert (await half()).split()[1] == b"503"
    assert (await target.post(EXCHANGE_PATH, target.honest))[0] == 503
    for writer in writers:
        writer.transport.abort()
    await asyncio.gather(*first, return_exceptions=True)
    await until(lambda: not held)
    assert (await target.post(EXCHANGE_PATH, target.honest))[0] == 200


@pytest.mark.parametrize("path", [EXCHANGE_PATH, PAIR_PATH])
async def test_a_body_that_breaks_off_is_a_stranger_s_and_no_mistake_of_ours(
    target: Target, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It counts like other nonsense, and writes no trace into the log: a stranger could fill the disk with it."""
    head = f"POST {path} HTTP/1.1\r\nHost: bob\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: 1000\r\n"
    head += "Expect: 100-continue\r\n\r\n"
    limiter = target.bob.transport._server._limiter
    for _ in range(3):
        reader, writer = await asyncio.open_connection("127.0.0.1", target.bob.port)
        writer.write(head.encode() + target.honest[:300])
        assert b"100" in await reader.readline()  # so it is being read
        writer.transport.abort()
        await until(lambda: limiter._buckets)
        limiter._buckets.clear()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_no_answer_names_the_program(target: Target) -> None:
    """Neither a product nor a version is ever sent."""
    async with target.session.get(target.bob.url + HEALTH_PATH) as answer:
        assert answer.status == 200
        assert answer.headers["Server"] == ""
        assert await answer.read() == b"ok"
    said = repr(await target.post(EXCHANGE_PATH, b"x")).lower()
    for path in ("/nothing/here", EXCHANGE_PATH):
        async with target.session.get(target.bob.url + path) as answer:
            assert answer.status in (404, 405)
            said += repr(answer.headers).lower() + (await answer.text()).lower()
    assert not any(word in said for word in ("python", "aiohttp", "accord", "node"))


async def test_a_compressed_body_is_refused(target: Target) -> None:
    """The protocol has no compression, so nobody can make us inflate a bomb."""
    status, _, _ = await target.post(EXCHANGE_PATH, b"\x1f\x8b" + b"\0" * 50, {**HEADERS, "Content-Encoding": "gzip"})
    assert status in (400, 404)


async def test_what_one_peer_recorded_does_not_open_for_another(target: Target, tmp_path: Path) -> None:
    """A frame is bound to its connection: the same bytes at another node are a stranger's."""
    carol = PeerNode("Red", tmp_path / "carol")
    await carol.start()
    try:
        async with target.session.post(carol.url + EXCHANGE_PATH, data=target.honest, headers=HEADERS) as answer:
            assert answer.status == 404
    finally:
        await carol.stop()


async def test_many_at_once_store_once(target: Target) -> None:
    """The same honest request ten times at the same time: one set of rows, ten receipts."""
    found = await asyncio.gather(*(target.post(EXCHANGE_PATH, target.honest) for _ in range(10)))
    assert {status for status, _, _ in found} == {200}
    assert await target.bob.issues() == ["i1"]
