"""How two nodes become a connection: pure steps over the table of `protocol.pairing_state`.

    inviter                                    invitee
    invite() -> code   ---- out of band ---->  request() -> M1, keys
    receive_request()  <-------- M1 ---------
                       --------- M2 -------->  receive_answer()            -> connection
    receive_confirm()  <- first envelope -----  {"t":"pair.confirm"}        -> active on both sides
    compare()          <- by voice or chat ->  compare()                   -> verified

Each step takes the stored record and what came in, and returns the new record and what to send: one transaction of the
caller, who stores first and sends then. Keys are handed over apart, for the key file. A connection is active once the
handshake ends, and shown as *unverified* until the short codes were compared; a node may demand the comparison first.
Never reads a clock, never sends, never logs.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Any, Final, TypeVar

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from protocol import handshake
from protocol.errors import Bad, Mistyped, NotNow, VersionMismatch
from protocol.fingerprint import fingerprint, parse_fingerprint, same_fingerprint
from protocol.identity import ConnectionKeys, NodeKey, issue_statement
from protocol.invitation import DEFAULT_VALIDITY, MAX_VALIDITY, Invitation, Terms, commit_to
from protocol.pairing_state import (
    TABLE,
    Established,
    Event,
    InviteePairing,
    InviterPairing,
    Pairing,
    Reception,
    Role,
    State,
    Verdict,
)
from protocol.primitives import RandomBytes, from_base64url, to_base64url
from protocol.version import SPOKEN, agree

__all__ = [
    "Established",
    "Event",
    "InviteePairing",
    "InviterPairing",
    "Pairing",
    "Reception",
    "Role",
    "State",
    "Verdict",
    "cancel",
    "compare",
    "expire",
    "invite",
    "receive_answer",
    "receive_confirm",
    "receive_request",
    "request",
]

MAX_WRONG_REQUESTS: Final = 10
"""Requests that fail on one invitation before it is locked."""
PATIENCE: Final = 14 * 24 * 3600
"""Seconds without progress until a pairing has failed."""
_NONCE: Final = 32
_ID: Final = 16
_P = TypeVar("_P", bound=Pairing)


def invite(
    *,
    node_key: NodeKey,
    now: int,
    random_bytes: RandomBytes,
    urls: tuple[str, ...] = (),
    label: str = "",
    valid_for: int = DEFAULT_VALIDITY,
    only_for: str | None = None,
    must_compare: bool = False,
) -> InviterPairing:
    """Make an invitation; its ``code`` is what to hand over. ``only_for`` is the fingerprint of the one guest.

    Raises:
        ValueError: if a URL, the label or the validity (seconds, at most 14 days) is out of range.
        Mistyped: if ``only_for`` is not a fingerprint.
        InvitationUnusable: if it all does not fit into one code.
    """
    if not 0 < valid_for <= MAX_VALIDITY:
        raise ValueError(f"an invitation is valid for at most {MAX_VALIDITY} seconds")
    nonce, secret, request_key = random_bytes(_NONCE), random_bytes(_NONCE), random_bytes(_NONCE)
    invitation = Invitation.of(
        Terms(
            protocol=SPOKEN,
            id=random_bytes(_ID),
            node_key=node_key.public,
            request_key=X25519PrivateKey.from_private_bytes(request_key).public_key().public_bytes_raw(),
            secret=secret,
            commitment=commit_to(nonce),
            expires=now + valid_for,
            urls=urls,
            only_for=parse_fingerprint(only_for) if only_for is not None else None,
            label=label,
        )
    )
    return InviterPairing(
        state=State.INVITED,
        id=invitation.terms.id,
        conn=invitation.connection_id,
        code_digest=invitation.digest,
        deadline=invitation.terms.expires,
        must_compare=must_compare,
        node_key=node_key.public,
        only_for=invitation.terms.only_for,
        code_body=to_base64url(invitation.body),
        secret=secret,
        request_key=request_key,
        nonce=nonce,
    )


def request(
    invitation: Invitation,
    *,
    node_key: NodeKey,
    now: int,
    random_bytes: RandomBytes,
    urls: tuple[str, ...] = (),
    label: str = "",
    must_compare: bool = False,
) -> tuple[InviteePairing, ConnectionKeys]:
    """Ask to be paired; send ``pairing.request_bytes`` until an answer comes. Keep the keys apart from the record.

    Raises:
        InvitationUnusable: if the invitation is our own, or for another node.
        VersionMismatch: if the two nodes share no version.
        ValueError: if a URL or the label is out of range.
    """
    invitation.check_usable_by(node_key.public)
    terms = invitation.terms
    keys = ConnectionKeys.generate(random_bytes)
    statement = issue_statement(node_key, keys, conn=invitation.connection_id)
    body = handshake.RequestBody(
        code=invitation.digest,
        nk=node_key.public,
        statement=statement,
        nonce=random_bytes(_NONCE),
        protocol=SPOKEN,
        urls=urls,
        label=label,
    )
    m1, body_bytes = handshake.seal_request(
        body, invite_id=terms.id, request_key=terms.request_key, secret=terms.secret
    )
    pairing = InviteePairing(
        state=State.REQUESTED,
        id=terms.id,
        conn=invitation.connection_id,
        code_digest=invitation.digest,
        deadline=now + PATIENCE,
        must_compare=must_compare,
        node_key=node_key.public,
        inviter_node_key=terms.node_key,
        inviter_label=terms.label,
        inviter_urls=terms.urls,
        protocol=terms.protocol,
        commitment=terms.commitment,
        request=to_base64url(m1),
        request_body=to_base64url(body_bytes),
        statement=statement,
    )
    return pairing, keys


def receive_request(
    pairing: InviterPairing, m1: bytes, *, node_key: NodeKey, now: int, random_bytes: RandomBytes
) -> Reception[InviterPairing]:
    """Judge a request for our invitation. Never raises for what came in: what is wrong is a verdict."""
    if pairing.request_digest is not None:
        return _receive_again(pairing, m1)
    if pairing.state is not State.INVITED:
        return Reception(pairing, Verdict.REFUSED, reason=f"the invitation is {pairing.state}")
    if now >= pairing.deadline:
        return Reception(_move(pairing, Event.EXPIRE), Verdict.REFUSED, reason="the invitation has expired")
    try:
        opened = _open_request(pairing, m1)
    except (Bad, VersionMismatch) as error:
        counted = pairing.model_copy(update={"wrong_requests": pairing.wrong_requests + 1})
        if counted.wrong_requests >= MAX_WRONG_REQUESTS:
            counted = _move(counted, Event.LOCK)
        return Reception(counted, Verdict.REFUSED, reason=error.reason if isinstance(error, Bad) else error.message)
    return _accept(pairing, m1, opened, node_key=node_key, now=now, random_bytes=random_bytes)


def receive_answer(
    pairing: InviteePairing, message: bytes, *, keys: ConnectionKeys, now: int
) -> Reception[InviteePairing]:
    """Judge the answer to our request. Never raises for what came in: what is wrong is a verdict.

    ``USED`` is a hint that nobody signed: nothing changes, and the admin should call the partner.
    """
    if pairing.state is not State.REQUESTED:
        return Reception(pairing, Verdict.REPEATED, reason=f"the pairing is {pairing.state}")
    try:
        if handshake.peek_for(message, pairing.id) == "used":
            return Reception(pairing, Verdict.USED, reason="the inviter says that this invitation was used")
        answer = _open_answer(pairing, message, keys)
    except Bad as error:
        return Reception(pairing, Verdict.REFUSED, reason=error.reason)
    digest = handshake.transcript(
        code=pairing.code_digest,
        inviter=pairing.inviter_node_key,
        invitee=pairing.node_key,
        request=from_base64url(pairing.request_body),
        answer=answer.body_bytes,
    )
    established = Established(
        conn=pairing.conn,
        our_dir=1,
        keys=keys,
        our_statement=pairing.statement,
        peer_node_key=pairing.inviter_node_key,
        peer_statement=answer.body.statement,
        peer_label=pairing.inviter_label,
        peer_urls=pairing.inviter_urls,
        version=answer.body.version,
    )
    coded = pairing.model_copy(update={"short_code": handshake.short_code(digest), "deadline": now + PATIENCE})
    return Reception(_complete(coded), Verdict.ACCEPTED, established=established)


def receive_confirm(pairing: InviterPairing, *, now: int) -> InviterPairing:
    """Note the invitee's first envelope: it has our answer. The same again changes nothing.

    Raises:
        NotNow: if nobody was accepted, or the pairing has ended.
    """
    if pairing.state in (State.ACTIVE, State.COMPARING):
        return pairing
    return _complete(pairing.model_copy(update={"deadline": now + PATIENCE}))


def compare(pairing: _P, typed: str) -> _P:
    """Check the six digits that the admin typed from the other side's screen, in constant time.

    A wrong entry costs one of three tries; after the last the pairing is rejected and its keys must be destroyed.

    Raises:
        Mistyped: if it is not six digits; that costs no try.
        NotNow: if there is nothing to compare.
    """
    if pairing.short_code is None:
        raise NotNow(f"There are no short codes to compare: the pairing is {pairing.state}.")
    digits = re.sub(r"[\s-]", "", typed)
    if not re.fullmatch(r"[0-9]{6}", digits):
        raise Mistyped("The short code has six digits.", advice="Type the six digits that the other admin reads out.")
    if hmac.compare_digest(digits.encode(), pairing.theirs_to_read_out.encode()):
        return _move(pairing, Event.MATCH, verified=True)
    if pairing.tries_left <= 1:
        return _move(pairing, Event.DIFFER, tries_left=0, verified=False)
    return pairing.model_copy(update={"tries_left": pairing.tries_left - 1})


def cancel(pairing: _P) -> _P:
    """End a pairing that is not active yet; a code that is out can no longer be used.

    Raises:
        NotNow: if it is active or has ended.
    """
    return _move(pairing, Event.CANCEL)


def expire(pairing: _P, *, now: int) -> _P:
    """End a pairing whose time is over; called from a timer as often as one likes."""
    event = Event.EXPIRE if pairing.state is State.INVITED else Event.TIMEOUT
    if now < pairing.deadline or (pairing.role, pairing.state, event) not in TABLE:
        return pairing
    return _move(pairing, event)


def _receive_again(pairing: InviterPairing, m1: bytes) -> Reception[InviterPairing]:
    if pairing.answer is None:
        return Reception(pairing, Verdict.REFUSED, reason=f"the pairing is {pairing.state}")
    if hmac.compare_digest(pairing.request_digest or b"", hashlib.sha256(m1).digest()):
        return Reception(pairing, Verdict.REPEATED, from_base64url(pairing.answer))
    return Reception(
        pairing, Verdict.USED, handshake.used(pairing.id), reason="a second request with a used invitation"
    )


def _open_request(pairing: InviterPairing, m1: bytes) -> handshake.Request:
    if pairing.secret is None or pairing.request_key is None:
        raise Bad("an invitation without its secrets")
    opened = handshake.open_request(
        m1,
        request_key=X25519PrivateKey.from_private_bytes(pairing.request_key),
        secret=pairing.secret,
        conn=pairing.conn,
    )
    body = opened.body
    if not hmac.compare_digest(body.code, pairing.code_digest):
        raise Bad("a request that read another code than ours")
    if body.nk == pairing.node_key:
        raise Bad("a request by ourselves")
    if pairing.only_for is not None and not same_fingerprint(pairing.only_for, fingerprint(body.nk)):
        raise Bad("a request by another node than the one invited")
    agree(body.protocol)
    return opened


def _accept(
    pairing: InviterPairing,
    m1: bytes,
    opened: handshake.Request,
    *,
    node_key: NodeKey,
    now: int,
    random_bytes: RandomBytes,
) -> Reception[InviterPairing]:
    keys = ConnectionKeys.generate(random_bytes)
    body = handshake.AnswerBody(
        request=hashlib.sha256(m1).digest(),
        statement=issue_statement(node_key, keys, conn=pairing.conn),
        nonce=pairing.nonce or b"",
        version=agree(opened.body.protocol),
    )
    m2, body_bytes = handshake.seal_answer(
        body, invite_id=pairing.id, recipient_ek=opened.statement.ek, node_key=node_key
    )
    digest = handshake.transcript(
        code=pairing.code_digest,
        inviter=node_key.public,
        invitee=opened.body.nk,
        request=opened.body_bytes,
        answer=body_bytes,
    )
    established = Established(
        conn=pairing.conn,
        our_dir=0,
        keys=keys,
        our_statement=body.statement,
        peer_node_key=opened.body.nk,
        peer_statement=opened.body.statement,
        peer_label=opened.body.label,
        peer_urls=opened.body.urls,
        version=body.version,
    )
    accepted = _move(
        pairing,
        Event.REQUEST,
        request_digest=body.request,
        answer=to_base64url(m2),
        short_code=handshake.short_code(digest),
        deadline=now + PATIENCE,
    )
    return Reception(accepted, Verdict.ACCEPTED, m2, established)


def _open_answer(pairing: InviteePairing, message: bytes, keys: ConnectionKeys) -> handshake.Answer:
    answer = handshake.open_answer(
        message,
        ek=keys.ek,
        node_key=pairing.inviter_node_key,
        conn=pairing.conn,
        m1=pairing.request_bytes,
    )
    if not hmac.compare_digest(commit_to(answer.body.nonce), pairing.commitment):
        raise Bad("an answer that does not open the commitment of the code")
    lowest, highest = max(SPOKEN[0], pairing.protocol[0]), min(SPOKEN[1], pairing.protocol[1])
    if not lowest <= answer.body.version <= highest:
        raise Bad("an answer with a version that was not offered")
    return answer


def _complete(pairing: _P) -> _P:
    return _move(pairing, Event.HOLD if pairing.must_compare and not pairing.verified else Event.COMPLETE)


_SECRETS_OF_A_CODE: Final = ("code_body", "secret", "request_key", "nonce")
_SECRETS_OF_A_HANDSHAKE: Final = ("answer", "short_code")
_ENDS: Final = frozenset({State.EXPIRED, State.LOCKED, State.CANCELLED, State.REJECTED, State.FAILED})


def _move(pairing: _P, event: Event, **changes: Any) -> _P:
    """Follow the table; what the new state must not hold is destroyed in the same step."""
    state = TABLE.get((pairing.role, pairing.state, event))
    if state is None:
        raise NotNow(f"This cannot be done now ({event}): the pairing is {pairing.state}; nothing was changed.")
    fields = type(pairing).model_fields
    gone = _SECRETS_OF_A_CODE + (_SECRETS_OF_A_HANDSHAKE if state in _ENDS else ())
    return pairing.model_copy(update={"state": state, **changes, **dict.fromkeys(fields.keys() & gone)})
