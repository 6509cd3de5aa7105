"""Pairing: each step by itself, and what thieves, forgers, slow people and clumsy fingers can do."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import InvitationUnusable, Mistyped, NotNow, VersionMismatch
from protocol.handshake import peek
from protocol.identity import ConnectionKeys, NodeKey
from protocol.invitation import Invitation
from protocol.pairing import (
    MAX_WRONG_REQUESTS,
    PATIENCE,
    InviteePairing,
    InviterPairing,
    Pairing,
    Reception,
    State,
    Verdict,
    cancel,
    compare,
    expire,
    invite,
    receive_answer,
    receive_confirm,
    receive_request,
    request,
)
from protocol.pairing_state import TABLE, TRIES, Event, Role
from tests.support.paired import NOW, pair, seeded

random_bytes = seeded("pairing")
ALICE, BOB, MALLORY = (NodeKey.generate(random_bytes) for _ in range(3))


def alices_invitation(**terms: object) -> InviterPairing:
    defaults: dict[str, object] = {"node_key": ALICE, "now": NOW, "random_bytes": random_bytes, "label": "Blue"}
    return invite(**(defaults | terms))  # type: ignore[arg-type]  # keywords by name


def ask(invited: InviterPairing, who: NodeKey = BOB, **terms: object) -> tuple[InviteePairing, ConnectionKeys]:
    assert invited.code is not None
    defaults: dict[str, object] = {"node_key": who, "now": NOW, "random_bytes": random_bytes, "label": "Green"}
    return request(Invitation.from_code(invited.code), **(defaults | terms))  # type: ignore[arg-type]  # the same


def receive(invited: InviterPairing, m1: bytes, now: int = NOW) -> Reception[InviterPairing]:
    return receive_request(invited, m1, node_key=ALICE, now=now, random_bytes=random_bytes)


def test_two_nodes_pair_and_see_the_same_short_code() -> None:
    """After M1, M2 and the confirmation both are active, hold each other's keys, and show one code in two halves."""
    alice, bob = pair()
    assert alice.pairing.state is bob.pairing.state is State.ACTIVE
    assert alice.established.conn == bob.established.conn == alice.pairing.conn
    assert alice.established.peer_node_key == bob.node_key.public
    assert bob.established.peer_fingerprint == alice.node_key.fingerprint
    assert alice.established.peer_statement == bob.established.our_statement
    assert (alice.established.peer_label, bob.established.peer_label) == ("Green", "Blue")
    assert (alice.established.our_dir, bob.established.our_dir) == (0, 1)
    assert alice.pairing.ours_to_read_out == bob.pairing.theirs_to_read_out
    assert bob.pairing.ours_to_read_out == alice.pairing.theirs_to_read_out
    assert alice.pairing.ours_to_read_out != bob.pairing.ours_to_read_out
    assert not alice.pairing.verified


def test_records_survive_the_database_as_json() -> None:
    """Every record is JSON and comes back equal, so that a step can follow days later in another process."""
    invited = alices_invitation(must_compare=True)
    asking, _ = ask(invited)
    accepted = receive(invited, asking.request_bytes).pairing
    for record in (invited, asking, accepted):
        assert type(record).model_validate(json.loads(json.dumps(record.model_dump()))) == record


def test_the_same_request_again_gets_the_identical_answer() -> None:
    """A lost answer costs nothing: the stored bytes are sent again and nothing else happens."""
    asking, _ = ask(invited := alices_invitation())
    first = receive(invited, asking.request_bytes)
    again = receive(first.pairing, asking.request_bytes, now=NOW + 86_400)
    assert again.verdict is Verdict.REPEATED
    assert again.answer == first.answer
    assert again.pairing == first.pairing
    assert again.established is None


