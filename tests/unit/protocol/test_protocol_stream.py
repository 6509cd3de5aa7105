"""The stream's decisions one by one: what a receiver does with a message, and a sender with a receipt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.ack import Ack, Credit, Received, Sent
from protocol.envelope import ZERO_HASH, Header, Kind, Position, Slot
from protocol.stream import (
    START,
    TWO_COPIES_WITHIN,
    AckEffect,
    Judgement,
    RxState,
    TxState,
    Verdict,
    after_sealing,
    after_storing,
    judge_ack,
    judge_data,
    may_seal,
    next_slot,
    renewed,
    start_tx,
)

EPOCH = (1 << 32) | 1
NONCE, NEXT_NONCE, OTHER = b"n" * 16, b"m" * 16, b"o" * 16


def head(seq: int, branch: str = "") -> bytes:
    return f"head {branch}{seq}".encode().ljust(32, b".")


def data(seq: int, *, epoch: int = EPOCH, branch: str = "") -> Header:
    prev = head(seq - 1, branch) if seq > 1 else ZERO_HASH
    return Header(Kind.DATA, 0, 0, bytes(16), bytes(8), bytes(8), epoch, seq, 0, prev, bytes(32), bytes(32))


def holding(seq: int, epoch: int = EPOCH) -> RxState:
    return RxState(Position(epoch, seq, head(seq)))


def sent(sealed: int, acked: int = 0, *, epoch: int = EPOCH, base: Position = START) -> TxState:
    return TxState(
        1,
        epoch,
        NONCE,
        base,
        sealed,
        head(sealed) if sealed else ZERO_HASH,
        acked,
        head(acked) if acked else ZERO_HASH,
    )


def an_ack(seq: int, *, epoch: int = EPOCH, branch: str = "", echo: bytes = OTHER, credit: int = 5) -> Ack:
    there = head(seq, branch) if seq else ZERO_HASH
    return Ack(
        rx=Received(e=str(epoch), s=seq, h=there),
        tx=Sent(e="0", n=0),
        cr=Credit(m=credit, b=1000),
        n=OTHER,
        en=echo,
    )


def judge(tx: TxState, ack: Ack, *, held_from: int = 1, known: bool = True, now: int = 0) -> Verdict:
    there = head(ack.rx.s) if known and 0 < ack.rx.s <= tx.sealed and int(ack.rx.e) == tx.epoch else None
    return judge_ack(tx, ack, head_there=there, held_from=held_from, now=now, fresh_nonce=NEXT_NONCE)


def test_the_next_message_is_stored() -> None:
    """The one that continues our history, and nothing else, moves the position."""
    assert judge_data(holding(4), data(5), None, peer_version=1) is Judgement.STORE
    after = after_storing(holding(4), data(5), head(5))
    assert after.position == Position(EPOCH, 5, head(5))


@pytest.mark.parametrize(
    ("header", "base", "judgement"),
    [
        (data(4), None, Judgement.DUPLICATE),
        (data(1), START, Judgement.DUPLICATE),
        (data(6), None, Judgement.GAP),
        (data(5, branch="other "), None, Judgement.FORK),
        (data(1, epoch=EPOCH - 1), START, Judgement.OLD_EPOCH),
        (data(2, epoch=EPOCH + 1), None, Judgement.GAP),
        (data(1, epoch=EPOCH + 1), START, Judgement.STORE),
        (data(1, epoch=EPOCH + 1), Position(EPOCH, 3, head(3)), Judgement.STORE),
        (data(1, epoch=EPOCH + 1), Position(EPOCH, 4, head(4)), Judgement.STORE),
        (data(1, epoch=EPOCH + 1), Position(EPOCH, 4, head(4, "other ")), Judgement.BEYOND_US),
        (data(1, epoch=EPOCH + 1), Position(EPOCH, 5, head(5)), Judgement.BEYOND_US),
        (data(1, epoch=EPOCH + 2), Position(EPOCH + 1, 1, head(1)), Judgement.BEYOND_US),
        (data(1, epoch=(2 << 32) | 1), START, Judgement.WRONG_VERSION),
        (data(1, epoch=(1 << 64) - 1), START, Judgement.WRONG_VERSION),
    ],
)
def test_every_other_message_is_judged(header: Header, base: Position | None, judgement: Judgement) -> None:
    """A receiver at message 4 of an epoch meets everything that a network or a restored sender can bring."""
    assert judge_data(holding(4), header, base, peer_version=1) is judgement


def test_messages_are_sealed_in_a_chain_and_the_first_names_its_base() -> None:
    """Each slot links to the head before; only the first of an epoch carries the base."""
    tx = start_tx(3, NONCE)
    assert next_slot(tx) == Slot(Kind.DATA, (3 << 32) | 1, 1, ZERO_HASH, START)
    tx = after_sealing(tx, head(1))
    assert next_slot(tx) == Slot(Kind.DATA, (3 << 32) | 1, 2, head(1), None)


def test_credit_counts_messages_and_bytes() -> None:
    """Neither more messages nor more bytes are sealed than the receiver will store; none is a pause."""
    tx = judge(sent(6, 2), an_ack(4, credit=3)).state
    assert may_seal(tx, unacked_messages=2, unacked_bytes=900, messages=1, size=100)
    assert not may_seal(tx, unacked_messages=2, unacked_bytes=900, messages=1, size=101)
    assert not may_seal(tx, unacked_messages=2, unacked_bytes=0, messages=2, size=1)
    assert not may_seal(tx, unacked_messages=3, unacked_bytes=0, messages=1, size=1)
    paused = judge(sent(4, 2), an_ack(4, credit=0)).state
    assert not may_seal(paused, unacked_messages=0, unacked_bytes=0, messages=1, size=1)


def test_a_receipt_acknowledges_the_whole_prefix() -> None:
    """Up to its sequence number, with the head at it; the same again changes nothing."""
    verdict = judge(sent(6, 2), an_ack(4))
    assert (verdict.effect, verdict.state.acked, verdict.state.acked_head) == (AckEffect.ACKED, 4, head(4))
    again = judge(verdict.state, an_ack(4), known=False)
    assert (again.effect, again.state) == (AckEffect.ACKED, verdict.state)


def test_an_old_receipt_changes_nothing() -> None:
    """A lower one that does not echo our nonce may be years old."""
    tx = sent(6, 4)
    for known in (True, False):
        assert judge(tx, an_ack(2), known=known) == Verdict(AckEffect.STALE, tx)


def test_a_restored_receiver_gets_what_it_lost() -> None:
    """A lower receipt that echoes our nonce is news: the stored bytes are sent again; the nonce counts once."""
    tx = sent(6, 4)
    verdict = judge(tx, an_ack(2, echo=NONCE))
    assert (verdict.effect, verdict.state.acked, verdict.state.nonce) == (AckEffect.RESEND, 2, NEXT_NONCE)
    assert judge(replace(verdict.state, acked=4, acked_head=head(4)), an_ack(2, echo=NONCE)).effect is AckEffect.STALE


@pytest.mark.parametrize(("held_from", "known"), [(4, True), (4, False), (3, False)])
def test_a_receiver_restored_too_far_back_is_told_everything_again(held_from: int, known: bool) -> None:
    """Where the bytes, or the head to check them by, are gone, an epoch from the very beginning follows."""
    verdict = judge(sent(6, 4), an_ack(2, echo=NONCE), held_from=held_from, known=known)
    assert verdict.effect is AckEffect.RESYNC
    assert (verdict.state.epoch, verdict.state.base) == (EPOCH + 1, START)
    assert (verdict.state.sealed, verdict.state.acked) == (0, 0)


@pytest.mark.parametrize(
    "ack", [an_ack(7), an_ack(1, epoch=EPOCH + 3), an_ack(5, branch="other "), an_ack(2, branch="other ")]
)
def test_a_restored_sender_notices_by_any_receipt(ack: Ack) -> None:
    """Receipts for what it does not remember: it begins a new epoch on what the receiver holds."""
    verdict = judge(sent(6, 3), ack)
    assert verdict.effect is AckEffect.NEW_EPOCH
    assert verdict.state.epoch == int(ack.rx.e) + 1
    assert verdict.state.base == ack.rx.position
    assert next_slot(verdict.state).base == ack.rx.position


def test_a_second_fork_within_an_hour_stops_the_connection() -> None:
    """Two copies of one node are running; an hour later it is another restore."""
    first = judge(sent(6), an_ack(9), now=100).state
    assert judge(first, an_ack(9, epoch=EPOCH + 1), now=100 + TWO_COPIES_WITHIN - 1).effect is AckEffect.STOP
    assert judge(first, an_ack(9, epoch=EPOCH + 1), now=100 + TWO_COPIES_WITHIN).effect is AckEffect.NEW_EPOCH


def test_a_receiver_with_a_newer_key_statement_of_ours_needs_one_newer_still() -> None:
    """Our key files were restored, too: an epoch above the receiver's takes a statement above it."""
    tx = sent(6)
    verdict = judge(tx, an_ack(1, epoch=(2 << 32) | 1))
    assert verdict.effect is AckEffect.NEEDS_STATEMENT
    assert (verdict.state.epoch, verdict.state.sealed) == (tx.epoch, tx.sealed)


