"""Links between issues: made once, only where both ends are in sync, and never taken from people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from node.rules.issue_links import MAX_LINKS, read_links, shared_links
from node.rules.model import Draft, DraftIssueLink
from node.sync.plan import OTHER_END, AddIssueLink, ClaimIssueLink, Operation, Remove, TwinItem, plan_update
from node.sync.plan_issue_links import plan_issue_links
from node.trackers.issue import Issue, IssueLink
from tests.support.rule_sets import an_issue


def wish(issue: str = "bob2", *, kind: str = "Blocks", outward: bool = True) -> DraftIssueLink:
    return DraftIssueLink(issue=issue, type=kind, outward=outward)


def ours(*links: IssueLink) -> Issue:
    return an_issue(links=links)


def link(number: str, other: str, *, kind: str = "Blocks", outward: bool = True) -> IssueLink:
    return IssueLink(id=number, type=kind, phrase="x", outward=outward, other_id=other, other_key=f"UD-{other}")


def planned(draft: Draft, *items: TwinItem, others: Mapping[str, str] | None = None, **more: Any) -> list[Operation]:
    return plan_issue_links(
        draft, items, **{"others": others or {"bob2": "2", "bob3": "3"}, "ours": ours(), "made": frozenset(), **more}
    )


def draft(*links: DraftIssueLink) -> Draft:
    return Draft(project="UD", fields={}, links=links)


def test_a_link_is_made_once_both_issues_are_in_sync() -> None:
    """To an issue that is not linked here nothing is made; a link that was made is not made again."""
    both = draft(wish(), wish("bob9"))
    assert planned(both) == [AddIssueLink(wish(), "2")]
    assert planned(both, TwinItem("issue link", wish().handle, "77", "")) == []


def test_a_draft_that_says_nothing_about_links_leaves_them() -> None:
    """None is not "none"; an empty list removes what the sync made, and nothing else."""
    item = TwinItem("issue link", wish().handle, "77", "")
    assert planned(Draft(project="UD", fields={}), item) == []
    assert planned(draft(), item, TwinItem("issue link", "x", "78", OTHER_END)) == [Remove(item)]
    assert plan_update(draft(), {}, [item]) == []


def test_a_link_of_people_is_neither_doubled_nor_taken_over() -> None:
    """The same type, direction and issue: theirs. Another direction or type is another link."""
    people = ours(link("5", "2"))
    assert planned(draft(wish(kind="blocks")), ours=people) == []
    assert planned(draft(wish(outward=False)), ours=people) == [AddIssueLink(wish(outward=False), "2")]
    assert planned(draft(wish(kind="Relates")), ours=people) == [AddIssueLink(wish(kind="Relates"), "2")]


def test_a_link_that_the_sync_made_from_its_other_end_is_claimed() -> None:
    """It is not made again, also after people here removed it, and both ends have a say in it from then on."""
    there = DraftIssueLink(issue="bob1", type="Blocks", outward=False)
    item = TwinItem("issue link", there.seen_from("bob2").handle, "5", OTHER_END)
    assert item.handle == wish().handle
    assert planned(draft(wish()), item) == [ClaimIssueLink(item)]
    assert planned(draft(), item) == []


def test_a_link_that_a_lost_call_may_have_made_is_no_link_of_people() -> None:
    """It is looked up again, and known as ours."""
    people = ours(link("5", "2"))
    begun = frozenset({wish().handle})
    assert planned(draft(wish()), ours=people, begun=begun) == [AddIssueLink(wish(), "2")]


def test_only_links_to_issues_in_sync_leave_and_copies_never() -> None:
    """An issue that the peer does not know is not named to it, and what the sync made is no news."""
    issue = ours(link("1", "2"), link("2", "9"), link("3", "3", outward=False), link("4", "3"))
    assert shared_links(issue, {"2": "h2", "3": "h3"}, frozenset({("issue link", "4"), ("comment", "1")})) == [
        {"type": "Blocks", "outward": True, "issue": "h2"},
        {"type": "Blocks", "outward": False, "issue": "h3"},
    ]


_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["issue", "type", "outward"]), inner),
    max_leaves=20,
)


@given(_JSON)
def test_whatever_a_peer_sends_as_links_is_read_or_left_out(value: Any) -> None:
    """No shape is an error; what is read is bounded and in shape."""
    for found in read_links(value):
        assert isinstance(found.outward, bool)
        assert 0 < len(found.issue) <= 255


def test_a_flood_of_links_is_cut() -> None:
    """A peer cannot make us look up any number of issues."""
    entry: dict[str, Any] = {"type": "Blocks", "outward": True}
    assert len(read_links([{**entry, "issue": str(number)} for number in range(5_000)])) == MAX_LINKS
    assert len(read_links([{**entry, "issue": "same"}] * 10)) == 1