def test_a_used_invitation_is_used() -> None:
    """A second guest hears `used`, and the first one's pairing does not change."""
    invited = alices_invitation()
    asking, _ = ask(invited)
    late, late_keys = ask(invited, MALLORY)
    first = receive(invited, asking.request_bytes)
    second = receive(first.pairing, late.request_bytes)
    assert second.verdict is Verdict.USED
    assert second.pairing == first.pairing
    assert second.answer is not None
    assert peek(second.answer)[0] == "used"
    heard = receive_answer(late, second.answer, keys=late_keys, now=NOW)
    assert heard.verdict is Verdict.USED
    assert heard.pairing.state is State.REQUESTED


def test_the_secrets_of_a_code_go_in_the_step_that_uses_it() -> None:
    """What is stored after the first use cannot be used again, nor show the code."""
    asking, _ = ask(invited := alices_invitation())
    accepted = receive(invited, asking.request_bytes).pairing
    assert invited.secret is not None
    for name in ("secret", "request_key", "nonce", "code_body", "code"):
        assert getattr(accepted, name) is None


@pytest.mark.parametrize("how", ["expired", "cancelled"])
def test_a_code_that_is_over_is_refused_and_its_secrets_are_gone(how: str) -> None:
    """By the inviter's clock alone, or by the inviter's word."""
    invited = alices_invitation(valid_for=60)
    asking, _ = ask(invited, now=NOW - 10**9)
    over = cancel(invited) if how == "cancelled" else invited
    got = receive(over, asking.request_bytes, now=NOW + 60)
    assert got.verdict is Verdict.REFUSED
    assert got.answer is None
    assert got.pairing.state is (State.CANCELLED if how == "cancelled" else State.EXPIRED)
    assert got.pairing.secret is None


def test_the_guests_clock_does_not_matter() -> None:
    """A guest whose clock is ten years ahead pairs all the same."""
    invited = alices_invitation()
    asking, keys = ask(invited, now=NOW + 10 * 365 * 86_400)
    accepted = receive(invited, asking.request_bytes)
    assert accepted.answer is not None
    assert receive_answer(asking, accepted.answer, keys=keys, now=0).verdict is Verdict.ACCEPTED


def test_wrong_requests_lock_the_code() -> None:
    """Ten requests by somebody without the code end it; before that the real guest still gets in."""
    invited = alices_invitation()
    asking, _ = ask(invited)
    spoilt = asking.request_bytes[:-1] + bytes([asking.request_bytes[-1] ^ 1])
    now = invited
    for _ in range(MAX_WRONG_REQUESTS - 1):
        got = receive(now, spoilt)
        assert (got.verdict, got.answer) == (Verdict.REFUSED, None)
        now = got.pairing
    assert receive(now, asking.request_bytes).verdict is Verdict.ACCEPTED
    locked = receive(now, spoilt).pairing
    assert locked.state is State.LOCKED
    assert locked.secret is None
    assert receive(locked, asking.request_bytes).verdict is Verdict.REFUSED


def test_an_invitation_for_one_guest_is_for_no_other() -> None:
    """Others are told so when they paste it, and refused if they do not listen."""
    invited = alices_invitation(only_for=BOB.fingerprint)
    with pytest.raises(InvitationUnusable, match="another node"):
        ask(invited, MALLORY)
    assert invited.code is not None
    terms = Invitation.from_code(invited.code).terms.model_copy(update={"only_for": None})
    forged, _ = request(Invitation.of(terms), node_key=MALLORY, now=NOW, random_bytes=random_bytes)
    assert receive(invited, forged.request_bytes).verdict is Verdict.REFUSED
    asking, _ = ask(invited)
    assert receive(invited, asking.request_bytes).verdict is Verdict.ACCEPTED


def test_nobody_pairs_with_itself() -> None:
    """Pasting one's own code is a clear error."""
    with pytest.raises(InvitationUnusable, match="this very node"):
        ask(alices_invitation(), ALICE)


def test_nodes_without_a_common_version_say_so() -> None:
    """The guest hears it before anything is sent."""
    code = alices_invitation().code
    assert code is not None
    terms = Invitation.from_code(code).terms.model_copy(update={"protocol": (2, 3)})
    with pytest.raises(VersionMismatch, match="share no version"):
        request(Invitation.of(terms), node_key=BOB, now=NOW, random_bytes=random_bytes)


