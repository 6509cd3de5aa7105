"""One direction of a connection: sequence, chain of heads, receipts, credit, epochs. Pure decisions, no rows.

The sender's state is a `TxState`, the receiver's an `RxState`; the caller stores the new state in the same transaction
as what it decided about. ``seq`` starts at 1 in every epoch and has no gaps; ``prev`` names the header before.
``epoch = statement version << 32 | incarnation``. Sealed bytes are immutable: to say it again differently takes a new
epoch. The first envelope of an epoch carries its *base*: the receiver's position that the epoch was built on.

    what the sender sees in an ACK             what happened             what it does
    my epoch, s in what I sealed, same head    all is well               acknowledged up to s
    lower s or older epoch, nonce echoed       receiver was restored     resends, or a new epoch from the beginning
    the same, nonce not echoed                 an old ACK                nothing
    s or epoch beyond mine, or another head    I was restored            a new epoch, from the last base
    the latter twice within an hour            two copies of me run      stops, and tells the admin

Never reads a clock and never draws a nonce: both are passed in.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from protocol.ack import DEFAULT_BYTES, DEFAULT_MESSAGES, Ack, Credit, Received, Sent
from protocol.blob import Ranges
from protocol.envelope import ZERO_HASH, Header, Kind, Position, Slot

TWO_COPIES_WITHIN: Final = 3600
"""Seconds: a second fork of our own stream within this time means that two nodes use our identity."""
NONCE_BYTES: Final = 16
NO_NONCE: Final = bytes(NONCE_BYTES)
START: Final = Position()
"""Before the first message."""
_INCARNATION_BITS: Final = 32


@dataclass(frozen=True, slots=True)
class TxState:
    """The sender's side. ``sealed`` ends in ``head``; everything up to ``acked`` is held by the receiver."""

    version: int
    """Of our key statement that the peer has pinned."""
    epoch: int
    nonce: bytes
    """Which the next ACK that reports a loss must echo. Renewed at every start of the process, see `renewed`."""
    base: Position = START
    sealed: int = 0
    head: bytes = ZERO_HASH
    acked: int = 0
    acked_head: bytes = ZERO_HASH
    credit_messages: int = DEFAULT_MESSAGES
    credit_bytes: int = DEFAULT_BYTES
    forked_at: int | None = None


@dataclass(frozen=True, slots=True)
class RxState:
    """The receiver's side: the last position stored, and what is known of the sender."""

    position: Position = START
    peer_nonce: bytes = NO_NONCE
    announced: tuple[int, int] = (0, 0)
    """Epoch and seq up to which the sender says it has sealed."""


class Judgement(StrEnum):
    """What a DATA envelope is to its receiver. Only ``STORE`` changes anything; every one is answered with an ACK."""

    STORE = "store"
    DUPLICATE = "duplicate"
    GAP = "gap"
    FORK = "fork"
    """It continues another history than the one that we hold."""
    OLD_EPOCH = "old epoch"
    BEYOND_US = "beyond us"
    """Its epoch is built on messages that we do not hold: we were restored, and the sender does not know it yet."""
    WRONG_VERSION = "wrong version"
    """Its epoch belongs to a key statement that is not the pinned one."""


class AckEffect(StrEnum):
    """What an ACK means to the one who sent the messages."""

    ACKED = "acked"
    STALE = "stale"
    RESEND = "resend"
    NEW_EPOCH = "new epoch"
    RESYNC = "resync"
    STOP = "stop"
    NEEDS_STATEMENT = "needs statement"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do about an ACK, and the state to store with it.

    ``ACKED``: all up to ``state.acked`` is delivered. ``RESEND``: send the stored bytes from ``state.acked`` + 1.
    ``NEW_EPOCH``: our own past is lost; what is not acknowledged is sealed anew, and the tracker is read again from the
    stored cursor. ``RESYNC``: the receiver lost more than we still hold; all linked issues are sealed anew. ``STOP``:
    nothing more is sent until a person decides. ``NEEDS_STATEMENT``: a new key statement must come first, since the
    receiver knows a newer one than we do.
    """

    effect: AckEffect
    state: TxState
    reason: str = ""


def start_tx(version: int, nonce: bytes) -> TxState:
    """Return the sender's state of a new connection; ``version`` is that of our key statement."""
    return TxState(version, _above(version, 0), nonce)


