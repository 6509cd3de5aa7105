"""Two nodes become a connection through one code, over real HTTP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from node.errors import UsageError
from node.transport.client import ClientSettings
from node.transport.transport import TransportSettings
from tests.support.peers import PeerNode, paired, until
from tests.support.tls import certificate, tls_jira


async def test_a_code_makes_one_active_connection_named_after_both(alice: PeerNode, bob: PeerNode) -> None:
    """The default names are those that users of the reference product know."""
    ours, theirs = await paired(alice, bob)
    assert (ours.name, theirs.name) == ("Blue_to_Green", "Green_to_Blue")
    assert (ours.state, theirs.state) == ("active", "active")
    assert ours.conn == theirs.conn
    assert not ours.verified


async def test_describing_a_code_shows_who_invites_and_changes_nothing(alice: PeerNode, bob: PeerNode) -> None:
    """An admin sees the inviter's fingerprint before anything leaves."""
    invited = await alice.invitations.invite("Green", project="UD")
    described = await bob.invitations.describe(invited.code)
    assert described.label == "Blue"
    assert described.fingerprint == alice.keys.node_key().fingerprint
    assert described.name == "Green_to_Blue"
    assert await bob.connections.overview() == []


async def test_both_sides_compare_their_halves_of_the_short_code(alice: PeerNode, bob: PeerNode) -> None:
    """What one side reads out is what the other types."""
    await paired(alice, bob)
    hers = (await alice.connections.by_name("Blue_to_Green")).short_code
    his = (await bob.connections.by_name("Green_to_Blue")).short_code
    assert hers is not None
    assert his is not None
    assert (await bob.connections.verify("Green_to_Blue", hers)).verified
    assert (await alice.connections.verify("Blue_to_Green", his)).verified
    assert (await alice.row("Blue_to_Green")).verified


async def test_three_wrong_short_codes_close_the_connection_on_both_sides(alice: PeerNode, bob: PeerNode) -> None:
    """Whoever stands between the two gets one guess in a million, three times."""
    await paired(alice, bob)
    his = (await bob.connections.by_name("Green_to_Blue")).short_code
    wrong = "000000" if his != "000000" else "111111"
    left = [(await alice.connections.verify("Blue_to_Green", wrong)).tries_left for _ in range(3)]
    assert left == [2, 1, 0]

    async def closed() -> bool:
        return await bob.state("Green_to_Blue") == "closed"

    await until(closed)
    assert await alice.state("Blue_to_Green") == "closed"


async def test_where_the_comparison_is_demanded_a_connection_waits_for_it(tmp_path: Path, bob: PeerNode) -> None:
    """An admin may demand that no issue moves before the short codes were compared."""
    alice = PeerNode("Blue", tmp_path / "strict", must_compare=True)
    await alice.start()
    try:
        invited = await alice.invitations.invite("Green", project="UD")
        await bob.invitations.accept(invited.code, project="SC")

        async def confirmed() -> bool:
            return (await alice.connections.by_name("Blue_to_Green")).short_code is not None and not await bob.unacked()

        await until(confirmed)
        assert await alice.state("Blue_to_Green") == "pending"
        his = (await bob.connections.by_name("Green_to_Blue")).short_code
        assert his is not None
        assert (await alice.connections.verify("Blue_to_Green", his)).verified
        assert await alice.state("Blue_to_Green") == "active"
    finally:
        await alice.stop()


async def test_a_second_node_cannot_use_the_same_code(alice: PeerNode, bob: PeerNode, tmp_path: Path) -> None:
    """The thief hears a sentence, and so does the admin whose code it was."""
    invited = await alice.invitations.invite("Green", project="UD")
    await bob.invitations.accept(invited.code, project="SC")
    mallory = PeerNode("Mallory", tmp_path / "mallory")
    await mallory.start()
    try:
        with pytest.raises(UsageError, match="already used"):
            await mallory.invitations.accept(invited.code, project="X")
        assert await mallory.connections.overview() == []
        assert "InvitationUsedTwice" in await alice.problems()
    finally:
        await mallory.stop()


@pytest.mark.parametrize(
    ("spoiled", "words"),
    [
        ("{0}", "incomplete or has a typing mistake"),
        ("hello", "not an invitation code"),
        ("", "No invitation code"),
        ("{0}!{1}", "does not belong there"),
    ],
)
async def test_a_damaged_code_is_named_as_such(alice: PeerNode, bob: PeerNode, spoiled: str, words: str) -> None:
    """Nothing leaves for a code that is not whole."""
    invited = await alice.invitations.invite("Green", project="UD")
    with pytest.raises(UsageError, match=words):
        await bob.invitations.accept(spoiled.format(invited.code[:40], invited.code[40:]), project="SC")