def test_a_man_in_the_middle_is_seen_in_the_short_codes() -> None:
    """Who rewrites the code on its way ends with two different codes, and typing one side's shows it."""
    invited = alices_invitation()
    mallorys = invite(node_key=MALLORY, now=NOW, random_bytes=random_bytes, label="Blue")
    to_bob, bobs_keys = ask(mallorys)
    to_mallory = receive_request(mallorys, to_bob.request_bytes, node_key=MALLORY, now=NOW, random_bytes=random_bytes)
    assert to_mallory.answer is not None
    bob = receive_answer(to_bob, to_mallory.answer, keys=bobs_keys, now=NOW).pairing
    to_alice, _ = ask(invited, MALLORY)
    alice = receive(invited, to_alice.request_bytes).pairing
    assert alice.short_code != bob.short_code
    assert alice.ours_to_read_out is not None
    assert not compare(bob, alice.ours_to_read_out).verified


def test_an_answer_to_another_invitation_is_refused() -> None:
    """An answer counts only for the request that it answers."""
    one, keys = ask(invited := alices_invitation())
    other, _ = ask(alices_invitation())
    accepted = receive(invited, one.request_bytes)
    assert accepted.answer is not None
    assert receive_answer(other, accepted.answer, keys=keys, now=NOW).verdict is Verdict.REFUSED


def test_a_second_answer_changes_nothing() -> None:
    """An answer that arrives twice is a repetition."""
    asking, keys = ask(invited := alices_invitation())
    answer = receive(invited, asking.request_bytes).answer
    assert answer is not None
    first = receive_answer(asking, answer, keys=keys, now=NOW).pairing
    again = receive_answer(first, answer, keys=keys, now=NOW)
    assert (again.verdict, again.pairing, again.established) == (Verdict.REPEATED, first, None)


def test_a_confirmation_may_come_twice_but_not_out_of_nowhere() -> None:
    """The confirmation makes the inviter active once; before a request there is nothing to confirm."""
    alice, _ = pair()
    assert isinstance(alice.pairing, InviterPairing)
    assert receive_confirm(alice.pairing, now=NOW) == alice.pairing
    with pytest.raises(NotNow):
        receive_confirm(alices_invitation(), now=NOW)


def test_a_node_may_demand_the_comparison_first() -> None:
    """Then the connection is active only once the right digits were typed."""
    invited = alices_invitation(must_compare=True)
    asking, keys = ask(invited, must_compare=True)
    accepted = receive(invited, asking.request_bytes)
    assert accepted.answer is not None
    alice = receive_confirm(accepted.pairing, now=NOW)
    bob = receive_answer(asking, accepted.answer, keys=keys, now=NOW).pairing
    assert alice.state is bob.state is State.COMPARING
    alice = compare(alice, bob.ours_to_read_out or "")
    bob = compare(bob, alice.ours_to_read_out or "")
    assert alice.state is bob.state is State.ACTIVE
    assert alice.verified
    assert bob.verified


def test_typing_the_digits_verifies_an_active_connection() -> None:
    """Blanks and hyphens do not matter; verifying again changes nothing."""
    alice, bob = pair()
    digits = bob.pairing.ours_to_read_out or ""
    verified = compare(alice.pairing, f" {digits[:3]}-{digits[3:]} ")
    assert verified.verified
    assert verified.state is State.ACTIVE
    assert compare(verified, digits) == verified


def test_wrong_digits_reject_the_pairing_at_the_last_try() -> None:
    """Two slips are forgiven; the third ends it, and nothing of the code is kept."""
    alice, bob = pair()
    wrong = f"{(int(bob.pairing.ours_to_read_out or 0) + 1) % 10**6:06d}"
    now: Pairing = alice.pairing
    for left in range(TRIES - 1, 0, -1):
        now = compare(now, wrong)
        assert (now.tries_left, now.state) == (left, State.ACTIVE)
    now = compare(now, wrong)
    assert now.state is State.REJECTED
    assert now.short_code is None
    with pytest.raises(NotNow):
        compare(now, wrong)


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "12345a", "\uff11\uff12\uff13\uff14\uff15\uff16"])
def test_what_is_not_six_digits_costs_no_try(typed: str) -> None:
    """A slip of the finger is told, not counted."""
    alice, _ = pair()
    with pytest.raises(Mistyped, match="six digits"):
        compare(alice.pairing, typed)


