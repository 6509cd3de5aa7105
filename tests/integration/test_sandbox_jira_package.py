"""The ``jira`` package drives everything that the sandbox offers, as it would drive a Jira Data Center."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from jira import JIRA, JIRAError

from node.sandbox.events import EVENT_NAMES
from node.sandbox.seed import create_field, create_project, default_world
from tests.support.threaded_sandbox import Bench, bench


@pytest.fixture
def desk() -> Iterator[Bench]:
    world = default_world()
    create_project(world, "SC", "Scrum", lead="alice")
    with bench(world) as made:
        yield made


@pytest.fixture
def jira(desk: Bench) -> Any:
    return desk.client("admin")


@pytest.fixture
def alice(desk: Bench) -> Any:
    return desk.client("alice")


def make(client: Any, summary: str = "Hello", fields: dict[str, Any] | None = None, **more: Any) -> Any:
    given = {"project": {"key": "SC"}, "issuetype": {"name": "Task"}, "summary": summary, **(fields or {}), **more}
    return client.create_issue(fields=given)


def refused(wrong: pytest.ExceptionInfo[JIRAError]) -> tuple[int, dict[str, str]]:
    """Return the status and the field errors of a refusal."""
    refusal: Any = wrong.value
    return refusal.status_code, refusal.response.json()["errors"]


def test_the_client_takes_it_for_a_data_center(desk: Bench) -> None:
    """ServerInfo names a Server of version 10, and the client believes it."""
    client: Any = JIRA(server=desk.sandbox.url, basic_auth=("admin", "admin"), max_retries=0)
    assert client.server_info()["deploymentType"] == "Server"
    assert client._is_cloud is False
    assert client._version == (10, 3, 2)
    assert client.myself()["name"] == "admin"
    assert client.session().name == "admin"


def test_configuration_is_listed(jira: Any) -> None:
    """Types, statuses, priorities, resolutions, link types, roles and fields can be listed and read one by one."""
    assert {kind.name for kind in jira.issue_types()} == {"Task", "Bug", "Story", "Sub-task", "Epic"}
    assert [one.name for one in jira.statuses()] == ["To Do", "In Progress", "In Review", "Done"]
    assert jira.status("3").statusCategory.key == "indeterminate"
    assert {one.key for one in jira.statuscategories()} == {"undefined", "new", "indeterminate", "done"}
    assert jira.statuscategory("3").key == "done"
    assert next(one.name for one in jira.priorities()) == "Highest"
    assert jira.priority("3").name == "Medium"
    assert jira.resolution(jira.resolutions()[0].id).name == "Done"
    assert jira.issue_type("10004").name == "Bug"
    assert jira.issue_type_by_name("Bug").id == "10004"
    assert {one.name for one in jira.issue_link_types()} == {"Blocks", "Cloners", "Duplicate", "Relates"}
    assert jira.issue_link_type("10000").outward == "blocks"
    assert {one["name"] for one in jira._get_json("role")} == {"Administrators", "Developers"}
    assert {one["id"] for one in jira.fields()} > {"summary", "description", "attachment", "comment", "issuelinks"}


def test_people_are_found(jira: Any, alice: Any) -> None:
    """People can be read, searched for, added and made inactive; only an administrator adds them."""
    assert jira.user("alice").displayName == "Alice Archer"
    assert [one.name for one in jira.search_users("ali")] == ["alice"]
    assert {one.name for one in jira.search_assignable_users_for_projects("", "SC")} == {
        "admin",
        "alice",
        "bob",
        "accord",
    }
    issue = make(jira)
    assert "bob" in {one.name for one in jira.search_assignable_users_for_issues("bo", issueKey=issue.key)}
    assert jira.add_user("carol", "carol@example.com", password="secret", fullname="Carol Cook")
    assert jira.user("carol").emailAddress == "carol@example.com"
    assert jira.delete_user("carol")
    assert jira.search_users("carol") == []
    with pytest.raises(JIRAError) as wrong:
        alice.add_user("dave", "dave@example.com")
    assert wrong.value.status_code == 403
    assert "jira-administrators" in jira.groups()


def test_projects_come_and_go(jira: Any, alice: Any) -> None:
    """An administrator creates and deletes projects; others may not, and a deleted project takes its issues along."""
    made = jira.create_project("NEW", "New things")
    assert made["key"] == "NEW"
    assert {one.key for one in jira.projects()} == {"SC", "NEW"}
    project = jira.project("NEW")
    assert project.lead.name == "admin"
    assert {kind.name for kind in project.issueTypes} == {"Task", "Bug", "Story", "Sub-task", "Epic"}
    roles = jira.project_roles("NEW")
    assert jira.project_role("NEW", roles["Administrators"]["id"]).actors[0].name == "admin"
    project.update(name="Newer things")
    assert jira.project("NEW").name == "Newer things"
    issue = jira.create_issue(project="NEW", issuetype={"name": "Bug"}, summary="Soon gone")
    with pytest.raises(JIRAError) as denied:
        alice.delete_project("NEW")
    assert denied.value.status_code == 403
    assert jira.delete_project("NEW")
    with pytest.raises(JIRAError) as gone:
        jira.issue(issue.key)
    assert gone.value.status_code == 404
    with pytest.raises(JIRAError) as taken:
        jira.create_project("SC", "Another")
    assert refused(taken)[0] == 400
    assert "projectKey" in refused(taken)[1]


def test_a_role_can_be_given(jira: Any) -> None:
    """People are added to a role of a project."""
    roles = jira.project_roles("SC")
    role = jira.project_role("SC", roles["Developers"]["id"])
    role.add_user(users="bob")
    names = {actor.name for actor in jira.project_role("SC", roles["Developers"]["id"]).actors}
    assert names == {"bob", "jira-software-users"}


def test_what_can_be_set_is_told_in_both_shapes(desk: Bench, jira: Any) -> None:
    """Createmeta answers in the old shape and in the paged one, editmeta tells of an issue."""
    jira = JIRA(desk.sandbox.url, basic_auth=("admin", "admin"), max_retries=0)  # asks for the version
    types = jira.project_issue_types("SC")
    assert {one.name for one in types} == {"Task", "Bug", "Story", "Sub-task", "Epic"}
    bug = next(one for one in types if one.name == "Bug")
    fields = {one.fieldId: one for one in jira.project_issue_fields("SC", bug.id)}
    assert fields["summary"].required is True
    assert fields["description"].required is False
    assert "parent" not in fields
    old = jira._get_json("issue/createmeta", {"projectKeys": "SC", "expand": "projects.issuetypes.fields"})
    names = {kind["name"]: set(kind["fields"]) for kind in old["projects"][0]["issuetypes"]}
    assert "parent" in names["Sub-task"]
    assert "parent" not in names["Bug"]
    meta = jira.editmeta(make(jira).key)["fields"]
    assert meta["labels"]["operations"] == ["add", "set", "remove"]
    assert {"comment", "worklog"} <= meta.keys()
    assert {one["name"] for one in meta["priority"]["allowedValues"]} >= {"High", "Low"}


def test_an_issue_is_created_read_and_deleted(jira: Any, alice: Any) -> None:
    """A created issue has Jira's defaults, is read by id and key, with the fields asked for, and can be deleted."""
    issue = make(alice, description="h1. Big", labels=["b", "a"], priority={"name": "High"}, duedate="2026-12-24")
    assert issue.key == "SC-1"
    read = jira.issue(issue.id)
    assert read.fields.creator.name == "alice"
    assert read.fields.reporter.key == "alice"
    assert read.fields.assignee is None
    assert read.fields.status.name == "To Do"
    assert read.fields.labels == ["a", "b"]
    assert read.fields.description == "h1. Big"
    assert read.fields.duedate == "2026-12-24"
    assert datetime.strptime(read.fields.created, "%Y-%m-%dT%H:%M:%S.%f%z").tzinfo is not None
    assert read.fields.watches.watchCount == 1
    few = jira.issue(issue.key, fields="summary,status")
    assert set(few.raw["fields"]) == {"summary", "status"}
    rich = jira.issue(issue.key, expand="changelog,names,transitions,renderedFields,editmeta,schema")
    assert rich.raw["names"]["duedate"] == "Due Date"
    assert rich.raw["schema"]["labels"] == {"type": "array", "items": "string", "system": "labels"}
    assert [one["name"] for one in rich.raw["transitions"]] == ["Start progress", "Done"]
    assert rich.raw["renderedFields"]["description"] == "<p>h1. Big</p>"
    assert jira.issue("sc-1").id == issue.id
    read.delete()
    with pytest.raises(JIRAError) as gone:
        jira.issue(issue.key)
    assert (gone.value.status_code, gone.value.text) == (404, "Issue Does Not Exist")


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"summary": ""}, {"summary": "You must specify a summary of the issue."}),
        ({"summary": "a\nb"}, {"summary": "The summary is invalid because it contains newline characters."}),
        ({"summary": "x" * 256}, {"summary": "Summary must be less than 255 characters."}),
        (
            {"description": "x" * 32_768},
            {"description": "The entered text is too long. It exceeds the allowed limit of 32,767 characters."},
        ),
        ({"labels": ["a b"]}, {"labels": "The label 'a b' contains spaces which is invalid."}),
        ({"priority": {"name": "Nope"}}, {"priority": "Priority name 'Nope' is not valid"}),
        ({"assignee": {"name": "nobody"}}, {"assignee": "User 'nobody' does not exist."}),
        ({"components": [{"name": "No"}]}, {"components": "Component name 'No' is not valid"}),
        ({"duedate": "soon"}, {"duedate": "Error parsing date string: soon"}),
        (
            {"customfield_77": 1},
            {
                "customfield_77": "Field 'customfield_77' cannot be set. "
                "It is not on the appropriate screen, or unknown."
            },
        ),
        ({"issuetype": {"name": "No"}}, {"issuetype": "valid issue type is required"}),
        ({"project": {"key": "NO"}}, {"project": "valid project is required"}),
    ],
)
def test_wrong_values_are_refused_by_field(jira: Any, fields: dict[str, Any], errors: dict[str, str]) -> None:
    """A value that a field does not take is 400 with that field's message, and no issue is created."""
    with pytest.raises(JIRAError) as wrong:
        make(jira, fields=fields)
    assert refused(wrong) == (400, errors)
    assert jira.search_issues("project = SC").total == 0


