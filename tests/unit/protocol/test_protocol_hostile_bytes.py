"""Whatever bytes come from outside, `Bad` is all that comes out of a parser; and the rules of the house hold."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import protocol
from protocol import handshake, strict_json
from protocol.ack import dump_ack, parse_ack
from protocol.blob import parse_chunk
from protocol.envelope import (
    HEADER_BYTES,
    MAX_ENVELOPE,
    PREFIX_BYTES,
    Kind,
    Position,
    Slot,
    open_envelope,
    peek_header,
    seal_envelope,
)
from protocol.errors import Bad, TooLarge
from protocol.fingerprint import parse_fingerprint
from protocol.framing import split_frames
from protocol.identity import ConnectionKeys, NodeKey, SignedStatement, next_version, verify_statement
from protocol.invitation import Invitation
from protocol.keys import check_ed25519, check_x25519
from protocol.messages import (
    MAX_PAYLOAD,
    IssueReplica,
    Message,
    Outcome,
    Result,
    UnknownMessage,
    dump_message,
    parse_message,
)
from protocol.primitives import from_base64url
from protocol.replica import Replica, ReplicaComment
from protocol.stream import RxState, make_ack, start_tx
from tests.support.paired import pair, seeded

ALICE, BOB = pair("hostile bytes")
random_bytes = seeded("hostile bytes 2")
SLOT = Slot(Kind.DATA, (1 << 32) | 1, 2, b"p" * 32)
GOOD = seal_envelope(ALICE.sealing, SLOT, b'{"t":"conn.close"}', now_ms=1, random_bytes=random_bytes).envelope
MESSAGE = dump_message(
    IssueReplica(
        mid="m",
        revision=1,
        changed={"summary": 1},
        replica=Replica(
            issue="1", fields={"summary": "x", "labels": ["a"]}, comments=(ReplicaComment(id="1", body="x"),)
        ),
    )
)
OUTCOME = dump_message(Outcome(results=(Result(mid="m", c=305, f=(1, 2)),)))
ACK = dump_ack(make_ack(start_tx(1, bytes(16)), RxState(), messages=1, size=1, missing={"ab" * 32: ((0, 3),)}))
STATEMENT = ALICE.established.our_statement
CHUNK_HEADER = peek_header(
    seal_envelope(ALICE.sealing, Slot(Kind.BLOB, seq=1), b"x", now_ms=0, random_bytes=random_bytes).envelope
)


def open_as_bob(data: bytes) -> object:
    return open_envelope(BOB.opening, data)


def read_statement_text(data: bytes) -> object:
    text = data.decode("utf-8", "replace")
    forged = SignedStatement(
        b=text[:4096],
        nk_sig=ALICE.node_key.sign(b"ACC1 keys\0", text[:4096].encode()),
        sk_sig=bytes(64),
    )
    return verify_statement(forged, conn=ALICE.established.conn, node_key=ALICE.node_key.public)


PARSERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "envelope": (open_as_bob, GOOD),
    "header": (peek_header, GOOD),
    "frames": (split_frames, len(GOOD).to_bytes(4, "big") + GOOD),
    "strict JSON": (strict_json.parse, MESSAGE),
    "message": (parse_message, MESSAGE),
    "outcome": (parse_message, OUTCOME),
    "receipt": (parse_ack, ACK),
    "chunk": (lambda data: parse_chunk(CHUNK_HEADER, data), bytes(40)),
    "statement": (read_statement_text, STATEMENT.b.encode()),
    "pairing message": (handshake.peek, b"ACC1 m1\0" + bytes(100)),
    "invitation code": (lambda data: Invitation.from_code(data.decode("latin-1")), b"accord1.eyJ2IjoxfQ"),
    "fingerprint": (lambda data: parse_fingerprint(data.decode("latin-1")), ALICE.node_key.fingerprint.encode()),
    "base64url": (lambda data: from_base64url(data.decode("latin-1")), b"AAAA"),
    "Ed25519 key": (check_ed25519, ALICE.node_key.public),
    "X25519 key": (check_x25519, ALICE.established.keys.public_ek),
}


@st.composite
def spoilt(draw: st.DrawFn, good: bytes) -> bytes:
    """Return ``good`` with a few bytes replaced, removed, repeated or put in."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 8))] = draw(st.binary(max_size=8) | st.sampled_from(TOKENS))
    return bytes(data)


TOKENS = [b'"', b"{", b"[", b"]", b"}", b",", b":", b"1e9", b"-1", b"null", b"\\ud800", b"9" * 30, b"\xff", b'""']


@pytest.mark.parametrize("name", sorted(PARSERS))
@given(data=st.data())
@settings(max_examples=150)
def test_only_bad_comes_out_of_a_parser(name: str, data: st.DataObject) -> None:
    """Random bytes and spoilt good ones are read or refused, and never anything else."""
    parse, good = PARSERS[name]
    raw = data.draw(st.binary(max_size=400) | spoilt(good))
    try:
        parse(raw)
    except Bad as error:
        assert str(error)  # noqa: PT017  # any other exception fails the test by itself


