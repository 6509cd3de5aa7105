"""Checks a public key once, when it is pinned: length, canonical, on the curve, not of small order.

``cryptography`` accepts small-order Ed25519 keys, and with such a key one forged signature verifies for every message.
Never stores or fetches a key.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from protocol.errors import Bad
from protocol.primitives import tagged_hash

_P: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P
_SIGN: Final = 1 << 255

# y of the eight points whose order divides the cofactor 8 (RFC 8032 section 5.1); x and -x share a y.
_Y_OF_ORDER_8: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD83D3D706A17C7
_SMALL_ORDER_Y: Final = frozenset({0, 1, _P - 1, _Y_OF_ORDER_8, _P - _Y_OF_ORDER_8})
# u of the points of small order on Curve25519 and its twist (RFC 7748 section 6.1, "Curves for Security").
_SMALL_ORDER_U: Final = frozenset(
    {
        0,
        1,
        _P - 1,
        0x00B8495F16056286FDB1329CEB8D09DA6AC49FF1FAE35616AEB8413B7C7AEBE0,
        0x57119FD0DD4E22D8868E1C58C45C44045BEF839C55B1D0B1248C50A3BC959C5F,
    }
)


def check_ed25519(raw: bytes) -> Ed25519PublicKey:
    """Return the key that 32 bytes spell (RFC 8032), if it is safe to pin.

    Raises:
        Bad: if it has the wrong length, is not canonical, not on the curve, or of small order.
    """
    if len(raw) != 32:  # noqa: PLR2004  # the length of every key of this suite
        raise Bad("an Ed25519 key that is not 32 bytes")
    encoded = int.from_bytes(raw, "little")
    y = encoded & (_SIGN - 1)
    if y >= _P:
        raise Bad("an Ed25519 key that is not canonical")
    if y in _SMALL_ORDER_Y:
        raise Bad("an Ed25519 key of small order")
    x_squared = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    if pow(x_squared, (_P - 1) // 2, _P) != 1:  # Euler's criterion; x = 0 is of small order
        raise Bad("an Ed25519 key that is not on the curve")
    return Ed25519PublicKey.from_public_bytes(raw)


def check_x25519(raw: bytes) -> X25519PublicKey:
    """Return the key that 32 bytes spell (RFC 7748), if it is safe to pin.

    Raises:
        Bad: if it has the wrong length, is not canonical, or of small order.
    """
    if len(raw) != 32:  # noqa: PLR2004  # the length of every key of this suite
        raise Bad("an X25519 key that is not 32 bytes")
    u = int.from_bytes(raw, "little")
    if u >= _P:
        raise Bad("an X25519 key that is not canonical")
    if u in _SMALL_ORDER_U:
        raise Bad("an X25519 key of small order")
    return X25519PublicKey.from_public_bytes(raw)


def key_id(public: bytes) -> bytes:
    """Return the 8-byte hint of a raw public key; a hint among pinned keys, never a lookup elsewhere."""
    return tagged_hash(b"ACC1 kid", public)[:8]
