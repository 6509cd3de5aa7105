"""Holds ``protocol/`` and a second implementation to the golden bytes."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from protocol import handshake, pairing, strict_json
from protocol.ack import parse_ack
from protocol.envelope import HEADER_BYTES, Kind, OpeningKeys, open_envelope
from protocol.errors import Bad, BadContent
from protocol.fingerprint import fingerprint, parse_fingerprint
from protocol.identity import ConnectionKeys, NodeKey, SignedStatement, verify_statement
from protocol.invitation import Invitation, commit_to
from protocol.keys import check_ed25519, check_x25519, key_id
from protocol.messages import message_id
from protocol.packing import messages_of
from protocol.primitives import HPKE, from_base64url
from tests.protocol import make_vectors
from tests.protocol.by_hand import b64
from tests.support.hpke_by_hand import seal

FOLDER = Path(__file__).parent / "vectors"
Row = dict[str, Any]


def load(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="ascii"))


def named(rows: list[Row]) -> list[Any]:
    return [pytest.param(row, id=row["name"]) for row in rows]


ENVELOPES = load("envelopes")
INVITATIONS = load("invitations")
HANDSHAKE = load("handshake")
STATEMENTS = load("statements")


@pytest.mark.parametrize("name", sorted(make_vectors.FILES))
def test_golden_bytes_are_what_the_generator_makes(name: str) -> None:
    """A golden file changes only when its generator does, and everybody sees both in one change."""
    assert (FOLDER / name).read_text(encoding="ascii") == make_vectors.text_of(name)


@pytest.mark.parametrize("row", named(load("keys")["ed25519"]))
def test_ed25519_keys_are_checked_when_pinned(row: Row) -> None:
    """Only canonical keys of full order on the curve are pinned."""
    raw = bytes.fromhex(row["key"])
    if row["good"]:
        assert check_ed25519(raw).public_bytes_raw() == raw
        assert key_id(raw).hex() == row["kid"]
    else:
        with pytest.raises(Bad):
            check_ed25519(raw)


@pytest.mark.parametrize("row", named(load("keys")["x25519"]))
def test_x25519_keys_are_checked_when_pinned(row: Row) -> None:
    """Only canonical keys of full order are pinned."""
    raw = bytes.fromhex(row["key"])
    if row["good"]:
        assert check_x25519(raw).public_bytes_raw() == raw
        assert key_id(raw).hex() == row["kid"]
    else:
        with pytest.raises(Bad):
            check_x25519(raw)


@pytest.mark.parametrize("row", named([row for row in load("hpke")["seal"] if not row["aad"]]))
def test_hpke_of_the_library_opens_what_was_sealed_by_hand(row: Row) -> None:
    """The library's HPKE and the one written from the RFC agree (the RFC's own row needs an aad, which it lacks)."""
    key = X25519PrivateKey.from_private_bytes(bytes.fromhex(row["private"]))
    assert HPKE.decrypt(bytes.fromhex(row["sealed"]), key, bytes.fromhex(row["info"])).hex() == row["plaintext"]


def test_hpke_by_hand_makes_the_bytes_of_rfc_9180() -> None:
    """What makes our golden bytes is right by the RFC's appendix A.2.1."""
    row = load("hpke")["seal"][0]
    made = seal(
        bytes.fromhex(row["public"]),
        bytes.fromhex(row["info"]),
        bytes.fromhex(row["plaintext"]),
        one_use=bytes.fromhex(row["one_use"]),
        aad=bytes.fromhex(row["aad"]),
    )
    assert made.hex() == row["sealed"]


def test_fingerprints_of_keys() -> None:
    """A node key has one fingerprint."""
    for row in load("fingerprints")["of_key"]:
        assert fingerprint(bytes.fromhex(row["key"])) == row["fingerprint"]


def test_fingerprints_are_read_in_any_spelling() -> None:
    """Case, blanks and lookalikes are forgiven."""
    for row in load("fingerprints")["read"]:
        assert parse_fingerprint(row["text"]) == row["fingerprint"]


@pytest.mark.parametrize("text", load("fingerprints")["refuse"])
def test_mistyped_fingerprints_are_refused(text: str) -> None:
    """A wrong, missing or swapped character is found."""
    with pytest.raises(Bad):
        parse_fingerprint(text)


@pytest.mark.parametrize("row", named(STATEMENTS["statements"]))
def test_key_statements(row: Row) -> None:
    """Only a statement signed by the node key and by SK, for this connection, newer and in the chain, is pinned."""
    conn, node_key = bytes.fromhex(STATEMENTS["conn"]), bytes.fromhex(STATEMENTS["node_key"])
    pinned = SignedStatement.model_validate(row["pinned"]) if row["pinned"] else None
    signed = SignedStatement.model_validate(row["statement"])
    if row["good"]:
        assert verify_statement(signed, conn=conn, node_key=node_key, pinned=pinned).conn == conn
    else:
        with pytest.raises(Bad):
            verify_statement(signed, conn=conn, node_key=node_key, pinned=pinned)