def test_all_complaints_come_at_once(jira: Any) -> None:
    """Several wrong fields are all named in one answer."""
    with pytest.raises(JIRAError) as wrong:
        jira.create_issue(
            fields={"project": {"key": "SC"}, "issuetype": {"name": "Task"}, "duedate": "x", "labels": ["a b"]}
        )
    assert refused(wrong)[1].keys() == {"summary", "duedate", "labels"}


def test_many_issues_are_created_at_once(jira: Any) -> None:
    """A bulk create makes what it can, and tells the place of what it cannot."""
    drafts = [
        {"project": {"key": "SC"}, "issuetype": {"name": "Task"}, "summary": text} for text in ("One", "", "Three")
    ]
    results = jira.create_issues(field_list=drafts)
    assert [one["status"] for one in results] == ["Success", "Error", "Success"]
    assert results[0]["issue"].key == "SC-1"
    assert results[2]["issue"].key == "SC-2"
    assert "summary" in results[1]["error"]


def test_an_issue_is_edited_with_fields_and_verbs(jira: Any) -> None:
    """``fields`` sets, ``update`` adds and removes, status is no field to edit, and the changelog tells all of it."""
    issue = make(jira, labels=["old"])
    before = jira.issue(issue.key).fields.updated
    issue.update(fields={"summary": "New", "description": "Text"}, update={"labels": [{"add": "a"}, {"remove": "old"}]})
    read = jira.issue(issue.key, expand="changelog")
    assert (read.fields.summary, read.fields.description, read.fields.labels) == ("New", "Text", ["a"])
    assert read.fields.updated > before
    items = {item.field: (item.fromString, item.toString) for one in read.changelog.histories for item in one.items}
    assert items == {"summary": ("Hello", "New"), "description": (None, "Text"), "labels": ("old", "a")}
    with pytest.raises(JIRAError) as wrong:
        issue.update(fields={"status": {"name": "Done"}})
    assert refused(wrong)[1].keys() == {"status"}
    with pytest.raises(JIRAError) as twice:
        issue.update(fields={"labels": ["x"]}, update={"labels": [{"add": "y"}]})
    assert refused(twice)[0] == 400
    jira.issue(issue.key).update(fields={"issuetype": {"name": "Bug"}})
    assert jira.issue(issue.key).fields.issuetype.name == "Bug"
    with pytest.raises(JIRAError):
        jira.issue(issue.key).update(fields={"issuetype": {"name": "Sub-task"}})


