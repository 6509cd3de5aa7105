"""Who a node is: its node key, its keys for one connection, and the signed statement that ties them together.

The node key (NK, Ed25519) signs key statements and the answer to a pairing request, nothing else. Every connection has
its own SK (Ed25519, signs envelopes) and EK (X25519, receives), so two partners cannot tell that they talk to the same
node by its keys. A private key leaves an object only by ``to_bytes``, for a file that only the node's user can read.
Never fetches a key, and never trusts one because a message names it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pydantic import Field, ValidationError
from typing_extensions import override

from protocol import strict_json
from protocol.errors import Bad
from protocol.fingerprint import fingerprint
from protocol.keys import check_ed25519, check_x25519, key_id
from protocol.primitives import Bytes8, Bytes16, Bytes32, Bytes64, Frozen, RandomBytes
from protocol.strict_json import MAX_INTEGER

KEY_BYTES: Final = 32
MAX_STATEMENT_BYTES: Final = 4096
MAX_STATEMENT_VERSION: Final = (1 << 32) - 1
"""It is the high half of an epoch."""
MAX_REVOKED: Final = 64
_STATEMENT_CONTEXT: Final = b"ACC1 keys\0"
_POSSESSION_CONTEXT: Final = b"ACC1 pop\0"


@dataclass(frozen=True, eq=False)
class NodeKey:
    """The long-lived key of a node."""

    _private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls, random_bytes: RandomBytes) -> NodeKey:
        """Make a new one."""
        return cls.from_bytes(random_bytes(KEY_BYTES))

    @classmethod
    def from_bytes(cls, data: bytes) -> NodeKey:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: if it is not 32 bytes.
        """
        return cls(Ed25519PrivateKey.from_private_bytes(data))

    def to_bytes(self) -> bytes:
        """Return the 32 secret bytes, for a file that only the node's user can read."""
        return self._private.private_bytes_raw()

    @cached_property
    def public(self) -> bytes:
        """The 32 bytes that everybody may know."""
        return self._private.public_key().public_bytes_raw()

    @property
    def fingerprint(self) -> str:
        """The name to read aloud."""
        return fingerprint(self.public)

    def sign(self, context: bytes, data: bytes) -> bytes:
        """Sign ``context || data``; ``context`` starts with ``ACC1`` and ends with a zero byte."""
        if not (context.startswith(b"ACC1 ") and context.endswith(b"\0")):
            raise ValueError("a signature needs a context of its own")
        return self._private.sign(context + data)

    @override
    def __repr__(self) -> str:
        return f"NodeKey({self.fingerprint})"


@dataclass(frozen=True, eq=False)
class ConnectionKeys:
    """Our two keys for one connection: ``sk`` signs envelopes, ``ek`` receives."""

    sk: Ed25519PrivateKey = field(repr=False)
    ek: X25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls, random_bytes: RandomBytes) -> ConnectionKeys:
        """Make new ones."""
        return cls.from_bytes(random_bytes(2 * KEY_BYTES))

    @classmethod
    def from_bytes(cls, data: bytes) -> ConnectionKeys:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: if it is not 64 bytes.
        """
        return cls(
            Ed25519PrivateKey.from_private_bytes(data[:KEY_BYTES]),
            X25519PrivateKey.from_private_bytes(data[KEY_BYTES:]),
        )

    def to_bytes(self) -> bytes:
        """Return the 64 secret bytes (SK, EK), for a file that only the node's user can read."""
        return self.sk.private_bytes_raw() + self.ek.private_bytes_raw()

    @cached_property
    def public_sk(self) -> bytes:
        """The 32 bytes that verify our envelopes."""
        return self.sk.public_key().public_bytes_raw()

    @cached_property
    def public_ek(self) -> bytes:
        """The 32 bytes that the peer seals to."""
        return self.ek.public_key().public_bytes_raw()

    @override
    def __repr__(self) -> str:
        return f"ConnectionKeys(sk={key_id(self.public_sk).hex()}, ek={key_id(self.public_ek).hex()})"


class LastGood(Frozen):
    """The last position of a stream that its owner still vouches for, when it revokes a key."""

    e: Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,19})$")]
    s: Annotated[int, Field(ge=0, le=MAX_INTEGER)]
    h: Bytes32


