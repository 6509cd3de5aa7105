"""The one unit of work of an exchange: what came takes its place in the stream, the inbox and the outbox, or does not.

`protocol.stream` judges each message; this stores what follows, and does what a message says about the connection
itself (confirmed, closed, a file that is gone). Never applies anything to the tracker, never sends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from node.store import blobs, connections, envelopes, inbox, links, outbox, problems, streams
from node.store.connections import Connection
from node.store.engine import Transaction
from node.store.envelopes import Kept
from node.store.inbox import Arrived
from node.transport import restored
from node.transport.blobs import Written
from node.transport.channel import Channel
from node.transport.frames import Frames, Item
from node.transport.keeping import Keeping
from node.transport.pairing import confirmed
from node.transport.receipts import Allowance, Taken, our_ack, take_ack
from protocol.ack import Ack
from protocol.envelope import Header
from protocol.errors import NotNow
from protocol.messages import (
    MAX_OUTCOMES,
    BlobGone,
    ConnClose,
    Message,
    NodeAddress,
    Outcome,
    PairConfirm,
    Result,
    ResyncBegin,
    ResyncPlease,
    dump_message,
)
from protocol.stream import Judgement, RxState, after_storing, hear, judge_data

_MID_MARK: Final = "again"
_MAX_OVER: Final = 2
"""A peer that ignores its credit is stored up to this many times of it, then no further; counted in both ways."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What one exchange of the peer led to. ``ack`` is our receipt for it, not yet sealed."""

    connection: Connection
    ack: Ack
    taken: Taken
    stored: int
    """New messages in the inbox that wait to be applied."""
    messages: int = 0
    """Messages that were taken, known ones too, and an outcome as often as it has results."""
    size: int = 0
    """Bytes of their envelopes."""
    dropped: int = 0
    """Answers that had waited for the peer and were forgotten, because it has left too many of them."""
    answered: bool = False
    """Whether answers were put into the outbox."""
    files: bool = False
    """Whether a file that was waited for is all here now."""
    confirmed: bool = False
    """Whether the invitee has just said that it has our answer."""
    closed: bool = False
    """Whether the peer has just closed the connection."""
    moved: bool = False
    """Whether the peer has just said that it is reached elsewhere."""
    resync: bool = False
    """Whether the peer has just asked for every linked issue."""
    refused: Judgement | None = None
    """Why the rest of the messages was not taken, if it was not."""


@dataclass(slots=True)
class _Intake:
    """What is found out while messages are judged one after the other."""

    rx: RxState
    room_messages: int = 0
    room_bytes: int = 0
    items: list[Item] = field(default_factory=list)
    refused: Judgement | None = None

    @property
    def messages(self) -> list[Message | None]:
        """What was taken says; None for what was not understood."""
        return [said.message for item in self.items for said in item.said]


async def take_in(
    tx: Transaction,
    channel: Channel,
    frames: Frames,
    written: Sequence[Written],
    *,
    now_ms: int,
    fresh_nonce: bytes,
    allowance: Allowance,
    trim: Keeping | None = None,
) -> Accepted | None:
    """The one unit of work of an exchange; with ``trim`` what is settled is bounded by the way."""
    connection = await connections.get(tx, channel.connection_id)
    sending = await streams.load_tx(tx, channel.connection_id)
    if connection is None or sending is None:
        return None
    rx_before = await streams.load_rx(tx, connection.id)
    intake = _Intake(rx_before)
    if connection.state != connections.CLOSED:
        waiting, waiting_bytes = await inbox.backlog(tx, connection.id)
        intake.room_messages = _MAX_OVER * allowance.messages - waiting
        intake.room_bytes = _MAX_OVER * allowance.size - waiting_bytes
        _judge_all(intake, frames.data, channel.peer_version)
    stored, answered = await _store_items(tx, connection, intake.items, now_ms)
    dropped = 0 if trim is None else await trim.trim(tx, connection.id)
    rx = hear(intake.rx, frames.ack)
    if rx != rx_before:
        await streams.save_rx(tx, connection.id, rx)
    taken = await take_ack(tx, connection, sending, frames.ack, now_ms=now_ms, fresh_nonce=fresh_nonce)
    await streams.heard(tx, connection.id, now_ms)
    await problems.close(tx, stage=problems.PEER, ref=connection.id)
    files = [await _note_file(tx, connection, one, now_ms) for one in written]
    after = await connections.get(tx, connection.id) or connection
    return Accepted(
        connection=after,
        ack=await our_ack(tx, after, taken.state, rx, allowance),
        taken=taken,
        stored=stored,
        messages=sum(len(one.results) if isinstance(one, Outcome) else 1 for one in intake.messages),
        size=sum(len(item.envelope) for item in intake.items),
        dropped=dropped,
        answered=answered,
        files=any(files),
        confirmed=any(isinstance(message, PairConfirm) for message in intake.messages),
        closed=any(isinstance(message, ConnClose) for message in intake.messages),
        moved=any(isinstance(message, NodeAddress) for message in intake.messages),
        resync=any(isinstance(message, ResyncPlease) for message in intake.messages),
        refused=intake.refused,
    )


