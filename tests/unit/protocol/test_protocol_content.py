"""What is inside the envelopes: strict JSON, replicas, messages, receipts, chunks, frames."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from protocol import strict_json
from protocol.ack import Ack, dump_ack, parse_ack
from protocol.blob import (
    CHUNK_BYTES,
    Chunk,
    add_to_ranges,
    blob_slot,
    check_ranges,
    chunk_count,
    chunk_size,
    dump_chunk,
    indexes,
    missing_ranges,
    parse_chunk,
)
from protocol.envelope import MAX_ENVELOPE, MIN_ENVELOPE, Header
from protocol.errors import Bad, BadContent, TooLarge
from protocol.framing import MAX_FRAMED_BYTES, MAX_FRAMES, join_frames, split_frames
from protocol.messages import (
    MAX_PAYLOAD,
    BlobGone,
    Code,
    ConnClose,
    IssueRemoved,
    IssueReplica,
    Message,
    Outcome,
    PairConfirm,
    Result,
    UnknownMessage,
    dump_message,
    message_id,
    parse_message,
)
from protocol.replica import MAX_BLOB_BYTES, Replica, ReplicaAttachment, ReplicaComment, ReplicaWorklog
from protocol.stream import RxState, hear, make_ack, start_tx

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.none() | st.booleans() | st.integers(-strict_json.MAX_INTEGER, strict_json.MAX_INTEGER) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=20
)
handles = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=64)
times = st.sampled_from([None, "2026-11-24T02:08:00Z", "2026-11-24T02:08:00.123+00:00"])
names = st.none() | texts
replicas = st.builds(
    Replica,
    issue=handles,
    key=names,
    url=names,
    fields=st.dictionaries(texts.filter(bool), values, max_size=5),
    comments=st.none()
    | st.lists(
        st.builds(ReplicaComment, id=handles, author=names, body=texts, created=times, internal=st.booleans()),
        max_size=3,
    ).map(tuple),
    attachments=st.none()
    | st.lists(
        st.builds(
            ReplicaAttachment,
            id=handles,
            name=texts,
            mime=names,
            size=st.integers(0, MAX_BLOB_BYTES),
            blob=st.binary(min_size=32, max_size=32).map(bytes.hex),
            author=names,
            created=times,
        ),
        max_size=3,
    ).map(tuple),
    worklogs=st.none()
    | st.lists(
        st.builds(
            ReplicaWorklog, id=handles, author=names, started=times, seconds=st.integers(0, 10**9), comment=names
        ),
        max_size=3,
    ).map(tuple),
)
mids = st.binary(min_size=16, max_size=16).map(bytes.hex)
revisions = st.integers(1, strict_json.MAX_INTEGER)
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(
        IssueReplica,
        mid=mids,
        twin=st.none() | handles,
        revision=revisions,
        changed=st.dictionaries(texts.filter(bool), revisions, max_size=3),
        seen=st.integers(0, 100),
        replica=replicas,
    ),
    st.builds(
        IssueRemoved,
        mid=mids,
        issue=handles,
        twin=st.none() | handles,
        revision=revisions,
        reason=st.sampled_from(["deleted", "unlinked"]),
    ),
    st.builds(
        Outcome,
        results=st.lists(
            st.builds(
                Result,
                mid=mids,
                c=st.sampled_from(Code).map(int),
                f=st.lists(st.integers(0, 499), max_size=3).map(tuple),
                issue=st.none() | handles,
                key=names,
                url=names,
            ),
            min_size=1,
            max_size=3,
        ).map(tuple),
    ),
    st.builds(BlobGone, blob=st.binary(min_size=32, max_size=32).map(bytes.hex)),
    st.just(PairConfirm()),
    st.just(ConnClose()),
)


@given(values)
def test_strict_json_comes_back_as_it_was(value: strict_json.Json) -> None:
    """What is written is read as the same value, by this reader and by any other."""
    data = strict_json.dump(value)
    assert strict_json.parse(data) == value == json.loads(data)


@given(values)
def test_the_canonical_form_does_not_depend_on_the_order_of_keys(value: strict_json.Json) -> None:
    """Two spellings of one value have one canonical form."""
    turned = json.loads(data := strict_json.dump(value), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert strict_json.dump_canonical(turned) == strict_json.dump_canonical(json.loads(data))


@pytest.mark.parametrize("value", [1.5, float("nan"), [{"a": 2.0}], {1: 2}, "\ud800", {"a": b"x"}])
def test_what_strict_json_does_not_have_is_our_own_mistake(value: Any) -> None:
    """A float or a byte string never leaves: the caller hears of it at once."""
    with pytest.raises(ValueError, match="not JSON"):
        strict_json.dump(value)


@pytest.mark.parametrize("value", [2**53, "x" * (strict_json.MAX_STRING_BYTES + 1), [0] * strict_json.MAX_VALUES])
def test_what_is_beyond_the_limits_is_too_large(value: Any) -> None:
    """Content beyond a limit is a clear error about that content, before it is sent."""
    with pytest.raises(TooLarge):
        strict_json.dump(value)


def test_as_many_values_as_allowed_are_read() -> None:
    """The limit itself is still good."""
    assert len(strict_json.parse_object(b'{"a":[' + b"0," * 19_997 + b"0]}")["a"]) == 19_998  # type: ignore[arg-type]
    with pytest.raises(BadContent):
        strict_json.parse_object(b"[]")


@given(messages)
def test_messages_come_back_as_they_were(message: Message) -> None:
    """Every message survives the way through bytes, whatever is in it."""
    assert parse_message(dump_message(message)) == message


@given(replicas)
def test_a_replicas_digest_follows_its_content(replica: Replica) -> None:
    """Equal replicas have equal digests; one more field makes another."""
    again = Replica.model_validate(json.loads(strict_json.dump(replica.model_dump())))
    assert again.content_digest() == replica.content_digest()
    more = replica.model_copy(update={"fields": {**replica.fields, "one more": True}})
    assert more.content_digest() != replica.content_digest()


def test_not_shared_and_none_are_two_things() -> None:
    """`None` says that comments are not shared, an empty tuple that there are none; a field may be null."""
    replica = Replica(issue="1", fields={"due": None}, comments=())
    message = parse_message(dump_message(IssueReplica(mid="m", revision=1, replica=replica)))
    assert isinstance(message, IssueReplica)
    assert message.replica.comments == ()
    assert message.replica.attachments is None
    assert message.replica.fields == {"due": None}


@pytest.mark.parametrize(
    "change",
    [
        {"issue": ""},
        {"issue": "x" * 65},
        {"issue": "with blank "},
        {"fields": {"a": 1.5}},
        {"fields": {"": 1}},
        {"fields": {"x" * 256: 1}},
        {"fields": {str(n): 0 for n in range(501)}},
        {"fields": None},
        {"key": "x" * 256},
        {"comments": [{"id": "1"}]},
        {"comments": [{"id": 1, "body": "x"}]},
        {"comments": [{"id": "1", "body": "x", "internal": 1}]},
        {"comments": [{"id": "1", "body": "x", "created": "yesterday"}]},
        {"attachments": [{"id": "1", "name": "a", "size": -1, "blob": "0" * 64}]},
        {"attachments": [{"id": "1", "name": "a", "size": 1, "blob": "0" * 63}]},
        {"attachments": [{"id": "1", "name": "a", "size": MAX_BLOB_BYTES + 1, "blob": "0" * 64}]},
        {"worklogs": [{"id": "1", "seconds": "60"}]},
    ],
)
def test_replicas_out_of_bounds_are_refused(change: dict[str, Any]) -> None:
    """Nothing is coerced and nothing unbounded gets in."""
    good: dict[str, Any] = {"issue": "1", "fields": {}}
    payload = {"t": "issue.replica", "mid": "m", "revision": 1, "replica": good | change}
    with pytest.raises(BadContent):
        parse_message(json.dumps(payload).encode())
    assert isinstance(parse_message(json.dumps(payload | {"replica": good}).encode()), IssueReplica)


def test_content_errors_tell_the_place_and_not_the_value() -> None:
    """A log of what was wrong with a message holds none of its content."""
    with pytest.raises(BadContent) as caught:
        parse_message(b'{"t":"issue.removed","mid":"m","issue":"1","revision":1,"reason":"hunter2"}')
    assert "reason" in caught.value.reason
    assert "hunter2" not in caught.value.reason + str(caught.value)


def test_a_replica_that_does_not_fit_is_told_with_its_size() -> None:
    """Ten comments of 120 kB are too much for one message, and the error says how much."""
    comments = tuple(ReplicaComment(id=str(n), body="x" * 120_000) for n in range(10))
    message = IssueReplica(mid="m", revision=1, replica=Replica(issue="1", fields={}, comments=comments))
    with pytest.raises(TooLarge, match=r"takes 1,200,\d\d\d bytes"):
        dump_message(message)


def test_unknown_messages_are_kept_whole() -> None:
    """A newer peer's message is kept, byte for byte, for a newer version of this node to read."""
    payload = b'{ "t":"later.thing", "x":[1] }'
    message = parse_message(payload)
    assert message == UnknownMessage(t="later.thing", raw=payload)
    assert dump_message(message) == payload


