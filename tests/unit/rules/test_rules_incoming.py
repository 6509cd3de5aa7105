"""What is wanted in our issue, by mappings."""

from __future__ import annotations

from typing import Any

import pytest

from node.errors import RuleError, TrackerNotFound
from node.rules.facts import CachedFacts
from node.rules.incoming import IncomingContext, IncomingRules
from node.rules.model import Draft, DraftAttachment, DraftComment, DraftIssueLink, DraftWorklog, Origin, Skip
from node.rules.ruleset import Default, MappingStep, RuleSet, Scope, basic_incoming, basic_outgoing
from node.trackers.base import IssueType
from node.trackers.issue import Issue
from protocol.replica import Replica, ReplicaAttachment, ReplicaComment, ReplicaWorklog
from tests.support.known_jira import BOB, TWIN_ONE, TWIN_TWO, TYPES, KnownJira
from tests.support.rule_sets import an_issue

_BLOB = "ab" * 32


class _Links:
    async def local_key(self, remote: str) -> str | None:
        """Know one twin."""
        return {"UD-7": "SC-70"}.get(remote)


def _replica(fields: dict[str, Any] | None = None, **rest: Any) -> Replica:
    return Replica(issue="h1", fields=fields or {}, **rest)


async def _want(replica: Replica, *steps: MappingStep, jira: KnownJira | None = None, **context: Any) -> Draft:
    ruleset = RuleSet(direction="incoming", steps=steps) if steps else basic_incoming()
    draft = await IncomingRules(ruleset, version=1).evaluate(replica, _context(jira, **context))
    assert isinstance(draft, Draft)
    return draft


def _context(jira: KnownJira | None = None, **context: Any) -> IncomingContext:
    facts = CachedFacts(jira or KnownJira(), user_map={"Alice Smith": "bob"})
    return IncomingContext(**{"first_sync": True, "project": "SC", "facts": facts, "twins": _Links(), **context})


def _map(source: str, target: str | None = None, **settings: Any) -> MappingStep:
    return MappingStep(source=source, target=target or source, **settings)


def _ours(**changes: Any) -> Issue:
    return an_issue(**{"key": "SC-5", "project": "SC", "type": "Task", **changes})


async def test_basic_rules_want_the_basic_fields() -> None:
    """Summary, description, type, comments and files come in, each with the step that let it in."""
    replica = _replica(
        {"type": "Bug", "summary": "Dark", "description": "Very.", "labels": ["x"]},
        comments=(ReplicaComment(id="c1", author="Alice", body="Hi"), ReplicaComment(id="c2", body="", internal=True)),
        attachments=(ReplicaAttachment(id="a1", name="x.png", size=3, blob=_BLOB, mime="image/png"),),
        worklogs=(),
    )
    draft = await _want(replica)
    assert draft.project == "SC"
    assert draft.fields == {"type": "Bug", "summary": "Dark", "description": "Very."}
    assert draft.comments == (
        DraftComment(handle="c1", body="*Alice* commented:\nHi"),
        DraftComment(handle="c2", body="*Anonymous* commented:", internal=True),
    )
    assert draft.attachments == (DraftAttachment(handle="a1", name="x.png", size=3, blob=_BLOB, mime="image/png"),)
    assert draft.worklogs is None
    assert draft.origins["summary"] == Origin(2, None, frozenset({"summary"}))


async def test_what_the_peer_does_not_share_is_left_alone() -> None:
    """No comments is not the same as no shared comments, and a field that does not come is not an empty one."""
    draft = await _want(_replica({"summary": "Dark"}), issue=_ours(), first_sync=False)
    assert draft.fields == {"summary": "Dark"}
    assert draft.comments is None
    assert draft.attachments is None
    emptied = await _want(_replica({"description": None}, comments=()), issue=_ours(), first_sync=False)
    assert emptied.fields == {"description": None}
    assert emptied.comments == ()


_SMALL = (
    IssueType(id="1", name="Sub-task", subtask=True),
    IssueType(id="2", name="Story"),
    IssueType(id="3", name="Idea"),
)


@pytest.mark.parametrize(
    ("wanted", "default", "types", "expected", "logged"),
    [
        ("Bug", None, TYPES, "Bug", ""),
        ("bug", None, TYPES, "Bug", ""),
        ("Epic", "Bug", TYPES, "Bug", "The type 'Epic' does not exist here for such an issue: 'Bug' was taken."),
        ("Epic", "Gone", TYPES, "Task", "'Task' was taken"),
        ("Epic", None, TYPES, "Task", "'Task' was taken"),
        ("Epic", None, _SMALL, "Story", "neither does 'Task': 'Story' was taken, the project's first"),
        ("Sub-task", None, TYPES, "Task", "'Task' was taken"),
        (None, None, TYPES, "Task", ""),
    ],
)
async def test_the_type_is_mirrored_or_a_good_one_is_found(
    wanted: str | None, default: str | None, types: tuple[IssueType, ...], expected: str, logged: str
) -> None:
    """By name, else the project's default, else Task, else the first; a sub-task needs a parent that Basic has not."""
    draft = await _want(_replica({"type": wanted}), jira=KnownJira(types=types), default_type=default)
    assert draft.fields["type"] == expected
    assert logged in " ".join(draft.log)
    assert bool(logged) == bool(draft.log)


