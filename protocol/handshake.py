r"""The two messages that pair two nodes, as bytes: the invitee's request (M1) and the inviter's answer (M2).

    M1 = "ACC1 m1\0" || invite id (16) || HPKE to the code's one-use key ( HMAC-SHA256 by the code's secret || body )
    M2 = "ACC1 m2\0" || invite id (16) || HPKE to the invitee's new EK    ( signature by the inviter's NK || body )
    or "ACC1 no\0" || invite id (16): somebody else has used this invitation (a hint; it is not signed)

The HPKE ``info`` is the message's first 24 bytes. No keys are pinned yet, so these are not envelopes.
Makes and reads bytes only; what follows from them, and what is stored, is `protocol.pairing`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeVar

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pydantic import Field, ValidationError

from protocol import strict_json
from protocol.errors import Bad
from protocol.identity import KeyStatement, NodeKey, SignedStatement, verify_statement
from protocol.invitation import MAX_URLS, Label, Url
from protocol.keys import check_ed25519, check_x25519
from protocol.primitives import HPKE, Bytes32, Frozen, tagged_hash_of_parts
from protocol.version import Range

MAX_HANDSHAKE: Final = 16 * 1024
"""Bytes of M1 or M2."""
ID_BYTES: Final = 16
_PREFIX: Final = 8
_HEAD: Final = _PREFIX + ID_BYTES
_PREFIXES: Final[dict[bytes, Literal["request", "answer", "used"]]] = {
    b"ACC1 m1\0": "request",
    b"ACC1 m2\0": "answer",
    b"ACC1 no\0": "used",
}
_REQUEST, _ANSWER, _USED = _PREFIXES
_ACCEPT_CONTEXT: Final = b"ACC1 accept\0"
_MAC_CONTEXT: Final = b"ACC1 mac\0"
_MAC: Final = 32
_SIGNATURE: Final = 64


class RequestBody(Frozen):
    """What the invitee says of itself."""

    code: Bytes32
    """Digest of the invitation, as the invitee read it."""
    nk: Bytes32
    statement: SignedStatement
    nonce: Bytes32
    protocol: Range
    urls: Annotated[tuple[Url, ...], Field(strict=False, max_length=MAX_URLS)] = ()
    label: Label = ""


class AnswerBody(Frozen):
    """What the inviter answers: it opens its commitment and names exactly the request that it answers."""

    request: Bytes32
    """SHA-256 of M1."""
    statement: SignedStatement
    nonce: Bytes32
    version: Annotated[int, Field(ge=1, le=255)]


@dataclass(frozen=True)
class Request:
    """A request that verified, with the bytes that go into the transcript."""

    body: RequestBody
    body_bytes: bytes
    statement: KeyStatement


@dataclass(frozen=True)
class Answer:
    """An answer that verified, with the bytes that go into the transcript."""

    body: AnswerBody
    body_bytes: bytes
    statement: KeyStatement


def peek(message: bytes) -> tuple[Literal["request", "answer", "used"], bytes]:
    """Return the kind of a pairing message and the invite id, for routing only: nothing is verified.

    Raises:
        Bad: if it is no pairing message.
    """
    kind = _PREFIXES.get(message[:_PREFIX])
    if kind is None or not _HEAD <= len(message) <= MAX_HANDSHAKE or (kind == "used") != (len(message) == _HEAD):
        raise Bad("not a pairing message")
    return kind, message[_PREFIX:_HEAD]


def peek_for(message: bytes, invite_id: bytes) -> Literal["request", "answer", "used"]:
    """Return the kind of a pairing message that is about this invitation.

    Raises:
        Bad: if it is no pairing message, or about another invitation.
    """
    kind, about = peek(message)
    if about != invite_id:
        raise Bad("a pairing message about another invitation")
    return kind


def seal_request(body: RequestBody, *, invite_id: bytes, request_key: bytes, secret: bytes) -> tuple[bytes, bytes]:
    """Return M1 and the body's bytes."""
    body_bytes = strict_json.dump(body.model_dump())
    head = _REQUEST + invite_id
    sealed = HPKE.encrypt(_mac(secret, body_bytes) + body_bytes, check_x25519(request_key), head)
    return head + sealed, body_bytes