def test_unknown_keys_are_ignored() -> None:
    """A newer peer may say more about a known thing."""
    assert parse_message(b'{"t":"conn.close","why":"later"}') == ConnClose()


def test_a_field_is_read_by_one_name_only() -> None:
    """The name that Python uses inside is not a second spelling on the wire."""
    with pytest.raises(BadContent):
        parse_message(b'{"t":"outcome","results":[{"mid":"m","c":0}]}')


def test_every_code_has_a_sentence_and_a_class() -> None:
    """What is shown to a person exists for every code; an unknown code of a newer peer reads as its class."""
    for code in Code:
        assert code.sentence.endswith(".")
    assert [Code.APPLIED.refused, Code.POLICY.refused, Code.DELAYED.refused] == [False, True, False]
    assert [Code.APPLIED.final, Code.POLICY.final, Code.DELAYED.final] == [True, True, False]
    assert [Result(mid="m", c=c).code for c in (0, 9, 399, 499)] == [
        Code.APPLIED,
        Code.IGNORED,
        Code.POLICY,
        Code.DELAYED,
    ]


def test_message_ids_do_not_run_into_each_other() -> None:
    """Where one part ends and the next begins makes a difference."""
    key = bytes(32)
    assert message_id(key, "issue", "1", 11) != message_id(key, "issue", "11", 1)
    assert message_id(key, "issue", "1", 1) != message_id(b"\1" * 32, "issue", "1", 1)


