"""The payloads of DATA envelopes: a tagged union on ``t``, and the codes that an outcome may carry.

Never carries free text about the receiver: an outcome is a code, so neither side learns the other's field names,
users or rules. A type that this version does not know is kept whole and ends as an outcome, never as an error.
"""

from __future__ import annotations

import hashlib
import hmac
from enum import IntEnum
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from protocol import strict_json
from protocol.errors import BadContent, TooLarge
from protocol.invitation import MAX_URLS, Url
from protocol.primitives import Frozen
from protocol.replica import MAX_FIELDS, BlobId, Handle, Name, Replica

MAX_PAYLOAD = 1 << 20
"""Bytes of one payload: 1 MiB."""
MAX_OUTCOMES = 256
"""Outcomes in one message: as many as one exchange can carry envelopes."""

MessageId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""Deterministic (see `message_id`), so that a re-sent message is recognised after any restore."""
Revision: TypeAlias = Annotated[int, Field(ge=1, le=strict_json.MAX_INTEGER)]
Seen: TypeAlias = Annotated[int, Field(ge=0, le=strict_json.MAX_INTEGER)]


class Code(IntEnum):
    """What became of a message. The whole vocabulary; a code says nothing about the system behind it."""

    APPLIED = 0
    IGNORED = 1
    SUPERSEDED = 2

    STALE_KEY = 201
    FORK = 202
    VERSION = 203
    OVER_LIMIT = 204
    NOT_ACTIVE = 210

    MALFORMED = 301
    UNSUPPORTED = 302
    TOO_LARGE = 303
    POLICY = 304
    FIELD_NOT_ACCEPTED = 305
    TARGET_GONE = 306
    ATTACHMENT_REFUSED = 307
    GIVEN_UP = 308

    DELAYED = 401
    UNAVAILABLE = 402

    @property
    def sentence(self) -> str:
        """Say what the code means, for the person on the side that receives it."""
        return _SENTENCES[self]

    @property
    def final(self) -> bool:
        """Tell whether the message has ended; a 4xx is followed by another outcome later."""
        return self < Code.DELAYED

    @property
    def refused(self) -> bool:
        """Tell whether the message ended without having its effect."""
        return Code.STALE_KEY <= self < Code.DELAYED


_SENTENCES: Final[dict[Code, str]] = {
    Code.APPLIED: "The other side has applied it.",
    Code.IGNORED: "The other side received it and its rules ask for nothing to be done.",
    Code.SUPERSEDED: "A newer message about the same issue took its place.",
    Code.STALE_KEY: "It was sealed with a key that the other side has replaced.",
    Code.FORK: "The other side sees two histories of this connection; one of the nodes was restored or copied.",
    Code.VERSION: "The other side does not speak this version of the protocol.",
    Code.OVER_LIMIT: "It goes beyond a limit of the other side.",
    Code.NOT_ACTIVE: "The connection is not active on the other side.",
    Code.MALFORMED: "The other side could not understand the message.",
    Code.UNSUPPORTED: "The other side does not support this type of message.",
    Code.TOO_LARGE: "It is larger than the other side accepts.",
    Code.POLICY: "The other side's rules reject it.",
    Code.FIELD_NOT_ACCEPTED: "The other side did not accept the value of one or more fields.",
    Code.TARGET_GONE: "The issue on the other side no longer exists or is no longer linked.",
    Code.ATTACHMENT_REFUSED: "The other side does not take this attachment.",
    Code.GIVEN_UP: "The other side tried for its full time and could not apply it.",
    Code.DELAYED: "The other side has it and has not been able to apply it yet.",
    Code.UNAVAILABLE: "The system behind the other side is unavailable; it will be tried again there.",
}


_KNOWN_CODES: Final = frozenset(Code)


class IssueReplica(Frozen):
    """The issue as its sender now shares it, whole; the newest one says all.

    ``twin`` is the receiver's handle of the issue, if the sender knows it. ``revision`` is the sender's counter of
    this link. ``changed`` says per field name in which revision a local user last changed it. ``seen`` is the highest
    revision of the receiver's that the sender has applied, 0 if none. ``applied`` is the highest revision of the
    sender's of which it has heard that the receiver applied it, 0 if it knows of none: a receiver that was restored has
    forgotten that. ``connect`` is reserved.
    """

    t: Literal["issue.replica"] = "issue.replica"
    mid: MessageId
    twin: Handle | None = None
    revision: Revision
    changed: Annotated[
        dict[Annotated[str, StringConstraints(min_length=1, max_length=255)], Revision], Field(max_length=MAX_FIELDS)
    ] = Field(default_factory=dict)
    seen: Seen = 0
    applied: Seen = 0
    replica: Replica
    connect: Handle | None = None


class IssueRemoved(Frozen):
    """The sender's issue is gone, or no longer shared. ``issue`` is the sender's handle, ``twin`` the receiver's."""

    t: Literal["issue.removed"] = "issue.removed"
    mid: MessageId
    issue: Handle
    twin: Handle | None = None
    revision: Revision
    reason: Literal["deleted", "unlinked"]


