"""Follows one connection's chain of the ledger row by row, and says in words where it breaks. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from node.store.ledger import START, Entry, hash_of, values_of
from protocol.stream import TxState

MAX_BREAKS = 20
"""Breaks that are told of one chain: the first one matters."""


@dataclass(frozen=True, slots=True)
class Break:
    """What is wrong at one row; ``row`` is its number, 0 where no row of its own is at fault."""

    row: int
    text: str


class Chain:
    """The verification of one chain.

    Args:
        conn: the connection's bytes on the wire; every row must name them.
        peer_node_key: to whom every row must have gone.
        signed: number and hash of the last row that the anchor names, None where it names none.
    """

    def __init__(self, *, conn: bytes, peer_node_key: bytes, signed: tuple[int, bytes] | None) -> None:
        self._conn = conn
        self._peer = peer_node_key
        self._signed = signed
        self._prev = START
        self._epoch = 0
        self._seq = 0
        self._head = b""
        self._place = 1
        self._places = 1
        self._breaks: list[Break] = []
        self.number = 0
        """The last row that was taken."""
        self.rows = 0
        self.dropped = 0

    def take(self, rows: Sequence[Entry]) -> None:
        """Follow the next rows, in the order of their numbers."""
        for row in rows:
            self._take(row)

    def _take(self, row: Entry) -> None:
        if row.number != self.number + 1:
            self._break(self.number + 1, _missing(self.number + 1, row.number - 1))
        elif row.prev != self._prev:
            self._break(row.number, f"Row {row.number}{_of(row)} does not continue row {row.number - 1}.")
        if hash_of(values_of(row)) != row.hash:
            self._break(row.number, f"Row {row.number}{_of(row)} was changed: it does not have the hash it was given.")
        if row.payload is None:
            self.dropped += 1
        elif hashlib.sha256(row.payload).digest() != row.payload_sha256:
            self._break(row.number, f"Row {row.number}{_of(row)} was changed: its payload is not the one that left.")
        if row.conn != self._conn or row.peer_node_key != self._peer:
            self._break(row.number, f"Row {row.number}{_of(row)} names another connection or another node.")
        if self._signed is not None and self._signed[0] == row.number and self._signed[1] != row.hash:
            self._break(
                row.number,
                f"Row {row.number} is not the one that the node signed for: it, or rows before it, were made anew.",
            )
        self._follow(row)
        self._prev, self.number = row.hash, row.number
        self.rows += 1

    def _follow(self, row: Entry) -> None:
        """Check that the row is the next one of its stream; files travel beside the stream."""
        if row.epoch is None or row.seq is None:
            return
        place, places = row.place or 1, row.places or 1
        if self._place < self._places:
            fits = (row.epoch, row.seq, row.head) == (self._epoch, self._seq, self._head)
            fits = fits and (place, places) == (self._place + 1, self._places)
            due = f"message {self._place + 1} of {self._places} in envelope {self._seq}"
        else:
            fits = row.seq == self._seq + 1 if row.epoch == self._epoch else row.epoch > self._epoch and row.seq == 1
            fits = fits and place == 1 <= places
            due = f"envelope {self._seq + 1}"
        if not fits and row.number == self.number + 1:
            self._break(row.number, f"Row {row.number}{_of(row)} holds {_where(row)}, and {due} should come there.")
        self._epoch, self._seq, self._head = row.epoch, row.seq, row.head
        self._place, self._places = place, places

    def finish(self, *, last: int, sending: TxState | None) -> list[Break]:
        """Compare the end with the anchor and the stream; return all that is wrong, by row."""
        if self.number < last:
            self._break(self.number + 1, _missing(self.number + 1, last))
        if self._signed is not None and self._signed[0] > self.number:
            first = self.number + 1
            self._break(first, f"{_missing(first, self._signed[0])} The node signed for {self._signed[0]} rows.")
        if sending is not None:
            self._compare(sending)
        return sorted(self._breaks, key=lambda one: one.row)

    def _compare(self, sending: TxState) -> None:
        here = self._seq if self._epoch == sending.epoch else 0
        if self._epoch > sending.epoch or here > sending.sealed:
            self._break(0, f"The ledger ends with envelope {self._seq}, and the stream has sealed {sending.sealed}.")
        elif here < sending.sealed:
            self._break(
                self.number + 1,
                f"Rows are missing at the end: the stream has sealed {sending.sealed} envelopes, the ledger ends with "
                f"envelope {here}.",
            )
        elif here and self._place < self._places:
            self._break(
                self.number + 1,
                f"Rows are missing at the end: envelope {here} carried {self._places} messages, the ledger ends with "
                f"the {self._place}. of them.",
            )
        elif here and self._head != sending.head:
            self._break(self.number, f"Row {self.number} is not of the last envelope that the stream has sealed.")

    def _break(self, row: int, text: str) -> None:
        if len(self._breaks) < MAX_BREAKS:
            self._breaks.append(Break(row, text))


def _missing(first: int, last: int) -> str:
    return f"Row {first} is missing." if first == last else f"Rows {first} to {last} are missing."


def _where(row: Entry) -> str:
    return f"envelope {row.seq}" if row.place is None else f"message {row.place} of {row.places} in envelope {row.seq}"


def _of(row: Entry) -> str:
    return f" ({row.issue_key})" if row.issue_key else ""