async def test_an_expired_code_is_refused_in_words(alice: PeerNode, bob: PeerNode) -> None:
    """The inviter's clock alone decides; the invitee learns only that the code is no good."""
    invited = await alice.invitations.invite("Green", project="UD", valid_seconds=60)
    alice.clock.ahead_ms = 61_000
    with pytest.raises(UsageError, match="expired, was revoked, or was used"):
        await bob.invitations.accept(invited.code, project="SC")
    assert await alice.state("Blue_to_Green") == "closed"
    assert await bob.connections.overview() == []


async def test_a_revoked_code_is_refused_in_words(alice: PeerNode, bob: PeerNode) -> None:
    """A code that was taken back opens nothing."""
    invited = await alice.invitations.invite("Green", project="UD")
    await alice.invitations.revoke("Blue_to_Green")
    with pytest.raises(UsageError, match="expired, was revoked, or was used"):
        await bob.invitations.accept(invited.code, project="SC")


async def test_a_node_does_not_accept_its_own_code(alice: PeerNode) -> None:
    """Two copies of one node cannot pair with each other either: they have the same node key."""
    invited = await alice.invitations.invite("Green", project="UD")
    with pytest.raises(UsageError, match="made by this very node"):
        await alice.invitations.accept(invited.code, project="UD")


async def test_a_code_for_one_node_is_refused_by_another(alice: PeerNode, bob: PeerNode) -> None:
    """A code may name the only node that can use it."""
    invited = await alice.invitations.invite("Green", project="UD", only_for=alice.keys.node_key().fingerprint)
    with pytest.raises(UsageError, match="for another node"):
        await bob.invitations.accept(invited.code, project="SC")


async def test_an_inviter_that_is_away_is_asked_until_it_is_back(alice: PeerNode, bob: PeerNode) -> None:
    """The request survives a restart of the one who asks."""
    invited = await alice.invitations.invite("Green", project="UD")
    await alice.stop()
    pending = await bob.invitations.accept(invited.code, project="SC")
    assert pending.state == "pending"
    await bob.restart()
    await alice.start()

    async def both_active() -> bool:
        return [await alice.state("Blue_to_Green"), await bob.state("Green_to_Blue")] == ["active", "active"]

    await until(both_active)


async def test_the_same_code_again_goes_on_with_the_same_connection(alice: PeerNode, bob: PeerNode) -> None:
    """Whoever presses the button twice gets one connection."""
    invited = await alice.invitations.invite("Green", project="UD")
    first = await bob.invitations.accept(invited.code, project="SC")
    second = await bob.invitations.accept(invited.code, project="SC")
    assert first.id == second.id


@pytest.mark.parametrize(
    ("client", "setting"),
    [
        (ClientSettings(allow_private=True), "sync.allow_http = true"),
        (ClientSettings(allow_http=True), "sync.allow_private_peers = true"),
    ],
)
async def test_a_code_whose_address_is_not_allowed_is_refused_with_the_setting(
    alice: PeerNode, tmp_path: Path, client: ClientSettings, setting: str
) -> None:
    """A pairing that could never go on is not begun, and Bob hears which setting would let it."""
    invited = await alice.invitations.invite("Green", project="UD")
    bob = PeerNode("Green", tmp_path / "strict", settings=TransportSettings(client=client))
    await bob.start()
    try:
        with pytest.raises(UsageError, match="cannot be accepted here") as refused:
            await bob.invitations.accept(invited.code, project="SC")
        assert setting in refused.value.advice
        assert await bob.connections.overview() == []
    finally:
        await bob.stop()


async def test_why_a_pairing_does_not_go_on_is_told_until_it_does(alice: PeerNode, bob: PeerNode) -> None:
    """Bob sees with the connection and among the problems that nobody answers; both end when Alice is back."""
    invited = await alice.invitations.invite("Green", project="UD")
    await alice.stop()
    await bob.invitations.accept(invited.code, project="SC")
    reach = (await bob.connections.by_name("Green_to_Blue")).reach
    assert "cannot be reached" in (reach.last_error or "")
    assert "tried again by itself" in reach.advice
    assert [one.code for one in await bob.open_problems()] == ["PeerUnreachable"]
    await alice.start()

    async def over() -> bool:
        known = await bob.connections.by_name("Green_to_Blue")
        return await bob.open_problems() == [] and known.reach.last_error is None

    await until(over)