def test_an_edit_that_changes_nothing_leaves_no_trace(jira: Any) -> None:
    """Setting what is set already moves neither ``updated`` nor the changelog."""
    issue = make(jira)
    before = jira.issue(issue.key).fields.updated
    issue.update(fields={"summary": "Hello"})
    read = jira.issue(issue.key, expand="changelog")
    assert read.fields.updated == before
    assert read.changelog.total == 0


def test_properties_ride_along(jira: Any) -> None:
    """A create and an edit carry properties, which are read, set (201, then 200) and deleted on their own too."""
    made = jira._session.post(
        jira._get_url("issue"),
        json={
            "fields": {"project": {"key": "SC"}, "issuetype": {"name": "Task"}, "summary": "Marked"},
            "properties": [{"key": "accord", "value": {"id": 7}}],
        },
    ).json()
    assert jira.issue_property(made["key"], "accord").value.id == 7
    updated = jira.issue(made["key"]).fields.updated
    assert jira.add_issue_property(made["key"], "other", {"a": 1}).status_code == 201
    assert jira.add_issue_property(made["key"], "other", {"a": 2}).status_code == 200
    assert {one.key for one in jira.issue_properties(made["key"])} == {"accord", "other"}
    shown = jira.issue(made["key"], properties="accord")
    assert shown.raw["properties"] == {"accord": {"id": 7}}
    assert shown.fields.updated == updated
    jira.issue_property(made["key"], "other").delete()
    with pytest.raises(JIRAError) as gone:
        jira.issue_property(made["key"], "other")
    assert gone.value.status_code == 404


def test_an_issue_is_assigned(jira: Any, desk: Bench) -> None:
    """A person, nobody, or the project's default: -1 is the lead where the project says so."""
    issue = make(jira)
    jira.assign_issue(issue, "bob")
    assert jira.issue(issue.key).fields.assignee.name == "bob"
    jira.assign_issue(issue, None)
    assert jira.issue(issue.key).fields.assignee is None
    jira.project("SC").update(assigneeType="PROJECT_LEAD")
    jira.assign_issue(issue, "-1")
    assert jira.issue(issue.key).fields.assignee.name == "alice"
    with pytest.raises(JIRAError):
        jira.assign_issue(issue, "nobody")