async def test_an_issue_keeps_its_type_where_the_other_is_unknown() -> None:
    """An update neither falls back to a default nor crosses the line to sub-tasks."""
    for wanted in ("Epic", "Sub-task"):
        draft = await _want(_replica({"type": wanted}), issue=_ours(type="Bug"), first_sync=False)
        assert "type" not in draft.fields
        assert "SC-5 keeps the type 'Bug'" in draft.log[0]
    changed = await _want(_replica({"type": "Task"}), issue=_ours(type="Bug"), first_sync=False)
    assert changed.fields == {"type": "Task"}


async def test_a_subtask_comes_with_its_parent() -> None:
    """Whatever the order of the steps; without a parent that is linked it becomes an ordinary issue."""
    steps = (_map("type"), _map("parent_key"))
    draft = await _want(_replica({"type": "Sub-task", "parent_key": "UD-7"}), *steps)
    assert draft.fields == {"type": "Sub-task", "parent_key": "SC-70"}
    alone = await _want(_replica({"type": "Sub-task", "parent_key": "UD-8"}), *steps)
    assert alone.fields == {"type": "Task"}
    assert any("no parent" in line for line in alone.log)


async def test_a_type_can_be_mapped_or_refused() -> None:
    """A value map comes first; with 'error' an unknown type stops the issue."""
    draft = await _want(_replica({"type": "Defect"}), _map("type", values={"Defect": "Bug"}))
    assert draft.fields["type"] == "Bug"
    with pytest.raises(RuleError, match=r"Step 1 \(type\): the type 'Defect' does not exist here"):
        await _want(_replica({"type": "Defect"}), _map("type", otherwise="error"))


async def test_a_project_without_a_fitting_type_is_an_error() -> None:
    """Nothing is guessed where nothing fits."""
    only = KnownJira(types=(IssueType(id="1", name="Sub-task", subtask=True),))
    with pytest.raises(RuleError, match="no issue type that an ordinary issue can have"):
        await _want(_replica({"type": "Bug"}), jira=only)


async def test_every_kind_of_field_can_be_set() -> None:
    """Values take the form of our field, options are spelled as ours, people are our users."""
    replica = _replica(
        {
            "severity": "high", "teams": ["web", "nowhere"], "place": ["europe", "Berlin"], "points": "2.5",
            "when": "2026-11-24T10:00:00.000Z", "who": "Alice Smith", "all": ["bob@green.example", "Mallory"],
            "tags": ["two words"], "mood": "good", "checks": ["a"], "version": "1.0", "site": "https://x.example/",
        }
    )  # fmt: skip
    targets = {
        "severity": "custom.Severity", "teams": "custom.Teams", "place": "custom.Place", "points": "custom.Points",
        "when": "custom.Go live", "who": "custom.Owner", "all": "custom.Watchers", "tags": "custom.Tags",
        "mood": "custom.Mood", "checks": "custom.Checks", "version": "custom.Found in", "site": "custom.Site",
    }  # fmt: skip
    draft = await _want(
        replica, *(_map(source, target) for source, target in targets.items()), _map("when", "custom.Seen")
    )
    assert {name: value for name, value in draft.fields.items() if name != "type"} == {
        "custom.Severity": "High", "custom.Teams": ["Web"], "custom.Place": ["Europe", "Berlin"],
        "custom.Points": 2.5, "custom.Go live": "2026-11-24", "custom.Owner": "bob", "custom.Watchers": ["bob"],
        "custom.Tags": ["two_words"], "custom.Mood": "Good", "custom.Checks": ["A"], "custom.Found in": "1.0",
        "custom.Site": "https://x.example/", "custom.Seen": "2026-11-24T10:00:00.000Z",
    }  # fmt: skip


async def test_people_are_found_by_map_address_or_name() -> None:
    """The user map counts first; a name that two people have finds nobody."""
    jira = KnownJira(users=(BOB, TWIN_ONE, TWIN_TWO))
    found = {}
    for who in ("alice smith", "BOB@green.example", "Bob Jones", "sam2@green.example", "Sam Gray", "Jones", ""):
        draft = await _want(_replica({"who": who}), _map("who", "assignee"), jira=jira)
        found[who] = draft.fields.get("assignee", "left alone")
    assert found == {
        "alice smith": "bob", "BOB@green.example": "bob", "Bob Jones": "bob", "sam2@green.example": "sam2",
        "Sam Gray": "left alone", "Jones": "left alone", "": None,
    }  # fmt: skip