def test_typing_ones_own_digits_is_wrong() -> None:
    """The half on one's own screen does not verify the other side."""
    alice, _ = pair()
    assert not compare(alice.pairing, alice.pairing.ours_to_read_out or "").verified


def test_a_pairing_without_progress_fails_after_a_while() -> None:
    """Every waiting state ends by itself; an active one does not."""
    invited = alices_invitation(valid_for=100)
    asking, _ = ask(invited)
    accepted = receive(invited, asking.request_bytes).pairing
    alice, _ = pair()
    assert expire(invited, now=NOW + 99) == invited
    assert expire(invited, now=NOW + 100).state is State.EXPIRED
    assert expire(asking, now=NOW + PATIENCE).state is State.FAILED
    assert expire(accepted, now=NOW + PATIENCE).state is State.FAILED
    assert expire(alice.pairing, now=NOW + 10**9) == alice.pairing


def test_a_code_is_valid_for_two_weeks_at_most() -> None:
    """Longer, or not at all, is our own mistake."""
    for seconds in (0, -1, 14 * 86_400 + 1):
        with pytest.raises(ValueError, match="valid for at most"):
            alices_invitation(valid_for=seconds)


def test_ends_stay_ends_and_everything_that_waits_ends() -> None:
    """No event leads out of an end, and every state that waits has a way out by time and by the admin's word."""
    ends = {State.EXPIRED, State.LOCKED, State.CANCELLED, State.REJECTED, State.FAILED}
    for role, state in {(role, state) for role, state, _ in TABLE}:
        assert state not in ends
        if state is not State.ACTIVE:
            assert TABLE[role, state, Event.CANCEL] is State.CANCELLED
            assert {TABLE.get((role, state, Event.TIMEOUT)), TABLE.get((role, state, Event.EXPIRE))} & ends
    reached = {(role, then) for (role, _, _), then in TABLE.items()} | {
        (Role.INVITER, State.INVITED),
        (Role.INVITEE, State.REQUESTED),
    }
    assert {(role, state) for role, state, _ in TABLE} <= reached


def test_an_active_pairing_is_not_cancelled() -> None:
    """That is closing a connection, another step."""
    with pytest.raises(NotNow, match="active"):
        cancel(pair()[0].pairing)


def test_reprs_and_errors_show_no_secret() -> None:
    """Logging any of these objects gives nothing away."""
    invited = alices_invitation()
    asking, keys = ask(invited)
    accepted = receive(invited, asking.request_bytes)
    assert invited.code is not None
    invitation = Invitation.from_code(invited.code)
    shown = "".join(map(repr, (ALICE, keys, invited, invitation, asking, accepted, accepted.established)))
    private = [
        ALICE.to_bytes(),
        keys.to_bytes()[:32],
        keys.to_bytes()[32:],
        invited.secret,
        invited.request_key,
        invited.nonce,
    ]
    for secret in private:
        assert secret is not None
        for spelled in (repr(secret)[2:-1], secret.hex(), Invitation.of(invitation.terms).code[8:40]):
            assert spelled not in shown
    assert str(accepted.pairing.short_code) not in shown


@given(st.binary(max_size=300))
def test_nothing_that_comes_in_breaks_a_step(garbage: bytes) -> None:
    """Whatever arrives is judged, never raised."""
    invited = GARBAGE_TARGET
    assert receive(invited, garbage).verdict is Verdict.REFUSED
    assert receive_answer(WAITING[0], garbage, keys=WAITING[1], now=NOW).verdict is Verdict.REFUSED


GARBAGE_TARGET = alices_invitation()
WAITING = ask(GARBAGE_TARGET)
