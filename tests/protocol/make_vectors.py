"""Makes the golden bytes in ``vectors/``: the same ones every time, by hand, without a line of ``protocol/``.

Run ``python -m tests.protocol.make_vectors`` from the root of the project; a test holds the files to its output.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.protocol.by_hand import (
    ALICE,
    ALICE_EK,
    ALICE_NONCE,
    ALICE_SK,
    BOB,
    BOB_EK,
    BOB_NONCE,
    BOB_SK,
    CODE_SECRET,
    CONN,
    INVITE_ID,
    MALLORY,
    MALLORY_SK,
    REQUEST_KEY,
    Box,
    P,
    Signer,
    Vectors,
    b64,
    compact,
    framed,
    kid,
    le,
    secret,
    sha,
)
from tests.protocol.envelope_vectors import envelopes
from tests.support.hpke_by_hand import seal as hpke_seal

FOLDER = Path(__file__).parent / "vectors"


def keys() -> Vectors:
    y8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD83D3D706A17C7
    u8 = (
        0x00B8495F16056286FDB1329CEB8D09DA6AC49FF1FAE35616AEB8413B7C7AEBE0,
        0x57119FD0DD4E22D8868E1C58C45C44045BEF839C55B1D0B1248C50A3BC959C5F,
    )
    sign = 1 << 255
    bad_ed = {
        "identity, y = 1": le(1),
        "identity with the sign bit": le(1 | sign),
        "order 2, y = -1": le(P - 1),
        "order 2 with the sign bit": le((P - 1) | sign),
        "order 4, y = 0": le(0),
        "order 4 with the sign bit": le(sign),
        "order 8, first": le(y8),
        "order 8, first with the sign bit": le(y8 | sign),
        "order 8, second": le(P - y8),
        "order 8, second with the sign bit": le((P - y8) | sign),
        "not canonical, y = p": le(P),
        "not canonical, y = p + 1": le(P + 1),
        "not canonical, y = 2^255 - 1": le(2**255 - 1),
        "not on the curve, y = 2": le(2),
        "31 bytes": ALICE.public[:31],
        "33 bytes": ALICE.public + b"\0",
        "empty": b"",
    }
    bad_x = {
        "order 4, u = 0": le(0),
        "order 4 on the twist, u = 1": le(1),
        "order 2 on the twist, u = -1": le(P - 1),
        "order 8, first": le(u8[0]),
        "order 8, second": le(u8[1]),
        "not canonical, u = p": le(P),
        "not canonical, u = p + 1": le(P + 1),
        "high bit set": le(int.from_bytes(BOB_EK.public, "little") | sign),
        "31 bytes": BOB_EK.public[:31],
        "33 bytes": BOB_EK.public + b"\0",
    }
    good_ed = {
        "alice nk": ALICE.public,
        "bob nk": BOB.public,
        "alice sk": ALICE_SK.public,
        "base point": bytes([0x58]) + bytes([0x66]) * 31,
    }
    good_x = {"alice ek": ALICE_EK.public, "bob ek": BOB_EK.public, "base point": le(9)}
    return {
        "ed25519": [
            *({"name": name, "key": key.hex(), "kid": kid(key).hex(), "good": True} for name, key in good_ed.items()),
            *({"name": name, "key": key.hex(), "good": False} for name, key in bad_ed.items()),
        ],
        "x25519": [
            *({"name": name, "key": key.hex(), "kid": kid(key).hex(), "good": True} for name, key in good_x.items()),
            *({"name": name, "key": key.hex(), "good": False} for name, key in bad_x.items()),
        ],
    }


def hpke() -> Vectors:
    rows = [
        {
            "name": "RFC 9180 A.2.1, sequence number 0",
            "private": "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb",
            "public": "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a",
            "one_use": "f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600",
            "info": "4f6465206f6e2061204772656369616e2055726e",
            "aad": "436f756e742d30",
            "plaintext": "4265617574792069732074727574682c20747275746820626561757479",
            "sealed": "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a"
            "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28",
        }
    ]
    for name, plaintext, info in (
        ("empty plaintext and info", b"", b""),
        ("one byte", b"\0", b"ACC1 seal\0"),
        ("as in an envelope", secret("plaintext", 300), b"ACC1 seal\0" + secret("header", 136)),
    ):
        one_use = secret(f"one use {name}")
        sealed = hpke_seal(BOB_EK.public, info, plaintext, one_use=one_use)
        rows.append(
            {
                "name": name,
                "private": BOB_EK.private.hex(),
                "public": BOB_EK.public.hex(),
                "one_use": one_use.hex(),
                "info": info.hex(),
                "aad": "",
                "plaintext": plaintext.hex(),
                "sealed": sealed.hex(),
            }
        )
    return {"seal": rows}


BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def fingerprint(node_key: bytes) -> str:
    body = base64.b32encode(sha(b"ACC1 node\0", node_key)[:20]).decode()
    checks = ""
    for start in range(0, 32, 8):
        total = 0
        for place, letter in enumerate(body[start : start + 8]):
            doubled = BASE32.index(letter) * (1 if place % 2 == 0 else 2)  # the last of eight counts double
            total += doubled % 32 + doubled // 32
        checks += BASE32[-total % 32]
    text = body + checks
    return "-".join(text[start : start + 4] for start in range(0, 36, 4))


def fingerprints() -> Vectors:
    good = [{"key": signer.public.hex(), "fingerprint": fingerprint(signer.public)} for signer in (ALICE, BOB, MALLORY)]
    whole = fingerprint(ALICE.public)
    spellings = [
        whole.lower(),
        whole.replace("-", ""),
        whole.replace("-", " "),
        whole.replace("O", "0").replace("B", "8"),
    ]
    swapped = next(
        whole[:at] + whole[at + 1] + whole[at] + whole[at + 2 :]
        for at in range(len(whole))
        if whole[at] != whole[at + 1] and "-" not in whole[at : at + 2]
    )
    other = "A" if whole[0] != "A" else "B"
    return {
        "of_key": good,
        "read": [{"text": text, "fingerprint": whole} for text in spellings],
        "refuse": [
            "",
            whole[:-1],
            whole + "A",
            other + whole[1:],
            swapped,
            whole[:-1] + ("A" if whole[-1] != "A" else "B"),
        ],
    }


def statement(node: Signer, signer: Signer, box: Box, **changes: object) -> dict[str, str]:
    body = {
        "v": 1,
        "conn": b64(CONN),
        "nk": b64(node.public),
        "sk": b64(signer.public),
        "ek": b64(box.public),
        "prev": None,
        "revoked": [],
        "last_good": None,
    } | changes
    return signed_statement(compact(body), node, signer)


def signed_statement(text: bytes, nk: Signer, sk: Signer) -> dict[str, str]:
    return {
        "b": text.decode(),
        "nk_sig": b64(nk.sign(b"ACC1 keys\0" + text)),
        "sk_sig": b64(sk.sign(b"ACC1 pop\0" + text)),
    }


def statements() -> Vectors:
    first = statement(ALICE, ALICE_SK, ALICE_EK)
    prev = b64(sha(first["b"].encode()))
    new_sk, new_ek = Signer("alice sk 2"), Box("alice ek 2")
    second = statement(ALICE, new_sk, new_ek, v=2, prev=prev, revoked=[b64(kid(ALICE_SK.public))])
    signed_by_other = signed_statement(first["b"].encode(), MALLORY, ALICE_SK)
    no_possession = signed_statement(first["b"].encode(), ALICE, MALLORY_SK)
    swapped = first | {"nk_sig": first["sk_sig"], "sk_sig": first["nk_sig"]}
    rows: list[dict[str, Any]] = [
        {"name": "first", "statement": first, "good": True},
        {"name": "second, after the first", "statement": second, "pinned": first, "good": True},
        {
            "name": "unknown keys are ignored",
            "statement": statement(ALICE, ALICE_SK, ALICE_EK, later=[1]),
            "good": True,
        },
        {
            "name": "version jumps",
            "statement": statement(ALICE, new_sk, new_ek, v=29_000_000, prev=prev),
            "pinned": first,
            "good": True,
        },
        {"name": "signed by another node key", "statement": signed_by_other},
        {"name": "no possession of SK", "statement": no_possession},
        {"name": "signatures swapped", "statement": swapped},
        {"name": "text changed", "statement": first | {"b": first["b"].replace('"v":1', '"v":2')}},
        {
            "name": "another connection",
            "statement": statement(ALICE, ALICE_SK, ALICE_EK, conn=b64(secret("other", 16))),
        },
        {"name": "another node inside", "statement": statement(ALICE, ALICE_SK, ALICE_EK, nk=b64(BOB.public))},
        {"name": "first one that names a previous", "statement": statement(ALICE, ALICE_SK, ALICE_EK, prev=prev)},
        {"name": "same version again", "statement": statement(ALICE, new_sk, new_ek, v=1, prev=prev), "pinned": first},
        {
            "name": "does not follow",
            "statement": statement(ALICE, new_sk, new_ek, v=3, prev=b64(bytes(32))),
            "pinned": first,
        },
        {"name": "version 0", "statement": statement(ALICE, ALICE_SK, ALICE_EK, v=0)},
        {"name": "version beyond 32 bits", "statement": statement(ALICE, ALICE_SK, ALICE_EK, v=1 << 32)},
        {"name": "EK of small order", "statement": statement(ALICE, ALICE_SK, ALICE_EK, ek=b64(bytes(32)))},
        {
            "name": "duplicate key",
            "statement": signed_statement(first["b"].replace('"v":1', '"v":1,"v":1').encode(), ALICE, ALICE_SK),
        },
        {"name": "padded base64", "statement": statement(ALICE, ALICE_SK, ALICE_EK, ek=b64(ALICE_EK.public) + "=")},
    ]
    return {
        "conn": CONN.hex(),
        "node_key": ALICE.public.hex(),
        "statements": [{"good": False, "pinned": None} | row for row in rows],
    }


def code_of(body: bytes) -> str:
    return "accord1." + b64(body + sha(body)[:4])


def terms(**changes: object) -> dict[str, Any]:
    return {
        "v": 1,
        "p": [1, 1],
        "i": b64(INVITE_ID),
        "n": b64(ALICE.public),
        "k": b64(REQUEST_KEY.public),
        "s": b64(CODE_SECRET),
        "c": b64(sha(b"ACC1 nonce\0", ALICE_NONCE)),
        "e": 1_800_000_000,
        "u": ["https://accord.blue.example/"],
        "l": "Blue",
    } | changes


def invitations() -> Vectors:
    body = compact(terms())
    code = code_of(body)
    middle = len(code) // 2
    good = {
        "plain": code,
        "wrapped by mail": "\r\n".join(code[at : at + 72] for at in range(0, len(code), 72)),
        "quoted in a reply": "\n".join("> " + code[at : at + 60] for at in range(0, len(code), 60)),
        "in angle brackets": f" <{code}> ",
        "capital prefix": "Accord1." + code[8:],
    }
    special = {
        "for one guest": code_of(compact(terms(to=fingerprint(BOB.public)))),
        "no URL, no label": code_of(compact({key: value for key, value in terms().items() if key not in "ul"})),
        "unknown keys, relay": code_of(compact(terms(r={"box": "x"}, later=1))),
    }
    bad = {
        "empty": "",
        "blanks": " \n ",
        "another text": "hello",
        "no prefix": code[8:],
        "newer format": "accord2." + code[8:],
        "last character missing": code[:-1],
        "half of it": code[:middle],
        "one character changed": code[:middle] + ("A" if code[middle] != "A" else "B") + code[middle + 1 :],
        "two characters swapped": swap(code, middle),
        "a character that does not belong": code[:middle] + "!" + code[middle + 1 :],
        "padding": code + "=",
        "twice": code + code[8:],
        "too long": "accord1." + "A" * 3000,
        "only the prefix": "accord1.",
        "only a checksum": "accord1." + b64(sha(b"")[:4]),
        "not JSON": code_of(b"hello"),
        "duplicate key": code_of(body.replace(b'"v":1', b'"v":1,"v":1')),
        "format 2 inside": code_of(compact(terms(v=2))),
        "no secret": code_of(compact({key: value for key, value in terms().items() if key != "s"})),
        "secret of 31 bytes": code_of(compact(terms(s=b64(CODE_SECRET[:31])))),
        "node key of small order": code_of(compact(terms(n=b64(le(1))))),
        "request key of small order": code_of(compact(terms(k=b64(bytes(32))))),
        "versions the wrong way round": code_of(compact(terms(p=[2, 1]))),
        "expiry as text": code_of(compact(terms(e="1800000000"))),
        "expiry with a fraction": code_of(body.replace(b"1800000000", b"1800000000.0")),
        "five URLs": code_of(compact(terms(u=["https://a.example/"] * 5))),
        "a URL that is not HTTP": code_of(compact(terms(u=["file:///etc/passwd"]))),
        "a label of 65": code_of(compact(terms(l="x" * 65))),
        "guest is not a fingerprint": code_of(compact(terms(to="AAAA-BBBB"))),
    }
    return {
        "body": b64(body),
        "digest": sha(b"ACC1 code\0", body).hex(),
        "conn": CONN.hex(),
        "good": [{"name": name, "text": text} for name, text in good.items()],
        "good_others": [{"name": name, "text": text} for name, text in special.items()],
        "bad": [{"name": name, "text": text} for name, text in bad.items()],
    }


def swap(text: str, at: int) -> str:
    while text[at] == text[at + 1]:
        at += 1
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def short_code(transcript: bytes) -> str:
    number = int.from_bytes(sha(b"ACC1 sas\0", framed(transcript))[:8], "big")
    return f"{number % 10**12:012d}"


def handshake() -> Vectors:
    code_body = compact(terms())
    code_digest = sha(b"ACC1 code\0", code_body)
    request = compact(
        {
            "code": b64(code_digest),
            "nk": b64(BOB.public),
            "statement": statement(BOB, BOB_SK, BOB_EK),
            "nonce": b64(BOB_NONCE),
            "protocol": [1, 1],
            "urls": ["https://accord.green.example/"],
            "label": "Green",
        }
    )
    head1 = b"ACC1 m1\0" + INVITE_ID
    mac = hmac.new(CODE_SECRET, b"ACC1 mac\0" + request, hashlib.sha256).digest()
    m1 = head1 + hpke_seal(REQUEST_KEY.public, head1, mac + request, one_use=secret("m1 one use"))

    def answer_with(
        nonce: bytes = ALICE_NONCE, about: bytes = m1, signer: Signer = ALICE, version: int = 1
    ) -> tuple[bytes, bytes]:
        body = compact(
            {
                "request": b64(sha(about)),
                "statement": statement(ALICE, ALICE_SK, ALICE_EK),
                "nonce": b64(nonce),
                "version": version,
            }
        )
        head = b"ACC1 m2\0" + INVITE_ID
        signature = signer.sign(b"ACC1 accept\0" + body)
        return head + hpke_seal(BOB_EK.public, head, signature + body, one_use=secret("m2 one use")), body

    m2, answer = answer_with()
    transcript = sha(b"ACC1 transcript\0", framed(code_digest, ALICE.public, BOB.public, request, answer))
    wrong_mac = head1 + hpke_seal(REQUEST_KEY.public, head1, bytes(32) + request, one_use=secret("m1 bad"))
    other_head = b"ACC1 m1\0" + secret("other id", 16)
    return {
        "code": code_of(code_body),
        "private": {
            "alice_nk": ALICE.seed.hex(),
            "alice_sk_ek": (ALICE_SK.seed + ALICE_EK.private).hex(),
            "alice_nonce": ALICE_NONCE.hex(),
            "request_key": REQUEST_KEY.private.hex(),
            "bob_nk": BOB.seed.hex(),
            "bob_sk_ek": (BOB_SK.seed + BOB_EK.private).hex(),
        },
        "m1": m1.hex(),
        "m1_body": b64(request),
        "m2": m2.hex(),
        "m2_body": b64(answer),
        "transcript": transcript.hex(),
        "short_code": short_code(transcript),
        "bad_m1": [
            {"name": name, "bytes": data.hex()}
            for name, data in {
                "empty": b"",
                "truncated": m1[:-1],
                "one byte more": m1 + b"\0",
                "no possession of the code": wrong_mac,
                "another invite id": other_head + m1[24:],
                "an answer instead": m2,
                "prefix only": m1[:24],
            }.items()
        ],
        "bad_m2": [
            {"name": name, "bytes": data.hex()}
            for name, data in {
                "empty": b"",
                "truncated": m2[:-1],
                "one byte more": m2 + b"\0",
                "signed by another node": answer_with(signer=MALLORY)[0],
                "does not open the commitment": answer_with(nonce=secret("another nonce"))[0],
                "answers another request": answer_with(about=b"another")[0],
                "a version that was not offered": answer_with(version=2)[0],
                "a request instead": m1,
            }.items()
        ],
        "short_codes": [
            {"transcript": secret(f"transcript {n}").hex(), "short_code": short_code(secret(f"transcript {n}"))}
            for n in range(4)
        ],
    }


def strict_json() -> Vectors:
    good = {
        "object": b'{"a":[1,2,{"b":null}],"c":"\xc3\xa9"}',
        "white space": b' \t\r\n{ "a" : 1 } \n',
        "escapes": rb'{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}',
        "largest integers": b"[9007199254740991,-9007199254740991]",
        "depth 32": b"[" * 32 + b"]" * 32,
        "scalar": b"true",
        "empty key": b'{"":0}',
        "minus zero": b"-0",
    }
    bad = {
        "empty": b"",
        "duplicate key": b'{"a":1,"a":1}',
        "duplicate key, escaped": b'{"a":1,"\\u0061":2}',
        "duplicate key, deep": b'[{"x":{"k":1,"k":2}}]',
        "float": b"1.5",
        "float that is whole": b"1.0",
        "exponent": b"1e3",
        "NaN": b"NaN",
        "Infinity": b"[-Infinity]",
        "2^53": b"9007199254740992",
        "-2^53": b"-9007199254740992",
        "very long integer": b"1" * 5000,
        "leading zero": b"01",
        "plus sign": b"+1",
        "BOM": b"\xef\xbb\xbf{}",
        "UTF-16": '{"a":1}'.encode("utf-16"),
        "not UTF-8": b'"\xff"',
        "overlong UTF-8": b'"\xc0\xaf"',
        "surrogate in UTF-8": b'"\xed\xa0\x80"',
        "lone surrogate": rb'"\ud800"',
        "lone low surrogate": rb'"\udc00"',
        "surrogate in a key": rb'{"\ud800":1}',
        "depth 33": b"[" * 33 + b"]" * 33,
        "depth 5000": b"[" * 5_000,
        "too many values": b"[" + b"0," * 20_000 + b"0]",
        "trailing comma": b"[1,]",
        "trailing text": b"{} {}",
        "comment": b"{}//",
        "single quotes": b"{'a':1}",
        "control character": b'"\x01"',
        "unfinished": b'{"a":',
        "vertical tab between": b"[1,\x0b2]",
    }
    return {
        "good": [{"name": name, "bytes": b64(data)} for name, data in good.items()],
        "bad": [{"name": name, "bytes": b64(data)} for name, data in bad.items()],
    }


def message_ids() -> Vectors:
    rows = []
    for kind, local, revision in (("issue", "10001", 1), ("issue", "1000", 11), ("comment", "ü", 2**53 - 1)):
        parts = framed(kind.encode(), local.encode(), str(revision).encode())
        mid = hmac.new(secret("mid key"), b"ACC1 mid\0" + parts, hashlib.sha256).digest()[:16].hex()
        rows.append(
            {"key": secret("mid key").hex(), "kind": kind, "local": local, "revision": str(revision), "mid": mid}
        )
    return {"mids": rows}


FILES: dict[str, Callable[[], Vectors]] = {
    "keys.json": keys,
    "hpke.json": hpke,
    "fingerprints.json": fingerprints,
    "statements.json": statements,
    "invitations.json": invitations,
    "handshake.json": handshake,
    "strict_json.json": strict_json,
    "envelopes.json": envelopes,
    "message_ids.json": message_ids,
}


def text_of(name: str) -> str:
    return json.dumps(FILES[name](), indent=1, ensure_ascii=True) + "\n"


def main() -> None:
    for name in FILES:
        (FOLDER / name).write_text(text_of(name), encoding="ascii")


if __name__ == "__main__":
    main()