@pytest.mark.parametrize("row", named(INVITATIONS["good"]))
def test_invitation_codes_survive_mail(row: Row) -> None:
    """Whatever a mail program did to the white space, the code is the same."""
    invitation = Invitation.from_code(row["text"])
    assert invitation.body == from_base64url(INVITATIONS["body"])
    assert invitation.digest.hex() == INVITATIONS["digest"]
    assert invitation.connection_id.hex() == INVITATIONS["conn"]
    assert invitation.code == INVITATIONS["good"][0]["text"]


@pytest.mark.parametrize("row", named(INVITATIONS["good_others"]))
def test_other_invitation_codes_are_read(row: Row) -> None:
    """Optional and unknown terms are no obstacle, and the code is kept verbatim."""
    assert Invitation.from_code(row["text"]).code == row["text"]


@pytest.mark.parametrize("row", named(INVITATIONS["bad"]))
def test_damaged_invitation_codes_are_refused_in_words(row: Row) -> None:
    """Every damage is found, and the person is told what to do."""
    with pytest.raises(Bad) as caught:
        Invitation.from_code(row["text"])
    assert caught.value.message.endswith((".", "accord1."))
    assert caught.value.advice


@pytest.mark.parametrize("row", named(load("strict_json")["good"]))
def test_strict_json_is_read(row: Row) -> None:
    """What is strict is read as every reader reads it, and written back in a form that is read the same."""
    value = strict_json.parse(from_base64url(row["bytes"]))
    assert value == json.loads(from_base64url(row["bytes"]))
    assert strict_json.parse(strict_json.dump(value)) == value


@pytest.mark.parametrize("row", named(load("strict_json")["bad"]))
def test_loose_json_is_refused(row: Row) -> None:
    """What two readers could read in two ways is refused."""
    with pytest.raises(Bad):
        strict_json.parse(from_base64url(row["bytes"]))


def bobs_keys() -> OpeningKeys:
    keys = ENVELOPES["keys"]
    signer, recipient = bytes.fromhex(keys["signer_public"]), bytes.fromhex(keys["recipient_public"])
    return OpeningKeys(
        conn=bytes.fromhex(keys["conn"]),
        dir=keys["dir"],
        sk=check_ed25519(signer),
        skid=key_id(signer),
        ek=X25519PrivateKey.from_private_bytes(bytes.fromhex(keys["recipient_private"])),
        rkid=key_id(recipient),
    )


@pytest.mark.parametrize("row", named(ENVELOPES["good"]))
def test_good_envelopes_open(row: Row) -> None:
    """Every field is where the layout says, and the payload comes out."""
    data = bytes.fromhex(row["envelope"])
    opened = open_envelope(bobs_keys(), data)
    assert opened.payload.hex() == row["payload"]
    assert opened.head.hex() == row["head"]
    assert (opened.base is None) == (row["base"] is None)
    if opened.base is not None:
        base = opened.base.epoch.to_bytes(8, "big") + opened.base.seq.to_bytes(8, "big") + opened.base.head
        assert base.hex() == row["base"]
    for name in ("kind", "dir", "flags"):
        assert getattr(opened.header, name) == row["fields"][name]
    for name in ("epoch", "seq", "ts"):
        assert str(getattr(opened.header, name)) == row["fields"][name]
    for name in ("conn", "skid", "rkid", "prev", "commit", "body_sha256"):
        assert getattr(opened.header, name).hex() == row["fields"][name]
    if opened.header.kind == Kind.ACK:
        assert parse_ack(opened.payload).rx.s == 812
    if opened.header.kind == Kind.DATA and row["messages"] is None:
        with pytest.raises(BadContent):
            messages_of(opened)
    elif opened.header.kind == Kind.DATA:
        assert [one.hex() for one in messages_of(opened)] == row["messages"]


@pytest.mark.parametrize("row", named(ENVELOPES["bad"]))
def test_bad_envelopes_are_refused_alike(row: Row) -> None:
    """Whatever is wrong, the one who sent it learns the same."""
    with pytest.raises(Bad) as caught:
        open_envelope(bobs_keys(), bytes.fromhex(row["envelope"]))
    assert str(caught.value) == Bad.TEXT


def test_there_are_enough_golden_envelopes() -> None:
    """Each field of the header is spoilt at least once."""
    names = {row["name"] for row in ENVELOPES["bad"]}
    assert len(names) == len(ENVELOPES["bad"]) >= 60
    assert len(bytes.fromhex(ENVELOPES["good"][0]["envelope"])) > HEADER_BYTES


