"""HPKE (RFC 9180) base mode, written from the RFC with the sender's one-use key as a parameter, to make golden bytes.

X25519, HKDF-SHA256, ChaCha20-Poly1305; shares no code with ``protocol/``. For tests only: a chosen one-use key is
unsafe.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

_KEM_SUITE = b"KEM" + (0x0020).to_bytes(2, "big")
_HPKE_SUITE = b"HPKE" + b"".join(n.to_bytes(2, "big") for n in (0x0020, 0x0001, 0x0003))


def _extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return hmac.new(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, hashlib.sha256).digest()


def _expand(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    labelled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.new(prk, labelled + b"\1", hashlib.sha256).digest()[:length]  # one block: length is at most 32


def seal(public: bytes, info: bytes, plaintext: bytes, *, one_use: bytes, aad: bytes = b"") -> bytes:
    """Return ``enc || ciphertext || tag`` with the one-use private key ``one_use``."""
    sender = X25519PrivateKey.from_private_bytes(one_use)
    enc = sender.public_key().public_bytes_raw()
    shared = sender.exchange(X25519PublicKey.from_public_bytes(public))
    prk = _extract(_KEM_SUITE, b"", b"eae_prk", shared)
    secret = _expand(_KEM_SUITE, prk, b"shared_secret", enc + public, 32)
    context = b"\0" + _extract(_HPKE_SUITE, b"", b"psk_id_hash", b"") + _extract(_HPKE_SUITE, b"", b"info_hash", info)
    prk = _extract(_HPKE_SUITE, secret, b"secret", b"")
    key = _expand(_HPKE_SUITE, prk, b"key", context, 32)
    nonce = _expand(_HPKE_SUITE, prk, b"base_nonce", context, 12)
    return enc + ChaCha20Poly1305(key).encrypt(nonce, plaintext, aad)
