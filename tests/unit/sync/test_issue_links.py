"""Links that a lost call may have made: found by what the intent knows, and known as copies at both their ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.rules.model import DraftIssueLink
from node.store import links, steps
from node.store.steps import Step
from node.sync.issue_links import drop_begun, issue_link_marker
from node.sync.leftovers import adopt_leftovers
from node.sync.plan import ISSUE_LINK, OTHER_END, AddIssueLink, TwinItem
from node.sync.step_keys import issue_link_key
from node.trackers.issue import Issue, IssueLink
from tests.support.rule_sets import an_issue
from tests.support.small_house import House, small_house

WISH = AddIssueLink(DraftIssueLink(issue="bob2", type="Blocks", outward=True), "1002")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Open Alice's house, with two issues whose twins are Bob's."""
    async with small_house(tmp_path) as running:
        for number in ("1", "2"):
            await running.a_link(an_issue(id=f"100{number}", key=f"UD-{number}"), twin=f"bob{number}")
        yield running


def linked(house: House) -> Issue:
    """Let Alice's first issue block her second."""
    link = IssueLink(id="77", type="Blocks", phrase="blocks", outward=True, other_id="1002", other_key="UD-2")
    return house.tracker.edit("1001", links=(link,))


async def given_up(house: House) -> None:
    """Store the intent of a call whose message nobody works on any more."""
    step = Step("bob1", issue_link_key(WISH), issue_link_marker(WISH), 1)
    await house.store.write(lambda tx: steps.intend(tx, house.connection, [step]))


async def items(house: House, issue_id: str) -> list[TwinItem]:
    link = await house.link(house.tracker.issues[issue_id])
    return await house.store.read(lambda tx: links.items(tx, link.id))


async def test_a_link_of_a_call_that_was_given_up_is_ours(house: House) -> None:
    """It is on Jira: both issues know it as made by the sync, so neither lets it go back as the doing of people."""
    issue = linked(house)
    await given_up(house)
    left = await house.store.read(lambda tx: steps.on_issue(tx, issue.id))
    await adopt_leftovers(house.site, issue.id, left)
    assert [(one.kind, one.handle, one.item_id) for one in await items(house, "1001")] == [
        (ISSUE_LINK, WISH.link.handle, "77")
    ]
    [there] = await items(house, "1002")
    assert (there.handle, there.item_id, there.digest) == ("<bob1:Blocks", "77", OTHER_END)
    for issue_id in ("1001", "1002"):
        assert (ISSUE_LINK, "77") in await house.store.read(lambda tx, one=issue_id: links.made_by_sync(tx, one))  # type: ignore[misc]  # bound early, on purpose
    assert not await house.rows("step")


async def test_a_call_that_made_nothing_leaves_nothing(house: House) -> None:
    """The intent ends, and a link that people make later is theirs."""
    await given_up(house)
    left = await house.store.read(lambda tx: steps.on_issue(tx, "1001"))
    await adopt_leftovers(house.site, "1001", left)
    assert await items(house, "1001") == await items(house, "1002") == []
    assert not await house.rows("step")


async def test_a_link_is_forgotten_at_both_ends(house: House) -> None:
    """What was removed is nobody's any more, and may be made again."""
    item = TwinItem(ISSUE_LINK, WISH.link.handle, "77", "")
    link = await house.link(house.tracker.issues["1001"])
    seen_there = WISH.link.seen_from("bob1").handle
    for _ in range(2):  # storing it again changes nothing
        await house.store.write(
            lambda tx: links.put_issue_link(
                tx, link.id, item, connection_id=house.connection, other_id="1002", seen_there=seen_there
            )
        )
    assert len(await items(house, "1001")) == len(await items(house, "1002")) == 1
    assert await house.store.read(lambda tx: links.is_our_issue_link(tx, "77"))
    await house.store.write(lambda tx: links.drop_issue_link(tx, "77"))
    assert await items(house, "1001") == await items(house, "1002") == []
    assert not await house.store.read(lambda tx: links.is_our_issue_link(tx, "77"))


async def test_a_link_that_is_not_wanted_any_more_is_removed_unless_its_other_end_made_it(house: House) -> None:
    """Both ends may ask for one link at once; what one of them stored, the other's forgotten intent does not undo."""
    linked(house)
    item = TwinItem(ISSUE_LINK, "<bob1:Blocks", "77", "")
    link = await house.link(house.tracker.issues["1002"])
    await house.store.write(
        lambda tx: links.put_issue_link(
            tx, link.id, item, connection_id=house.connection, other_id="1001", seen_there=WISH.link.handle
        )
    )
    await drop_begun(house.site, "1001", issue_link_marker(WISH))
    assert house.tracker.issues["1001"].links
    await house.store.write(lambda tx: links.drop_issue_link(tx, "77"))
    await drop_begun(house.site, "1001", issue_link_marker(WISH))
    assert not house.tracker.issues["1001"].links
    await drop_begun(house.site, "1001", issue_link_marker(WISH))
    assert house.tracker.calls.count("delete_issue_link") == 1