def renewed(tx: TxState, nonce: bytes) -> TxState:
    """Return the state with a new nonce; called when a process starts, so that a restored nonce is never used."""
    return replace(tx, nonce=nonce)


def next_slot(tx: TxState) -> Slot:
    """Return where the next DATA envelope goes."""
    first = tx.sealed == 0
    return Slot(Kind.DATA, tx.epoch, tx.sealed + 1, tx.head, tx.base if first else None)


def after_sealing(tx: TxState, head: bytes) -> TxState:
    """Return the state after an envelope with this head was sealed into `next_slot`."""
    return replace(tx, sealed=tx.sealed + 1, head=head)


def may_seal(tx: TxState, *, unacked_messages: int, unacked_bytes: int, messages: int, size: int) -> bool:
    """Tell whether the receiver will store one more envelope, of ``messages`` messages and ``size`` bytes.

    ``unacked_messages`` and ``unacked_bytes`` are those of all envelopes that are sealed and not acknowledged. Messages
    are counted one by one, however many of them an envelope carries.
    """
    return unacked_messages + messages <= tx.credit_messages and unacked_bytes + size <= tx.credit_bytes


def judge_data(rx: RxState, header: Header, base: Position | None, *, peer_version: int) -> Judgement:
    """Judge a verified DATA envelope; ``peer_version`` is that of the peer's pinned key statement."""
    mine = rx.position
    if header.epoch < mine.epoch:
        return Judgement.OLD_EPOCH
    if header.epoch == mine.epoch:
        return _judge_next(mine, header)
    if header.epoch >> _INCARNATION_BITS != peer_version:
        return Judgement.WRONG_VERSION
    if base is None:
        return Judgement.GAP
    return Judgement.STORE if _covers(mine, base) else Judgement.BEYOND_US


def _judge_next(mine: Position, header: Header) -> Judgement:
    if header.seq <= mine.seq:
        return Judgement.DUPLICATE
    if header.seq > mine.seq + 1:
        return Judgement.GAP
    return Judgement.STORE if header.prev == mine.head else Judgement.FORK


def after_storing(rx: RxState, header: Header, head: bytes) -> RxState:
    """Return the state after a ``STORE``."""
    return replace(rx, position=Position(header.epoch, header.seq, head))


def make_ack(tx: TxState, rx: RxState, *, messages: int, size: int, missing: Mapping[str, Ranges] | None = None) -> Ack:
    """Return the ACK to send: ``messages`` and ``size`` (bytes) are the credit, ``missing`` the chunks we want."""
    mine = rx.position
    return Ack(
        rx=Received(e=str(mine.epoch), s=mine.seq, h=mine.head),
        tx=Sent(e=str(tx.epoch), n=tx.sealed),
        cr=Credit(m=messages, b=size),
        n=tx.nonce,
        en=rx.peer_nonce,
        bl=dict(missing or {}),
    )


def hear(rx: RxState, ack: Ack) -> RxState:
    """Return the receiver's state after an ACK of the peer: its nonce to echo, and what it says it has sealed."""
    return replace(rx, peer_nonce=ack.n, announced=(int(ack.tx.e), ack.tx.n))


def judge_ack(
    tx: TxState, ack: Ack, *, head_there: bytes | None, held_from: int, now: int, fresh_nonce: bytes
) -> Verdict:
    """Decide what an ACK of the peer means.

    ``head_there`` is the head of our envelope ``ack.rx.s`` of the current epoch, None if there is none or it was
    pruned. ``held_from`` is the lowest seq of the current epoch whose bytes we still have (``sealed`` + 1 if none).
    ``now`` in Unix seconds. ``fresh_nonce`` takes the place of a nonce that was echoed, and of any when the peer has
    moved on: two requests may cross, and an older ACK that is still on its way must not pass for a restored peer.
    """
    theirs = ack.rx.position
    echoed = hmac.compare_digest(ack.en, tx.nonce)
    moved = theirs.epoch == tx.epoch and theirs.seq > tx.acked
    state = replace(tx, nonce=fresh_nonce) if echoed or moved else tx
    if theirs.epoch > tx.epoch or (theirs.epoch == tx.epoch and theirs.seq > tx.sealed):
        return _fork(state, theirs, now, "the peer holds messages that this node does not remember sending")
    if theirs.epoch == tx.epoch:
        return _judge_same_epoch(state, ack, _head_at(tx, theirs.seq, head_there), held_from, now, echoed=echoed)
    return _judge_older_epoch(state, ack, held_from, echoed=echoed)