async def test_two_people_of_one_name_are_not_called_nobody() -> None:
    """The error says that the name is that of several people, and who they are; Jira is asked once."""
    jira = KnownJira(users=(TWIN_ONE, TWIN_TWO))
    with pytest.raises(RuleError) as caught:
        await _want(_replica({"who": "Sam Gray"}), _map("who", "assignee", otherwise="error"), jira=jira)
    assert caught.value.message == (
        "Step 1 (who to assignee): 'Sam Gray' is the name of 2 people in this Jira: 'sam1' and 'sam2'."
    )
    assert jira.calls["find_users"] == 1


async def test_a_default_person_stands_in() -> None:
    """For a contract with one right assignee."""
    step = _map("who", "assignee", otherwise=Default(default="bob@green.example"))
    assert (await _want(_replica({"who": "Mallory"}), step)).fields["assignee"] == "bob"


async def test_an_issue_that_nobody_owns_gets_the_default_person() -> None:
    """And so does one whose owner is nobody here, while an owner whom our Jira knows is taken as it is."""
    default = "bob@green.example"
    step = _map("owner", "assignee", when="create", values={"": default}, otherwise=Default(default=default))
    found = {}
    for owner in ("alice", "alice@blue.example", "Mallory", "", None):
        found[owner] = (await _want(_replica({"owner": owner}), step)).fields["assignee"]
    assert found == {"alice": "alice", "alice@blue.example": "alice", "Mallory": "bob", "": "bob", None: "bob"}


async def test_a_default_that_stood_in_is_known() -> None:
    """Of a value, of some of several, and of the type; what fitted by itself is not called a default."""
    default = Default(default="High")
    draft = await _want(
        _replica({"type": "Epic", "p": "?", "q": "Low", "t": ["Web", "?"], "u": ["?"]}),
        _map("type", otherwise=Default(default="Bug")),
        _map("p", "priority", otherwise=default),
        _map("q", "custom.Severity", otherwise=default),
        _map("t", "custom.Teams", otherwise=Default(default="Core")),
        _map("u", "components", otherwise=Default(default="UI")),
    )
    assert {name: origin.defaulted for name, origin in draft.origins.items()} == {
        "type": "all", "priority": "all", "custom.Severity": "", "custom.Teams": "some", "components": "all",
    }  # fmt: skip


async def test_what_went_past_a_value_map_is_known() -> None:
    """A map of the empty field alone has nothing to say of other values, nor any other map of an empty field."""
    none = {"": "None"}
    draft = await _want(
        _replica({"a": "Hello", "b": "", "c": ["x", "y"], "d": None, "e": ["x", "y"], "type": "Bug"}),
        _map("a", "summary", values=none),
        _map("b", "custom.Note", values=none),
        _map("c", "labels", values=none),
        _map("d", "custom.Story", values={"x": "y"}),
        _map("e", "custom.Tags", values={"x": "z"}),
        _map("type", values={"": "Task"}),
    )
    assert {name for name, origin in draft.origins.items() if origin.past_map} == {
        "summary", "labels", "custom.Story", "type",
    }  # fmt: skip
    assert (draft.fields["custom.Note"], draft.fields["summary"]) == ("None", "Hello")


async def test_a_status_must_be_one_of_ours() -> None:
    """And an empty one says nothing: no issue is without a status."""
    step = _map("state", "status", values={"In Progress": "doing", "Weird": "Weird"})
    assert (await _want(_replica({"state": "in progress"}), step)).fields["status"] == "Doing"
    for state in ("Weird", "Elsewhere", None):
        assert "status" not in (await _want(_replica({"state": state}), step)).fields


async def test_a_one_time_mapping_counts_at_creation_only() -> None:
    """After that our people own the field."""
    step = _map("priority", when="create")
    assert (await _want(_replica({"priority": "high"}), step)).fields["priority"] == "High"
    assert (await _want(_replica({"priority": "high"}), step, issue=_ours(), first_sync=False)).fields == {}


async def test_the_key_of_the_other_issue_can_be_kept() -> None:
    """Key and address are part of a replica, not fields."""
    replica = _replica(key="UD-1", url="https://blue.example/browse/UD-1")
    draft = await _want(replica, _map("key", "custom.Note"), _map("url", "custom.Site"))
    assert draft.fields["custom.Note"] == "UD-1"
    assert draft.fields["custom.Site"] == "https://blue.example/browse/UD-1"


