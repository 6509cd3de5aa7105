"""A peer that lost everything is told everything, whatever stands in the way at first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from node.errors import TrackerUnreachable
from node.store import cursors, problems, restored, shadows
from node.store.restored import Restored
from node.sync.resync import FREE_ROUNDS, ROUND_MS, Resync
from node.trackers.issue import Comment
from protocol.messages import ResyncEnd
from tests.support.rule_sets import an_issue
from tests.support.small_house import House, small_house


@pytest.fixture
async def alice(tmp_path: Path) -> AsyncIterator[House]:
    """Alice's house."""
    async with small_house(tmp_path) as house:
        yield house


async def _lost(house: House) -> Resync:
    await house.store.write(lambda tx: cursors.write(tx, cursors.resync(house.connection), "1"))
    return Resync(house.site, house.outgoing)


async def test_everything_is_sent_once_more(alice: House) -> None:
    """Every link gets one message more, and the word that it is needed is forgotten."""
    issues = [an_issue(id=str(number), key=f"UD-{number}") for number in range(1, 4)]
    for issue in issues:
        await alice.a_link(issue, twin=f"bob{issue.id}")
    assert await (await _lost(alice))._send_everything()
    assert [(await alice.link(issue)).revision for issue in issues] == [2, 2, 2]
    assert not await alice.rows("cursor")


async def test_what_rules_refuse_is_told_and_the_rest_goes(alice: House) -> None:
    """An issue that cannot be sent again becomes a problem that a retry sends; it does not vanish into the log."""
    issue = an_issue()
    await alice.a_link(issue)
    resync = await _lost(alice)
    alice.rules.broken.add(alice.connection)
    assert await resync._send_everything()
    [problem] = await alice.problems()
    assert (problem.stage, problem.issue_key) == (problems.OUTCOME, issue.key)


async def test_a_failure_that_passes_leaves_the_word_in_place(alice: House) -> None:
    """An issue that must wait is sent in a later round, and those that were sent are not sent twice."""
    first, second = an_issue(id="1", key="UD-1"), an_issue(id="2", key="UD-2")
    await alice.a_link(first, twin="bob1")
    await alice.a_link(second, twin="bob2")
    resync = await _lost(alice)
    await alice.store.write(lambda tx: shadows.drop(tx, second.id))
    alice.tracker.fail["issue"] = [TrackerUnreachable("No answer.")]
    assert not await resync._send_everything()
    assert await alice.rows("cursor")
    assert await resync._send_everything()
    assert [(await alice.link(issue)).revision for issue in (first, second)] == [2, 2]
    assert not await alice.rows("cursor")


async def test_who_asked_hears_that_all_was_said(alice: House) -> None:
    """A peer that was restored has asked: after everything comes the word that it is all, in the same breath."""
    await alice.a_link(an_issue())
    await alice.store.write(lambda tx: cursors.ask_resync(tx, alice.connection, 1, of="please-1"))
    await alice.store.write(lambda tx: cursors.ask_resync(tx, alice.connection, 2))
    assert await Resync(alice.site, alice.outgoing)._send_everything()
    last = (await alice.sent())[-1]
    assert isinstance(last, ResyncEnd)
    assert last.of == "please-1"
    assert not await alice.rows("cursor")


async def test_a_peer_that_asks_again_and_again_is_served_slowly(alice: House) -> None:
    """Some rounds begin at once, the next one only after a while: nobody can keep the node busy with that."""
    issue = an_issue()
    await alice.a_link(issue)
    resync = Resync(alice.site, alice.outgoing)
    done = []
    for number in range(FREE_ROUNDS + 1):
        await alice.store.write(
            lambda tx, number=number: cursors.ask_resync(tx, alice.connection, number, of=f"please-{number}")  # type: ignore[misc]  # bound early, on purpose
        )
        done.append(await resync._send_everything())
    assert done == [True] * FREE_ROUNDS + [False]
    assert (await alice.link(issue)).revision == 1 + FREE_ROUNDS
    alice.clock.ms += ROUND_MS
    assert await resync._send_everything()


@pytest.mark.parametrize("inviter", [True, False])
async def test_where_both_were_restored_the_inviter_speaks_first(alice: House, inviter: bool) -> None:
    """Alice recovers herself: as the inviter she tells what she knows, but for what may be a copy; else she waits."""
    alice.rules.inviter = inviter
    copy = Comment(id="9", body="may be a copy")
    issue = an_issue(comments=(Comment(id="8", body="hers"), copy))
    await alice.a_link(replace(issue, comments=()))
    alice.tracker.put(issue)
    alice.tracker.markers["m"] = copy.id
    state = Restored(mid="please-a", since_ms=0)
    await alice.store.write(lambda tx: restored.write(tx, alice.connection, state))
    assert await (await _lost(alice))._send_everything() is inviter
    last = (await alice.replicas())[-1]
    assert [comment.body for comment in last.replica.comments or ()] == (["hers"] if inviter else [])