def _judge_same_epoch(tx: TxState, ack: Ack, head: bytes | None, held_from: int, now: int, *, echoed: bool) -> Verdict:
    theirs = ack.rx.position
    if head is not None and head != theirs.head:
        return _fork(tx, theirs, now, "the peer holds other messages than this node remembers sending")
    if theirs.seq >= tx.acked:
        if head is None:
            raise ValueError("an envelope that is not acknowledged must not be pruned")
        return Verdict(AckEffect.ACKED, _acked(tx, ack))
    if not echoed:
        return Verdict(AckEffect.STALE, tx)
    if head is not None and held_from <= theirs.seq + 1:
        return Verdict(AckEffect.RESEND, _acked(tx, ack), "the peer was restored")
    return _resync(tx, "the peer was restored further back than this node keeps sent messages")


def _judge_older_epoch(tx: TxState, ack: Ack, held_from: int, *, echoed: bool) -> Verdict:
    theirs = ack.rx.position
    covers = _covers(theirs, tx.base)
    if tx.acked == 0 and covers:
        return Verdict(AckEffect.ACKED, _credited(tx, ack))
    if not echoed:
        return Verdict(AckEffect.STALE, tx)
    if covers and held_from <= 1:
        return Verdict(
            AckEffect.RESEND, replace(_credited(tx, ack), acked=0, acked_head=ZERO_HASH), "the peer was restored"
        )
    return _resync(tx, "the peer was restored to a time before this epoch")


def _fork(tx: TxState, theirs: Position, now: int, reason: str) -> Verdict:
    if tx.forked_at is not None and 0 <= now - tx.forked_at < TWO_COPIES_WITHIN:
        return Verdict(AckEffect.STOP, replace(tx, forked_at=now), "two nodes use this identity")
    return _new_epoch(replace(tx, forked_at=now), AckEffect.NEW_EPOCH, theirs, theirs.epoch, reason)


def _resync(tx: TxState, reason: str) -> Verdict:
    return _new_epoch(tx, AckEffect.RESYNC, START, 0, reason)


def _new_epoch(tx: TxState, effect: AckEffect, base: Position, above: int, reason: str) -> Verdict:
    epoch = _above(tx.version, max(above, tx.epoch))
    if epoch >> _INCARNATION_BITS != tx.version:
        return Verdict(AckEffect.NEEDS_STATEMENT, tx, reason)
    return Verdict(effect, TxState(tx.version, epoch, tx.nonce, base, forked_at=tx.forked_at), reason)


def _above(version: int, epoch: int) -> int:
    """Return the lowest epoch of this statement version, or the one after ``epoch``."""
    return max((version << _INCARNATION_BITS) | 1, epoch + 1)


def _covers(mine: Position, base: Position) -> bool:
    """Tell whether a receiver at ``mine`` holds everything that an epoch with this base takes for granted."""
    if (mine.epoch, mine.seq) == (base.epoch, base.seq):
        return mine.head == base.head
    return (mine.epoch, mine.seq) > (base.epoch, base.seq)


def _head_at(tx: TxState, seq: int, known: bytes | None) -> bytes | None:
    if seq == tx.acked:
        return tx.acked_head
    if seq == 0:
        return ZERO_HASH
    return tx.head if seq == tx.sealed else known


def _credited(tx: TxState, ack: Ack) -> TxState:
    return replace(tx, credit_messages=ack.cr.m, credit_bytes=ack.cr.b)


def _acked(tx: TxState, ack: Ack) -> TxState:
    return replace(_credited(tx, ack), acked=ack.rx.s, acked_head=ack.rx.h)