class KeyStatement(Frozen):
    """What one side says its keys for one connection are. ``v`` only ever rises; ``prev`` chains the statements."""

    v: Annotated[int, Field(ge=1, le=MAX_STATEMENT_VERSION)]
    conn: Bytes16
    nk: Bytes32
    sk: Bytes32
    ek: Bytes32
    prev: Bytes32 | None = None
    revoked: Annotated[tuple[Bytes8, ...], Field(strict=False, max_length=MAX_REVOKED)] = ()
    last_good: LastGood | None = None


class SignedStatement(Frozen):
    """A key statement as it travels and is stored, verbatim: its JSON text and two signatures over these bytes."""

    b: Annotated[str, Field(max_length=MAX_STATEMENT_BYTES)]
    nk_sig: Bytes64
    sk_sig: Bytes64

    @property
    def digest(self) -> bytes:
        """SHA-256 of the statement's bytes: what the next one names as ``prev``."""
        return hashlib.sha256(self.b.encode()).digest()


def issue_statement(
    node_key: NodeKey,
    keys: ConnectionKeys,
    *,
    conn: bytes,
    version: int = 1,
    previous: SignedStatement | None = None,
    revoked: tuple[bytes, ...] = (),
    last_good: LastGood | None = None,
) -> SignedStatement:
    """Sign a statement of our keys for connection ``conn``.

    Raises:
        ValueError: if something is out of range (pydantic's ValidationError is one).
    """
    statement = KeyStatement(
        v=version,
        conn=conn,
        nk=node_key.public,
        sk=keys.public_sk,
        ek=keys.public_ek,
        prev=previous.digest if previous else None,
        revoked=revoked,
        last_good=last_good,
    )
    body = strict_json.dump(statement.model_dump())
    return SignedStatement(
        b=body.decode(),
        nk_sig=node_key.sign(_STATEMENT_CONTEXT, body),
        sk_sig=keys.sk.sign(_POSSESSION_CONTEXT + body),
    )


def verify_statement(
    signed: SignedStatement, *, conn: bytes, node_key: bytes, pinned: SignedStatement | None = None
) -> KeyStatement:
    """Return what ``signed`` says, once it is safe to pin in place of ``pinned``.

    ``node_key`` is the peer's pinned node key, or for a first statement the one that the pairing authenticates.

    Raises:
        Bad: if a signature, a key, the connection, the version or the chain is wrong.
    """
    body = signed.b.encode("utf-8", "surrogatepass")
    try:
        check_ed25519(node_key).verify(signed.nk_sig, _STATEMENT_CONTEXT + body)
    except InvalidSignature:
        raise Bad("the node key did not sign the key statement") from None
    statement = _parse(body)
    try:
        check_ed25519(statement.sk).verify(signed.sk_sig, _POSSESSION_CONTEXT + body)
    except InvalidSignature:
        raise Bad("the key statement does not prove possession of SK") from None
    check_x25519(statement.ek)
    if statement.conn != conn or statement.nk != node_key:
        raise Bad("a key statement for another connection or node")
    _check_succession(statement, pinned)
    return statement


def read_statement(signed: SignedStatement) -> KeyStatement:
    """Return what a statement says that we have verified before, when it was pinned and stored.

    Raises:
        Bad: if what was stored is not a key statement.
    """
    return _parse(signed.b.encode("utf-8", "surrogatepass"))


def _check_succession(statement: KeyStatement, pinned: SignedStatement | None) -> None:
    if pinned is None:
        if statement.prev is not None:
            raise Bad("a first key statement that names a previous one")
        return
    if statement.v <= read_statement(pinned).v:
        raise Bad("a key statement that is not newer")
    if statement.prev != pinned.digest:
        raise Bad("a key statement that does not follow the pinned one")


def next_version(pinned: int, now: float) -> int:
    """Return the version of our next statement: above the last, and above what a peer of our lost past may have pinned.

    ``now`` is in Unix seconds; unix minutes overtake every version that a node restored from a backup has forgotten.
    """
    return max(pinned + 1, int(now // 60))


def _parse(body: bytes) -> KeyStatement:
    try:
        return KeyStatement.model_validate(strict_json.parse_object(body))
    except ValidationError:
        raise Bad("not a key statement") from None