def test_the_workflow_is_walked(jira: Any) -> None:
    """Only open transitions are listed and taken; a required field on a screen is required; reopening clears it."""
    issue = make(jira)
    assert [one["id"] for one in jira.transitions(issue)] == ["11", "51"]
    with pytest.raises(JIRAError) as illegal:
        jira.transition_issue(issue, "31")
    assert illegal.value.status_code == 400
    jira.transition_issue(issue, "11")
    shown = {one["name"]: one for one in jira.transitions(issue, expand="transitions.fields")}
    assert shown["Done"]["fields"]["resolution"]["required"] is True
    with pytest.raises(JIRAError) as missing:
        jira.transition_issue(issue, "51")
    assert refused(missing) == (400, {"resolution": "Resolution is required."})
    with pytest.raises(JIRAError) as stray:
        jira.transition_issue(issue, "51", fields={"resolution": {"name": "Done"}, "summary": "No"})
    assert refused(stray)[1].keys() == {"summary"}
    assert jira.issue(issue.key).fields.status.name == "In Progress"
    jira.transition_issue(issue, "Done", fields={"resolution": {"name": "Won't Do"}}, comment="No need.")
    done = jira.issue(issue.key, expand="changelog")
    assert (done.fields.status.name, done.fields.resolution.name) == ("Done", "Won't Do")
    assert done.fields.resolutiondate == done.fields.updated
    assert [one.body for one in done.fields.comment.comments] == ["No need."]
    jira.transition_issue(issue, "61")
    again = jira.issue(issue.key)
    assert (again.fields.status.name, again.fields.resolution, again.fields.resolutiondate) == ("To Do", None, None)


def test_comments_live(jira: Any, alice: Any, desk: Bench) -> None:
    """A comment is added, read, changed and deleted; one's own by anybody, others' by an administrator."""
    issue = make(jira)
    mine = alice.add_comment(issue.key, "First")
    theirs = jira.add_comment(issue.key, "Second")
    assert [one.body for one in alice.comments(issue.key)] == ["First", "Second"]
    alice.comment(issue.key, mine.id).update(body="First, better")
    changed = jira.comment(issue.key, mine.id)
    assert (changed.body, changed.author.name, changed.updateAuthor.name) == ("First, better", "alice", "alice")
    assert changed.updated > changed.created
    with pytest.raises(JIRAError) as denied:
        alice.comment(issue.key, theirs.id).update(body="Mine now")
    assert denied.value.status_code == 403
    jira.comment(issue.key, mine.id).delete()
    assert [one.body for one in jira.comments(issue.key)] == ["Second"]
    for body in ("", "   "):
        with pytest.raises(JIRAError) as empty:
            jira.add_comment(issue.key, body)
        assert refused(empty) == (400, {"comment": "Comment body can not be empty!"})
    with pytest.raises(JIRAError) as long:
        jira.add_comment(issue.key, "x" * 32_768)
    assert "32,767" in refused(long)[1]["comment"]


def test_a_restricted_comment_is_not_shown_to_others(jira: Any, desk: Bench) -> None:
    """A comment for administrators is invisible to the rest; an internal one carries its property."""
    bob = desk.client("bob")
    issue = make(jira)
    secret = jira.add_comment(issue.key, "Psst", visibility={"type": "group", "value": "jira-administrators"})
    role = jira.add_comment(issue.key, "Hm", visibility={"type": "role", "value": "Administrators"})
    everybody = jira.add_comment(issue.key, "Hi", visibility={"type": "role", "value": "Developers"})
    assert [one.id for one in bob.comments(issue.key)] == [everybody.id]
    assert [one.id for one in jira.comments(issue.key)] == [secret.id, role.id, everybody.id]
    assert jira.comment(issue.key, secret.id).visibility.value == "jira-administrators"
    with pytest.raises(JIRAError) as hidden:
        bob.comment(issue.key, secret.id)
    assert hidden.value.status_code == 404
    with pytest.raises(JIRAError) as unknown:
        jira.add_comment(issue.key, "Psst", visibility={"type": "role", "value": "Nobody"})
    assert unknown.value.status_code == 400
    internal = jira.add_comment(issue.key, "Inside", is_internal=True)
    shown = jira.comment(issue.key, internal.id, expand="properties")
    assert shown.raw["properties"] == [{"key": "sd.public.comment", "value": {"internal": True}}]
    property_url = jira._get_url(f"comment/{internal.id}/properties/extra")
    assert jira._session.put(property_url, json={"x": 1}).status_code == 201
    assert jira._session.get(property_url).json() == {"key": "extra", "value": {"x": 1}}
    assert jira._session.delete(property_url).status_code == 204


def test_files_are_attached_read_and_removed(jira: Any, desk: Bench) -> None:
    """Files keep their bytes and names, also twice the same name; too large is 413, and a page's request 403."""
    issue = make(jira)
    first = jira.add_attachment(issue.key, io.BytesIO(b"\x00one"), filename="über & so?.bin")
    second = jira.add_attachment(issue.key, io.BytesIO(b"two"), filename="über & so?.bin")
    assert first.id != second.id
    read = jira.issue(issue.key)
    assert [one.filename for one in read.fields.attachment] == ["über & so?.bin"] * 2
    assert [one.get() for one in read.fields.attachment] == [b"\x00one", b"two"]
    assert jira.attachment(first.id).size == 4
    jira.delete_attachment(first.id)
    assert [one.id for one in jira.issue(issue.key).fields.attachment] == [second.id]
    limit = jira.attachment_meta()["uploadLimit"]
    assert limit == 10 * 1024 * 1024
    desk.do(lambda: setattr(desk.sandbox.world.site, "upload_limit", 10))
    with pytest.raises(JIRAError) as large:
        jira.add_attachment(issue.key, io.BytesIO(b"x" * 11), filename="large.bin")
    assert large.value.status_code == 413
    with pytest.raises(JIRAError) as token:
        jira._session.post(
            jira._get_url(f"issue/{issue.key}/attachments"),
            files={"file": b"x"},
            headers={"content-type": None, "X-Atlassian-Token": None},
        )
    response: Any = token.value.response
    assert (token.value.status_code, response.text) == (403, "XSRF check failed")


