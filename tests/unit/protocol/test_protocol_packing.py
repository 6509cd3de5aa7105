"""Several messages in one envelope: they come out as they went in, and never go beyond what the receiver takes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.envelope import BASE_BYTES, MIN_ENVELOPE, Kind, Slot, open_envelope, seal_envelope
from protocol.errors import Bad, BadContent
from protocol.messages import MAX_PAYLOAD
from protocol.packing import LENGTH_BYTES, MAX_MESSAGES, messages_of, next_envelopes, pack, unpack
from protocol.stream import NO_NONCE, after_sealing, next_slot, start_tx
from tests.support.paired import pair, seeded

ALICE, BOB = pair("packing")
random_bytes = seeded("packing 2")
SLOT = Slot(Kind.DATA, (1 << 32) | 1, 2, b"p" * 32)
messages = st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=MAX_MESSAGES)


def lengths(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(LENGTH_BYTES, "big") + part for part in parts)


@given(messages)
def test_messages_come_out_of_an_envelope_as_they_went_in(sent: list[bytes]) -> None:
    """One alone or several, in their order, sealed and opened."""
    sealed = seal_envelope(ALICE.sealing, SLOT, pack(sent), now_ms=1, random_bytes=random_bytes, several=len(sent) > 1)
    opened = open_envelope(BOB.opening, sealed.envelope)
    assert opened.several == (len(sent) > 1)
    assert messages_of(opened) == sent


def test_one_message_alone_has_no_length_before_it() -> None:
    """What is sent at once looks as if there were no other way."""
    assert pack([b"{}"]) == b"{}"
    assert unpack(lengths(b"{}")) == [b"{}"], "but a reader takes it with one"


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"\0", b"\0\0\0", b"\0\0\0\1", b"\0\0\0\2x", b"\0\0\0\0",
        lengths(b"a") + b"\0\0\0\0", lengths(b"a") + b"x",
        lengths(b"a") + b"\0\0\0\5b", b"\xff\xff\xff\xff" + b"x" * 40, lengths(*[b"a"] * (MAX_MESSAGES + 1)),
    ],
)  # fmt: skip
def test_a_payload_that_is_not_cut_as_it_says_is_refused_whole(payload: bytes) -> None:
    """A length of zero, beyond the end, left over bytes, none at all, or one more than allowed."""
    with pytest.raises(BadContent):
        unpack(payload)


@given(st.binary(max_size=400))
def test_any_bytes_are_cut_whole_or_refused(payload: bytes) -> None:
    """Nothing is lost and nothing is made up."""
    try:
        cut = unpack(payload)
    except BadContent:
        return
    assert lengths(*cut) == payload


@pytest.mark.parametrize("wrong", [[], [b"a", b""], [b"a"] * (MAX_MESSAGES + 1)])
def test_what_cannot_be_packed_is_our_own_mistake(wrong: list[bytes]) -> None:
    """No message, an empty one among several, or more than one envelope carries."""
    with pytest.raises(ValueError, match="1 to 64 messages"):
        pack(wrong)


@pytest.mark.parametrize("kind", [Kind.ACK, Kind.BLOB])
def test_only_data_carries_several_messages(kind: Kind) -> None:
    """A receipt and a chunk are one thing each."""
    slot = Slot(kind, seq=1 if kind is Kind.BLOB else 0)
    with pytest.raises(ValueError, match="only a DATA envelope"):
        seal_envelope(ALICE.sealing, slot, lengths(b"{}"), now_ms=1, random_bytes=random_bytes, several=True)


def test_several_messages_may_begin_an_epoch() -> None:
    """The base and the mark for several messages do not get in each other's way."""
    slot = next_slot(start_tx(1, NO_NONCE))
    sealed = seal_envelope(ALICE.sealing, slot, pack([b"a", b"b"]), now_ms=1, random_bytes=random_bytes, several=True)
    opened = open_envelope(BOB.opening, sealed.envelope)
    assert opened.base == slot.base
    assert messages_of(opened) == [b"a", b"b"]


def test_a_payload_within_its_limit_holds_all_the_lengths() -> None:
    """Where the messages alone would fit and their lengths would not, the last one waits for the next envelope."""
    tx = replace(start_tx(1, NO_NONCE), credit_messages=9)
    half = MAX_PAYLOAD // 2
    assert next_envelopes(tx, [half, half - 8], unacked_messages=0, unacked_bytes=0) == [2]
    assert next_envelopes(tx, [half, half - 7], unacked_messages=0, unacked_bytes=0) == [1, 1]
    assert next_envelopes(tx, [MAX_PAYLOAD, 1], unacked_messages=0, unacked_bytes=0) == [1, 1]
    with pytest.raises(Bad):
        unpack(lengths(b"a" * half, b"b" * half)[:-1])


@given(
    sizes=st.lists(st.integers(1, 700), max_size=200),
    sealed=st.integers(0, 3),
    unacked_messages=st.integers(0, 40),
    unacked_bytes=st.integers(0, 9_000),
    credit_messages=st.integers(0, 200),
    credit_bytes=st.integers(0, 60_000),
)
@example([10] * 200, 0, 0, 0, 200, 1 << 20)
def test_what_is_sealed_never_goes_beyond_credit_and_nothing_waits_in_vain(
    sizes: list[int], sealed: int, unacked_messages: int, unacked_bytes: int, credit_messages: int, credit_bytes: int
) -> None:
    """Counted in messages and in the bytes of real envelopes; one more message would not have been within it."""
    tx = replace(start_tx(1, NO_NONCE), credit_messages=credit_messages, credit_bytes=credit_bytes)
    for _ in range(sealed):
        tx = after_sealing(tx, bytes(32))
    counts = next_envelopes(tx, sizes, unacked_messages=unacked_messages, unacked_bytes=unacked_bytes)
    at, total = 0, unacked_bytes
    for count in counts:
        assert 1 <= count <= MAX_MESSAGES
        base = BASE_BYTES if at == 0 and sealed == 0 else 0
        total += MIN_ENVELOPE + base + len(pack([b"x" * size for size in sizes[at : at + count]]))
        at += count
    assert not counts or unacked_messages + at <= credit_messages
    assert not counts or total <= credit_bytes
    assert all(count == MAX_MESSAGES for count in counts[:-1]), "the next envelope begins where one is full"
    if at < len(sizes) and unacked_messages + at < credit_messages:
        if not counts or counts[-1] == MAX_MESSAGES:
            more = MIN_ENVELOPE + (BASE_BYTES if not counts and not sealed else 0)
        else:
            more = LENGTH_BYTES * (2 if counts[-1] == 1 else 1)
        assert total + more + sizes[at] > credit_bytes
