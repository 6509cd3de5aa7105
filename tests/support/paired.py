"""Two nodes that have paired through a real code: what most tests of the protocol start from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from protocol.envelope import OpeningKeys, SealingKeys, keys_for
from protocol.identity import NodeKey, read_statement
from protocol.invitation import Invitation
from protocol.pairing import (
    Established,
    InviteePairing,
    InviterPairing,
    invite,
    receive_answer,
    receive_confirm,
    receive_request,
    request,
)

NOW = 1_700_000_000


def seeded(name: str) -> Callable[[int], bytes]:
    """Return a source of bytes that differ at every call and are the same in every run."""
    calls = 0

    def draw(size: int) -> bytes:
        nonlocal calls
        calls += 1
        return hashlib.shake_256(f"{name} {calls}".encode()).digest(size)

    return draw


@dataclass(frozen=True)
class Side:
    """One node's end of a connection."""

    node_key: NodeKey
    pairing: InviterPairing | InviteePairing
    established: Established
    sealing: SealingKeys
    opening: OpeningKeys


def pair(name: str = "pair") -> tuple[Side, Side]:
    """Return Alice's (the inviter's) and Bob's ends."""
    random_bytes = seeded(name)
    alice_key, bob_key = NodeKey.generate(random_bytes), NodeKey.generate(random_bytes)
    invited = invite(node_key=alice_key, now=NOW, random_bytes=random_bytes, label="Blue")
    assert invited.code is not None
    asking, bobs_keys = request(
        Invitation.from_code(invited.code), node_key=bob_key, now=NOW, random_bytes=random_bytes, label="Green"
    )
    accepted = receive_request(invited, asking.request_bytes, node_key=alice_key, now=NOW, random_bytes=random_bytes)
    assert accepted.answer is not None
    assert accepted.established is not None
    answered = receive_answer(asking, accepted.answer, keys=bobs_keys, now=NOW)
    assert answered.established is not None
    alice = receive_confirm(accepted.pairing, now=NOW)
    return _side(alice_key, alice, accepted.established), _side(bob_key, answered.pairing, answered.established)


def _side(node_key: NodeKey, pairing: InviterPairing | InviteePairing, established: Established) -> Side:
    sealing, opening = keys_for(
        conn=established.conn,
        our_dir=established.our_dir,
        ours=established.keys,
        theirs=read_statement(established.peer_statement),
    )
    return Side(node_key, pairing, established, sealing, opening)
