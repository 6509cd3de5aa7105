"""The invitation code: what one admin hands to the other, out of band, so that two nodes can pair.

``accord1.`` and base64url of (JSON, first 4 bytes of its SHA-256). It holds public keys, a one-time secret, an expiry
and a commitment; nothing that decrypts or forges later traffic, no field names, no user, no version of a product.
Whether it was used or has expired is the inviter's to judge (`protocol.pairing`), by the inviter's clock only.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints, ValidationError

from protocol import strict_json
from protocol.errors import Bad, InvitationUnusable, Mistyped
from protocol.fingerprint import fingerprint, parse_fingerprint, same_fingerprint
from protocol.keys import check_ed25519, check_x25519
from protocol.primitives import (
    Bytes16,
    Bytes32,
    Frozen,
    from_base64url,
    tagged_hash,
    tagged_hash_of_parts,
    to_base64url,
)
from protocol.version import Range, agree

PREFIX: Final = "accord1."
MAX_CODE: Final = 2048
"""Characters of a code."""
MAX_URLS: Final = 4
DEFAULT_VALIDITY: Final = 72 * 3600
"""Seconds."""
MAX_VALIDITY: Final = 14 * 24 * 3600
"""Seconds."""
_CHECKSUM: Final = 4
_ADVICE: Final = "Copy the whole code again, from its first to its last character."

Url = Annotated[str, StringConstraints(max_length=255, pattern=r"^https?://[\x21-\x7e]+$")]
Label = Annotated[str, StringConstraints(max_length=64)]

# What mail programs and chats put into a long word: white space, quoting, invisible marks, soft line breaks.
_MAIL: Final = re.compile(r"(?m)^[>\s]+|=\r?\n|[\s\u00ad\u200b-\u200d\u2060\ufeff]")
_WRAPPING: Final = "\"'`<>()[]"


class Terms(Frozen):
    """What the code says."""

    format: Annotated[int, Field(alias="v", ge=1, le=1)] = 1
    protocol: Annotated[Range, Field(alias="p")]
    id: Annotated[Bytes16, Field(alias="i")]
    node_key: Annotated[Bytes32, Field(alias="n")]
    request_key: Annotated[Bytes32, Field(alias="k")]
    """X25519, used once: the request is sealed to it."""
    secret: Annotated[Bytes32, Field(alias="s", repr=False)]
    """Proves possession of the code; destroyed at first use."""
    commitment: Annotated[Bytes32, Field(alias="c")]
    expires: Annotated[int, Field(alias="e", ge=0, le=strict_json.MAX_INTEGER)]
    """Unix seconds, of the inviter's clock."""
    urls: Annotated[tuple[Url, ...], Field(alias="u", strict=False, max_length=MAX_URLS)] = ()
    only_for: Annotated[str | None, Field(alias="to", max_length=64)] = None
    """Fingerprint of the only node that may use it."""
    label: Annotated[Label, Field(alias="l")] = ""
    """Untrusted text: what the inviter calls itself."""


@dataclass(frozen=True)
class Invitation:
    """An invitation: its terms, and the JSON bytes that spell them (which hold the secret until it is used)."""

    terms: Terms
    body: bytes = field(repr=False)

    @classmethod
    def of(cls, terms: Terms) -> Invitation:
        """Spell an invitation out.

        Raises:
            InvitationUnusable: if the label and URLs together make the code too long.
        """
        dumped: dict[str, Any] = terms.model_dump(by_alias=True, exclude_none=True)
        invitation = cls(terms, strict_json.dump(dumped))
        if len(invitation.code) > MAX_CODE:
            raise InvitationUnusable("The invitation code would be too long.", advice="Use fewer or shorter URLs.")
        return invitation

    @classmethod
    def from_code(cls, text: str) -> Invitation:
        """Read a code as a person pasted it; white space, line breaks and mail quoting are forgiven.

        Raises:
            Mistyped: saying what is wrong with it.
        """
        body = _body(text)
        try:
            terms = Terms.model_validate(strict_json.parse_object(body), by_alias=True, by_name=False)
            check_ed25519(terms.node_key)
            check_x25519(terms.request_key)
            if terms.only_for is not None:
                parse_fingerprint(terms.only_for)
        except (Bad, ValidationError):
            raise Mistyped(
                "The invitation code is complete, but this node does not understand what it says.",
                advice="Ask for a new code; if that does not help, one of the two nodes needs an update.",
            ) from None
        return cls(terms, body)

    @property
    def code(self) -> str:
        """The code to hand over. A secret until it is used."""
        return code_of(self.body)

    @property
    def digest(self) -> bytes:
        """What both sides put into the transcript, so that a code that was rewritten on its way shows."""
        return tagged_hash(b"ACC1 code", self.body)

    @property
    def connection_id(self) -> bytes:
        """The 16-byte id of the connection that this invitation makes."""
        return tagged_hash_of_parts(b"ACC1 conn", self.terms.id, self.terms.secret)[:16]

    def check_usable_by(self, node_key: bytes) -> int:
        """Check that the node with this public key may try to use it; return the version that both speak.

        Raises:
            InvitationUnusable: if it is that node's own, or for another node.
            VersionMismatch: if the two nodes share no version.
        """
        if self.terms.node_key == node_key:
            raise InvitationUnusable(
                "This invitation was made by this very node.", advice="Give it to the admin of the other node."
            )
        only_for = self.terms.only_for
        if only_for is not None and not same_fingerprint(parse_fingerprint(only_for), fingerprint(node_key)):
            raise InvitationUnusable(
                "This invitation is for another node.",
                advice=f"Tell the inviter this node's fingerprint, {fingerprint(node_key)}, and ask for a new code.",
            )
        return agree(self.terms.protocol)


def commit_to(nonce: bytes) -> bytes:
    """Return the commitment to the inviter's nonce that goes into the code."""
    return tagged_hash(b"ACC1 nonce", nonce)


def code_of(body: bytes) -> str:
    """Return the code that carries these JSON bytes."""
    return PREFIX + to_base64url(body + _checksum(body))


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()[:_CHECKSUM]


def _body(text: str) -> bytes:
    if len(text) > 4 * MAX_CODE:
        raise Mistyped("This text is too long for an invitation code.", advice=_ADVICE)
    code = _MAIL.sub("", text).strip(_WRAPPING)
    if not code:
        raise Mistyped("No invitation code was given.", advice="Paste the code that the other admin sent.")
    head, dot, coded = code.partition(".")
    if not dot or head.lower() != PREFIX[:-1]:
        if dot and re.fullmatch(r"(?i)accord[0-9]{1,3}", head):
            raise Mistyped("The invitation code was made by a newer version.", advice="Update this node.")
        raise Mistyped(f"This is not an invitation code: it does not begin with {PREFIX}", advice=_ADVICE)
    wrong = re.search(r"[^A-Za-z0-9_-]", coded)
    if wrong is not None:
        raise Mistyped(
            f"Character {len(head) + 2 + wrong.start()} of the invitation code does not belong there.", advice=_ADVICE
        )
    if len(code) > MAX_CODE:
        raise Mistyped("This text is too long for an invitation code.", advice=_ADVICE)
    try:
        data = from_base64url(coded)
    except Bad:
        data = b""
    body = data[:-_CHECKSUM]
    if not body or _checksum(body) != data[-_CHECKSUM:]:
        raise Mistyped("The invitation code is incomplete or has a typing mistake.", advice=_ADVICE)
    return body