def alices_side() -> tuple[Invitation, X25519PrivateKey]:
    invitation = Invitation.from_code(HANDSHAKE["code"])
    return invitation, X25519PrivateKey.from_private_bytes(bytes.fromhex(HANDSHAKE["private"]["request_key"]))


def test_the_handshake_reads_and_ends_in_the_same_short_code() -> None:
    """From the golden code, M1 and M2 both sides reach the golden transcript and digits."""
    invitation, request_key = alices_side()
    m1, m2 = bytes.fromhex(HANDSHAKE["m1"]), bytes.fromhex(HANDSHAKE["m2"])
    request = handshake.open_request(
        m1, request_key=request_key, secret=invitation.terms.secret, conn=invitation.connection_id
    )
    bobs = ConnectionKeys.from_bytes(bytes.fromhex(HANDSHAKE["private"]["bob_sk_ek"]))
    answer = handshake.open_answer(
        m2, ek=bobs.ek, node_key=invitation.terms.node_key, conn=invitation.connection_id, m1=m1
    )
    transcript = handshake.transcript(
        code=invitation.digest,
        inviter=invitation.terms.node_key,
        invitee=request.body.nk,
        request=request.body_bytes,
        answer=answer.body_bytes,
    )
    assert request.body_bytes == from_base64url(HANDSHAKE["m1_body"])
    assert answer.body_bytes == from_base64url(HANDSHAKE["m2_body"])
    assert commit_to(answer.body.nonce) == invitation.terms.commitment
    assert transcript.hex() == HANDSHAKE["transcript"]
    assert handshake.short_code(transcript) == HANDSHAKE["short_code"]


@pytest.mark.parametrize("row", named(HANDSHAKE["bad_m1"]))
def test_bad_requests_are_refused(row: Row) -> None:
    """A spoilt M1 does not get past the inviter."""
    invitation, request_key = alices_side()
    with pytest.raises(Bad):
        handshake.open_request(
            bytes.fromhex(row["bytes"]),
            request_key=request_key,
            secret=invitation.terms.secret,
            conn=invitation.connection_id,
        )


@pytest.mark.parametrize("row", named(HANDSHAKE["bad_m2"]))
def test_bad_answers_are_refused(row: Row) -> None:
    """A spoilt M2 changes nothing at the invitee, who goes on waiting."""
    invitation, _ = alices_side()
    bob = NodeKey.from_bytes(bytes.fromhex(HANDSHAKE["private"]["bob_nk"]))
    bobs = ConnectionKeys.from_bytes(bytes.fromhex(HANDSHAKE["private"]["bob_sk_ek"]))
    waiting, _ = pairing.request(invitation, node_key=bob, now=0, random_bytes=bytes)
    waiting = waiting.model_copy(
        update={"request": b64(bytes.fromhex(HANDSHAKE["m1"])), "request_body": HANDSHAKE["m1_body"]}
    )
    got = pairing.receive_answer(waiting, bytes.fromhex(row["bytes"]), keys=bobs, now=1)
    assert got.verdict is pairing.Verdict.REFUSED
    assert got.pairing == waiting
    good = pairing.receive_answer(waiting, bytes.fromhex(HANDSHAKE["m2"]), keys=bobs, now=1)
    assert good.pairing.short_code == HANDSHAKE["short_code"]


def test_short_codes() -> None:
    """Twelve digits of a transcript, leading zeros kept."""
    for row in HANDSHAKE["short_codes"]:
        assert handshake.short_code(bytes.fromhex(row["transcript"])) == row["short_code"]


def test_message_ids() -> None:
    """The same object and revision always have the same id."""
    for row in load("message_ids")["mids"]:
        made = message_id(bytes.fromhex(row["key"]), row["kind"], row["local"], int(row["revision"]))
        assert made == row["mid"]


def second_implementation(*arguments: str) -> str:
    node = shutil.which("node")
    if node is None:
        pytest.skip("the second implementation needs `node` (Node.js 18 or newer), which is not installed")
    done = subprocess.run(  # noqa: S603  # our own script
        [node, str(Path(__file__).with_name("verify.mjs")), str(FOLDER), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_second_implementation_agrees_on_every_vector() -> None:
    """Node's crypto, and an HPKE, JSON and envelope reader written from the documents, see the same."""
    assert "0 wrong" in second_implementation()


def test_an_envelope_of_the_second_implementation_opens() -> None:
    """What the other one seals, this one opens."""
    opened = open_envelope(bobs_keys(), bytes.fromhex(second_implementation("seal").strip()))
    assert messages_of(opened) == [b'{"t":"pair.confirm"}', b'{"t":"conn.close"}']
