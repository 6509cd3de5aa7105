"""How far a pairing is: the states, what moves them (a table), the records to store, and what a step returns.

A record is a model that dumps to JSON and back (``model_dump``, ``model_validate``). It holds the secrets of an open
invitation, but never a key of a node or of a connection. Never does a step itself: that is `protocol.pairing`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Final, Generic

from pydantic import Field
from typing_extensions import TypeVar

from protocol.fingerprint import fingerprint
from protocol.identity import ConnectionKeys, SignedStatement
from protocol.invitation import code_of
from protocol.primitives import Bytes16, Bytes32, Frozen, from_base64url
from protocol.version import SPOKEN

TRIES: Final = 3
"""Attempts at the short code."""
_HALF: Final = 6


class Role(StrEnum):
    """Which side of the invitation a node is on."""

    INVITER = "inviter"
    INVITEE = "invitee"


class State(StrEnum):
    """How far a pairing is. The last five are ends."""

    INVITED = "invited"
    REQUESTED = "requested"
    ACCEPTED = "accepted"
    COMPARING = "comparing"
    ACTIVE = "active"
    EXPIRED = "expired"
    LOCKED = "locked"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    FAILED = "failed"


class Event(StrEnum):
    """What can happen to a pairing."""

    REQUEST = "a valid request"
    LOCK = "too many wrong requests"
    COMPLETE = "the handshake ended"
    HOLD = "the handshake ended, and the short codes must be compared first"
    MATCH = "the short codes match"
    DIFFER = "the short codes differ for the last time"
    EXPIRE = "the invitation expired"
    CANCEL = "the admin cancelled"
    TIMEOUT = "no progress for too long"


TABLE: Final[dict[tuple[Role, State, Event], State]] = {
    (Role.INVITER, State.INVITED, Event.REQUEST): State.ACCEPTED,
    (Role.INVITER, State.INVITED, Event.LOCK): State.LOCKED,
    (Role.INVITER, State.INVITED, Event.EXPIRE): State.EXPIRED,
    (Role.INVITER, State.INVITED, Event.CANCEL): State.CANCELLED,
    (Role.INVITER, State.ACCEPTED, Event.COMPLETE): State.ACTIVE,
    (Role.INVITER, State.ACCEPTED, Event.HOLD): State.COMPARING,
    (Role.INVITER, State.ACCEPTED, Event.MATCH): State.ACCEPTED,
    (Role.INVITER, State.ACCEPTED, Event.DIFFER): State.REJECTED,
    (Role.INVITER, State.ACCEPTED, Event.CANCEL): State.CANCELLED,
    (Role.INVITER, State.ACCEPTED, Event.TIMEOUT): State.FAILED,
    (Role.INVITEE, State.REQUESTED, Event.COMPLETE): State.ACTIVE,
    (Role.INVITEE, State.REQUESTED, Event.HOLD): State.COMPARING,
    (Role.INVITEE, State.REQUESTED, Event.CANCEL): State.CANCELLED,
    (Role.INVITEE, State.REQUESTED, Event.TIMEOUT): State.FAILED,
    **{
        (role, state, event): then
        for role in Role
        for state, event, then in (
            (State.COMPARING, Event.MATCH, State.ACTIVE),
            (State.COMPARING, Event.DIFFER, State.REJECTED),
            (State.COMPARING, Event.CANCEL, State.CANCELLED),
            (State.COMPARING, Event.TIMEOUT, State.FAILED),
            (State.ACTIVE, Event.MATCH, State.ACTIVE),
            (State.ACTIVE, Event.DIFFER, State.REJECTED),
        )
    },
}
"""Everything that may happen; what is not here is refused and changes nothing."""


_Role = Annotated[Role, Field(strict=False)]


class Pairing(Frozen):
    """What both roles keep. Times are Unix seconds of our own clock."""

    role: _Role
    state: Annotated[State, Field(strict=False)]
    id: Bytes16
    conn: Bytes16
    code_digest: Bytes32
    node_key: Bytes32
    """Our own, public."""
    deadline: int
    """When `expire` ends it, if nothing happens before."""
    must_compare: bool = False
    short_code: Annotated[str | None, Field(pattern=r"^[0-9]{12}$", repr=False)] = None
    verified: bool = False
    tries_left: int = TRIES

    @property
    def ours_to_read_out(self) -> str | None:
        """The six digits that we show and the peer's admin types; None before the handshake ended."""
        if self.short_code is None:
            return None
        return self.short_code[:_HALF] if self.role is Role.INVITER else self.short_code[_HALF:]

    @property
    def theirs_to_read_out(self) -> str:
        """The six digits that the peer shows and our admin types: never shown here."""
        if self.short_code is None:
            return ""
        return self.short_code[_HALF:] if self.role is Role.INVITER else self.short_code[:_HALF]