def open_request(m1: bytes, *, request_key: X25519PrivateKey, secret: bytes, conn: bytes) -> Request:
    """Verify M1: sealed to this invitation, by somebody who has the code, with a statement whose keys it owns.

    Raises:
        Bad: if any of it does not hold.
    """
    plaintext = _open(m1, _REQUEST, request_key)
    mac, body_bytes = plaintext[:_MAC], plaintext[_MAC:]
    if not hmac.compare_digest(mac, _mac(secret, body_bytes)):
        raise Bad("a request by somebody without the code")
    body = _read(body_bytes, RequestBody.model_validate)
    statement = verify_statement(body.statement, conn=conn, node_key=body.nk)
    return Request(body, body_bytes, statement)


def seal_answer(body: AnswerBody, *, invite_id: bytes, recipient_ek: bytes, node_key: NodeKey) -> tuple[bytes, bytes]:
    """Return M2 and the body's bytes."""
    body_bytes = strict_json.dump(body.model_dump())
    head = _ANSWER + invite_id
    sealed = HPKE.encrypt(node_key.sign(_ACCEPT_CONTEXT, body_bytes) + body_bytes, check_x25519(recipient_ek), head)
    return head + sealed, body_bytes


def open_answer(m2: bytes, *, ek: X25519PrivateKey, node_key: bytes, conn: bytes, m1: bytes) -> Answer:
    """Verify M2: signed by the node key of the code, for exactly our request.

    Raises:
        Bad: if any of it does not hold.
    """
    plaintext = _open(m2, _ANSWER, ek)
    signature, body_bytes = plaintext[:_SIGNATURE], plaintext[_SIGNATURE:]
    try:
        check_ed25519(node_key).verify(signature, _ACCEPT_CONTEXT + body_bytes)
    except InvalidSignature:
        raise Bad("an answer that the inviter's node key did not sign") from None
    body = _read(body_bytes, AnswerBody.model_validate)
    if not hmac.compare_digest(body.request, hashlib.sha256(m1).digest()):
        raise Bad("an answer to another request")
    statement = verify_statement(body.statement, conn=conn, node_key=node_key)
    return Answer(body, body_bytes, statement)


def used(invite_id: bytes) -> bytes:
    """Return the answer to another request with the same invitation."""
    return _USED + invite_id


def transcript(*, code: bytes, inviter: bytes, invitee: bytes, request: bytes, answer: bytes) -> bytes:
    """Return the hash of all that both sides said; ``request`` and ``answer`` are the bodies' bytes, nonces inside."""
    return tagged_hash_of_parts(b"ACC1 transcript", code, inviter, invitee, request, answer)


def short_code(transcript_hash: bytes) -> str:
    """Return the 12 digits that the two admins compare."""
    number = int.from_bytes(tagged_hash_of_parts(b"ACC1 sas", transcript_hash)[:8], "big")
    return f"{number % 10**12:012d}"


def _mac(secret: bytes, body: bytes) -> bytes:
    return hmac.new(secret, _MAC_CONTEXT + body, hashlib.sha256).digest()


def _open(message: bytes, prefix: bytes, key: X25519PrivateKey) -> bytes:
    peek(message)
    if message[:_PREFIX] != prefix:
        raise Bad("another kind of pairing message")
    try:
        return HPKE.decrypt(message[_HEAD:], key, message[:_HEAD])
    except (InvalidTag, ValueError):
        raise Bad("a pairing message that is not sealed to us") from None


_M = TypeVar("_M")


def _read(body: bytes, validate: Callable[[strict_json.Json], _M]) -> _M:
    try:
        return validate(strict_json.parse_object(body))
    except ValidationError:
        raise Bad("a pairing message with an unknown content") from None