def test_an_ack_comes_back_as_it_was_and_says_what_is_missing() -> None:
    """The receipt survives the bytes, and the peer's nonce is echoed in the next one."""
    tx, blob = start_tx(1, b"n" * 16), "ab" * 32
    ack = make_ack(tx, RxState(), messages=7, size=9, missing={blob: ((0, 3), (5, 5))})
    assert parse_ack(dump_ack(ack)) == ack
    assert ack.bl[blob] == ((0, 3), (5, 5))
    assert make_ack(tx, hear(RxState(), ack), messages=0, size=0).en == b"n" * 16


@pytest.mark.parametrize(
    "change",
    [
        {"rx": {"e": "01", "s": 0, "h": "A" * 43}},
        {"rx": {"e": str(1 << 64), "s": 0, "h": "A" * 43}},
        {"rx": {"e": 1, "s": 0, "h": "A" * 43}},
        {"rx": {"e": "1", "s": -1, "h": "A" * 43}},
        {"rx": {"e": "1", "s": 1, "h": "A" * 42}},
        {"n": "A" * 21},
        {"cr": {"m": True, "b": 0}},
        {"pv": [2, 1]},
        {"bl": {"x": []}},
        {"bl": {"ab" * 32: [[0]]}},
        {"bl": {f"{n:064x}": [] for n in range(5)}},
        {"bl": {"ab" * 32: [[n, n] for n in range(0, 600, 2)]}},
    ],
)
def test_acks_out_of_form_are_refused(change: dict[str, Any]) -> None:
    """A receipt is exact or it is none."""
    good = json.loads(dump_ack(make_ack(start_tx(1, bytes(16)), RxState(), messages=1, size=1)))
    assert isinstance(parse_ack(json.dumps(good).encode()), Ack)
    with pytest.raises(BadContent):
        parse_ack(json.dumps(good | change).encode())


@given(st.integers(0, MAX_BLOB_BYTES))
def test_chunks_cover_a_file_exactly(size: int) -> None:
    """Every byte is in one chunk, and all chunks but the last are full."""
    count = chunk_count(size)
    if count:
        assert (count - 1) * CHUNK_BYTES + chunk_size(size, count - 1) == size
        assert 0 < chunk_size(size, count - 1) <= CHUNK_BYTES
    with pytest.raises(ValueError, match="no such chunk"):
        chunk_size(size, count)


