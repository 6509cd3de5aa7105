"""Good envelopes, and every way to spoil one; by hand, without a line of ``protocol/``."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from tests.protocol.by_hand import (
    ALICE_SK,
    BOB_EK,
    CONN,
    MALLORY_EK,
    MALLORY_SK,
    L,
    Vectors,
    b64,
    compact,
    kid,
    le,
    secret,
    sha,
)
from tests.support.hpke_by_hand import seal as hpke_seal

HEADER = struct.Struct(">4sBBBBHHI16s8s8sQQQ32s32s32s")
OFFSETS = {
    "magic": 0,
    "suite": 4,
    "kind": 5,
    "dir": 6,
    "flags": 7,
    "hdr_len": 8,
    "zero": 10,
    "body_len": 12,
    "conn": 16,
    "skid": 32,
    "rkid": 40,
    "epoch": 48,
    "seq": 56,
    "ts": 64,
    "prev": 72,
    "commit": 104,
    "body_sha256": 136,
}
EPOCH = (1 << 32) | 1


class Maker:
    """Makes one envelope from Alice to Bob; every field, key and context can be replaced to make a bad one."""

    def __init__(
        self,
        name: str,
        payload: bytes = b'{"t":"pair.confirm"}',
        base: bytes | None = None,
        several: list[bytes] | None = None,
        **fields: Any,
    ) -> None:
        if several is not None:
            payload = b"".join(struct.pack(">I", len(one)) + one for one in several)
        self.name, self.payload, self.base, self.several = name, payload, base, several
        self.fields: dict[str, Any] = {
            "magic": b"ACC1",
            "suite": 1,
            "kind": 1,
            "dir": 0,
            "flags": 0,
            "hdr_len": 168,
            "zero": 0,
            "conn": CONN,
            "skid": kid(ALICE_SK.public),
            "rkid": kid(BOB_EK.public),
            "epoch": EPOCH,
            "seq": 2,
            "ts": 1_700_000_000_000,
            "prev": sha(b"a header before"),
        } | fields
        self.signer, self.recipient = ALICE_SK, BOB_EK
        self.sign_context, self.seal_context = b"ACC1 sig\0", b"ACC1 seal\0"
        self.codec = bytes([(base is not None) + 2 * (several is not None)]) + (base or b"")
        self.after_seal: dict[str, Any] = {}

    def build(self) -> bytes:
        """Return the envelope."""
        self.plaintext = secret(f"salt {self.name}") + self.codec + self.payload
        self.fields |= {
            "body_len": len(self.plaintext) + 48,
            "commit": sha(b"ACC1 commit\0", self.plaintext),
            "body_sha256": bytes(32),
        }
        info = self.seal_context + self._pack()[:136]
        body = hpke_seal(self.recipient.public, info, self.plaintext, one_use=secret(f"one use {self.name}"))
        self.fields |= {"body_sha256": sha(body)} | self.after_seal
        header = self._pack()
        return header + self.signer.sign(self.sign_context + header) + body

    def _pack(self) -> bytes:
        return HEADER.pack(*(self.fields[name] for name in OFFSETS))


def good_envelopes() -> list[Maker]:
    start = bytes(48)
    later = struct.pack(">QQ32s", EPOCH, 7, sha(b"some head"))
    return [
        Maker("first of an epoch", base=start, seq=1, prev=bytes(32)),
        Maker("second", payload=b'{"t":"issue.removed","mid":"m1","issue":"10001","revision":3,"reason":"deleted"}'),
        Maker("first of a later epoch", base=later, seq=1, prev=bytes(32), epoch=EPOCH + 1),
        Maker("critical", payload=b'{"t":"later.type"}', flags=1),
        Maker("empty payload", payload=b""),
        Maker("payload that is not JSON", payload=bytes(range(256))),
        Maker("receipt", kind=2, epoch=0, seq=0, prev=bytes(32), payload=compact(an_ack())),
        Maker("chunk", kind=4, epoch=0, seq=1, prev=bytes(32), payload=sha(b"file") + bytes(4) + b"file"),
        Maker("largest sequence number", seq=(1 << 53) - 1),
        Maker("no time", ts=0),
        Maker("several messages", several=[b'{"t":"pair.confirm"}', b'{"t":"conn.close"}', b"not JSON"]),
        Maker("several messages, first of an epoch", several=[b"a", b"bb"], base=start, seq=1, prev=bytes(32)),
        Maker("several messages, only one", several=[b'{"t":"pair.confirm"}']),
        Maker("several messages, as many as allowed", several=[b"%d" % number for number in range(64)]),
        *(
            cut_wrongly(f"several messages, cut wrongly: {name}", payload)
            for name, payload in {
                "none": b"",
                "half a length": b"\0\0",
                "an empty one": struct.pack(">IcI", 1, b"a", 0),
                "beyond the end": struct.pack(">IcI", 1, b"a", 9) + b"bbbb",
                "bytes left over": struct.pack(">Ic", 1, b"a") + b"bbb",
                "longest length": b"\xff" * 4 + b"a" * 9,
                "one more than allowed": struct.pack(">Ic", 1, b"a") * 65,
            }.items()
        ),
    ]


def cut_wrongly(name: str, payload: bytes) -> Maker:
    """Return an envelope that verifies and takes its place, with a payload that cannot be cut into messages."""
    maker = Maker(name, payload=payload)
    maker.codec = b"\2"
    return maker


def messages_of(maker: Maker) -> list[str] | None:
    """Return what a DATA envelope says, message by message, or None if it cannot be cut."""
    if maker.fields["kind"] != 1 or (maker.several is None and maker.codec[0] & 2):
        return None
    return [one.hex() for one in maker.several or [maker.payload]]


def an_ack() -> dict[str, Any]:
    return {
        "rx": {"e": str(EPOCH), "s": 812, "h": b64(sha(b"head"))},
        "tx": {"e": str(EPOCH), "n": 830},
        "cr": {"m": 1000, "b": 67108864},
        "n": b64(secret("n", 16)),
        "en": b64(secret("en", 16)),
        "pv": [1, 1],
        "f": ["blob1", "later"],
        "bl": {sha(b"file").hex(): [[0, 40], [57, 57]]},
    }


def changed(**attributes: Any) -> Callable[[Maker], None]:
    def apply(maker: Maker) -> None:
        for name, value in attributes.items():
            setattr(maker, name, value)

    return apply


def envelopes() -> Vectors:
    good = []
    for maker in good_envelopes():
        data = maker.build()
        good.append(
            {
                "name": maker.name,
                "envelope": data.hex(),
                "fields": {
                    key: value.hex() if isinstance(value, bytes) else value
                    for key, value in maker.fields.items()
                    if key not in {"ts", "seq", "epoch"}
                }
                | {key: str(maker.fields[key]) for key in ("ts", "seq", "epoch")},
                "head": sha(b"ACC1 head\0", data[:168]).hex(),
                "base": None if maker.base is None else maker.base.hex(),
                "payload": maker.payload.hex(),
                "messages": messages_of(maker),
            }
        )
    whole = Maker("second", payload=b'{"t":"pair.confirm"}').build()
    bad: dict[str, bytes] = {}
    for name, at in OFFSETS.items():
        bad[f"{name} flipped"] = flipped(whole, at)
    for name, at in {
        "signature R": 168,
        "signature S": 200,
        "enc": 232,
        "ciphertext": 270,
        "tag": len(whole) - 1,
    }.items():
        bad[f"{name} flipped"] = flipped(whole, at)
    bad["signature malleable, S + L"] = whole[:200] + le(int.from_bytes(whole[200:232], "little") + L) + whole[232:]
    bad["empty"] = b""
    bad["header only"] = whole[:168]
    bad["no body"] = whole[:232]
    bad["last byte missing"] = whole[:-1]
    bad["one byte more"] = whole + b"\0"
    resigned: dict[str, dict[str, Any]] = {
        "seq": {"seq": 3},
        "epoch": {"epoch": EPOCH + 1},
        "prev": {"prev": bytes(32)},
        "ts": {"ts": 0},
        "flags, crit": {"flags": 1},
        "flags, unknown": {"flags": 2},
        "kind KEY": {"kind": 3},
        "kind unknown": {"kind": 5},
        "kind BLOB": {"kind": 4},
        "commit": {"commit": bytes(32)},
        "body digest": {"body_sha256": bytes(32)},
        "dir": {"dir": 1},
        "dir 2": {"dir": 2},
        "suite": {"suite": 2},
        "hdr_len": {"hdr_len": 169},
        "zero": {"zero": 1},
        "body_len": {"body_len": 1},
        "conn": {"conn": secret("other conn", 16)},
        "rkid": {"rkid": kid(MALLORY_EK.public)},
        "skid": {"skid": kid(MALLORY_SK.public)},
        "magic": {"magic": b"ACC2"},
    }
    for name, fields in resigned.items():
        bad[f"signed again with another {name}"] = made(name, changed(after_seal=fields))
    sealed: dict[str, Maker] = {
        "flag unknown": Maker("a", flags=2),
        "kind KEY": Maker("b", kind=3, epoch=0, seq=0, prev=bytes(32)),
        "suite 2": Maker("c", suite=2),
        "reflected direction": Maker("d", dir=1),
        "another connection": Maker("e", conn=secret("other conn", 16)),
        "DATA with seq 0": Maker("f", seq=0),
        "DATA with epoch 0": Maker("g", epoch=0),
        "DATA with seq 2^53": Maker("h", seq=1 << 53),
        "first DATA with a prev": Maker("i", seq=1, base=bytes(48)),
        "first DATA without a base": Maker("j", seq=1, prev=bytes(32)),
        "later DATA with a base": Maker("k", base=bytes(48)),
        "ACK with a seq": Maker("l", kind=2, epoch=0, seq=1, prev=bytes(32)),
        "ACK with an epoch": Maker("m", kind=2, seq=0, prev=bytes(32)),
        "BLOB with an epoch": Maker("n", kind=4, seq=1, prev=bytes(32)),
        "BLOB with seq 0": Maker("o", kind=4, epoch=0, seq=0, prev=bytes(32)),
        "BLOB with a prev": Maker("p", kind=4, epoch=0, seq=1),
    }
    for name, maker in sealed.items():
        bad[f"made with {name}"] = maker.build()
    bad["signed by another key under the pinned id"] = made("q", changed(signer=MALLORY_SK))
    bad["signed without a context"] = made("r", changed(sign_context=b""))
    bad["signed in the context of a statement"] = made("s", changed(sign_context=b"ACC1 keys\0"))
    bad["sealed to another key under the pinned id"] = made("t", changed(recipient=MALLORY_EK))
    bad["sealed without a context"] = made("u", changed(seal_context=b""))
    bad["codec unknown"] = made("v", changed(codec=b"\4"))
    bad["codec unknown, highest bit"] = made("codec 128", changed(codec=b"\x80"))
    bad["codec unknown, for several messages"] = made("codec 6", changed(codec=b"\6"))
    bad["codec without the base, for several messages"] = made("codec 3", changed(codec=b"\3"))
    bad["codec of a receipt, for several messages"] = made_in(Maker("y", kind=2, epoch=0, seq=0, prev=bytes(32)))
    bad["codec of a chunk, for several messages"] = made_in(Maker("z", kind=4, epoch=0, seq=1, prev=bytes(32)))
    bad["no codec"] = made("w", changed(codec=b"", payload=b""))
    truncated_base = Maker("x", seq=1, prev=bytes(32), payload=b"")
    truncated_base.codec = b"\1" + bytes(47)
    bad["base truncated"] = truncated_base.build()
    return {
        "keys": {
            "conn": CONN.hex(),
            "dir": 0,
            "signer_private": ALICE_SK.seed.hex(),
            "signer_public": ALICE_SK.public.hex(),
            "recipient_private": BOB_EK.private.hex(),
            "recipient_public": BOB_EK.public.hex(),
        },
        "good": good,
        "bad": [{"name": name, "envelope": data.hex()} for name, data in bad.items()],
    }


def made(name: str, change: Callable[[Maker], None]) -> bytes:
    maker = Maker(name)
    change(maker)
    return maker.build()


def made_in(maker: Maker) -> bytes:
    """Build it with the codec of several messages."""
    maker.codec = b"\2"
    return maker.build()


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