def _judge_all(intake: _Intake, items: Sequence[Item], peer_version: int) -> None:
    """Take envelopes as long as each follows the one before; what does not fit is left for the sender to repeat.

    An envelope is taken whole while there is room for anything: one that is larger than all of the room could never be
    taken otherwise, and would stop the stream.
    """
    for item in items:
        header = item.opened.header
        judgement = judge_data(intake.rx, header, item.opened.base, peer_version=peer_version)
        if judgement is Judgement.DUPLICATE:
            continue
        if judgement is not Judgement.STORE or intake.room_messages <= 0 or intake.room_bytes <= 0:
            intake.refused = judgement
            return
        intake.rx = after_storing(intake.rx, header, item.opened.head)
        intake.room_messages -= len(item.said)
        intake.room_bytes -= len(item.envelope)
        intake.items.append(item)


async def _store_items(tx: Transaction, connection: Connection, items: Sequence[Item], now_ms: int) -> tuple[int, bool]:
    """Store new messages; one that came in another epoch before only gets its outcome again.

    Return how many wait to be applied, and whether there were answers.
    """
    mids = [said.arrived.mid for item in items for said in item.said if said.arrived.mid is not None]
    seen: dict[str, int | None] = dict(await inbox.known(tx, connection.id, mids))
    fresh: list[Arrived] = []
    kept: list[Kept] = []
    answers: list[Result] = []
    for item in items:
        before, known_size = len(fresh), 0
        for said in item.said:
            one = said.arrived
            if one.mid is not None and one.mid in seen:
                known_size += one.size
                if (code := seen[one.mid]) is not None:
                    answers.append(await _same_again(tx, connection, one, code))
                continue
            if one.mid is not None:
                seen[one.mid] = None
                if one.code is not None:
                    answers.append(Result(mid=one.mid, c=one.code))
            fresh.append(one)
            await _act(tx, connection, said.message, now_ms)
        if len(fresh) > before:
            # The whole envelope is kept, so all of it is counted.
            fresh[before] = replace(fresh[before], size=fresh[before].size + known_size)
            header = item.opened.header
            kept.append(Kept(header.epoch, header.seq, len(item.said), item.envelope))
    await inbox.add(tx, connection.id, fresh, now_ms)
    await envelopes.keep(tx, connection.id, streams.RX, kept)
    await _note_begun(tx, connection, items)
    if answers:
        await _answer(tx, connection, answers, items[0].opened.header, now_ms)
    return sum(1 for one in fresh if one.code is None), bool(answers)


