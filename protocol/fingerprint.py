r"""The name of a node that people can read aloud: eight groups of four and a ninth of check characters.

The first 160 bits of SHA-256(``"ACC1 node\0" || NK``) in base32 (RFC 4648: A-Z, 2-7) make 32 characters. Each
pair of groups has one check character (Luhn mod 32); the four of them are the last group, so a typing mistake is
found and placed. Never used to look up a key: whoever compares fingerprints already has the key.
"""

from __future__ import annotations

import base64
import hmac
from typing import Final

from protocol.errors import Mistyped
from protocol.primitives import tagged_hash

ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_BODY: Final = 32
_CHECKED: Final = 8
_GROUP: Final = 4
_LOOKALIKES: Final = str.maketrans(
    {"0": "O", "1": "I", "8": "B", "-": None, " ": None, "\t": None, "\n": None, "\r": None}
)


def fingerprint(node_key: bytes) -> str:
    """Return the fingerprint of a raw Ed25519 node key, such as ``ABCD-EFGH-...``: 44 characters."""
    body = base64.b32encode(tagged_hash(b"ACC1 node", node_key)[:20]).decode("ascii")
    return _grouped(body + _checks(body))


def parse_fingerprint(typed: str) -> str:
    """Return the fingerprint as `fingerprint` writes it; case, blanks, hyphens and lookalikes (0, 1, 8) are forgiven.

    Raises:
        Mistyped: saying which groups to look at.
    """
    text = typed.upper().translate(_LOOKALIKES)
    if len(text) != _BODY + _GROUP or not set(text) <= set(ALPHABET):
        raise Mistyped(
            "This is not a whole fingerprint.", advice="It has nine groups of four, of the letters A-Z and digits 2-7."
        )
    body, checks = text[:_BODY], text[_BODY:]
    wrong = [i for i, (want, got) in enumerate(zip(_checks(body), checks, strict=True)) if want != got]
    if wrong:
        groups = ", ".join(f"{2 * i + 1} and {2 * i + 2}" for i in wrong)
        raise Mistyped("The fingerprint has a typing mistake.", advice=f"Look at the groups {groups} again.")
    return _grouped(text)


def same_fingerprint(ours: str, theirs: str) -> bool:
    """Compare two fingerprints as `fingerprint` writes them, in constant time."""
    return hmac.compare_digest(ours.encode(), theirs.encode())


def _checks(body: str) -> str:
    return "".join(_luhn(body[i : i + _CHECKED]) for i in range(0, _BODY, _CHECKED))


def _luhn(text: str) -> str:
    """Return the check character of Luhn mod N with N = 32: every second value from the right counts double."""
    total = 0
    for position, character in enumerate(reversed(text)):
        value = ALPHABET.index(character) * (2 if position % 2 == 0 else 1)
        total += value // 32 + value % 32
    return ALPHABET[-total % 32]


def _grouped(text: str) -> str:
    return "-".join(text[i : i + _GROUP] for i in range(0, len(text), _GROUP))