def test_the_first_receipts_of_a_new_epoch_may_still_be_of_the_old_one() -> None:
    """The receiver has not seen the new epoch yet; nothing is wrong while it holds what the epoch builds on."""
    tx = sent(3, epoch=EPOCH + 1, base=Position(EPOCH, 5, head(5)))
    for held in (5, 6):
        verdict = judge(tx, an_ack(held))
        assert (verdict.effect, verdict.state.acked) == (AckEffect.ACKED, 0)


@pytest.mark.parametrize("ack", [an_ack(4, echo=NONCE), an_ack(5, branch="other ", echo=NONCE)])
def test_a_receiver_that_lost_the_base_of_an_epoch_is_told_everything_again(ack: Ack) -> None:
    """Resending this epoch would leave a hole before it."""
    tx = sent(3, epoch=EPOCH + 1, base=Position(EPOCH, 5, head(5)))
    assert judge(tx, ack).effect is AckEffect.RESYNC
    assert judge(tx, ack.model_copy(update={"en": OTHER})).effect is AckEffect.STALE


def test_a_receiver_restored_to_just_before_an_epoch_gets_that_epoch_again() -> None:
    """If it holds the base and we hold the epoch whole; otherwise it is told everything."""
    tx = sent(3, 2, epoch=EPOCH + 1, base=Position(EPOCH, 5, head(5)))
    verdict = judge(tx, an_ack(5, echo=NONCE))
    assert (verdict.effect, verdict.state.acked, verdict.state.acked_head) == (AckEffect.RESEND, 0, ZERO_HASH)
    assert judge(tx, an_ack(5, echo=NONCE), held_from=2).effect is AckEffect.RESYNC
    assert judge(tx, an_ack(5)).effect is AckEffect.STALE


def test_an_older_receipt_that_was_overtaken_is_no_restore() -> None:
    """Requests cross: Bob's newer receipt echoes an old nonce, his older one the current, and arrives after it."""
    overtaking = judge(sent(6, 2), an_ack(5, echo=OTHER))
    assert overtaking.effect is AckEffect.ACKED
    assert judge(overtaking.state, an_ack(3, echo=NONCE)).effect is AckEffect.STALE


def test_a_nonce_from_a_backup_is_worth_nothing() -> None:
    """A process that starts draws a new one, so a receipt recorded long ago cannot pass for news."""
    tx = renewed(sent(6, 4), NEXT_NONCE)
    assert judge(tx, an_ack(2, echo=NONCE)).effect is AckEffect.STALE


def test_pruning_what_is_not_acknowledged_is_our_own_mistake() -> None:
    """Without the head there is nothing to compare, and guessing would accept a fork."""
    with pytest.raises(ValueError, match="must not be pruned"):
        judge(sent(6, 2), an_ack(4), known=False)
