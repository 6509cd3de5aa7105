"""Webhooks look like those of a real Jira Server, and go out as those of a Data Center do."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from node.sandbox.events import EVENT_NAMES
from node.sandbox.model import Webhook
from node.sandbox.seed import create_project, default_world
from tests.support.data import data_file
from tests.support.threaded_sandbox import Bench, bench


@pytest.fixture
def desk() -> Iterator[Bench]:
    world = default_world()
    create_project(world, "SC", "Scrum")
    create_project(world, "OTHER", "Other")
    with bench(world) as made:
        hook(made)
        yield made


def hook(made: Bench, **details: Any) -> Webhook:
    """Register a webhook for everything in SC."""
    hooks = made.sandbox.world.site.webhooks
    number = str(len(hooks) + 1)
    values = {"url": made.receiver.url, "events": list(EVENT_NAMES), "jql": "project = SC", "updated_by": "admin"}
    hooks[number] = Webhook(number, "All", **(values | details))
    return hooks[number]


@pytest.fixture
def jira(desk: Bench) -> Any:
    return desk.client("alice")


def real(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(data_file("webhooks").joinpath(f"{name}.json").read_bytes())
    return {key: value for key, value in body.items() if key not in {"level", "message", "label"}}


def test_a_day_in_the_life_of_an_issue(desk: Bench, jira: Any) -> None:
    """Each act tells what a Server tells: one comment twice, a link without an issue, and so on."""
    issue = jira.create_issue(project="SC", issuetype={"name": "Task"}, summary="One")
    other = jira.create_issue(project="SC", issuetype={"name": "Task"}, summary="Two")
    comment = jira.add_comment(issue.key, "Hi")
    comment.update(body="Hello")
    comment.delete()
    file = jira.add_attachment(issue.key, io.BytesIO(b"x"), filename="x.txt")
    jira.delete_attachment(file.id)
    jira.assign_issue(issue, "bob")
    issue.update(fields={"summary": "Uno"})
    jira.transition_issue(issue, "11")
    log = jira.add_worklog(issue.key, timeSpent="1h")
    log.delete()
    jira.create_issue_link("Blocks", issue.key, other.key)
    jira.delete_issue_link(jira.issue(issue.key).fields.issuelinks[0].id)
    jira.add_issue_property(issue.key, "p", {"a": 1})
    jira.issue(issue.key).delete()
    assert desk.delivered() == [
        "jira:issue_created/issue_created",
        "jira:issue_created/issue_created",
        "comment_created",
        "jira:issue_updated/issue_commented",
        "comment_updated",
        "jira:issue_updated/issue_comment_edited",
        "comment_deleted",
        "jira:issue_updated/issue_comment_deleted",
        "attachment_created",
        "jira:issue_updated/issue_updated",
        "attachment_deleted",
        "jira:issue_updated/issue_updated",
        "jira:issue_updated/issue_assigned",
        "jira:issue_updated/issue_updated",
        "jira:issue_updated/issue_work_started",
        "worklog_created",
        "jira:issue_updated/issue_worklog_added",
        "worklog_deleted",
        "jira:issue_updated/issue_worklog_deleted",
        "issuelink_created",
        "issuelink_deleted",
        "issue_property_set",
        "jira:issue_deleted",
    ]
    by_name = {one.name: one.body for one in desk.receiver.got}
    assert "issue" not in by_name["comment_created"]
    assert f"/issue/{issue.id}/comment/{comment.id}" in by_name["comment_created"]["comment"]["self"]
    assert by_name["jira:issue_updated/issue_assigned"]["changelog"]["items"] == [
        {
            "field": "assignee",
            "fieldtype": "jira",
            "from": None,
            "fromString": None,
            "to": "bob",
            "toString": "Bob Brewer",
        }
    ]
    deleted = by_name["jira:issue_deleted"]
    assert (deleted["issue"]["key"], deleted["user"]["name"]) == (issue.key, "alice")
    assert deleted["issue"]["fields"]["summary"] == "Uno"


REAL_BODIES = [
    ("server-comment_created", "comment_created"),
    ("webhook-server-comment-updated", "comment_updated"),
    ("webhook-server-comment-deleted", "comment_deleted"),
    ("webhook-server-issue-updated-commented-1", "jira:issue_updated/issue_commented"),
    ("webhook-server-issue-updated-comment-edited", "jira:issue_updated/issue_comment_edited"),
    ("webhook-server-issue-updated-comment-deleted", "jira:issue_updated/issue_comment_deleted"),
    ("webhook-server-issue-updated-resolved", "jira:issue_updated/issue_resolved"),
    ("webhook-server-updated-custom-field", "jira:issue_updated/issue_updated"),
    ("server-issuelink_created", "issuelink_created"),
    ("server-issuelink_deleted", "issuelink_deleted"),
]


@pytest.mark.parametrize(("file", "name"), REAL_BODIES)
def test_bodies_are_shaped_like_real_ones(desk: Bench, jira: Any, file: str, name: str) -> None:
    """A body has the keys of the real one, with values of the same types, and an issue has its fields."""
    issue = jira.create_issue(project="SC", issuetype={"name": "Task"}, summary="One", description="Text")
    other = jira.create_issue(project="SC", issuetype={"name": "Task"}, summary="Two")
    comment = jira.add_comment(issue.key, "Hi")
    comment.update(body="Hello")
    comment.delete()
    issue.update(fields={"summary": "Uno"})
    jira.transition_issue(issue, "51", fields={"resolution": {"name": "Done"}})
    jira.create_issue_link("Blocks", issue.key, other.key)
    jira.delete_issue_link(jira.issue(issue.key).fields.issuelinks[0].id)
    desk.delivered()
    ours = next(one.body for one in desk.receiver.got if one.name == name)
    theirs = real(file)
    if name.startswith("issuelink"):
        # The recorder of these bodies wrote the moment as text; a Server sends a number.
        theirs["timestamp"] = 0
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        assert type(ours[key]) is type(value), key
    for part in ("comment", "user", "issueLink"):
        if part in theirs:
            assert ours[part].keys() >= theirs[part].keys()
    if "issue" in theirs:
        fields = {one for one in theirs["issue"]["fields"] if not one.startswith("customfield_")}
        assert fields - ours["issue"]["fields"].keys() == set()
    if "changelog" in theirs:
        assert ours["changelog"]["items"][0].keys() == theirs["changelog"]["items"][0].keys()


def test_the_filter_and_the_wish_for_events_count(desk: Bench, jira: Any) -> None:
    """An issue of another project is not told, nor an event that nobody asked for."""
    jira.create_issue(project="OTHER", issuetype={"name": "Task"}, summary="Not told")
    desk.do(lambda: hook(desk, events=["jira:issue_deleted"], jql=""))
    issue = jira.create_issue(project="SC", issuetype={"name": "Task"}, summary="Told")
    assert desk.delivered() == ["jira:issue_created/issue_created"]
    issue.delete()
    assert desk.delivered()[1:] == ["jira:issue_deleted", "jira:issue_deleted"]


def test_a_secret_signs_the_body(desk: Bench, jira: Any) -> None:
    """The signature is that of the raw body; each delivery has an id of its own, and says who acted."""
    desk.do(lambda: setattr(desk.sandbox.world.site.webhooks["1"], "secret", "It's a Secret"))
    jira.create_issue(project="SC", issuetype={"name": "Task"}, summary="Ü")
    jira.create_issue(project="SC", issuetype={"name": "Task"}, summary="V")
    desk.delivered()
    first, second = desk.receiver.got
    expected = hmac.new(b"It's a Secret", first.raw, hashlib.sha256).hexdigest()
    assert first.headers["X-Hub-Signature"] == f"sha256={expected}"
    assert first.headers["X-Atlassian-Webhook-Identifier"] != second.headers["X-Atlassian-Webhook-Identifier"]
    assert first.query == {"user_id": "alice", "user_key": "alice"}


def test_addresses_have_variables_and_bodies_can_be_left_out(desk: Bench, jira: Any) -> None:
    """Both spellings of a variable are filled in, and ``excludeBody`` sends nothing but the address."""
    url = f"{desk.receiver.url}/{{issue.key}}/${{project.key}}?token=t"
    desk.do(lambda: hook(desk, url=url, exclude_body=True, events=["jira:issue_created"]))
    jira.create_issue(project="SC", issuetype={"name": "Task"}, summary="One")
    desk.delivered()
    (bare,) = [one for one in desk.receiver.got if not one.raw]
    assert bare.path == "/hook/SC-1/SC"
    assert bare.query["token"] == "t"


def test_a_failing_receiver_is_not_told_again_and_holds_up_nobody(desk: Bench, jira: Any) -> None:
    """A refusal is final, an unreachable receiver is given up, and the others get theirs."""
    desk.do(lambda: hook(desk, url="http://127.0.0.1:9/closed"))
    desk.do(lambda: setattr(desk.receiver, "status", 500))
    jira.create_issue(project="SC", issuetype={"name": "Task"}, summary="One")
    assert len(desk.delivered()) == 1
    assert (desk.sandbox.sender.counts.refused, desk.sandbox.sender.counts.unreachable) == (1, 1)


def test_requests_do_not_wait_for_receivers(desk: Bench, jira: Any) -> None:
    """A receiver that takes its time delays no answer to a client."""
    desk.do(desk.receiver.hold.clear)
    for number in range(5):
        jira.create_issue(project="SC", issuetype={"name": "Task"}, summary=f"Issue {number}")
    assert desk.receiver.got == []
    desk.do(desk.receiver.hold.set)
    assert len(desk.delivered()) == 5


def test_a_body_shows_the_moment_it_tells_of(desk: Bench, jira: Any) -> None:
    """A slow delivery carries the issue as it was when it happened, not as it is now."""
    desk.do(desk.receiver.hold.clear)
    issue = jira.create_issue(project="SC", issuetype={"name": "Task"}, summary="Before")
    issue.update(fields={"summary": "After"})
    desk.do(desk.receiver.hold.set)
    desk.delivered()
    assert [one.body["issue"]["fields"]["summary"] for one in desk.receiver.got] == ["Before", "After"]


def test_a_late_delivery_waits_for_its_own_receiver(desk: Bench, jira: Any) -> None:
    """With two receivers each gets its own deliveries in the changed order."""
    desk.do(lambda: hook(desk, url=f"{desk.receiver.url}/second"))
    desk.do(lambda: desk.sandbox.faults.add("reorder_webhook", "jira:issue_created", count=2))
    for summary in ("First", "Second"):
        jira.create_issue(project="SC", issuetype={"name": "Task"}, summary=summary)
    desk.delivered()
    order: dict[str, list[str]] = {}
    for one in desk.receiver.got:
        order.setdefault(one.path, []).append(one.body["issue"]["fields"]["summary"])
    assert order == {"/hook": ["Second", "First"], "/hook/second": ["Second", "First"]}


def test_lost_repeated_and_reordered(desk: Bench, jira: Any) -> None:
    """Faults lose one delivery, send one twice, and let one overtake another."""
    faults = desk.sandbox.faults

    def comment(text: str) -> None:
        jira.add_comment(issue.key, text)

    issue = jira.create_issue(project="SC", issuetype={"name": "Task"}, summary="One")
    desk.do(lambda: setattr(desk.sandbox.world.site.webhooks["1"], "events", ["comment_created"]))
    desk.delivered()
    desk.receiver.got.clear()
    desk.do(lambda: faults.add("lose_webhook", "comment_created"))
    comment("lost")
    desk.do(lambda: faults.add("repeat_webhook", "comment_*"))
    comment("twice")
    desk.do(lambda: faults.add("reorder_webhook", "*"))
    comment("late")
    comment("early")
    comment("plain")
    desk.delivered()
    bodies = [one.body["comment"]["body"] for one in desk.receiver.got]
    assert bodies == ["twice", "twice", "early", "late", "plain"]
    identifiers = [one.headers["X-Atlassian-Webhook-Identifier"] for one in desk.receiver.got]
    assert identifiers[0] == identifiers[1]
    assert len(set(identifiers)) == 4