def test_work_is_logged(jira: Any, desk: Bench) -> None:
    """Time is read as Jira reads it, moves the estimates, and shows in the feeds after a minute."""
    issue = make(jira, timetracking={"originalEstimate": "1d", "remainingEstimate": "8h"})
    started = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    log = jira.add_worklog(issue.key, timeSpent="1h 30m", comment="Dug", started=started)
    assert (log.timeSpentSeconds, log.timeSpent) == (5400, "1h 30m")
    assert log.started == "2026-11-20T09:30:00.000+0000"
    tracking = jira.issue(issue.key).fields.timetracking
    assert (tracking.timeSpent, tracking.remainingEstimate) == ("1h 30m", "6h 30m")
    jira.add_worklog(issue.key, timeSpent="1h", adjustEstimate="leave")
    jira.add_worklog(issue.key, timeSpent="1h", adjustEstimate="new", newEstimate="2h")
    jira.add_worklog(issue.key, timeSpentSeconds="3600", adjustEstimate="manual", reduceBy="30m")
    assert jira.issue(issue.key).fields.timetracking.remainingEstimate == "1h 30m"
    jira.worklog(issue.key, log.id).update(timeSpent="2h", comment="Dug more")
    assert jira.worklog(issue.key, log.id).timeSpentSeconds == 7200
    with pytest.raises(JIRAError):
        jira.add_worklog(issue.key, timeSpent="soon")
    assert jira._get_json("worklog/updated", {"since": 0})["values"] == []
    desk.do(lambda: desk.sandbox.world.clock.advance(61))
    page = jira._get_json("worklog/updated", {"since": 0})
    assert len(page["values"]) == 4
    assert page["lastPage"] is True
    ids = [one["worklogId"] for one in page["values"]]
    listed = jira._session.post(jira._get_url("worklog/list"), json={"ids": [*ids, 99]}).json()
    assert {one["issueId"] for one in listed} == {issue.id}
    jira.worklog(issue.key, log.id).delete()
    assert len(jira.worklogs(issue.key)) == 3
    desk.do(lambda: desk.sandbox.world.clock.advance(61))
    assert [one["worklogId"] for one in jira._get_json("worklog/deleted")["values"]] == [int(log.id)]


def test_links_have_the_direction_that_jira_gives_them(jira: Any) -> None:
    """The inward issue of the request is the one that blocks; the answer is 201 and empty, also the second time."""
    blocker, blocked = make(jira, "Blocker"), make(jira, "Blocked")
    for _ in range(2):
        response = jira.create_issue_link("Blocks", blocker.key, blocked.key)
        assert (response.status_code, response.content) == (201, b"")
    (on_blocker,) = jira.issue(blocker.key).fields.issuelinks
    (on_blocked,) = jira.issue(blocked.key).fields.issuelinks
    assert on_blocker.outwardIssue.key == blocked.key
    assert on_blocked.inwardIssue.key == blocker.key
    assert jira.issue_link(on_blocker.id).type.name == "Blocks"
    jira.create_issue_link("is blocked by", blocker.key, blocked.key)
    assert len(jira.issue(blocker.key).fields.issuelinks) == 2
    jira.delete_issue_link(on_blocker.id)
    assert len(jira.issue(blocked.key).fields.issuelinks) == 1
    with pytest.raises(JIRAError) as unknown:
        jira.create_issue_link("Nonsense", blocker.key, blocked.key)
    assert unknown.value.status_code == 404


def test_a_link_can_ride_along_with_an_edit(jira: Any) -> None:
    """``update.issuelinks.add`` links the edited issue."""
    one, other = make(jira, "One"), make(jira, "Other")
    one.update(update={"issuelinks": [{"add": {"type": {"name": "Blocks"}, "outwardIssue": {"key": other.key}}}]})
    (link,) = jira.issue(other.key).fields.issuelinks
    assert link.inwardIssue.key == one.key


def test_remote_links_are_replaced_whole(jira: Any) -> None:
    """The same globalId is the same link, and what the second request leaves out is forgotten."""
    issue = make(jira)
    there = {"url": "https://example.com/1", "title": "One", "summary": "About it"}
    first = jira.add_remote_link(issue.key, there, globalId="g=1", relationship="twin of")
    second = jira.add_remote_link(issue.key, {"url": "https://example.com/1", "title": "Uno"}, globalId="g=1")
    assert first.id == second.id
    (link,) = jira.remote_links(issue.key)
    assert link.object.title == "Uno"
    assert "summary" not in link.raw["object"]
    assert "relationship" not in link.raw
    simple = jira.add_simple_link(issue.key, {"url": "https://example.com/2", "title": "Two"})
    assert jira.remote_link(issue.key, simple.id).object.title == "Two"
    jira.delete_remote_link(issue.key, global_id="g=1")
    jira.delete_remote_link(issue.key, internal_id=str(simple.id))
    assert jira.remote_links(issue.key) == []
    with pytest.raises(JIRAError) as wrong:
        jira.add_simple_link(issue.key, {"url": "https://example.com/2"})
    assert refused(wrong)[1].keys() == {"title"}


