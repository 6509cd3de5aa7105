"""Proves what left: verifies the chains of the ledger against the streams and against heads that the node key signed.

The signed heads are a file beside the database, the *anchor*. It is written after the rows it names are committed, so a
crash leaves it behind the ledger, never before it: whatever it names and the ledger does not hold was taken away. It is
never moved to a ledger that does not hold what it names; a person decides that. Never changes a row.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from node.background import Background
from node.clock import Clock
from node.errors import AccordError
from node.ledger_chain import Break, Chain
from node.store import connections, ledger, streams
from node.store.connections import Connection
from node.store.engine import Store
from node.store.port import Reader
from protocol.identity import NodeKey
from protocol.stream import TxState

ANCHOR_FILE = "ledger.anchor"
_CONTEXT = b"ACC1 ledger anchor\0"
_PART = 500
"""Rows that are verified at a time, so that the node goes on meanwhile."""
_PAUSE = 1.0
"""Seconds between two anchors: what is sealed in between is held by the stream and by the peer's signed receipts."""
_LOG = logging.getLogger(__name__)


class LedgerError(AccordError):
    """The ledger, or what proves it, is not as this node left it."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """The last row of each chain, as the node signed for it: number and hash by the connection's bytes."""

    at_ms: int
    tips: dict[bytes, tuple[int, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReport:
    """One connection's chain. ``broken`` is what is wrong with it, first things first; empty when all is well."""

    connection: str
    rows: int
    head: str
    payloads_dropped: int
    broken: tuple[Break, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What ``verify`` found. ``problems`` are those of no single chain."""

    chains: tuple[ChainReport, ...]
    problems: tuple[str, ...]
    anchored_ms: int | None

    @property
    def sound(self) -> bool:
        """Tell whether nothing was changed or removed."""
        return not self.problems and not any(chain.broken for chain in self.chains)


@dataclass(frozen=True, slots=True)
class _State:
    connection: Connection
    sending: TxState | None
    tip: tuple[int, bytes] | None


class Ledger:
    """The ledger of one node: its anchor and its proof."""

    def __init__(self, store: Store, node_key: NodeKey, folder: Path, clock: Clock) -> None:
        self._store = store
        self._key = node_key
        self._path = folder / ANCHOR_FILE
        self._clock = clock
        self._dirty = asyncio.Event()
        self._writing = asyncio.Lock()
        self._background = Background("ledger anchor", self._run)
        self.trouble = ""
        """Why nothing new is signed for, or empty."""

    async def start(self) -> None:
        """Begin to sign for what is sealed; call it before anything can be sealed."""
        await self._try_to_sign()
        self._background.start()

    async def stop(self) -> None:
        """Sign for everything until now, and stop."""
        if self._background.started:
            await self._background.stop()
            await self._try_to_sign()

    def sealed(self, _connection_id: int) -> None:
        """There are new rows."""
        self._dirty.set()

    async def _run(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            await self._try_to_sign()
            await self._clock.sleep(_PAUSE)

    async def _try_to_sign(self) -> None:
        try:
            await self.sign()
        except AccordError as error:
            self._tell(f"{error.message} {error.advice}".strip())
        except OSError as error:
            self._tell(f"The ledger's anchor {self._path} cannot be written: {error.strerror}.")
        else:
            self.trouble = ""

    def _tell(self, trouble: str) -> None:
        if trouble != self.trouble:
            _LOG.error("%s", trouble)
        self.trouble = trouble

    async def sign(self, *, anew: bool = False) -> Anchor:
        """Sign for the last row of every chain. With ``anew`` the old anchor is set aside, whatever it names.

        Raises:
            LedgerError: the ledger does not hold what was signed before, or the anchor cannot be read.
        """
        async with self._writing:
            tips = await self._store.read(ledger.tips)
            before = None if anew else await asyncio.to_thread(self._read)
            if before is None and tips and not anew:
                raise LedgerError(
                    f"The signed anchor {self._path.name} is missing, and there is a ledger: nothing new is signed.",
                    advice="Restore it from a backup. Or look with accord ledger verify, then accord ledger sign-anew.",
                )
            for conn, (number, digest) in (before.tips if before else {}).items():
                if number and not await self._holds(conn, number, digest):
                    raise LedgerError(
                        "The ledger does not hold what this node signed for earlier, so nothing new is signed.",
                        advice="Look with: accord ledger verify. After a restored backup: accord ledger sign-anew",
                    )
            if before is not None and before.tips == tips:
                return before
            anchor = Anchor(self._clock.now_ms(), tips)
            await asyncio.to_thread(self._write, anchor, set_aside=anew)
            return anchor

    async def lost(self) -> dict[bytes, str]:
        """Return the connections, by their bytes, of which this node signed for rows that its database does not hold.

        The value is the hash of the last of these rows: the database was put back to before it, or rows were removed.
        An anchor that cannot be read tells nothing here; ``sign`` says so.
        """
        try:
            anchor = await asyncio.to_thread(self._read)
        except LedgerError:
            return {}
        tips = anchor.tips if anchor is not None else {}
        return {
            conn: digest.hex()
            for conn, (number, digest) in tips.items()
            if number and not await self._holds(conn, number, digest)
        }

    async def _holds(self, conn: bytes, number: int, digest: bytes) -> bool:
        async def look(reader: Reader) -> bool:
            row = await connections.by_conn(reader, conn)
            found = await ledger.entry(reader, row.id, number) if row is not None else None
            return found is not None and found.hash == digest

        return await self._store.read(look)

    async def verify(self) -> Report:
        """Recompute every chain and compare it with the streams and with the anchor."""
        problems: list[str] = []
        anchor: Anchor | None = None
        try:
            anchor = await asyncio.to_thread(self._read)
        except LedgerError as error:
            problems.append(error.message)
        states = await self._store.read(_states)
        if anchor is None and not problems and any(state.tip for state in states):
            problems.append(
                f"The signed anchor {self._path.name} is missing: the streams alone prove how the chains end."
            )
        known = {state.connection.conn for state in states}
        problems += [
            f"The chain of connection {conn.hex()} is gone; the node signed for its {number} rows."
            for conn, (number, _) in (anchor.tips if anchor else {}).items()
            if conn not in known
        ]
        chains = [await self._verify(state, anchor) for state in states]
        return Report(
            chains=tuple(chain for chain in chains if chain is not None),
            problems=tuple(problems),
            anchored_ms=anchor.at_ms if anchor else None,
        )

    async def _verify(self, state: _State, anchor: Anchor | None) -> ChainReport | None:
        row = state.connection
        signed = anchor.tips.get(row.conn) if anchor is not None and row.conn is not None else None
        if state.tip is None and state.sending is None and signed is None:
            return None
        chain = Chain(conn=row.conn or b"", peer_node_key=row.peer_node_key or b"", signed=signed)
        last = state.tip[0] if state.tip else 0
        while chain.number < last:
            part = await self._store.read(
                lambda tx: ledger.part(tx, row.id, after=chain.number, limit=min(_PART, last - chain.number))
            )
            if not part:
                break
            await asyncio.to_thread(chain.take, part)
        broken = chain.finish(last=last, sending=state.sending)
        return ChainReport(
            connection=row.name,
            rows=chain.rows,
            head=state.tip[1].hex() if state.tip else "",
            payloads_dropped=chain.dropped,
            broken=tuple(broken),
        )

    def _read(self) -> Anchor | None:
        try:
            text = self._path.read_text("utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise LedgerError(f"The signed anchor {self._path} cannot be read: {error}.") from None
        try:
            outer = json.loads(text)
            body: str = outer["body"]
            Ed25519PublicKey.from_public_bytes(self._key.public).verify(
                bytes.fromhex(outer["signature"]), _CONTEXT + body.encode()
            )
            data = json.loads(body)
            return Anchor(
                int(data["at_ms"]),
                {bytes.fromhex(conn): (int(number), bytes.fromhex(hash_)) for conn, number, hash_ in data["tips"]},
            )
        except InvalidSignature:
            raise LedgerError(
                f"The anchor {self._path} is not signed by this node's key: somebody changed it.",
                advice="Look with: accord ledger verify",
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise LedgerError(
                f"The anchor {self._path} is damaged.", advice="Look with: accord ledger verify"
            ) from None

    def _write(self, anchor: Anchor, *, set_aside: bool) -> None:
        tips: Sequence[tuple[str, int, str]] = [
            (conn.hex(), number, digest.hex()) for conn, (number, digest) in sorted(anchor.tips.items())
        ]
        body = json.dumps({"at_ms": anchor.at_ms, "tips": tips}, separators=(",", ":"))
        signature = self._key.sign(_CONTEXT, body.encode()).hex()
        temporary = self._path.with_name(f".{ANCHOR_FILE}.new")
        with temporary.open("w", encoding="utf-8") as file:
            file.write(json.dumps({"body": body, "signature": signature}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        if set_aside and self._path.exists():
            self._path.replace(self._path.with_name(f"{ANCHOR_FILE}.until-{anchor.at_ms}"))
        temporary.replace(self._path)


async def _states(reader: Reader) -> list[_State]:
    """Read all streams and the ends of all chains in one snapshot."""
    return [
        _State(row, await streams.load_tx(reader, row.id), await ledger.tip(reader, row.id))
        for row in await connections.every(reader)
    ]
