"""What nobody needs any more goes, and what somebody may need stays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from node import housekeeping
from node.housekeeping import KEEP_EVENTS, KEEP_HISTORY_MS, KEEP_NOTES_MS, KEEP_PROBLEMS_MS, Housekeeping
from node.store import connections, history, problems, shadows
from node.store.history import Event
from node.store.port import Transaction
from node.store.problems import Problem
from node.sync.content import FileDigest
from node.trackers.issue import Attachment
from tests.support.rule_sets import an_issue
from tests.support.small_house import House, removed_by_bob, small_house


@pytest.fixture
async def alice(tmp_path: Path) -> AsyncIterator[House]:
    """Alice's house."""
    async with small_house(tmp_path) as house:
        yield house


async def _clean(house: House) -> None:
    await Housekeeping(house.store, house.clock).clean()


async def _report(house: House, problem: Problem) -> None:
    await house.store.write(lambda tx: problems.report(tx, problem, now_ms=house.clock.ms))


async def _know_file(house: House, name: str) -> None:
    await house.store.write(lambda tx: shadows.put_file_digest(tx, name, FileDigest("0" * 64, 3)))


async def test_old_history_goes_but_for_the_newest_events_of_each_issue(alice: House) -> None:
    """After half a year a busy issue keeps what a person is shown, and a quiet one all that it has."""
    busy, quiet = an_issue(id="1", key="UD-1"), an_issue(id="2", key="UD-2")
    links_ = [await alice.a_link(busy, twin="bob1"), await alice.a_link(quiet, twin="bob2")]
    for link, count in zip(links_, (housekeeping.PART + 100, 3), strict=True):
        event = Event(
            connection_id=alice.connection,
            link_id=link.id,
            at_ms=alice.clock.ms,
            direction="out",
            event="sent",
            detail={},
        )

        async def work(tx: Transaction, event: Event = event, count: int = count) -> None:
            for _ in range(count):
                await history.add(tx, event)

        await alice.store.write(work)
    await _clean(alice)
    assert len(await alice.rows("history")) == housekeeping.PART + 105
    alice.clock.ms += KEEP_HISTORY_MS + 1
    await _clean(alice)
    kept = [row["link_id"] for row in await alice.rows("history")]
    assert (kept.count(links_[0].id), kept.count(links_[1].id)) == (KEEP_EVENTS, 4)


async def test_problems_that_are_over_go_after_a_month(alice: House) -> None:
    """An open problem stays, however old it is."""
    for ref in (1, 2):
        problem = Problem(connection_id=None, stage=problems.CHANGE, ref=ref, issue_key=None, code="X", message="No.")
        await _report(alice, problem)
    await alice.store.write(lambda tx: problems.close(tx, stage=problems.CHANGE, ref=1))
    await _clean(alice)
    assert len(await alice.rows("problem")) == 2
    alice.clock.ms += KEEP_PROBLEMS_MS + 1
    await _clean(alice)
    assert [row["ref"] for row in await alice.rows("problem")] == [2]


async def test_an_issue_that_no_connection_carries_is_forgotten(alice: House) -> None:
    """The state of an issue and the digests of its files go with its last link; the link itself stays, for people."""
    file = Attachment(id="f1", name="lamp.png", size=3, content_url="https://jira.example.org/f1")
    kept, ended = an_issue(id="1", key="UD-1", attachments=(file,)), an_issue(id="2", key="UD-2")
    for name in ("f1", "f2"):
        await _know_file(alice, name)
    await alice.a_link(ended)
    await alice.receive(removed_by_bob(1))
    await alice.settle()
    await alice.store.write(lambda tx: shadows.write(tx, kept, updated_ms=1))
    await alice.a_link(replace(kept, attachments=()), twin="bob2")
    await _clean(alice)
    assert [row["issue_id"] for row in await alice.rows("shadow")] == ["1"]
    assert [row["attachment_id"] for row in await alice.rows("attachment_blob")] == ["f1"]
    assert len(await alice.rows("link")) == 2


async def test_what_was_only_to_be_known_ends_after_a_day(alice: House) -> None:
    """Nobody has to skip the note that a node was restored; what needs a person stays."""
    note = Problem(
        connection_id=alice.connection, stage=problems.PEER, ref=None, issue_key=None, code="NewEpoch", message="Known."
    )
    for problem in (note, replace(note, stage=problems.OUTCOME, ref=1, code="POLICY")):
        await _report(alice, problem)
    await _clean(alice)
    assert len(await alice.problems()) == 2
    alice.clock.ms += KEEP_NOTES_MS + 1
    await _clean(alice)
    assert [one.code for one in await alice.problems()] == ["POLICY"]


async def test_a_closed_connection_leaves_nothing_to_be_put_right(alice: House) -> None:
    """What waited on it is over; that it was closed is still told until a person has seen it."""
    closed = Problem(
        connection_id=alice.connection,
        stage=problems.PEER,
        ref=None,
        issue_key=None,
        code="ClosedByPeer",
        message="It is.",
    )
    for problem in (closed, replace(closed, stage=problems.OUTCOME, ref=1)):
        await _report(alice, problem)
    await _clean(alice)
    assert len(await alice.problems()) == 2
    await alice.state(connections.CLOSED)
    await _clean(alice)
    assert [one.code for one in await alice.problems()] == ["ClosedByPeer"]
