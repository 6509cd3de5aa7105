"""What leaves, by mappings."""

from __future__ import annotations

from typing import Any

import pytest

from node.errors import RuleError
from node.rules.facts import CachedFacts
from node.rules.model import Origin, Shared, Skip
from node.rules.outgoing import OutgoingContext, OutgoingRules
from node.rules.ruleset import MappingStep, RuleSet, Scope, ScriptStep, basic_incoming, basic_outgoing
from node.trackers.issue import Attachment, Comment, Issue, Restriction, User, Worklog
from tests.support.known_jira import ALICE, BOB, KnownJira
from tests.support.rule_sets import an_issue


def _file(number: str, author: User | None = ALICE) -> Attachment:
    return Attachment(id=number, name=f"{number}.png", size=1, content_url="https://jira.example/f", author=author)


async def _leave(issue: Issue, *steps: MappingStep, scope: Scope | None = None, **context: Any) -> Shared:
    ruleset = RuleSet(direction="outgoing", steps=steps, scope=scope or Scope()) if steps else basic_outgoing()
    shared = await OutgoingRules(ruleset, version=1).evaluate(
        issue, OutgoingContext(**{"first_sync": True, "facts": CachedFacts(KnownJira()), **context})
    )
    assert isinstance(shared, Shared)
    return shared


def _map(source: str, target: str | None = None, **settings: Any) -> MappingStep:
    return MappingStep(source=source, target=target or source, **settings)


async def test_basic_rules_share_the_basic_fields() -> None:
    """Summary, description, type, key, comments and files leave, each with the step that let it out."""
    comment = Comment(id="1", body="Hi", author=ALICE)
    issue = an_issue(description="Dark.", labels=("x",), comments=(comment,), attachments=(_file("7"),))
    shared = await _leave(issue)
    assert shared.fields == {"type": "Bug", "summary": "The lamp does not light", "description": "Dark."}
    assert shared.key == "UD-1"
    assert [(comment.author, comment.body, comment.author_email) for comment in shared.comments or ()] == [
        ("Alice Smith", "Hi", None)
    ]
    assert [file.name for file in shared.attachments or ()] == ["7.png"]
    assert shared.worklogs is None
    assert shared.origins["description"] == Origin(4, None, frozenset({"description"}))


async def test_internal_and_restricted_comments_never_leave() -> None:
    """Nor does restricted time."""
    comments = (
        Comment(id="1", body="for all"),
        Comment(id="2", body="internal", internal=True),
        Comment(id="3", body="for admins", restriction=Restriction("role", "Administrators")),
    )
    worklogs = (Worklog(id="1", seconds=60), Worklog(id="2", seconds=60, restriction=Restriction("group", "staff")))
    shared = await _leave(an_issue(comments=comments, worklogs=worklogs), _map("comments"), _map("worklogs"))
    assert [comment.id for comment in shared.comments or ()] == ["1"]
    assert [worklog.id for worklog in shared.worklogs or ()] == ["1"]


async def test_what_the_sync_wrote_does_not_go_back() -> None:
    """A comment of the peer's that we hold is not ours; a file with the same id as it is."""
    issue = an_issue(
        comments=(Comment(id="1", body="ours"), Comment(id="2", body="*Bob* commented:\nhis")),
        attachments=(_file("1"), _file("2")),
        worklogs=(Worklog(id="1", seconds=1), Worklog(id="2", seconds=1)),
    )
    own = frozenset({("comment", "2"), ("attachment", "1"), ("worklog", "2")})
    shared = await _leave(issue, _map("comments"), _map("attachments"), _map("worklogs"), own_items=own)
    assert [comment.id for comment in shared.comments or ()] == ["1"]
    assert [file.id for file in shared.attachments or ()] == ["2"]
    assert [worklog.id for worklog in shared.worklogs or ()] == ["1"]


async def test_people_leave_by_name_only() -> None:
    """Ids never leave, and addresses only where a step says so."""
    issue = an_issue(assignee=ALICE, reporter=BOB, custom={"Owner": "alice", "Watchers": ["alice", "bob", "gone"]})
    shared = await _leave(
        issue,
        _map("assignee"),
        _map("reporter", people="email"),
        _map("custom.Owner"),
        _map("custom.Watchers", "watchers", people="email"),
        _map("custom.Watchers", "readers"),
    )
    assert shared.fields == {
        "assignee": "Alice Smith",
        "reporter": "bob@green.example",
        "custom.Owner": "Alice Smith",
        "watchers": ["alice@blue.example", "bob@green.example"],
        "readers": ["Alice Smith", "Bob Jones"],
    }
    assert "gone" not in str(shared.fields)
    assert len(shared.log) == 2


async def test_an_address_that_serves_as_a_name_is_cut() -> None:
    """Where Jira shows people by their address, only the part before the @ leaves."""
    author = User("al", "al.smith@blue.example", "al.smith@blue.example")
    issue = an_issue(assignee=author, comments=(Comment(id="1", body="Hi", author=author),))
    shared = await _leave(issue, _map("assignee"), _map("comments"))
    assert shared.fields["assignee"] == "al.smith"
    assert shared.comments is not None
    assert shared.comments[0].author == "al.smith"