def test_people_watch_and_vote(jira: Any, alice: Any) -> None:
    """Watchers and voters come and go; nobody votes for an issue of their own."""
    issue = make(jira)
    jira.add_watcher(issue.key, "bob")
    alice.add_watcher(issue.key, "alice")
    assert {one.name for one in jira.watchers(issue.key).watchers} == {"admin", "bob", "alice"}
    jira.remove_watcher(issue.key, "bob")
    assert jira.watchers(issue.key).watchCount == 2
    alice.add_vote(issue.key)
    assert jira.votes(issue.key).votes == 1
    alice.remove_vote(issue.key)
    assert jira.votes(issue.key).votes == 0
    with pytest.raises(JIRAError) as own:
        jira.add_vote(issue.key)
    assert own.value.status_code == 404


def test_components_and_versions(jira: Any) -> None:
    """They are made, used on issues, changed, and removed with the issues going elsewhere."""
    api = jira.create_component("API", "SC", description="Outside", leadUserName="bob")
    web = jira.create_component("Web", "SC")
    assert jira.component(api.id).lead.name == "bob"
    one = jira.create_version("1.0", "SC", releaseDate="2026-12-01")
    two = jira.create_version("2.0", "SC")
    issue = make(jira, components=[{"name": "API"}], fixVersions=[{"name": "1.0"}], versions=[{"id": two.id}])
    issue.update(update={"components": [{"add": {"name": "Web"}}], "fixVersions": [{"add": {"id": two.id}}]})
    read = jira.issue(issue.key, expand="changelog")
    assert {part.name for part in read.fields.components} == {"API", "Web"}
    assert [part.name for part in read.fields.fixVersions] == ["1.0", "2.0"]
    assert {item.field for change in read.changelog.histories for item in change.items} == {"Component", "Fix Version"}
    assert jira.component_count_related_issues(api.id) == 1
    assert jira.version_count_related_issues(one.id)["issuesFixedCount"] == 1
    assert jira.version_count_unresolved_issues(one.id) == 1
    one.update(released=True, name="1.0.0")
    assert jira.version(one.id).released is True
    jira.move_version(one.id, after=two.self)
    assert [part.name for part in jira.project_versions("SC")] == ["2.0", "1.0.0"]
    two.delete(moveFixIssuesTo=one.self)
    assert [part.name for part in jira.issue(issue.key).fields.fixVersions] == ["1.0.0"]
    jira.delete_component(api.id)
    assert [part.name for part in jira.issue(issue.key).fields.components] == ["Web"]
    assert [part.name for part in jira.project_components("SC")] == [web.name]
    with pytest.raises(JIRAError) as taken:
        jira.create_component("Web", "SC")
    assert refused(taken)[1].keys() == {"name"}


def test_subtasks_hang_on_their_parent(jira: Any) -> None:
    """A sub-task needs a parent, shows on it, and goes with it only when that is asked for."""
    parent = make(jira, "Parent")
    with pytest.raises(JIRAError) as orphan:
        make(jira, "Orphan", issuetype={"name": "Sub-task"})
    assert refused(orphan)[1].keys() == {"issuetype"}
    child = make(jira, "Child", issuetype={"name": "Sub-task"}, parent={"key": parent.key})
    assert jira.issue(child.key).fields.parent.key == parent.key
    assert [one.key for one in jira.issue(parent.key).fields.subtasks] == [child.key]
    with pytest.raises(JIRAError) as kept:
        jira.issue(parent.key).delete()
    assert kept.value.status_code == 400
    jira.issue(parent.key).delete(deleteSubtasks=True)
    assert jira.search_issues("project = SC").total == 0


def test_search_pages_orders_and_refuses(jira: Any) -> None:
    """JQL is understood by GET and POST, paged, and refused when it names what is not there."""
    for number in range(7):
        make(jira, f"Issue {number}", labels=["odd"] if number % 2 else [])
    page = jira.search_issues("project = SC ORDER BY key ASC", startAt=2, maxResults=3, fields="summary")
    assert [one.fields.summary for one in page] == ["Issue 2", "Issue 3", "Issue 4"]
    assert (page.total, page.startAt, page.maxResults) == (7, 2, 3)
    assert {one.key for one in jira.search_issues("labels = odd")} == {"SC-2", "SC-4", "SC-6"}
    assert len(jira.search_issues("project = SC", maxResults=False)) == 7
    posted = jira.search_issues('summary ~ "Issue" AND created >= -1d', use_post=True, expand="changelog")
    assert posted.total == 7
    assert posted[0].changelog.total == 0
    names = jira.search_issues("key = SC-1", fields="summary,comment", json_result=True)["issues"][0]["fields"]
    assert names.keys() == {"summary", "comment"}
    navigable = jira.search_issues("key = SC-1", json_result=True, fields="*navigable")["issues"][0]["fields"]
    assert "comment" not in navigable
    for wrong in ("nonsense = 1", 'summary ~ "', "project = NOPE", "project ="):
        with pytest.raises(JIRAError) as refusal:
            jira.search_issues(wrong)
        assert refusal.value.status_code == 400
        response: Any = refusal.value.response
        assert response.json()["errorMessages"]
    loose = jira.search_issues("nonsense = 1", validate_query=False, json_result=True)
    assert (loose["total"], bool(loose["warningMessages"])) == (0, True)