@given(st.lists(st.integers(0, 40)), st.integers(41, 60))
def test_ranges_say_what_is_held_and_what_is_missing(arrivals: list[int], count: int) -> None:
    """Chunks in any order, also twice, leave exactly the others missing."""
    held: tuple[tuple[int, int], ...] = ()
    for index in arrivals:
        held = add_to_ranges(held, index)
    missing = missing_ranges(held, count)
    assert list(indexes(held)) == sorted(set(arrivals))
    assert sorted([*indexes(held), *indexes(missing)]) == list(range(count))
    assert check_ranges(missing, count=count) == missing
    assert check_ranges(held, count=count) == held


@pytest.mark.parametrize("ranges", [[(0, 10)], [(3, 2)], [(2, 3), (0, 1)], [(0, 1), (2, 3)], [(-1, 0)]])
def test_ranges_of_a_peer_are_checked(ranges: list[tuple[int, int]]) -> None:
    """Out of bounds, backwards, out of order or touching: refused."""
    with pytest.raises(Bad):
        check_ranges(ranges, count=10)


def a_header(seq: int) -> Header:
    return Header(4, 0, 0, bytes(16), bytes(8), bytes(8), 0, seq, 0, bytes(32), bytes(32), bytes(32))


def test_a_chunk_comes_back_and_belongs_to_its_header() -> None:
    """Index and sequence number name the same chunk, and a full chunk fits into one payload."""
    chunk = Chunk("ab" * 32, 7, b"x" * CHUNK_BYTES)
    payload = dump_chunk(chunk)
    assert len(payload) <= MAX_PAYLOAD
    assert parse_chunk(a_header(blob_slot(7).seq), payload) == chunk
    assert chunk.offset == 7 * CHUNK_BYTES
    for header, data in ((a_header(7), payload), (a_header(8), payload[:36]), (a_header(8), payload + b"x")):
        with pytest.raises(BadContent):
            parse_chunk(header, data)


@given(st.lists(st.integers(MIN_ENVELOPE, MIN_ENVELOPE + 50), max_size=5))
def test_frames_come_back_as_they_were(sizes: list[int]) -> None:
    """Framing adds four bytes to each and loses nothing."""
    envelopes = [bytes([n % 256]) * size for n, size in enumerate(sizes)]
    framed = join_frames(envelopes)
    assert len(framed) == sum(sizes) + 4 * len(sizes)
    assert [bytes(frame) for frame in split_frames(framed)] == envelopes


@given(st.binary(max_size=2000))
def test_frames_of_garbage_are_refused(garbage: bytes) -> None:
    """Either it splits into frames of the right sizes, or it is bad."""
    try:
        frames = split_frames(garbage)
    except Bad:
        return
    assert b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames) == garbage


@pytest.mark.parametrize(
    "data",
    [
        b"\0",
        (MIN_ENVELOPE - 1).to_bytes(4, "big") + bytes(MIN_ENVELOPE - 1),
        (MAX_ENVELOPE + 1).to_bytes(4, "big") + bytes(MAX_ENVELOPE + 1),
        MIN_ENVELOPE.to_bytes(4, "big") + bytes(MIN_ENVELOPE - 1),
        join_frames([bytes(MIN_ENVELOPE)]) + b"\0\0\0",
        (MIN_ENVELOPE.to_bytes(4, "big") + bytes(MIN_ENVELOPE)) * (MAX_FRAMES + 1),
        bytes(MAX_FRAMED_BYTES + 1),
    ],
)
def test_frames_out_of_bounds_are_refused(data: bytes) -> None:
    """Lengths are checked before anything is taken."""
    with pytest.raises(Bad):
        split_frames(data)


def test_more_than_one_exchange_carries_is_our_own_mistake() -> None:
    """The sender counts before it frames."""
    with pytest.raises(ValueError, match="one exchange"):
        join_frames([bytes(MIN_ENVELOPE)] * (MAX_FRAMES + 1))
    assert len(split_frames(join_frames([bytes(MIN_ENVELOPE)] * MAX_FRAMES))) == MAX_FRAMES


def test_values_inside_never_change_after_the_fact() -> None:
    """A message that was parsed cannot be changed by accident."""
    with pytest.raises(ValidationError):
        ConnClose().t = "conn.close"