async def test_a_comment_carries_the_address_where_a_step_says_so() -> None:
    """So that the peer can find its author among its own users."""
    issue = an_issue(comments=(Comment(id="1", body="Hi", author=ALICE), Comment(id="2", body="Ho")))
    shared = await _leave(issue, _map("comments", people="email"))
    assert [comment.author_email for comment in shared.comments or ()] == ["alice@blue.example", None]


async def test_a_value_that_was_sent_once_stays_as_it_was() -> None:
    """A one-time mapping neither follows the issue nor lets the field vanish from the replica."""
    step = _map("status", "state", when="create")
    first = await _leave(an_issue(status="Open"), step)
    assert first.fields == {"state": "Open"}
    later = await _leave(
        an_issue(status="Done"), step, first_sync=False, previous={"key": None, "fields": dict(first.fields)}
    )
    assert later.fields == {"state": "Open"}
    never = await _leave(an_issue(status="Done"), step, first_sync=False, previous={"fields": {}})
    assert never.fields == {}


async def test_a_later_step_overrules_an_earlier_one() -> None:
    """Order counts, and the origin names the step that counted."""
    shared = await _leave(an_issue(environment="Lab"), _map("summary", "title"), _map("environment", "title"))
    assert shared.fields == {"title": "Lab"}
    assert shared.origins["title"].step == 2


async def test_a_field_that_is_gone_from_jira_stops_the_issue() -> None:
    """Sending "empty" would empty the other side; a known field without a value is empty."""
    shared = await _leave(an_issue(), _map("custom.Severity"))
    assert shared.fields == {"custom.Severity": None}
    with pytest.raises(RuleError, match=r"Step 1 reads the field 'custom\.Sverity', and this Jira has no such field"):
        await _leave(an_issue(), _map("custom.Sverity"))
    with pytest.raises(RuleError, match="no such field"):
        await _leave(an_issue(custom={"Owner": "alice"}), _map("custom.Owner"), facts=None)


async def test_every_field_has_a_form_in_which_it_travels() -> None:
    """No fraction, no time without its zone, no tracker id."""
    issue = an_issue(
        custom={"Points": 2.50, "Place": ["Europe", "Berlin"], "Teams": ["Web"], "Go live": "2026-11-24"},
        original_estimate=3600,
        fix_versions=("1.0",),
        parent_key="UD-7",
    )
    names = ("custom.Points", "custom.Place", "custom.Teams", "custom.Go live", "original_estimate", "fix_versions")
    shared = await _leave(issue, *(_map(name) for name in (*names, "parent_key", "created", "project", "due")))
    assert list(shared.fields.values()) == [
        "2.5", ["Europe", "Berlin"], ["Web"], "2026-11-24", 3600, ["1.0"], "UD-7", "2026-11-20T09:00:00.000Z", "UD",
        None,
    ]  # fmt: skip


async def test_an_issue_out_of_scope_does_not_enter_but_stays() -> None:
    """Once it is linked the scope does not matter any more."""
    ruleset = RuleSet(direction="outgoing", steps=basic_outgoing().steps, scope=Scope(labels=("partner",)))
    rules = OutgoingRules(ruleset, version=1)
    left = await rules.evaluate(an_issue(), OutgoingContext(first_sync=True))
    assert left == Skip("UD-1 is not in the scope of the outgoing rules: its labels is none of 'partner'.")
    assert isinstance(await rules.evaluate(an_issue(), OutgoingContext(first_sync=True, linked=True)), Shared)
    assert isinstance(await rules.evaluate(an_issue(), OutgoingContext(first_sync=False)), Shared)


async def test_disabled_rules_let_nothing_out() -> None:
    """Not even of an issue that is linked."""
    rules = OutgoingRules(basic_outgoing().model_copy(update={"method": "disabled"}), version=1)
    assert isinstance(await rules.evaluate(an_issue(), OutgoingContext(first_sync=False)), Skip)


async def test_a_script_needs_an_engine() -> None:
    """Without one nothing leaves, and the error says what to do."""
    rules = OutgoingRules(RuleSet(direction="outgoing", steps=(ScriptStep(name="x", source="pass"),)), version=1)
    with pytest.raises(RuleError, match="Step 1 is a script") as caught:
        await rules.evaluate(an_issue(), OutgoingContext(first_sync=True))
    assert caught.value.advice


def test_rules_of_the_other_direction_are_refused() -> None:
    """A mistake of the code, not of a person."""
    with pytest.raises(ValueError, match="other direction"):
        OutgoingRules(basic_incoming(), version=1)


async def test_the_same_issue_gives_the_same_result() -> None:
    """Nothing depends on time or chance."""
    issue = an_issue(comments=(Comment(id="1", body="Hi", author=ALICE),))
    assert await _leave(issue) == await _leave(issue)
