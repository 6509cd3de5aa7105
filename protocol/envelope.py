r"""The envelope: one fixed binary header, one signature over it, one sealed body. Integers are big-endian.

    off len field              off len field             off len field
      0   4 "ACC1"              16  16 conn               72  32 prev
      4   1 suite = 1           32   8 skid              104  32 commit = SHA-256("ACC1 commit\0" || plaintext)
      5   1 kind                40   8 rkid              136  32 SHA-256(body)
      6   1 dir 0|1             48   8 epoch             168  64 Ed25519 over "ACC1 sig\0" || bytes 0..167
      7   1 flags, bit 0 crit   56   8 seq               232   n body = HPKE, info "ACC1 seal\0" || bytes 0..135
      8   2 hdr_len = 168       64   8 ts, ms
     10   2 zero                                         plaintext = salt (32) || codec (1) || [base (48)] || payload
     12   4 body_len

``codec`` is a set of bits. Bit 0: ``base`` follows, in the first DATA envelope of an epoch and nowhere else (see
`protocol.stream`). Bit 1: the payload of a DATA envelope is several messages (see `protocol.packing`). Others: 0.
`open_envelope` checks in this order and stops at the first failure, with one error that tells nothing: length and
constants, conn and dir, key ids, signature, body digest, HPKE, commitment, codec. The content is not parsed here.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from protocol.errors import Bad, TooLarge
from protocol.identity import ConnectionKeys, KeyStatement
from protocol.keys import check_ed25519, check_x25519, key_id
from protocol.messages import MAX_PAYLOAD
from protocol.primitives import HPKE, HPKE_OVERHEAD, RandomBytes, tagged_hash
from protocol.strict_json import MAX_INTEGER

HEADER_BYTES: Final = 168
PREFIX_BYTES: Final = 232
"""Header and signature."""
ZERO_HASH: Final = bytes(32)
CRITICAL: Final = 1
"""Flag: a receiver that does not know the message's type refuses it (302) instead of ignoring it."""
MAX_CHUNKS: Final = 4096
"""Above the 2,050 chunks of the largest file."""
_SUITE: Final = 1
_SALT: Final = 32
BASE_BYTES: Final = 48
"""What the first envelope of an epoch is longer by."""
_HAS_BASE: Final = 1
_SEVERAL: Final = 2
_MIN_BODY: Final = HPKE_OVERHEAD + _SALT + 1
_MAX_BODY: Final = _MIN_BODY + BASE_BYTES + MAX_PAYLOAD
MAX_ENVELOPE: Final = PREFIX_BYTES + _MAX_BODY
MIN_ENVELOPE: Final = PREFIX_BYTES + _MIN_BODY
_HEADER: Final = Struct(">4sBBBBHHI16s8s8sQQQ32s32s32s")
_SEALED_HEADER: Final = Struct(">4sBBBBHHI16s8s8sQQQ32s32s")
_SEALED_BYTES: Final = 136
_POSITION: Final = Struct(">QQ32s")
_SIGNATURE_CONTEXT: Final = b"ACC1 sig\0"
_SEAL_CONTEXT: Final = b"ACC1 seal\0"


class Kind(IntEnum):
    """What an envelope carries. KEY is reserved for rotation and refused by this version."""

    DATA = 1
    ACK = 2
    KEY = 3
    BLOB = 4


class Position(NamedTuple):
    """A place in one direction's stream: everything up to ``seq`` of ``epoch``, ending in ``head``."""

    epoch: int = 0
    seq: int = 0
    head: bytes = ZERO_HASH


class Header(NamedTuple):
    """The fields of a header, in its order, without the constants."""

    kind: int
    dir: int
    flags: int
    conn: bytes
    skid: bytes
    rkid: bytes
    epoch: int
    seq: int
    ts: int
    prev: bytes
    commit: bytes
    body_sha256: bytes

    @property
    def critical(self) -> bool:
        """Tell whether an unknown type must be refused."""
        return bool(self.flags & CRITICAL)