def test_permissions_differ(desk: Bench, jira: Any, alice: Any) -> None:
    """An administrator may more than others, and a denied permission is really denied."""
    assert jira.my_permissions()["permissions"]["ADMINISTER"]["havePermission"] is True
    assert alice.my_permissions(projectKey="SC")["permissions"]["ADMINISTER"]["havePermission"] is False
    assert alice.my_permissions(projectKey="SC")["permissions"]["CREATE_ISSUES"]["havePermission"] is True
    user = desk.sandbox.world.user_named("alice")
    assert user is not None
    desk.do(lambda: user.denied.append("CREATE_ISSUES:SC"))
    assert alice.my_permissions(projectKey="SC")["permissions"]["CREATE_ISSUES"]["havePermission"] is False
    with pytest.raises(JIRAError) as denied:
        make(alice)
    assert denied.value.status_code == 400
    issue = make(jira)
    desk.do(lambda: user.denied.append("BROWSE_PROJECTS:SC"))
    with pytest.raises(JIRAError) as hidden:
        alice.issue(issue.key)
    assert hidden.value.status_code == 403
    assert alice.search_issues("created > -1d").total == 0


CUSTOM_VALUES: list[tuple[str, str, object, object]] = [
    ("Line", "text", "one", "one"),
    ("Area", "textarea", "one\r\ntwo", "one\r\ntwo"),
    ("Points", "number", 3.5, 3.5),
    ("Day", "date", "2026-02-28", "2026-02-28"),
    ("Moment", "datetime", "2026-02-28T10:00:00.000+0100", "2026-02-28T09:00:00.000+0000"),
    ("Pick", "select", {"value": "Red"}, "Red"),
    ("Radio", "radio", {"value": "Blue"}, "Blue"),
    ("Picks", "multiselect", [{"value": "Red"}, {"value": "Blue"}], ["Red", "Blue"]),
    ("Boxes", "checkbox", [{"value": "Blue"}], ["Blue"]),
    ("Who", "user", {"name": "bob"}, "bob"),
    ("Whos", "multiuser", [{"name": "bob"}, {"name": "alice"}], ["bob", "alice"]),
    ("Tags", "labels", ["y", "x"], ["x", "y"]),
    ("Site", "url", "https://example.com", "https://example.com"),
    ("Release", "version", {"name": "1.0"}, "1.0"),
    ("Releases", "multiversion", [{"name": "1.0"}], ["1.0"]),
]


@pytest.mark.parametrize(("name", "kind", "value", "shown"), CUSTOM_VALUES)
def test_custom_fields_of_every_kind(desk: Bench, jira: Any, name: str, kind: str, value: Any, shown: object) -> None:
    """A custom field is set on create, read, searched for by name, changed to nothing, and told in the changelog."""
    jira.create_version("1.0", "SC")
    field = desk.do(lambda: create_field(desk.sandbox.world, name, kind, options=["Red", "Blue"]))
    issue = make(jira, fields={field.id: value})

    def plain(one: object) -> object:
        if isinstance(one, list):
            return [plain(part) for part in one]
        if isinstance(one, dict):
            return one.get("value", one.get("name"))
        return one

    assert plain(issue.raw["fields"][field.id]) == shown
    assert jira.search_issues(f'"{name}" is not EMPTY').total == 1
    assert jira.search_issues(f"cf[{field.id.removeprefix('customfield_')}] is EMPTY").total == 0
    issue.update(fields={field.id: None})
    read = jira.issue(issue.key, expand="changelog")
    assert read.raw["fields"][field.id] in (None, [])
    assert [item.field for change in read.changelog.histories for item in change.items] == [name]


def test_cascading_fields(desk: Bench, jira: Any) -> None:
    """A cascading field has a parent and perhaps a child, which must be the parent's own."""
    options = {"Europe": ["Berlin", "Paris"], "Asia": ["Tokyo"]}
    field = desk.do(lambda: create_field(desk.sandbox.world, "Place", "cascading", options=options))
    issue = make(jira, fields={field.id: {"value": "Europe", "child": {"value": "Paris"}}})
    assert issue.raw["fields"][field.id]["child"]["value"] == "Paris"
    issue.update(fields={field.id: {"value": "Asia"}})
    assert "child" not in jira.issue(issue.key).raw["fields"][field.id]
    with pytest.raises(JIRAError) as wrong:
        issue.update(fields={field.id: {"value": "Asia", "child": {"value": "Paris"}}})
    assert refused(wrong)[0] == 400