async def _answer(
    tx: Transaction, connection: Connection, answers: Sequence[Result], first: Header, now_ms: int
) -> None:
    """Put outcomes into the outbox; ``first`` is the header of the first envelope taken, as no other exchange has."""
    for start in range(0, len(answers), MAX_OUTCOMES):
        await outbox.enqueue(
            tx,
            connection_id=connection.id,
            link_id=None,
            mid=f"{_MID_MARK}-{first.epoch:x}-{first.seq:x}" + (f"-{start:x}" if start else ""),
            kind="outcome",
            payload=dump_message(Outcome(results=tuple(answers[start : start + MAX_OUTCOMES]))),
            now_ms=now_ms,
        )


async def _same_again(tx: Transaction, connection: Connection, one: Arrived, code: int) -> Result:
    """Answer a message that was settled before, with our handle, since a restored sender has forgotten that as well."""
    link = await links.find(tx, connection.id, twin=one.issue) if one.issue is not None else None
    return Result(mid=one.mid or "", c=code, issue=None if link is None else link.handle)


async def _note_begun(tx: Transaction, connection: Connection, items: Sequence[Item]) -> None:
    """Remember from where on the peer says everything again, once its word for that has a row."""
    for item in items:
        for said in item.said:
            if isinstance(said.message, ResyncBegin):
                await restored.begun(tx, connection, said.message)


async def _act(tx: Transaction, connection: Connection, message: Message | None, now_ms: int) -> None:
    """Carry out what a message says about the connection itself."""
    match message:
        case PairConfirm():
            try:
                await confirmed(tx, connection, now_ms)
            except NotNow:
                return  # a confirmation of a pairing that has ended here moves nothing
        case ConnClose():
            await connections.set_closed(tx, connection.id, now_ms)
            await outbox.drop_queued(tx, connection.id, now_ms)
            await problems.report(tx, _closed_by_peer(connection), now_ms=now_ms)
        case ResyncPlease():
            await restored.asked(tx, connection, message, now_ms)
        case NodeAddress():
            await _note_address(tx, connection, message, now_ms)
        case BlobGone():
            await blobs.arrived(tx, connection.id, message.blob)
        case _:
            return


async def _note_address(tx: Transaction, connection: Connection, message: NodeAddress, now_ms: int) -> None:
    """Call the peer where it says that it is; whether this node may call it there is judged at each call."""
    if message.urls == connection.peer_urls:
        return
    await connections.set_peer_urls(tx, connection.id, message.urls)
    await problems.report(tx, _moved(connection, message), now_ms=now_ms)


async def _note_file(tx: Transaction, connection: Connection, written: Written, now_ms: int) -> bool:
    """Store what chunks did to one file; tell whether it is all here now."""
    if written.damaged:
        await problems.report(tx, _damaged_file(connection), now_ms=now_ms)
    if written.missing:
        await blobs.set_missing(tx, connection.id, written.blob.sha256, written.missing)
        return False
    await blobs.arrived(tx, connection.id, written.blob.sha256)
    return True


def _closed_by_peer(connection: Connection) -> problems.Problem:
    return problems.Problem(
        connection_id=connection.id,
        stage=problems.PEER,
        ref=None,
        issue_key=None,
        code="ClosedByPeer",
        message=f"The other side has closed {connection.name}; nothing is sent or received over it any more.",
        advice="Ask its admin. To go on, pair the two nodes again.",
    )


def _moved(connection: Connection, message: NodeAddress) -> problems.Problem:
    return problems.Problem(
        connection_id=connection.id,
        stage=problems.PEER,
        ref=None,
        issue_key=None,
        code="PeerMoved",
        message=f"The other side of {connection.name} has told a new address: {_listed(message.urls)}; it was "
        f"{_listed(connection.peer_urls)}.",
        advice="Its node has signed for that, and it is called there from now on.",
    )


def _listed(urls: Sequence[str]) -> str:
    return ", ".join(urls) or "none, it will call"


def _damaged_file(connection: Connection) -> problems.Problem:
    return problems.Problem(
        connection_id=connection.id,
        stage=problems.PEER,
        ref=None,
        issue_key=None,
        code="DamagedFile",
        message=f"A file that came over {connection.name} was not the one that was announced; it is fetched again.",
        advice="If this repeats, ask the admin of the other side to look at its disk.",
    )
