"""The tracker against answers that a sandbox does not give: cut pages, service desks, refusals, Jira Cloud."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from node.clock import SystemClock
from node.errors import (
    TrackerDenied,
    TrackerNonsense,
    TrackerNotFound,
    TrackerRefused,
    TrackerUncertain,
    UsageError,
)
from node.trackers.base import FileToAttach, Tracker
from node.trackers.issue import Attachment, IssueRef
from node.trackers.jira import Auth, JiraTracker
from tests.support.jira_data import field_entry, recorded_issues, webhook_body
from tests.support.raw_jira import raw_jira
from tests.support.scripted_jira import CLOUD, DATA_CENTER, Answer, Asked, ScriptedJira

ISSUE: dict[str, Any] = {
    "id": "10001",
    "key": "SC-1",
    "fields": {
        "project": {"key": "SC"},
        "issuetype": {"name": "Bug"},
        "summary": "S",
        "created": "2026-11-24T10:00:00.000+0000",
        "updated": "2026-11-24T10:00:00.000+0000",
        "comment": {"comments": [], "total": 0},
    },
}


def issue_with(**fields: object) -> dict[str, Any]:
    raw = copy.deepcopy(ISSUE)
    raw["fields"].update(fields)
    return raw


@asynccontextmanager
async def tracker_of(scripted: ScriptedJira) -> AsyncIterator[JiraTracker]:
    async with raw_jira(scripted.respond) as jira:
        tracker = JiraTracker(jira.url, Auth("token"), clock=SystemClock())
        as_port: Tracker = tracker
        try:
            yield tracker
        finally:
            await as_port.close()


async def test_what_a_jira_is_is_asked_once() -> None:
    """What Jira is and its fields are learned with the first call that needs them, and then known."""
    scripted = ScriptedJira.of(DATA_CENTER)
    scripted.routes["GET", "issue/SC-1"] = (200, ISSUE)
    scripted.routes["GET", "myself"] = (200, {"name": "alice", "displayName": "Alice", "timeZone": "Europe/Berlin"})
    async with tracker_of(scripted) as tracker:
        info = await tracker.describe()
        assert (info.kind, info.version, info.user.id, info.time_zone) == (
            "data-center",
            "9.12.5",
            "alice",
            "Europe/Berlin",
        )
        for _ in range(3):
            assert (await tracker.issue("SC-1")).id == "10001"
    calls = scripted.calls(start_up=True)
    assert sorted(calls[:2]) == ["GET myself", "GET serverInfo"]
    assert calls[2:] == ["GET issue/SC-1", "GET field", "GET issue/SC-1", "GET issue/SC-1"]


async def test_cut_comments_and_worklogs_are_fetched_to_the_end() -> None:
    """250 comments come in three pages, oldest first in the issue; worklogs likewise."""
    comments = [{"id": str(number), "body": f"c{number}"} for number in range(250)]
    worklogs = [{"id": str(number), "timeSpentSeconds": 60} for number in range(30)]

    def comment_page(asked: Asked) -> Answer:
        start, count = int(asked.params["startAt"]), min(int(asked.params["maxResults"]), 100)
        newest = comments[::-1]
        assert asked.params["orderBy"] == "-created"
        return 200, {"comments": newest[start : start + count], "total": 250, "startAt": start}

    scripted = ScriptedJira.of(DATA_CENTER)
    cut: dict[str, object] = {
        "comment": {"comments": comments[:5], "total": 250},
        "worklog": {"worklogs": worklogs[:20], "total": 30},
    }
    scripted.routes["GET", "issue/SC-1"] = (200, issue_with(**cut))
    scripted.routes["GET", "issue/10001/comment"] = comment_page
    scripted.routes["GET", "issue/10001/worklog"] = (200, {"worklogs": worklogs, "total": 30})
    async with tracker_of(scripted) as tracker:
        issue = await tracker.issue("SC-1")
    assert issue.complete
    assert [comment.id for comment in issue.comments] == [str(number) for number in range(250)]
    assert len(issue.worklogs) == 30
    assert scripted.calls() == ["GET issue/SC-1", *["GET issue/10001/comment"] * 3, "GET issue/10001/worklog"]


async def test_a_page_that_always_repeats_ends() -> None:
    """A server that ignores where a page starts does not keep us forever."""
    scripted = ScriptedJira.of(DATA_CENTER)
    scripted.routes["GET", "issue/SC-1"] = (200, issue_with(comment={"comments": [], "total": 9}))
    scripted.routes["GET", "issue/10001/comment"] = (200, {"comments": [{"id": "1", "body": "x"}], "total": 9})
    async with tracker_of(scripted) as tracker:
        issue = await tracker.issue("SC-1")
    assert [comment.id for comment in issue.comments] == ["1"]
    assert len(scripted.calls()) == 3


async def test_comments_of_a_service_desk_are_asked_for_with_their_properties() -> None:
    """Data Center leaves out what makes a comment internal; it is asked for before anything could leave."""
    told: list[dict[str, Any]] = [
        {"id": "1", "body": "note", "properties": [{"key": "sd.public.comment", "value": {"internal": True}}]},
        {"id": "2", "body": "answer"},
    ]
    bare = [{name: entry[name] for name in ("id", "body")} for entry in told]
    desk = {"key": "SC", "projectTypeKey": "service_desk"}
    scripted = ScriptedJira.of(DATA_CENTER)
    scripted.routes["GET", "issue/SC-1"] = (200, issue_with(project=desk, comment={"comments": bare, "total": 2}))
    scripted.routes["GET", "issue/10001/comment"] = (200, {"comments": told[::-1], "total": 2})
    async with tracker_of(scripted) as tracker:
        issue = await tracker.issue("SC-1")
    assert [(comment.id, comment.internal) for comment in issue.comments] == [("1", True), ("2", False)]
    assert scripted.asked[-1].params["expand"] == "properties"
    assert issue.complete


async def test_a_new_custom_field_is_learned_once() -> None:
    """An unknown field makes us ask for the fields again; one that nobody can name does so only once."""
    fields: list[object] = []
    scripted = ScriptedJira.of(DATA_CENTER)
    scripted.routes["GET", "field"] = lambda _asked: (200, list(fields))
    scripted.routes["GET", "issue/SC-1"] = (200, issue_with(customfield_1="a", customfield_2="b"))
    async with tracker_of(scripted) as tracker:
        await tracker.fields()
        fields.append(field_entry("customfield_1", "Colour", "textfield"))
        for _ in range(3):
            issue = await tracker.issue("SC-1")
            assert issue.custom == {"Colour": "a"}
            assert issue.complete
    assert scripted.calls(start_up=True).count("GET field") == 2


async def test_a_field_that_was_just_made_can_be_written() -> None:
    """A rule may name a field that is newer than what we know; one that does not exist is refused unsent."""
    fields: list[object] = []
    scripted = ScriptedJira.of(DATA_CENTER, PUT_x=(204, b""))
    scripted.routes["GET", "field"] = lambda _asked: (200, list(fields))
    scripted.routes["PUT", "issue/10001"] = (204, b"")
    async with tracker_of(scripted) as tracker:
        await tracker.fields()
        fields.append(field_entry("customfield_1", "Colour", "select", "option"))
        await tracker.edit_issue("10001", {"custom.Colour": "red"})
        assert scripted.asked[-1].json == {"fields": {"customfield_1": {"value": "red"}}}
        with pytest.raises(TrackerRefused, match="Shape"):
            await tracker.edit_issue("10001", {"custom.Shape": "round"})
    assert scripted.calls() == ["PUT issue/10001"]


async def test_a_refusal_speaks_of_fields_by_our_names() -> None:
    """Nobody knows what customfield_1 is."""
    scripted = ScriptedJira.of(DATA_CENTER, field_entry("customfield_1", "Colour", "textfield"))
    scripted.routes["PUT", "issue/10001"] = (
        400,
        {"errors": {"customfield_1": "Not on the screen.", "duedate": "Too late."}},
    )
    async with tracker_of(scripted) as tracker:
        with pytest.raises(TrackerRefused) as caught:
            await tracker.edit_issue("10001", {"custom.Colour": "red"})
    assert caught.value.fields == {"custom.Colour": "Not on the screen.", "due": "Too late."}
    assert "Colour: Not on the screen; due: Too late" in caught.value.message
    assert "customfield" not in caught.value.message


@pytest.mark.parametrize("answer", [{}, {"key": "SC-1"}, {"id": "../1", "key": "SC-1"}, {"id": 1}, [], "x"])
async def test_a_create_whose_answer_cannot_be_read_is_uncertain(answer: object) -> None:
    """It may well have been created, so it is looked for and not created again."""
    scripted = ScriptedJira.of(DATA_CENTER, POST_issue=(201, answer))
    async with tracker_of(scripted) as tracker:
        with pytest.raises(TrackerUncertain):
            await tracker.create_issue("SC", {"summary": "S", "type": "Bug"}, marker="m1")


@pytest.mark.parametrize("knows_creators", [True, False])
async def test_a_lost_create_is_found_by_its_marker(knows_creators: bool) -> None:
    """Candidates are ours, of about that time by Jira's clock, oldest first; their property tells."""
    now = int(datetime.now(UTC).timestamp() * 1000)
    ahead = 3_600_000
    server_time = datetime.fromtimestamp((now + ahead) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    found = [{"id": "1", "key": "SC-1"}, {"id": "2", "key": "SC-2"}, {"id": "3", "key": "SC-3"}]

    def search(asked: Asked) -> Answer:
        if "creator" in asked.params["jql"] and not knows_creators:
            return 400, {"errorMessages": ["Field 'creator' does not exist"]}
        return 200, {"issues": found, "total": 3, "startAt": 0}

    def marked(marker: str) -> Answer:
        return 200, {"key": "accord.marker", "value": {"marker": marker}}

    scripted = ScriptedJira.of({**DATA_CENTER, "serverTime": server_time}, GET_search=search)
    scripted.routes["GET", "issue/2/properties/accord.marker"] = marked("m1")
    scripted.routes["GET", "issue/3/properties/accord.marker"] = marked("m2")
    async with tracker_of(scripted) as tracker:
        assert await tracker.find_created("SC", "m1", since_ms=now) == IssueRef("2", "SC-2")
        calls = scripted.calls()
        jql = next(asked.params["jql"] for asked in scripted.asked if asked.path == "search")
        assert await tracker.find_created("SC", "m3", since_ms=now) is None
    assert calls[-2:] == ["GET issue/1/properties/accord.marker", "GET issue/2/properties/accord.marker"]
    assert calls.count("GET search") == (1 if knows_creators else 2)
    since = int(jql.split("created >= ")[1].split()[0])
    assert abs(since - (now + ahead - 600_000)) < 5_000


async def test_properties_in_a_search_save_calls() -> None:
    """A Jira that gives properties with the search is not asked for each candidate."""
    entry = {"id": "2", "key": "SC-2", "properties": {"accord.marker": {"marker": "m1"}}}
    scripted = ScriptedJira.of(DATA_CENTER, GET_search=(200, {"issues": [entry], "total": 1}))
    async with tracker_of(scripted) as tracker:
        assert await tracker.find_created("SC", "m1", since_ms=0) == IssueRef("2", "SC-2")
    assert scripted.calls() == ["GET search"]


@pytest.mark.parametrize(
    "ref", ["", "../myself", "SC-1/../../x", "SC", "SC-1?x=1", "SC-\N{ARABIC-INDIC DIGIT ONE}", "1" * 30, "a b-1"]
)
async def test_what_is_no_issue_never_becomes_a_path(ref: str) -> None:
    """A key from outside cannot lead a call elsewhere."""
    scripted = ScriptedJira.of(DATA_CENTER)
    async with tracker_of(scripted) as tracker:
        with pytest.raises(TrackerNotFound):
            await tracker.issue(ref)
        with pytest.raises(TrackerNotFound):
            await tracker.edit_comment(ref, "1", "x")
        with pytest.raises(TrackerNotFound):
            await tracker.delete_comment("SC-1", ref + "/..")
    assert scripted.calls() == []


async def test_one_unreadable_issue_does_not_stop_a_sweep() -> None:
    """A page is handed on raw; only reading that one issue fails."""
    broken = {"id": "7", "key": "SC-7", "fields": {"updated": 5}}
    scripted = ScriptedJira.of(DATA_CENTER, POST_search=(200, {"issues": [ISSUE, broken], "total": 9}))
    async with tracker_of(scripted) as tracker:
        page = await tracker.updated_since(["SC"], 0)
        assert page.next == "1795514400000"
        assert tracker.read_issue(page.issues[0]).key == "SC-1"
        with pytest.raises(TrackerNonsense):
            tracker.read_issue(page.issues[1])
        with pytest.raises(UsageError):
            await tracker.updated_since(["SC"], 0, cursor="1 OR 1=1")
        with pytest.raises(UsageError):
            await tracker.search("x", cursor="-1")
    assert scripted.last("search").json == {
        "jql": 'project in ("SC") AND updated >= 0 ORDER BY updated ASC, key ASC',
        "startAt": 0,
        "maxResults": 50,
        "fields": ["*all"],
    }


@pytest.mark.parametrize("answer", [{}, [], {"issues": [1], "total": 1}, {"issues": {}, "total": 1}, {"issues": []}])
async def test_a_search_of_the_wrong_shape_is_nonsense(answer: object) -> None:
    """Jira answers of the wrong shape are a clear error."""
    scripted = ScriptedJira.of(DATA_CENTER, POST_search=(200, answer))
    async with tracker_of(scripted) as tracker:
        with pytest.raises(TrackerNonsense):
            await tracker.search("project = SC")


@pytest.mark.parametrize("route", ["serverInfo", "field"])
@pytest.mark.parametrize("answer", [(200, {}), (200, "x"), (200, 5)])
async def test_a_jira_that_says_nothing_of_itself_is_nonsense_and_asked_again(route: str, answer: Answer) -> None:
    """What could not be learned is not remembered."""
    scripted = ScriptedJira.of(DATA_CENTER)
    right = scripted.routes["GET", route]
    scripted.routes["GET", route] = answer
    async with tracker_of(scripted) as tracker:
        with pytest.raises(TrackerNonsense):
            await tracker.fields()
        scripted.routes["GET", route] = right
        assert list(await tracker.fields()) == []


async def test_a_webhook_before_anything_is_known_has_no_issue() -> None:
    """Without the fields its issue would lack custom fields, so it is read from Jira."""
    body = webhook_body("webhook-server-issue-updated-commented-2")
    scripted = ScriptedJira.of(DATA_CENTER)
    async with tracker_of(scripted) as tracker:
        before = tracker.read_webhook(body)
        await tracker.fields()
        after = tracker.read_webhook(body)
    assert before is not None
    assert before.issue is None
    assert after is not None
    assert after.issue is not None
    assert before.issue_id == after.issue_id


PROJECTS = ["SC", "UD"]
HOOK = "https://node.example.com/webhook/abc"


@pytest.mark.parametrize(
    ("server", "path", "place"),
    [
        (DATA_CENTER, "/rest/webhooks/1.0/webhook", {"self": "http://x/rest/webhooks/1.0/webhook/7"}),
        ({**DATA_CENTER, "version": "10.3.0"}, "/rest/jira-webhook/1.0/webhooks", {"id": 7}),
    ],
)
async def test_a_webhook_is_registered_once_and_corrected(
    server: dict[str, Any], path: str, place: dict[str, Any]
) -> None:
    """By name: made where there is none, left where it is right, corrected where not, twins removed."""
    hooks: dict[str, dict[str, Any]] = {}

    def create(asked: Asked) -> Answer:
        hooks["7"] = {**asked.json, **place}
        return 201, hooks["7"]

    def correct(asked: Asked) -> Answer:
        hooks["7"] = {**asked.json, **place}
        return 200, hooks["7"]

    def remove(asked: Asked) -> Answer:
        del hooks[asked.path.rpartition("/")[2]]
        return 204, b""

    other = {"name": "other", "url": "x", "id": 1}
    scripted = ScriptedJira.of(server)
    scripted.routes["GET", path] = lambda _asked: (200, [other, *hooks.values()])
    scripted.routes["POST", path] = create
    scripted.routes["PUT", f"{path}/7"] = correct
    scripted.routes["DELETE", f"{path}/7"] = scripted.routes["DELETE", f"{path}/8"] = remove
    async with tracker_of(scripted) as tracker:
        state = await tracker.ensure_webhook(HOOK, projects=PROJECTS, name="Accord")
        assert (state.active, state.id) == (True, "7")
        assert hooks["7"]["filters"] == {"issue-related-events-section": 'project in ("SC", "UD")'}
        assert hooks["7"]["events"] == [
            "jira:issue_created", "jira:issue_updated", "jira:issue_deleted", "issuelink_created", "issuelink_deleted",
        ]  # fmt: skip
        await tracker.ensure_webhook(HOOK, projects=PROJECTS, name="Accord")
        assert scripted.calls() == [f"GET {path}", f"POST {path}", f"GET {path}"]
        hooks["8"] = {**hooks["7"], "id": 8, "self": f"http://x{path}/8"}
        await tracker.ensure_webhook(HOOK, projects=["SC"], name="Accord")
        assert list(hooks) == ["7"]
        assert hooks["7"]["filters"] == {"issue-related-events-section": 'project in ("SC")'}
        await tracker.remove_webhook("Accord")
        assert hooks == {}


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_where_we_may_not_register_a_webhook_we_say_what_to_do(status: int) -> None:
    """The advice holds all that an administrator needs: where, the URL, the events, the query."""
    scripted = ScriptedJira.of(DATA_CENTER)
    scripted.routes["GET", "/rest/webhooks/1.0/webhook"] = (status, {})
    async with tracker_of(scripted) as tracker:
        state = await tracker.ensure_webhook(HOOK, projects=PROJECTS, name="Accord")
    assert not state.active
    for words in ("/plugins/servlet/webhooks", HOOK, "jira:issue_updated", 'project in ("SC", "UD")', "Accord"):
        assert words in state.advice


async def test_a_wrong_attachment_is_refused_before_it_is_asked_for(tmp_path: Path) -> None:
    """Its size is known from the issue."""
    scripted = ScriptedJira.of(DATA_CENTER)
    async with tracker_of(scripted) as tracker:
        big = Attachment(id="5", name="a", size=2000, content_url="http://127.0.0.1:1/x")
        with pytest.raises(TrackerRefused):
            await tracker.download(big, tmp_path / "f", limit=1000)
        with pytest.raises(TrackerNonsense):
            await tracker.download(big, tmp_path / "f", limit=5000)
    assert scripted.asked == []


async def test_cloud_is_searched_by_token_and_told_people_by_account() -> None:
    """Jira Cloud has other paths for searching, tokens for pages, and no user names."""
    recorded = recorded_issues("cloud-issues-33")
    pages = {None: (recorded[:20], "t1"), "t1": (recorded[20:], None)}

    def search(asked: Asked) -> Answer:
        issues, token = pages[asked.json.get("nextPageToken")]
        assert set(asked.json) <= {"jql", "maxResults", "fields", "nextPageToken"}
        return 200, {"issues": issues, "isLast": token is None} | ({"nextPageToken": token} if token else {})

    names = sorted({key for raw in recorded for key in raw["fields"] if key.startswith("customfield_")})
    scripted = ScriptedJira.of(CLOUD, *[{"id": key, "name": key, "schema": {"type": "any"}} for key in names])
    scripted.routes["POST", "search/jql"] = search
    scripted.routes["GET", "user/search"] = (200, [{"accountId": "5b10", "displayName": "Bob"}, {"displayName": "App"}])
    scripted.routes["PUT", "issue/10063"] = (204, b"")
    async with tracker_of(scripted) as tracker:
        first = await tracker.updated_since(["EE"], 1_600_000_000_123)
        second = await tracker.updated_since(["EE"], 1_600_000_000_123, cursor=first.next)
        read = [tracker.read_issue(raw) for raw in first.issues + second.issues]
        assert (len(read), first.total, second.next) == (33, None, None)
        assert (
            scripted.last("search/jql").json["jql"]
            == 'project in ("EE") AND updated >= 1600000000000 ORDER BY updated ASC, key ASC'
        )
        assert (await tracker.search("project = EE")).next == "t1"
        assert [user.id for user in await tracker.find_users("bob")] == ["5b10"]
        assert scripted.asked[-1].params["query"] == "bob"
        await tracker.edit_issue("10063", {"assignee": "5b10"})
        assert scripted.asked[-1].json == {"fields": {"assignee": {"accountId": "5b10"}}}


async def test_on_cloud_a_lost_create_is_found_by_one_search() -> None:
    """Cloud gives the property with the search."""
    entry = {"id": "2", "key": "EE-2", "properties": {"accord.marker": {"marker": "m1"}}}
    scripted = ScriptedJira.of(CLOUD)
    scripted.routes["POST", "search/jql"] = (200, {"issues": [{"id": "1", "key": "EE-1"}, entry], "isLast": True})
    async with tracker_of(scripted) as tracker:
        assert await tracker.find_created("EE", "m1", since_ms=0) == IssueRef("2", "EE-2")
        assert scripted.last("search/jql").json["properties"] == ["accord.marker"]
        assert await tracker.find_created("EE", "m2", since_ms=0) is None


async def test_on_cloud_a_worklog_carries_its_marker_as_a_property() -> None:
    """No mark in the comment is needed there; time is logged without touching the estimate."""
    scripted = ScriptedJira.of(CLOUD)
    scripted.routes["POST", "issue/1/worklog"] = (201, {"id": "5"})
    logged = {"id": "5", "properties": [{"key": "accord.marker", "value": {"marker": "m1"}}]}
    scripted.routes["GET", "issue/1/worklog"] = (200, {"worklogs": [{"id": "4"}, logged], "total": 2})
    async with tracker_of(scripted) as tracker:
        started = datetime(2026, 11, 24, 10, 0, 0, 500_000, UTC)
        assert await tracker.add_worklog("1", seconds=60, started=started, comment="c", marker="m1") == "5"
        sent = scripted.asked[-1]
        assert sent.json["comment"] == "c"
        assert sent.json["started"] == "2026-11-24T10:00:00.500+0000"
        assert sent.params == {"adjustEstimate": "leave"}
        assert await tracker.find_worklog("1", "m1") == "5"
        assert await tracker.find_worklog("1", "m2") is None


async def test_uploads_are_one_multipart_request(tmp_path: Path) -> None:
    """Named `file`, with the header that Jira wants against forgery, and streamed with a known length."""
    file = tmp_path / "x"
    file.write_bytes(b"hello")
    scripted = ScriptedJira.of(DATA_CENTER)
    answer = [{"id": 8, "filename": "b.txt", "size": 5}, {"id": 7, "filename": "a.txt", "size": 5}]
    scripted.routes["POST", "issue/1/attachments"] = (200, answer)
    async with tracker_of(scripted) as tracker:
        files = [FileToAttach(file, "a.txt", "text/plain"), FileToAttach(file, "b.txt", None)]
        attached = await tracker.attach("1", files)
        assert [entry.id for entry in attached] == ["7", "8"]
        scripted.routes["POST", "issue/1/attachments"] = (200, answer[:1])
        with pytest.raises(TrackerUncertain):
            await tracker.attach("1", files)
        scripted.routes["POST", "issue/1/attachments"] = (413, {})
        with pytest.raises(TrackerRefused):
            await tracker.attach("1", files)
    headers = scripted.asked[-1].raw.headers
    assert headers["x-atlassian-token"] == "no-check"
    assert headers["content-type"].startswith("multipart/form-data; boundary=")
    assert scripted.asked[-1].raw.body.count(b'name="file"; filename=') == 2


async def test_a_denied_answer_says_what_to_check() -> None:
    """The person who reads it learns the next step."""
    scripted = ScriptedJira.of(DATA_CENTER, GET_myself=(401, {}))
    async with tracker_of(scripted) as tracker:
        with pytest.raises(TrackerDenied) as caught:
            await tracker.describe()
    assert "token" in caught.value.advice


async def test_createmeta_and_transitions_speak_our_language() -> None:
    """Fields are named as they are written; options and required fields are told."""
    colour = {**field_entry("customfield_1", "Colour", "cascadingselect", "option-with-child")}
    scripted = ScriptedJira.of(DATA_CENTER, colour)
    base = "issue/createmeta/SC/issuetypes"
    scripted.routes["GET", base] = (200, {"values": [{"id": "3", "name": "Task"}], "total": 1, "isLast": True})
    options = [{"value": "Red", "children": [{"value": "Dark"}]}]
    entries = [
        {
            "fieldId": "customfield_1",
            "name": "Colour",
            "schema": colour["schema"],
            "allowedValues": options,
            "required": True,
        },
        {
            "fieldId": "fixVersions",
            "name": "Fix Version/s",
            "schema": {"type": "array", "items": "version"},
            "required": False,
        },
    ]
    scripted.routes["GET", f"{base}/3"] = (200, {"values": entries, "total": 2, "isLast": True})
    screen = {"resolution": {"required": True}, "customfield_1": {"required": False}}
    transition = {"id": "31", "name": "Close", "to": {"name": "Done"}, "fields": screen}
    scripted.routes["GET", "issue/1/transitions"] = (200, {"transitions": [transition]})
    async with tracker_of(scripted) as tracker:
        first, second = await tracker.create_fields("SC", "Task")
        assert (first.name, first.kind, first.required) == ("Colour", "cascading", True)
        assert first.options == ("Red", "Red / Dark")
        assert (second.name, second.kind, second.required) == ("fix_versions", "multi-version", False)
        with pytest.raises(TrackerNotFound, match="Story"):
            await tracker.create_fields("SC", "Story")
        (found,) = await tracker.transitions("1")
        assert (found.id, found.to_status) == ("31", "Done")
        assert found.fields == ("resolution", "custom.Colour")
        assert found.required == ("resolution",)


async def test_missing_permissions_are_named_as_jira_names_them() -> None:
    """A permission that Jira does not list is missing too."""
    scripted = ScriptedJira.of(DATA_CENTER)
    told = {
        "BROWSE_PROJECTS": {"name": "Browse Projects", "havePermission": True},
        "EDIT_ISSUES": {"name": "Edit Issues", "havePermission": False},
    }
    scripted.routes["GET", "mypermissions"] = (200, {"permissions": told})
    async with tracker_of(scripted) as tracker:
        missing = await tracker.missing_permissions("SC")
    assert "Edit Issues" in missing
    assert "CREATE_ISSUES" in missing
    assert "Browse Projects" not in missing
    assert json.dumps(missing)


def _cloud_with_a_choice(**routes: Any) -> ScriptedJira:
    scripted = ScriptedJira.of(CLOUD, {"id": "customfield_7", "name": "Severity", "schema": {"type": "option"}})
    base = "field/customfield_7/context"
    scripted.routes["GET", "project/SC"] = (200, {"id": "10001", "key": "SC", "name": "Support"})
    scripted.routes["GET", f"{base}/projectmapping"] = (
        200,
        {"isLast": True, "total": 2, "values": [
            {"contextId": "1", "isGlobalContext": True},
            {"contextId": "2", "projectId": routes.get("project", "10001")},
        ]},
    )  # fmt: skip
    for context in ("1", "2"):
        scripted.routes["GET", f"{base}/{context}/option"] = (
            200,
            {"isLast": True, "total": 2, "values": [
                {"id": "5", "value": "High"}, {"id": "6", "value": "Odd", "optionId": "5"},
            ]},
        )  # fmt: skip
        scripted.routes["POST", f"{base}/{context}/option"] = routes.get("post", (200, {"options": [{"id": "8"}]}))
    return scripted


@pytest.mark.parametrize(("project", "context"), [("10001", "2"), ("10009", "1")])
async def test_cloud_adds_an_option_in_the_context_that_counts_in_the_project(project: str, context: str) -> None:
    """The project's own context, else the one for all; an option of the second level is another one."""
    scripted = _cloud_with_a_choice(project=project)
    async with tracker_of(scripted) as tracker:
        await tracker.ensure_option("SC", "Severity", "high")
        assert not [call for call in scripted.calls() if call.startswith("POST")]
        await tracker.ensure_option("SC", "Severity", "Odd")
    asked = scripted.last(f"field/customfield_7/context/{context}/option")
    assert (asked.method, asked.json) == ("POST", {"options": [{"value": "Odd"}]})


async def test_cloud_keeps_options_to_administrators_and_says_so() -> None:
    """A 403 names the permission that is missing; a field that is gone is named too."""
    scripted = _cloud_with_a_choice(post=(403, {"errorMessages": ["Only Jira administrators can do this."]}))
    async with tracker_of(scripted) as tracker:
        with pytest.raises(TrackerRefused, match="Only Jira administrators") as caught:
            await tracker.ensure_option("SC", "Severity", "Odd")
        assert "'Administer Jira'" in caught.value.advice
        with pytest.raises(TrackerRefused, match="no custom field 'Sverity'"):
            await tracker.ensure_option("SC", "Sverity", "Odd")
        scripted.routes["GET", "field/customfield_7/context/projectmapping"] = (403, {"errorMessages": ["No."]})
        with pytest.raises(TrackerRefused, match="No"):
            await tracker.ensure_option("SC", "Severity", "Odd")


async def test_cloud_hides_a_missing_permission_behind_not_found() -> None:
    """Creating a version is 404 for who may not: it is held with the permission to give, and looked up once more."""
    scripted = ScriptedJira.of(CLOUD)
    scripted.routes["GET", "project/SC/versions"] = (200, [{"id": "1", "name": "1.0"}])
    scripted.routes["POST", "version"] = (404, {"errorMessages": ["No project."]})
    async with tracker_of(scripted) as tracker:
        with pytest.raises(TrackerRefused, match=r"create version '2\.0' in SC") as caught:
            await tracker.ensure_version("SC", "2.0")
    assert "'Administer Projects' in SC" in caught.value.advice
    assert scripted.calls() == ["GET project/SC/versions", "POST version", "GET project/SC/versions"]