def test_a_custom_field_is_made_over_rest(jira: Any) -> None:
    """``POST /field`` makes a field of a known type, and refuses others."""
    kind = "com.atlassian.jira.plugin.system.customfieldtypes:float"
    made = jira._session.post(jira._get_url("field"), json={"name": "Points", "type": kind}).json()
    assert made["schema"]["custom"] == kind
    assert make(jira, fields={made["id"]: 8}).raw["fields"][made["id"]] == 8.0
    with pytest.raises(JIRAError) as wrong:
        jira._session.post(jira._get_url("field"), json={"name": "Odd", "type": "no:such"})
    assert refused(wrong)[0] == 400


def test_who_calls_matters(desk: Bench, jira: Any) -> None:
    """Wrong passwords and tokens are 401, nobody sees nothing, and a right token is as good as a password."""
    issue = make(jira)
    with pytest.raises(JIRAError) as wrong:
        desk.client("admin", "nonsense").myself()
    assert wrong.value.status_code == 401
    token = desk.do(lambda: desk.sandbox.world.create_token(desk.sandbox.world.site.users["bob"]))
    with_token: Any = JIRA(desk.sandbox.url, token_auth=token, get_server_info=False, max_retries=0)
    assert with_token.myself()["name"] == "bob"
    with pytest.raises(JIRAError) as bad:
        JIRA(desk.sandbox.url, token_auth="nonsense", get_server_info=False, max_retries=0).issue(issue.key)
    assert bad.value.status_code == 401
    nobody: Any = JIRA(desk.sandbox.url, get_server_info=False, max_retries=0)
    assert nobody.server_info()["deploymentType"] == "Server"
    for ask in (nobody.myself, lambda: nobody.issue(issue.key), lambda: make(nobody)):
        with pytest.raises(JIRAError) as anonymous:
            ask()
        assert anonymous.value.status_code == 401
    assert nobody.search_issues("project = SC").total == 0
    assert nobody.projects() == []


def test_webhooks_are_registered_by_both_paths(desk: Bench, jira: Any, alice: Any) -> None:
    """The path of Jira 9 and that of Jira 10 each take their own body; others than administrators may not."""
    session, url = jira._session, desk.sandbox.url
    old = {
        "name": "Old",
        "url": f"{desk.receiver.url}/old",
        "events": ["jira:issue_created"],
        "filters": {"issue-related-events-section": "project = SC AND priority = High"},
        "excludeBody": False,
    }
    made = session.post(f"{url}/rest/webhooks/1.0/webhook", json=old)
    assert made.status_code == 201
    assert made.json()["filters"] == old["filters"]
    new = {
        "name": "New",
        "url": f"{desk.receiver.url}/new?token=abc",
        "events": list(EVENT_NAMES),
        "configuration": {"SECRET": "s3cret", "EXCLUDE_BODY": "false"},
        "active": True,
    }
    second = session.post(f"{url}/rest/jira-webhook/1.0/webhooks", json=new).json()
    assert "s3cret" not in str(second)
    make(jira, priority={"name": "Low"})
    make(jira, priority={"name": "High"})
    desk.delivered()
    assert [one.path for one in desk.receiver.got].count("/hook/old") == 1
    assert [one.path for one in desk.receiver.got].count("/hook/new") == 2
    assert len(session.get(f"{url}/rest/jira-webhook/1.0/webhooks").json()) == 2
    changed = session.put(f"{url}/rest/jira-webhook/1.0/webhooks/{second['id']}", json={"active": False}).json()
    assert changed["active"] is False
    assert session.delete(made.json()["self"]).status_code == 204
    make(jira, priority={"name": "High"})
    desk.delivered()
    assert len(desk.receiver.got) == 3
    with pytest.raises(JIRAError) as wrong:
        session.post(f"{url}/rest/webhooks/1.0/webhook", json={**old, "filters": "nonsense = 1"})
    assert wrong.value.status_code == 400
    with pytest.raises(JIRAError) as denied:
        alice._session.post(f"{url}/rest/webhooks/1.0/webhook", json=old)
    assert denied.value.status_code == 403


def test_calls_are_counted_by_route_and_person(desk: Bench, jira: Any, alice: Any) -> None:
    """The counts name method and route, tell reads from writes, and can be cleared."""
    issue = make(jira)
    desk.sandbox.calls.clear()
    alice.add_comment(issue.key, "Hi")
    alice.issue(issue.key)
    alice.search_issues("project = SC", use_post=True)
    calls = desk.sandbox.calls
    assert calls.count("POST", "/issue/{issue}/comment") == 1
    assert calls.count(writes=True) == 1
    assert calls.count(writes=False) == calls.count() - 1
    assert calls.count(user="alice") == calls.count()
    report = jira._session.get(f"{desk.sandbox.url}/sandbox/calls").json()
    assert report["byRoute"]["GET /rest/api/2/issue/{issue}"] == 1
    marked = {f"{one['method']} {one['route']}": one["writes"] for one in report["routes"]}
    assert marked["POST /rest/api/2/search"] is False
    assert marked["POST /rest/api/2/issue/{issue}/comment"] is True
    assert jira._session.delete(f"{desk.sandbox.url}/sandbox/calls").status_code == 204
    assert calls.count() == 0