class InviterPairing(Pairing):
    """The inviter's record. The secrets of the code are gone once it was used, has expired or was cancelled."""

    role: _Role = Role.INVITER
    only_for: str | None = None
    code_body: Annotated[str | None, Field(repr=False)] = None
    secret: Annotated[Bytes32 | None, Field(repr=False)] = None
    request_key: Annotated[Bytes32 | None, Field(repr=False)] = None
    nonce: Annotated[Bytes32 | None, Field(repr=False)] = None
    wrong_requests: int = 0
    request_digest: Bytes32 | None = None
    answer: Annotated[str | None, Field(repr=False)] = None
    """M2 in base64url, stored before it is sent; a repeated request gets the very same bytes."""

    @property
    def code(self) -> str | None:
        """The code to hand over, while it can still be used."""
        if self.code_body is None or self.state is not State.INVITED:
            return None
        return code_of(from_base64url(self.code_body))


class InviteePairing(Pairing):
    """The invitee's record."""

    role: _Role = Role.INVITEE
    inviter_node_key: Bytes32
    inviter_label: str = ""
    inviter_urls: tuple[str, ...] = Field(default=(), strict=False)
    protocol: tuple[int, int] = Field(default=SPOKEN, strict=False)
    commitment: Bytes32
    request: Annotated[str, Field(repr=False)]
    """M1 in base64url, stored before it is sent."""
    request_body: Annotated[str, Field(repr=False)]
    statement: SignedStatement

    @property
    def request_bytes(self) -> bytes:
        """M1, to send until an answer comes; always the same bytes."""
        return from_base64url(self.request)


@dataclass(frozen=True)
class Established:
    """What a connection begins with. ``dir`` is 0 for what the inviter sends, 1 for what the invitee sends."""

    conn: bytes
    our_dir: int
    keys: ConnectionKeys
    our_statement: SignedStatement
    peer_node_key: bytes
    peer_statement: SignedStatement
    peer_label: str
    """Untrusted text."""
    peer_urls: tuple[str, ...]
    version: int

    @property
    def peer_fingerprint(self) -> str:
        """The peer's name to read aloud."""
        return fingerprint(self.peer_node_key)


class Verdict(StrEnum):
    """What came of a message of the handshake."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"
    """The same message again: the same answer again, nothing else."""
    USED = "used"
    """Somebody else used this invitation: tell the admins on both sides."""
    REFUSED = "refused"
    """Answer as if the invitation did not exist: always the same HTTP 404."""


_P_co = TypeVar("_P_co", bound=Pairing, default=Pairing, covariant=True)


@dataclass(frozen=True)
class Reception(Generic[_P_co]):
    """What a message led to. ``answer`` is to be sent back once ``pairing`` and ``established`` are stored."""

    pairing: _P_co
    verdict: Verdict
    answer: bytes | None = field(default=None, repr=False)
    established: Established | None = None
    reason: str = ""
    """Why it was refused; for our own log only."""