class Result(Frozen):
    """What became of one message.

    ``f`` are positions in the list of field names of the replica that it answers, in the order in which its sender
    wrote them: never a name of the receiver's. ``issue`` is the receiver's handle of its own issue, with ``key`` and
    ``url`` for display, so that the sender of a first replica can link back.
    """

    mid: MessageId
    c: Annotated[int, Field(ge=0, le=999)]
    f: Annotated[
        tuple[Annotated[int, Field(ge=0, lt=MAX_FIELDS)], ...], Field(strict=False, max_length=MAX_FIELDS)
    ] = ()
    issue: Handle | None = None
    key: Name | None = None
    url: Annotated[str, StringConstraints(max_length=2048)] | None = None

    @property
    def code(self) -> Code:
        """Return the code; one of a newer peer that we do not know reads as the plainest of its class."""
        if self.c in _KNOWN_CODES:
            return Code(self.c)
        return Code.DELAYED if self.c >= Code.DELAYED else Code.POLICY if self.c >= Code.STALE_KEY else Code.IGNORED


class Outcome(Frozen):
    """What became of messages that the receiver of this one sent earlier."""

    t: Literal["outcome"] = "outcome"
    results: Annotated[tuple[Result, ...], Field(alias="for", strict=False, min_length=1, max_length=MAX_OUTCOMES)]


class BlobGone(Frozen):
    """The sender can no longer give the bytes of a file that a replica named; the receiver stops asking."""

    t: Literal["blob.gone"] = "blob.gone"
    blob: BlobId


class PairConfirm(Frozen):
    """The first message of the one who was invited: it has the answer to its request."""

    t: Literal["pair.confirm"] = "pair.confirm"


class ConnClose(Frozen):
    """The sender closes the connection for good. Only a signed one is believed."""

    t: Literal["conn.close"] = "conn.close"


class NodeAddress(Frozen):
    """From now on the sender is reached at these URLs instead of those that it told before; none: it will call."""

    t: Literal["node.address"] = "node.address"
    urls: Annotated[tuple[Url, ...], Field(strict=False, max_length=MAX_URLS)] = ()


class ResyncPlease(Frozen):
    """The sender was restored from a backup and asks to be told every linked issue again."""

    t: Literal["resync.please"] = "resync.please"
    mid: MessageId


class ResyncBegin(Frozen):
    """From here on every linked issue is said again. ``of`` is the ``mid`` of the request."""

    t: Literal["resync.begin"] = "resync.begin"
    mid: MessageId
    of: MessageId


class ResyncEnd(Frozen):
    """Every linked issue was said again, as far as it can be. ``of`` is the ``mid`` of the request."""

    t: Literal["resync.end"] = "resync.end"
    mid: MessageId
    of: MessageId


class UnknownMessage(Frozen):
    """A type that this version does not know: ignored, or refused with 302 if its envelope is marked critical."""

    t: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    raw: bytes


_Known: TypeAlias = (
    IssueReplica
    | IssueRemoved
    | Outcome
    | BlobGone
    | PairConfirm
    | ConnClose
    | NodeAddress
    | ResyncPlease
    | ResyncBegin
    | ResyncEnd
)
KnownMessage: TypeAlias = Annotated[_Known, Field(discriminator="t")]
Message: TypeAlias = _Known | UnknownMessage

_KNOWN: TypeAdapter[_Known] = TypeAdapter(KnownMessage)
TYPES: Final = frozenset(
    {
        "issue.replica", "issue.removed", "outcome", "blob.gone", "pair.confirm", "conn.close", "node.address",
        "resync.please", "resync.begin", "resync.end",
    }
)  # fmt: skip


def parse_message(payload: bytes) -> Message:
    """Read the payload of a DATA envelope that has verified.

    Raises:
        BadContent: if it is not strict JSON or not a message; the envelope still takes its place (outcome 301).
    """
    if len(payload) > MAX_PAYLOAD:
        raise BadContent("payload over 1 MiB")
    value = strict_json.parse_object(payload)
    t = value.get("t")
    try:
        if isinstance(t, str) and t not in TYPES:
            return UnknownMessage(t=t, raw=bytes(payload))
        return _KNOWN.validate_python(value, by_alias=True, by_name=False)
    except ValidationError as error:
        raise BadContent(f"not a message: {_where(error)}") from None


def dump_message(message: Message) -> bytes:
    """Write a message as the payload of a DATA envelope.

    Raises:
        TooLarge: if it does not fit into one payload.
    """
    if isinstance(message, UnknownMessage):
        return message.raw
    dumped = {"t": message.t, **message.model_dump(mode="python", by_alias=True, exclude_defaults=True)}
    payload = strict_json.dump(dumped)
    if len(payload) > MAX_PAYLOAD:
        raise TooLarge(
            f"This content takes {len(payload):,} bytes; a message holds at most {MAX_PAYLOAD:,}.",
            advice="Share less of it: see the outgoing rules of the connection.",
        )
    return payload


def message_id(key: bytes, kind: str, local_id: str, revision: int) -> str:
    """Return the id of a message: the same object and revision always give the same id, also after a restore.

    ``key`` is the node's 32-byte secret for ids, so that ids tell the peer nothing about ``local_id``. 32 hex digits.
    """
    parts = [kind.encode(), local_id.encode(), str(revision).encode()]
    framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hmac.new(key, b"ACC1 mid\0" + framed, hashlib.sha256).digest()[:16].hex()


def _where(error: ValidationError) -> str:
    """Name the place and the rule of the first problem, never the value; keys of free maps are the peer's text."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) if isinstance(part, int) else part[:40] for part in first["loc"])
    return f"{place or 'top'}: {first['type']}"