@pytest.mark.parametrize(
    ("target", "message"),
    [("custom.Nowhere", "this Jira has no such field"), ("key", "Jira sets by itself"), ("sumary", "no such field")],
)
async def test_a_field_that_cannot_be_written_stops_the_issue(target: str, message: str) -> None:
    """The error names step and field."""
    with pytest.raises(RuleError, match=message) as caught:
        await _want(_replica({"x": "1"}), _map("x", target))
    assert caught.value.step == 1
    assert caught.value.advice


async def test_logged_time_says_whose_it_is() -> None:
    """The peer's people are no users here."""
    replica = _replica(worklogs=(ReplicaWorklog(id="w", author="Alice", seconds=60, started="2026-11-24T10:00:00Z"),))
    draft = await _want(replica, _map("worklogs"))
    expected = DraftWorklog(
        handle="w", seconds=60, started="2026-11-24T10:00:00Z", comment="*Alice* logged this time."
    )  # fmt: skip
    assert draft.worklogs == (expected,)


async def test_scope_and_method_keep_new_issues_out() -> None:
    """An issue that is linked stays in sync; disabled rules take nothing."""
    scoped = RuleSet(direction="incoming", steps=basic_incoming().steps, scope=Scope(labels=("partner",)))
    rules = IncomingRules(scoped, version=1)
    skipped = await rules.evaluate(_replica({"labels": ["x"]}), _context())
    assert isinstance(skipped, Skip)
    assert "its labels is none of 'partner'" in skipped.reason
    assert isinstance(await rules.evaluate(_replica({"labels": ["x"]}), _context(issue=_ours())), Draft)
    disabled = IncomingRules(basic_incoming().model_copy(update={"method": "disabled"}), version=1)
    assert isinstance(await disabled.evaluate(_replica(), _context()), Skip)
    with pytest.raises(ValueError, match="other direction"):
        IncomingRules(basic_outgoing(), version=1)


async def test_facts_are_read_once_until_they_are_refreshed() -> None:
    """A warm evaluation calls nobody, whatever it maps."""
    jira = KnownJira()
    facts = CachedFacts(jira)
    steps = (_map("type"), _map("who", "assignee"), _map("s", "custom.Severity"))
    rules = IncomingRules(RuleSet(direction="incoming", steps=steps), version=1)
    replica = _replica({"type": "Bug", "who": "Bob Jones", "s": "High"})
    await rules.evaluate(replica, _context(facts=facts))
    cold = jira.calls.copy()
    for _ in range(10):
        await rules.evaluate(replica, _context(facts=facts))
    assert jira.calls == cold
    facts.refresh()
    await rules.evaluate(replica, _context(facts=facts))
    assert jira.calls["fields"] == 2


async def test_a_failed_question_is_asked_again() -> None:
    """A Jira that was away for a moment is not remembered as empty."""
    facts = CachedFacts(KnownJira())
    for _ in range(2):
        with pytest.raises(TrackerNotFound):
            await _want(_replica({"type": "Bug"}), facts=facts, project="NO")
    assert (await _want(_replica({"type": "Bug"}), facts=facts)).fields["type"] == "Bug"


_BLOCKS = {"type": "Dependency", "outward": True, "issue": "h2"}


async def test_links_are_wanted_by_the_names_that_types_have_here() -> None:
    """Without a value map types are called alike; with one, a type that is not in it is left out and told."""
    replica = _replica({"links": [_BLOCKS, {"type": "Odd", "outward": False, "issue": "h3"}]})
    draft = await _want(replica, _map("links"))
    assert draft.links == (
        DraftIssueLink(issue="h2", type="Dependency", outward=True),
        DraftIssueLink(issue="h3", type="Odd", outward=False),
    )
    assert "links" not in draft.fields
    assert draft.origins["links"] == Origin(1, None, frozenset({"links"}))
    values = {"dependency": "Blocks"}
    draft = await _want(replica, _map("links", values=values))
    assert draft.links == (DraftIssueLink(issue="h2", type="Blocks", outward=True),)
    assert "'Odd' is not in the value map" in draft.log[0]
    draft = await _want(replica, _map("links", values=values, otherwise=Default(default="Relates")))
    assert [link.type for link in draft.links or ()] == ["Blocks", "Relates"]
    with pytest.raises(RuleError, match="the link type 'Odd' is not in the value map"):
        await _want(replica, _map("links", values=values, otherwise="error"))


async def test_links_that_do_not_come_are_left_alone() -> None:
    """Not shared is not the same as none."""
    assert (await _want(_replica({"summary": "Dark"}), _map("links"))).links is None
    assert (await _want(_replica({"links": []}), _map("links"))).links == ()
