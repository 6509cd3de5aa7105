"""What the sync core needs of the house around it, handed over by the composition root. Ports, no behaviour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from node.clock import Clock
from node.rules.facts import TrackerFacts
from node.rules.guard import GuardPolicy
from node.rules.incoming import IncomingRules
from node.rules.outgoing import OutgoingRules
from node.rules.ruleset import RuleSet
from node.store.engine import Store
from node.store.port import Transaction
from node.sync.content import FileDigest
from node.sync.locks import KeyedLocks
from node.sync.names import Names
from node.trackers.base import Tracker


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One connection as the sync core sees it. ``inviter`` decides who prevails in a conflict: the inviter does."""

    id: int
    name: str
    state: str
    inviter: bool
    project: str
    default_type: str | None
    names: Names
    may_create: AbstractSet[str] = frozenset()
    """What scripts may have made in our Jira: words of ``rules.fields.CREATABLE``."""

    @property
    def open(self) -> bool:
        """Tell whether changes are taken down for it: a deactivated connection still collects them."""
        return self.state in {"active", "deactivated"}


class RuleBook(Protocol):
    """The published rules of each connection. A sync that runs finishes with the version it started with."""

    async def party(self, connection_id: int) -> Party:
        """Return the connection. Raises UsageError where it does not exist."""
        ...

    async def outgoing(self, connection_id: int) -> OutgoingRules:
        """Return the outgoing rules that count now."""
        ...

    async def incoming(self, connection_id: int) -> IncomingRules:
        """Return the incoming rules that count now."""
        ...

    async def automatic(self) -> Sequence[tuple[Party, RuleSet]]:
        """Return the connections that issues enter by themselves, with the outgoing rules that say so."""
        ...


class Files(Protocol):
    """The bytes of attachments on their way, kept in files under their SHA-256."""

    def temporary(self) -> Path:
        """Return the path of a file that does not exist yet, beside the kept ones."""
        ...

    async def keep(self, connection_id: int, path: Path) -> FileDigest:
        """Move a downloaded file to where the sender finds it."""
        ...

    async def offer(self, tx: Transaction, connection_id: int, digest: FileDigest) -> None:
        """Note, with the message that names it, that the peer may ask for this file."""
        ...

    async def has_outgoing(self, connection_id: int, sha256: str) -> bool:
        """Tell whether a file of ours is still kept for this peer."""
        ...

    async def arrived(self, connection_id: int, sha256: str) -> Path | None:
        """Return the file of the peer's with this digest once all of it is here."""
        ...

    async def want(self, tx: Transaction, connection_id: int, digest: FileDigest) -> None:
        """Ask the peer for a file."""
        ...

    async def release(self, connection_id: int, sha256: str) -> None:
        """The file is in our tracker: its bytes are not needed any more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The house around the sync core."""

    store: Store
    tracker: Tracker
    clock: Clock
    rules: RuleBook
    facts: TrackerFacts
    choices_changed: Callable[[str], None]
    """A project has got another version, component or option: what is known of its choices is old."""
    files: Files
    locks: KeyedLocks
    browse_url: Callable[[str], str]
    """Issue key to the address where people look at it."""
    wake_sender: Callable[[int], None]
    """There is something in the outbox of this connection."""
    ask_peer: Callable[[int], None]
    """Tell the peer how we stand although there is nothing to send: we want files."""
    shadows_are_fresh: Callable[[], bool]
    """Whether webhooks keep the shadows up to date, and none was lost since the last sweep as far as anybody can tell:
    then a write needs no read before it."""
    max_file: int
    """Bytes; a larger attachment is refused with words."""
    guard: GuardPolicy
    """What the last look before sealing lets pass."""
    recovered: Callable[[], None] = lambda: None
    """A connection has recovered from a restore of our database: there is much to look at."""
    crash_point: Callable[[str], None] = lambda _name: None
    """Called between any two lines where a crash must be survivable; tests die here."""
