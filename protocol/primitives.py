"""The few building blocks that every part uses: hashes with a context, base64url, and the one cipher suite.

A hash or signature always starts with its own context, so that bytes made for one purpose are never valid for another.
Never chooses an algorithm by what a message says: version 1 has exactly one suite.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from typing import Annotated, Final, TypeAlias

from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from protocol.errors import Bad

RandomBytes: TypeAlias = Callable[[int], bytes]
"""Gives that many unpredictable bytes: ``secrets.token_bytes`` in a node."""

HPKE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
"""RFC 9180, base mode, one shot, empty ``aad``. Output is ``enc (32) || ciphertext || tag (16)``."""
HPKE_OVERHEAD: Final = 48


def tagged_hash(context: bytes, data: bytes | memoryview) -> bytes:
    """Return SHA-256 of ``context || 0x00 || data``."""
    digest = hashlib.sha256(context + b"\0")
    digest.update(data)
    return digest.digest()


def tagged_hash_of_parts(context: bytes, *parts: bytes) -> bytes:
    """Return SHA-256 of ``context || 0x00`` and every part after its length as u32 big-endian."""
    digest = hashlib.sha256(context + b"\0")
    for part in parts:
        digest.update(len(part).to_bytes(4, "big"))
        digest.update(part)
    return digest.digest()


def to_base64url(data: bytes) -> str:
    """Write bytes as base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def from_base64url(text: str) -> bytes:
    """Read base64url without padding; only the one spelling that `to_base64url` writes.

    Raises:
        Bad: if it is spelled in any other way.
    """
    try:
        data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise Bad("not base64url") from None
    if to_base64url(data) != text:
        raise Bad("not the one base64url spelling")
    return data


def _bytes_of(length: int) -> Callable[[object], bytes]:
    def read(value: object) -> bytes:
        if isinstance(value, str):
            try:
                value = from_base64url(value)
            except Bad as error:
                raise ValueError(error.reason) from None
        if not isinstance(value, bytes) or len(value) != length:
            raise ValueError(f"not {length} bytes in base64url")
        return value

    return read


_WRITE = PlainSerializer(to_base64url, return_type=str)
Bytes8: TypeAlias = Annotated[bytes, BeforeValidator(_bytes_of(8)), _WRITE]
Bytes16: TypeAlias = Annotated[bytes, BeforeValidator(_bytes_of(16)), _WRITE]
Bytes32: TypeAlias = Annotated[bytes, BeforeValidator(_bytes_of(32)), _WRITE]
Bytes64: TypeAlias = Annotated[bytes, BeforeValidator(_bytes_of(64)), _WRITE]
"""Fixed-length bytes in a model; base64url without padding in JSON."""


class Frozen(BaseModel):
    """Ground of all that is read from JSON: frozen, strict; unknown keys are ignored, as newer peers may say more."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True
    )