class Slot(NamedTuple):
    """Where in its stream an envelope goes. ``base`` only for the first DATA envelope of an epoch."""

    kind: Kind
    epoch: int = 0
    seq: int = 0
    prev: bytes = ZERO_HASH
    base: Position | None = None


class Sealed(NamedTuple):
    """An envelope, and the hash that the next one links to."""

    envelope: bytes
    head: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """An envelope that passed every check. ``plaintext`` and the header are what evidence needs later."""

    header: Header
    head: bytes
    base: Position | None
    several: bool
    """Whether ``payload`` is more than one message: see `protocol.packing`."""
    plaintext: bytes
    payload: bytes


@dataclass(frozen=True, slots=True, eq=False)
class SealingKeys:
    """What sealing for one connection takes; made once and kept, so that no key is parsed per message."""

    conn: bytes
    dir: int
    sk: Ed25519PrivateKey
    skid: bytes
    ek: X25519PublicKey
    rkid: bytes


@dataclass(frozen=True, slots=True, eq=False)
class OpeningKeys:
    """What opening for one connection takes; ``dir`` is the peer's direction."""

    conn: bytes
    dir: int
    sk: Ed25519PublicKey
    skid: bytes
    ek: X25519PrivateKey
    rkid: bytes


def keys_for(
    *, conn: bytes, our_dir: int, ours: ConnectionKeys, theirs: KeyStatement
) -> tuple[SealingKeys, OpeningKeys]:
    """Return the keys of a connection from our own and from the peer's verified statement."""
    sealing = SealingKeys(conn, our_dir, ours.sk, key_id(ours.public_sk), check_x25519(theirs.ek), key_id(theirs.ek))
    opening = OpeningKeys(
        conn, 1 - our_dir, check_ed25519(theirs.sk), key_id(theirs.sk), ours.ek, key_id(ours.public_ek)
    )
    return sealing, opening


def seal_envelope(
    keys: SealingKeys,
    slot: Slot,
    payload: bytes,
    *,
    now_ms: int,
    random_bytes: RandomBytes,
    several: bool = False,
    critical: bool = False,
) -> Sealed:
    """Seal and sign ``payload``, ``several`` messages or one. Sealing twice gives different bytes: store the first.

    HPKE draws its one-use key from the operating system through ``cryptography``; there is no seam for it.

    Raises:
        TooLarge: if the payload is over 1 MiB.
        ValueError: if the slot breaks the rules of its kind.
    """
    if len(payload) > MAX_PAYLOAD:
        raise TooLarge(
            f"This content takes {len(payload):,} bytes; a message holds at most {MAX_PAYLOAD:,}.",
            advice="Share less of it: see the outgoing rules of the connection.",
        )
    first = slot.kind == Kind.DATA and slot.seq == 1
    problem = _slot_problem(slot.kind, slot.epoch, slot.seq, slot.prev)
    if problem is not None or first != (slot.base is not None):
        raise ValueError(problem or "the first DATA envelope of an epoch, and no other, has a base")
    if several and slot.kind != Kind.DATA:
        raise ValueError("only a DATA envelope carries several messages")
    codec = (_HAS_BASE if first else 0) | (_SEVERAL if several else 0)
    base = b"" if slot.base is None else _POSITION.pack(*slot.base)
    plaintext = b"".join((random_bytes(_SALT), bytes((codec,)), base, payload))
    sealed_header = _SEALED_HEADER.pack(
        b"ACC1",
        _SUITE,
        slot.kind,
        keys.dir,
        CRITICAL if critical else 0,
        HEADER_BYTES,
        0,
        len(plaintext) + HPKE_OVERHEAD,
        keys.conn,
        keys.skid,
        keys.rkid,
        slot.epoch,
        slot.seq,
        now_ms,
        slot.prev,
        tagged_hash(b"ACC1 commit", plaintext),
    )
    body = HPKE.encrypt(plaintext, keys.ek, _SEAL_CONTEXT + sealed_header)
    header = sealed_header + hashlib.sha256(body).digest()
    return Sealed(b"".join((header, keys.sk.sign(_SIGNATURE_CONTEXT + header), body)), head_of(header))


