"""The people, keys and hashes of the golden bytes; by hand, without a line of ``protocol/``."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
Vectors = dict[str, Any]


def secret(name: str, size: int = 32) -> bytes:
    """Return bytes that look random and depend on nothing but ``name``."""
    return hashlib.shake_256(b"accord test vectors " + name.encode()).digest(size)


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def framed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


class Signer:
    """An Ed25519 key pair from a name."""

    def __init__(self, name: str) -> None:
        self.seed = secret(name)
        self._key = Ed25519PrivateKey.from_private_bytes(self.seed)
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """Sign the bytes as they are."""
        return self._key.sign(data)


class Box:
    """An X25519 key pair from a name."""

    def __init__(self, name: str) -> None:
        self.private = secret(name)
        self.public = X25519PrivateKey.from_private_bytes(self.private).public_key().public_bytes_raw()


def kid(public: bytes) -> bytes:
    return sha(b"ACC1 kid\0", public)[:8]


ALICE, BOB, MALLORY = Signer("alice nk"), Signer("bob nk"), Signer("mallory nk")
ALICE_SK, BOB_SK, MALLORY_SK = Signer("alice sk"), Signer("bob sk"), Signer("mallory sk")
ALICE_EK, BOB_EK, MALLORY_EK = Box("alice ek"), Box("bob ek"), Box("mallory ek")
INVITE_ID, CODE_SECRET, REQUEST_KEY = secret("invite id", 16), secret("code secret"), Box("request key")
ALICE_NONCE, BOB_NONCE = secret("alice nonce"), secret("bob nonce")
CONN = sha(b"ACC1 conn\0", framed(INVITE_ID, CODE_SECRET))[:16]


def le(number: int) -> bytes:
    return number.to_bytes(32, "little")