@given(st.binary(max_size=400) | spoilt(MESSAGE) | spoilt(OUTCOME))
def test_a_paired_peer_cannot_break_a_reader_either(payload: bytes) -> None:
    """Any payload may stand behind a valid signature and seal; it opens, and its content is read or refused."""
    sealed = seal_envelope(ALICE.sealing, SLOT, payload, now_ms=1, random_bytes=random_bytes)
    opened = open_envelope(BOB.opening, sealed.envelope)
    assert opened.payload == payload
    assert opened.head == sealed.head
    message: Message
    try:
        message = parse_message(opened.payload)
    except Bad:
        return
    if not isinstance(message, UnknownMessage):
        assert parse_message(dump_message(message)) == message


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 7))
@settings(max_examples=300)
def test_no_bit_of_an_envelope_can_be_changed(at: int, bit: int) -> None:
    """Every bit, of header, signature and body, is covered."""
    changed = bytearray(GOOD)
    changed[at] ^= 1 << bit
    with pytest.raises(Bad, match=Bad.TEXT):
        open_envelope(BOB.opening, bytes(changed))


def test_envelopes_open_only_where_they_belong() -> None:
    """Not at their sender (reflection), and not on another connection of the same people."""
    elsewhere, _ = pair("elsewhere")
    for keys in (ALICE.opening, elsewhere.opening):
        with pytest.raises(Bad):
            open_envelope(keys, GOOD)


def test_every_good_slot_comes_back() -> None:
    """Header, base, time and flag are what was put in."""
    base = Position(7, 9, b"h" * 32)
    slot = Slot(Kind.DATA, (1 << 32) | 2, 1, base=base)
    sealed = seal_envelope(ALICE.sealing, slot, b"x", now_ms=123, random_bytes=random_bytes, critical=True)
    opened = open_envelope(BOB.opening, memoryview(sealed.envelope))
    assert opened.base == base
    assert (opened.header.epoch, opened.header.seq, opened.header.ts) == ((1 << 32) | 2, 1, 123)
    assert opened.header.critical
    assert opened.plaintext.endswith(opened.payload)
    assert len(sealed.envelope) == PREFIX_BYTES + 48 + len(opened.plaintext)
    assert len(sealed.envelope) > HEADER_BYTES


def test_the_largest_payload_fits_and_one_byte_more_does_not() -> None:
    """One MiB travels; what is larger is told before it is sealed."""
    slot = Slot(Kind.DATA, (1 << 32) | 1, 1, base=Position())
    sealed = seal_envelope(ALICE.sealing, slot, bytes(MAX_PAYLOAD), now_ms=0, random_bytes=random_bytes)
    assert len(sealed.envelope) == MAX_ENVELOPE
    assert len(open_envelope(BOB.opening, sealed.envelope).payload) == MAX_PAYLOAD
    with pytest.raises(TooLarge):
        seal_envelope(ALICE.sealing, SLOT, bytes(MAX_PAYLOAD + 1), now_ms=0, random_bytes=random_bytes)
    with pytest.raises(Bad):
        peek_header(sealed.envelope + b"\0")


@pytest.mark.parametrize(
    "slot",
    [
        Slot(Kind.DATA, 0, 1, base=Position()),
        Slot(Kind.DATA, 1, 0),
        Slot(Kind.DATA, 1, 1),
        Slot(Kind.DATA, 1, 2, base=Position()),
        Slot(Kind.ACK, 1),
        Slot(Kind.BLOB),
        Slot(Kind.KEY),
    ],
)
def test_sealing_into_a_wrong_slot_is_our_own_mistake(slot: Slot) -> None:
    """What no receiver would take is not sealed."""
    with pytest.raises(ValueError, match=r"base|epoch, seq|kind"):
        seal_envelope(ALICE.sealing, slot, b"x", now_ms=0, random_bytes=random_bytes)


def test_keys_come_back_from_their_files() -> None:
    """What was kept in a file is the same key again."""
    keys = ALICE.established.keys
    assert NodeKey.from_bytes(ALICE.node_key.to_bytes()).public == ALICE.node_key.public
    assert ConnectionKeys.from_bytes(keys.to_bytes()).public_sk == keys.public_sk
    for short in (b"", bytes(31)):
        with pytest.raises(ValueError, match="32"):
            NodeKey.from_bytes(short)


def test_a_node_key_signs_nothing_without_a_context() -> None:
    """So that no signature of it is ever valid for anything else."""
    for context in (b"", b"ACC1 keys", b"keys\0"):
        with pytest.raises(ValueError, match="context"):
            ALICE.node_key.sign(context, b"x")


def test_statement_versions_overtake_a_forgotten_past() -> None:
    """By one, or to the minute of the clock, whichever is higher."""
    assert next_version(5, now=0) == 6
    assert next_version(5, now=1_700_000_000) == 1_700_000_000 // 60


PURE = {"asyncio", "datetime", "logging", "node", "os", "pathlib", "random", "secrets", "socket", "sqlite3", "time"}


@pytest.mark.parametrize("path", sorted(Path(protocol.__file__).parent.glob("*.py")), ids=lambda path: path.name)
def test_the_protocol_is_pure(path: Path) -> None:
    """No I/O, no clock, no randomness of its own, nothing of the node."""
    imported: set[str] = set()
    for part in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(part, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in part.names}
        elif isinstance(part, ast.ImportFrom):
            imported.add((part.module or "").split(".")[0])
        assert not isinstance(part, (ast.AsyncFunctionDef, ast.Await))
    assert not imported & PURE