async def test_a_certificate_that_is_not_trusted_is_told_with_the_setting(
    alice: PeerNode, bob: PeerNode, tmp_path: Path
) -> None:
    """Alice is behind an authority of her own: Bob hears it at once, while pairing and later."""
    async with tls_jira(certificate(tmp_path)) as url:
        alice.public_url = url
        await alice.restart()
        invited = await alice.invitations.invite("Green", project="UD")
        assert (await bob.invitations.accept(invited.code, project="SC")).state == "pending"
        [problem] = await bob.open_problems()
        assert (problem.code, "not trusted" in problem.message) == ("PeerUntrusted", True)
        assert "tls.ca_file" in problem.advice
        await bob.invitations.revoke("Green_to_Blue")
        assert await bob.open_problems() == []

        alice.public_url = None
        await alice.restart()
        _, theirs = await paired(alice, bob)
        moved: dict[str, str | int] = {"urls": json.dumps([url]), "id": theirs.id}
        await bob.store.write(lambda tx: tx.execute("UPDATE connection SET peer_urls = :urls WHERE id = :id", moved))
        await bob.say(theirs.id, 1)

        async def told() -> bool:
            return [one.code for one in await bob.open_problems()] == ["PeerUntrusted"]

        await until(told)


async def test_our_half_of_the_code_stays_to_be_read_out_after_our_own_comparison(
    alice: PeerNode, bob: PeerNode
) -> None:
    """Alice typed Bob's digits first; hers are still there for him, until nobody expects a comparison any more."""
    await paired(alice, bob)
    his = (await bob.connections.by_name("Green_to_Blue")).short_code
    hers = (await alice.connections.by_name("Blue_to_Green")).short_code
    assert (await alice.connections.verify("Blue_to_Green", his or "")).verified
    assert (await alice.connections.by_name("Blue_to_Green")).short_code == hers
    assert (await bob.connections.verify("Green_to_Blue", hers or "")).verified
    alice.clock.ahead_ms = 15 * 24 * 3_600_000
    assert (await alice.connections.by_name("Blue_to_Green")).short_code is None


async def test_a_closed_connection_makes_way_for_a_new_one_of_its_name(alice: PeerNode, bob: PeerNode) -> None:
    """Two partners that pair again find their connection under the name that they know; the old one stays."""
    await paired(alice, bob)
    await alice.connections.close("Blue_to_Green")

    async def closed() -> bool:
        return await bob.state("Green_to_Blue") == "closed"

    await until(closed)
    ours, theirs = await paired(alice, bob)
    assert (ours.name, theirs.name) == ("Blue_to_Green", "Green_to_Blue")
    assert await alice.state("Blue_to_Green.closed") == "closed"
    assert (await alice.invitations.invite("Green", project="UD", name="Blue_to_Green.closed")).connection.id != ours.id
    assert await alice.state("Blue_to_Green.closed.closed") == "closed"


async def test_many_connections_get_names_of_their_own(alice: PeerNode, bob: PeerNode) -> None:
    """Two nodes may be connected more than once, for different projects."""
    await paired(alice, bob)
    ours, theirs = await paired(alice, bob)
    assert (ours.name, theirs.name) == ("Blue_to_Green_2", "Green_to_Blue_2")


async def test_closing_tells_the_peer_and_destroys_the_keys_on_both_sides(alice: PeerNode, bob: PeerNode) -> None:
    """Nothing valid is left of a connection that was closed."""
    ours, _ = await paired(alice, bob)
    assert ours.conn is not None
    await alice.connections.close("Blue_to_Green")

    async def over() -> bool:
        await alice.transport.say_goodbye()
        return await bob.state("Green_to_Blue") == "closed" and not alice.keys.has_connection(ours.conn or b"")

    await until(over)
    assert "ClosedByPeer" in await bob.problems()
    bob.clock.ahead_ms = 25 * 3_600_000
    await bob.transport.say_goodbye()
    assert not bob.keys.has_connection(ours.conn)


async def test_no_more_codes_than_an_admin_can_remember(alice: PeerNode) -> None:
    """Twenty open invitations are the limit, and the error says what to do."""
    for _ in range(20):
        await alice.invitations.invite("Green", project="UD")
    with pytest.raises(UsageError, match="20 invitations"):
        await alice.invitations.invite("Green", project="UD")


async def test_secrets_of_a_used_code_are_not_in_the_database(alice: PeerNode, bob: PeerNode) -> None:
    """A backup of the database tells nobody how to pair, and holds no key."""
    await paired(alice, bob)
    row = await alice.row("Blue_to_Green")
    assert row.pairing is not None
    assert '"secret":null' in row.pairing
    assert '"request_key":null' in row.pairing