def open_envelope(keys: OpeningKeys, envelope: bytes | memoryview) -> Opened:
    """Verify an envelope and return what it says; its place in the stream is for `protocol.stream` to judge.

    Raises:
        Bad: if any check fails; which one is for our own log only.
    """
    view = memoryview(envelope)
    header = peek_header(view)
    if header.conn != keys.conn or header.dir != keys.dir:
        raise Bad("another connection or direction")
    if header.skid != keys.skid or header.rkid != keys.rkid:
        raise Bad("a key that is not pinned")
    raw = bytes(view[:HEADER_BYTES])
    try:
        keys.sk.verify(view[HEADER_BYTES:PREFIX_BYTES], _SIGNATURE_CONTEXT + raw)
    except InvalidSignature:
        raise Bad("signature") from None
    body = view[PREFIX_BYTES:]
    if not hmac.compare_digest(hashlib.sha256(body).digest(), header.body_sha256):
        raise Bad("body digest")
    try:
        plaintext = HPKE.decrypt(body, keys.ek, _SEAL_CONTEXT + raw[:_SEALED_BYTES])
    except (InvalidTag, ValueError):
        raise Bad("not sealed to us") from None
    if not hmac.compare_digest(tagged_hash(b"ACC1 commit", plaintext), header.commit):
        raise Bad("commitment")
    base, several = _codec(header, plaintext)
    start = _SALT + 1 + (0 if base is None else BASE_BYTES)
    return Opened(header, head_of(raw), base, several, plaintext, plaintext[start:])


def peek_header(envelope: bytes | memoryview) -> Header:
    """Read a header for routing: form only, nothing is verified.

    Raises:
        Bad: if the length or a constant is wrong.
    """
    if not MIN_ENVELOPE <= len(envelope) <= MAX_ENVELOPE:
        raise Bad("length")
    fields = _HEADER.unpack_from(envelope)
    magic, suite, kind, direction, flags, header_bytes, zero, body_len, *rest = fields
    if (magic, suite, header_bytes, zero) != (b"ACC1", _SUITE, HEADER_BYTES, 0):
        raise Bad("constants")
    if direction > 1 or flags > CRITICAL or body_len != len(envelope) - PREFIX_BYTES:
        raise Bad("dir, flags or body_len")
    header = Header(kind, direction, flags, *rest)
    problem = _slot_problem(kind, header.epoch, header.seq, header.prev)
    if problem is not None:
        raise Bad(problem)
    return header


def head_of(header: bytes) -> bytes:
    """Return the hash that the next header names as ``prev``."""
    return tagged_hash(b"ACC1 head", header[:HEADER_BYTES])


def _slot_problem(kind: int, epoch: int, seq: int, prev: bytes) -> str | None:
    """Say what is wrong with a place in a stream, if anything."""
    if kind == Kind.DATA:
        right = epoch > 0 and 0 < seq <= MAX_INTEGER and (seq > 1 or prev == ZERO_HASH)
    elif kind == Kind.ACK:
        right = epoch == 0 and seq == 0 and prev == ZERO_HASH
    elif kind == Kind.BLOB:
        right = epoch == 0 and 0 < seq <= MAX_CHUNKS and prev == ZERO_HASH
    else:
        return "a kind that this version does not know"
    return None if right else "epoch, seq or prev that this kind cannot have"


def _codec(header: Header, plaintext: bytes) -> tuple[Position | None, bool]:
    """Return the base, if there is one, and whether the payload is several messages."""
    if len(plaintext) <= _SALT:
        raise Bad("no codec")
    codec = plaintext[_SALT]
    first = header.kind == Kind.DATA and header.seq == 1
    allowed = _SEVERAL if header.kind == Kind.DATA else 0
    if codec & ~allowed != (_HAS_BASE if first else 0):
        raise Bad("codec")
    several = bool(codec & _SEVERAL)
    if not first:
        return None, several
    if len(plaintext) < _SALT + 1 + BASE_BYTES:
        raise Bad("no base")
    return Position(*_POSITION.unpack_from(plaintext, _SALT + 1)), several
