"""Two streams over a network that does what it wants: the small node around ``protocol.stream`` that tests drive.

Each `Node` has a tracker, which never forgets, and a database, which can be restored from a backup. The network keeps
every frame ever sent. Real envelopes are sealed and opened.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from protocol.ack import Ack, dump_ack, parse_ack
from protocol.envelope import Kind, Slot, open_envelope, seal_envelope
from protocol.packing import messages_of, next_envelopes, pack
from protocol.stream import (
    START,
    AckEffect,
    Judgement,
    RxState,
    TxState,
    after_sealing,
    after_storing,
    hear,
    judge_ack,
    judge_data,
    make_ack,
    next_slot,
    renewed,
    start_tx,
)
from tests.support.paired import Side, seeded

CREDIT = 5
CREDIT_BYTES = 1_000
"""Two envelopes of one large message, or one of several: so both kinds of credit run out."""
_random_bytes = seeded("hostile network")


def issue_of(event: int) -> int:
    """Return the issue that an event is about: there are two."""
    return event % 2


def message(event: int) -> bytes:
    """Return the bytes of a message about an event; every third one is large."""
    return str(event).ljust(200 if event % 3 == 0 else 4).encode()


@dataclass(frozen=True)
class Row:
    """A sealed envelope and what it carries, as the outbox keeps it."""

    events: list[int]
    envelope: bytes
    head: bytes


@dataclass
class Database:
    """What a backup holds."""

    tx: TxState
    rx: RxState = field(default_factory=RxState)
    cursor: int = 0
    waiting: list[int] = field(default_factory=list)
    sealed: dict[int, Row] = field(default_factory=dict)
    inbox: list[int] = field(default_factory=list)
    known: set[int] = field(default_factory=set)


class Node:
    """One side. ``events`` happen in its tracker; ``effects`` are what it did there for the other side."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.events = 0
        self.effects: list[int] = []
        self.db = Database(start_tx(1, _random_bytes(16)))
        self.backup = copy.deepcopy(self.db)
        self.now = 0
        self.stopped = False
        self.believes_every_base = False
        """Removes one guard, to show that it is needed."""
        self.last_effect: AckEffect | None = None

    def edit(self) -> None:
        """Something happens in our tracker."""
        self.events += 1

    def poll(self, *, issue_by_issue: bool = False) -> None:
        """Read the tracker from the cursor; in which order it shows different issues is up to the tracker."""
        new = list(range(self.db.cursor + 1, self.events + 1))
        self.db.waiting += sorted(new, key=issue_of, reverse=True) if issue_by_issue else new
        self.db.cursor = self.events

    def seal(self) -> None:
        """Seal what there is credit for, several messages in one envelope; the bytes are stored and not yet sent."""
        db = self.db
        counts = next_envelopes(
            db.tx,
            [len(message(event)) for event in db.waiting],
            unacked_messages=self.unacked(),
            unacked_bytes=self.unacked_bytes(),
        )
        for count in counts:
            events, db.waiting = db.waiting[:count], db.waiting[count:]
            slot = next_slot(db.tx)
            sealed = seal_envelope(
                self.side.sealing,
                slot,
                pack([message(event) for event in events]),
                now_ms=0,
                random_bytes=_random_bytes,
                several=count > 1,
            )
            db.tx = after_sealing(db.tx, sealed.head)
            db.sealed[slot.seq] = Row(events, sealed.envelope, sealed.head)
        assert not counts or self.unacked() <= db.tx.credit_messages
        assert not counts or self.unacked_bytes() <= db.tx.credit_bytes

    def _waiting_for_receipt(self) -> list[Row]:
        return [row for seq, row in sorted(self.db.sealed.items()) if seq > self.db.tx.acked]

    def unacked(self) -> int:
        """Count the messages without a receipt."""
        return sum(len(row.events) for row in self._waiting_for_receipt())

    def unacked_bytes(self) -> int:
        """Count the bytes of the envelopes without a receipt."""
        return sum(len(row.envelope) for row in self._waiting_for_receipt())

    def send(self) -> list[bytes]:
        """Return an ACK and all that is sealed and not acknowledged."""
        ack = make_ack(self.db.tx, self.db.rx, messages=CREDIT, size=CREDIT_BYTES)
        sealed = seal_envelope(self.side.sealing, Slot(Kind.ACK), dump_ack(ack), now_ms=0, random_bytes=_random_bytes)
        return [sealed.envelope, *(row.envelope for row in self._waiting_for_receipt())]

    def receive(self, frame: bytes) -> None:
        """Open a frame, judge it, and store what follows in one step."""
        opened = open_envelope(self.side.opening, frame)
        if opened.header.kind == Kind.ACK:
            self._receive_ack(parse_ack(opened.payload))
            return
        base = opened.base
        if base is not None and self.believes_every_base:
            base = START
        if judge_data(self.db.rx, opened.header, base, peer_version=1) is not Judgement.STORE:
            return
        self.db.rx = after_storing(self.db.rx, opened.header, opened.head)
        for event in map(int, messages_of(opened)):
            if event not in self.db.known:
                self.db.known.add(event)
                self.db.inbox.append(event)

    def _receive_ack(self, ack: Ack) -> None:
        db = self.db
        db.rx = hear(db.rx, ack)
        row = db.sealed.get(ack.rx.s)
        self.now += 7200
        verdict = judge_ack(
            db.tx,
            ack,
            head_there=row.head if row else None,
            held_from=min(db.sealed, default=db.tx.sealed + 1),
            now=self.now,
            fresh_nonce=_random_bytes(16),
        )
        unacked = [event for row in self._waiting_for_receipt() for event in row.events]
        self.last_effect = verdict.effect
        db.tx = verdict.state
        if verdict.effect is AckEffect.NEW_EPOCH:
            db.sealed.clear()
            db.waiting = unacked + db.waiting
        elif verdict.effect is AckEffect.RESYNC:
            db.sealed.clear()
            db.waiting = list(range(1, self.events + 1))
            db.cursor = self.events
        elif verdict.effect is AckEffect.STOP:
            self.stopped = True

    def apply(self) -> None:
        """Do one thing of the inbox in our tracker, after looking there whether it was done already."""
        if self.db.inbox:
            event = self.db.inbox.pop(0)
            if event not in self.effects:
                self.effects.append(event)

    def prune(self) -> None:
        """Forget the bytes of everything that is acknowledged."""
        self.db.sealed = {seq: row for seq, row in self.db.sealed.items() if seq > self.db.tx.acked}

    def back_up(self) -> None:
        """Make a backup of the database."""
        self.backup = copy.deepcopy(self.db)

    def restore(self) -> None:
        """Start again from the backup, as a process does: with a new nonce."""
        self.db = copy.deepcopy(self.backup)
        self.db.tx = renewed(self.db.tx, _random_bytes(16))


def in_order(effects: list[int]) -> bool:
    """Tell whether the effects on each issue are its events from the first on, none twice and none left out."""
    return all(
        [event for event in effects if issue_of(event) == issue_of(first)]
        == list(range(first, max([e for e in effects if issue_of(e) == issue_of(first)], default=0) + 1, 2))
        for first in (1, 2)
    )


def settle(one: Node, other: Node) -> None:
    """Let the network be fair until nothing moves any more."""
    for _ in range(20 + 2 * (one.events + other.events)):
        for sender, receiver in ((one, other), (other, one)):
            sender.poll()
            sender.seal()
            for frame in sender.send():
                receiver.receive(frame)
            while receiver.db.inbox:
                receiver.apply()
