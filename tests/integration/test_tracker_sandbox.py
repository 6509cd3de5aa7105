"""The tracker against the sandbox: what it writes is what it reads back, and each change is one call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from node.clock import SystemClock
from node.errors import (
    TrackerBusy,
    TrackerDenied,
    TrackerError,
    TrackerNonsense,
    TrackerNotFound,
    TrackerRefused,
    TrackerUncertain,
    TrackerUnreachable,
)
from node.sandbox import seed
from node.sandbox.app import RunningSandbox, running_sandbox
from node.trackers.base import FileToAttach
from node.trackers.issue import Attachment, Issue, IssueRef, Restriction, Value
from node.trackers.jira import Auth, JiraTracker

ALICE = Auth("alice", "alice")
FIELDS: dict[str, Value] = {"summary": "Alice's issue", "description": "h1. Hello\n* one", "type": "Task"}


@dataclass(slots=True)
class Desk:
    """A sandbox with project SC, and a tracker that knows it already."""

    sandbox: RunningSandbox
    tracker: JiraTracker

    async def calls(self, action: Awaitable[object]) -> dict[str, int]:
        """Return the calls that an action made, by route."""
        self.sandbox.calls.clear()
        await action
        return self.sandbox.calls.by_route()

    async def new(self, **fields: Value) -> IssueRef:
        """Create an issue."""
        return await self.tracker.create_issue("SC", {**FIELDS, **fields}, marker="m0")


@asynccontextmanager
async def desk_of(auth: Auth = ALICE, prepare: Callable[[Any], None] = lambda _world: None) -> AsyncIterator[Desk]:
    world = seed.default_world()
    seed.create_project(world, "SC", "Scarlet")
    prepare(world)
    async with running_sandbox(world) as sandbox:
        tracker = JiraTracker(sandbox.url, auth, clock=SystemClock())
        await tracker.fields()
        try:
            yield Desk(sandbox, tracker)
        finally:
            await tracker.close()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with desk_of() as running:
        yield running


async def test_we_learn_who_and_where_we_are(desk: Desk) -> None:
    """Two calls say what Jira this is and who we are in it; the password works, and so does a token."""
    world = desk.sandbox.world
    alice = world.user_named("alice")
    assert alice is not None
    bearer = JiraTracker(desk.sandbox.url, Auth(world.create_token(alice)), clock=SystemClock())
    info = await bearer.describe()
    await bearer.close()
    assert (info.kind, info.user.id, info.user.display_name) == ("data-center", "alice", "Alice Archer")
    assert info.server_time is not None
    assert abs((info.server_time - datetime.now(UTC)).total_seconds()) < 60
    assert sum((await desk.calls(desk.tracker.describe())).values()) == 2


async def test_a_wrong_token_is_denied_in_words() -> None:
    """Whoever set it up reads what to check."""
    async with running_sandbox() as sandbox:
        for auth in (Auth("wrong"), Auth("wrong", "alice")):
            tracker = JiraTracker(sandbox.url, auth, clock=SystemClock())
            with pytest.raises(TrackerDenied) as caught:
                await tracker.describe()
            await tracker.close()
            assert "token" in caught.value.message
            assert caught.value.advice


async def test_a_project_is_described(desk: Desk) -> None:
    """Its types with their statuses, the fields of a new issue, and what we may not do there."""
    project = await desk.tracker.project("SC")
    assert (project.key, project.name, project.service) == ("SC", "Scarlet", False)
    task = next(kind for kind in project.issue_types if kind.name == "Task")
    assert set(task.statuses) == {"To Do", "In Progress", "In Review", "Done"}
    assert [kind.name for kind in project.issue_types if kind.subtask] == ["Sub-task"]
    assert [entry.key for entry in await desk.tracker.projects()] == ["SC"]
    fields = {entry.name: entry for entry in await desk.tracker.create_fields("SC", "Task")}
    assert fields["summary"].required
    assert fields["priority"].options
    assert list(await desk.tracker.missing_permissions("SC")) == []
    with pytest.raises(TrackerNotFound):
        await desk.tracker.project("NONE")


async def test_missing_permissions_are_told() -> None:
    """What our user may not do is found out before the first sync fails."""

    def deny(world: Any) -> None:
        world.user_named("alice").denied = ["ADD_COMMENTS"]

    async with desk_of(prepare=deny) as desk:
        assert len(await desk.tracker.missing_permissions("SC")) == 1


async def test_creating_is_one_call_and_reading_back_is_the_same(desk: Desk) -> None:
    """No field is read back or looked up on the way."""
    refs: list[IssueRef] = []

    async def create() -> None:
        refs.append(await desk.new(labels=["a", "b"], priority="High", due="2026-12-24", assignee="bob"))

    assert await desk.calls(create()) == {"POST /rest/api/2/issue": 1}
    assert await desk.calls(desk.tracker.issue(refs[0].key)) == {"GET /rest/api/2/issue/{issue}": 1}
    issue = await desk.tracker.issue(refs[0].id)
    assert (issue.id, issue.key, issue.project, issue.type) == (refs[0].id, refs[0].key, "SC", "Task")
    assert (issue.summary, issue.description) == (FIELDS["summary"], FIELDS["description"])
    assert (set(issue.labels), issue.priority, issue.due) == ({"a", "b"}, "High", "2026-12-24")
    assert issue.assignee is not None
    assert issue.assignee.id == "bob"
    assert issue.creator is not None
    assert issue.creator.id == "alice"
    assert issue.complete
    assert abs((issue.created - datetime.now(UTC)).total_seconds()) < 60


async def test_editing_is_one_call(desk: Desk) -> None:
    """Several fields travel in one PUT; None empties."""
    ref = await desk.new(assignee="bob", due="2026-12-24", labels=["a"])
    change: dict[str, Value] = {"summary": "New", "description": None, "assignee": None, "due": None, "labels": []}
    calls = await desk.calls(desk.tracker.edit_issue(ref.id, change))
    assert calls == {"PUT /rest/api/2/issue/{issue}": 1}
    issue = await desk.tracker.issue(ref.id)
    assert (issue.summary, issue.description, issue.assignee, issue.due, issue.labels) == ("New", None, None, None, ())


async def test_a_refused_edit_says_which_field(desk: Desk) -> None:
    """Jira's own reason stands under our name of the field; the issue is unchanged."""
    ref = await desk.new()
    with pytest.raises(TrackerRefused) as caught:
        await desk.tracker.edit_issue(ref.id, {"summary": ""})
    assert list(caught.value.fields) == ["summary"]
    assert ref.id in caught.value.message
    with pytest.raises(TrackerRefused):
        await desk.tracker.create_issue("SC", {"type": "Nonsuch", "summary": "x"}, marker="m")
    with pytest.raises(TrackerNotFound):
        await desk.tracker.edit_issue("999999", {"summary": "x"})


async def test_a_text_that_is_too_long_is_refused_and_not_cut(desk: Desk) -> None:
    """A description of 10 MB is Jira's to refuse: one clear error on that issue."""
    with pytest.raises(TrackerRefused) as caught:
        await desk.new(description="x" * 10_000_000)
    assert "description" in caught.value.fields
    assert len(caught.value.message) < 1000


KINDS: list[tuple[str, object, Value]] = [
    ("text", (), "Grün"),
    ("textarea", (), "one\ntwo"),
    ("url", (), "https://example.com/x"),
    ("number", (), 2.5),
    ("date", (), "2026-11-24"),
    ("datetime", (), "2026-11-24T10:00:00.500Z"),
    ("select", ("Red", "Blue"), "Blue"),
    ("radio", ("Yes", "No"), "Yes"),
    ("multiselect", ("Red", "Blue"), ["Red", "Blue"]),
    ("checkbox", ("A", "B"), ["B"]),
    ("cascading", {"Europe": ("France", "Spain")}, ["Europe", "Spain"]),
    ("cascading", {"Europe": ("France", "Spain")}, ["Europe"]),
    ("user", (), "bob"),
    ("multiuser", (), ["alice", "bob"]),
    ("labels", (), ["x", "y"]),
]


@pytest.mark.parametrize(("kind", "options", "value"), KINDS)
async def test_custom_fields_of_every_kind_go_there_and_come_back(kind: str, options: Any, value: Value) -> None:
    """Created, read, emptied, written again by the name that people see."""

    def add(world: Any) -> None:
        seed.create_field(world, "My Field", kind, options=options)

    async with desk_of(prepare=add) as desk:
        fields: dict[str, Value] = {"custom.My Field": value}
        ref = await desk.new(**fields)
        assert (await desk.tracker.issue(ref.id)).custom == {"My Field": value}
        await desk.tracker.edit_issue(ref.id, {"custom.My Field": None})
        assert (await desk.tracker.issue(ref.id)).custom == {}
        await desk.tracker.edit_issue(ref.id, fields)
        assert (await desk.tracker.issue(ref.id)).custom == {"My Field": value}


async def test_comments_are_one_call_each(desk: Desk) -> None:
    """Added with a marker, edited, deleted; the text is Jira's, the marker is not seen."""
    ref, tracker = await desk.new(), desk.tracker
    ids: list[str] = []

    async def add() -> None:
        ids.append(await tracker.add_comment(ref.id, "Hello\n{code}x{code}", marker="m1"))

    route = "/rest/api/2/issue/{issue}/comment"
    assert await desk.calls(add()) == {f"POST {route}": 1}
    assert await desk.calls(tracker.edit_comment(ref.id, ids[0], "Changed")) == {f"PUT {route}/{{comment}}": 1}
    (comment,) = (await tracker.issue(ref.id)).comments
    assert (comment.id, comment.body, comment.internal, comment.restriction) == (ids[0], "Changed", False, None)
    assert comment.author is not None
    assert comment.author.display_name == "Alice Archer"
    assert await tracker.find_comment(ref.id, "m1") == ids[0]
    assert await tracker.find_comment(ref.id, "m2") is None
    assert await desk.calls(tracker.delete_comment(ref.id, ids[0])) == {f"DELETE {route}/{{comment}}": 1}
    with pytest.raises(TrackerNotFound):
        await tracker.delete_comment(ref.id, ids[0])
    with pytest.raises(TrackerNotFound):
        await tracker.edit_comment(ref.id, ids[0], "x")


async def test_private_comments_are_written_and_read_as_private(desk: Desk) -> None:
    """A restriction to a role and the internal mark survive the way there and back, also through an edit."""
    ref, tracker = await desk.new(), desk.tracker
    restricted = await tracker.add_comment(ref.id, "secret", marker="m1", restrict_to_role="Developers")
    await tracker.edit_comment(ref.id, restricted, "still secret", restrict_to_role="Developers")
    await tracker.add_comment(ref.id, "note", marker="m2", internal=True)
    first, second = (await tracker.issue(ref.id)).comments
    assert first.restriction == Restriction("role", "Developers")
    assert first.body == "still secret"
    listed = [comment async for comment in tracker._lookup.comments(ref.id)]
    assert [tracker._lookup.reader.comment(raw).internal for raw in listed] == [True, False]
    assert second.body == "note"


async def test_files_are_attached_in_one_call_and_come_back_the_same(desk: Desk, tmp_path: Path) -> None:
    """Odd names, empty files and bytes of all kinds; one POST for all of them, one GET for each."""
    ref, tracker = await desk.new(), desk.tracker
    contents = {'Ünï "quoted".txt': b"hello", "empty": b"", "a\r\nb.bin": bytes(range(256)) * 300, "same": b"1"}
    files = []
    for number, (name, content) in enumerate([*contents.items(), ("same", b"2")]):
        path = tmp_path / str(number)
        path.write_bytes(content)
        files.append(FileToAttach(path, name, "text/plain" if number == 0 else None))
    attached: list[Attachment] = []

    async def attach() -> None:
        attached.extend(await tracker.attach(ref.id, files))

    assert await desk.calls(attach()) == {"POST /rest/api/2/issue/{issue}/attachments": 1}
    assert [entry.name for entry in attached] == ["Ünï 'quoted'.txt", "empty", "a__b.bin", "same", "same"]
    assert [entry.size for entry in attached] == [5, 0, 76_800, 1, 1]
    issue = await tracker.issue(ref.id)
    assert [entry.id for entry in issue.attachments] == [entry.id for entry in attached]
    for entry, file in zip(issue.attachments, files, strict=True):
        to = tmp_path / f"back-{entry.id}"
        assert sum((await desk.calls(tracker.download(entry, to, limit=100_000))).values()) == 1
        assert to.read_bytes() == file.path.read_bytes()
    with pytest.raises(TrackerRefused):
        await tracker.download(issue.attachments[2], tmp_path / "no", limit=1000)
    await tracker.delete_attachment(attached[0].id)
    with pytest.raises(TrackerNotFound):
        await tracker.delete_attachment(attached[0].id)
    assert len((await tracker.issue(ref.id)).attachments) == 4


async def test_a_status_is_reached_by_a_transition(desk: Desk) -> None:
    """The ways out are told with the fields of their screens; taking one is one call."""
    ref, tracker = await desk.new(), desk.tracker
    open_now = {one.to_status: one for one in await tracker.transitions(ref.id)}
    done = open_now["Done"]
    assert "resolution" in done.required
    assert {"assignee", "fix_versions"} <= set(done.fields)
    with pytest.raises(TrackerRefused):
        await tracker.transition(ref.id, done.id)
    calls = await desk.calls(tracker.transition(ref.id, done.id, {"resolution": "Done", "assignee": "bob"}))
    assert calls == {"POST /rest/api/2/issue/{issue}/transitions": 1}
    issue = await tracker.issue(ref.id)
    assert (issue.status, issue.resolution) == ("Done", "Done")
    assert issue.assignee is not None
    assert issue.assignee.id == "bob"
    with pytest.raises(TrackerRefused):
        await tracker.transition(ref.id, "999")


async def test_time_is_logged_without_touching_the_estimate(desk: Desk) -> None:
    """One call, a marker that nobody sees, the remaining estimate as before."""
    ref, tracker = await desk.new(original_estimate=7200, remaining_estimate=3600), desk.tracker
    started = datetime(2026, 11, 23, 9, 30, 0, 0, UTC)
    ids: list[str] = []

    async def log() -> None:
        ids.append(await tracker.add_worklog(ref.id, seconds=1800, started=started, comment="thinking", marker="m1"))

    assert await desk.calls(log()) == {"POST /rest/api/2/issue/{issue}/worklog": 1}
    issue = await tracker.issue(ref.id)
    (worklog,) = issue.worklogs
    assert (worklog.id, worklog.seconds, worklog.started, worklog.comment) == (ids[0], 1800, started, "thinking")
    assert (issue.original_estimate, issue.remaining_estimate) == (7200, 3600)
    assert await tracker.find_worklog(ref.id, "m1") == ids[0]
    assert await tracker.find_worklog(ref.id, "m2") is None
    await tracker.delete_worklog(ref.id, ids[0])
    issue = await tracker.issue(ref.id)
    assert (issue.worklogs, issue.remaining_estimate) == ((), 3600)


async def everything(desk: Desk, since_ms: int) -> list[Issue]:
    """Return all issues of a sweep, page by page."""
    cursor, found = None, []
    while True:
        page = await desk.tracker.updated_since(["SC"], since_ms, cursor=cursor)
        found += [desk.tracker.read_issue(raw) for raw in page.issues]
        if page.next is None:
            return found
        cursor = page.next


async def test_a_sweep_finds_what_was_updated_since(desk: Desk) -> None:
    """Oldest first, whole issues, with comments; a quiet Jira costs one call."""
    refs = []
    for number in range(5):
        refs.append(await desk.new(summary=f"Issue {number}"))
        desk.sandbox.world.clock.advance(10)
    await desk.tracker.add_comment(refs[0].id, "late", marker="m")
    found = await everything(desk, 0)
    assert [issue.id for issue in found] == [ref.id for ref in (*refs[1:], refs[0])]
    assert [comment.body for comment in found[-1].comments] == ["late"]
    last = int(found[-1].updated.timestamp() * 1000)
    assert [issue.id for issue in await everything(desk, last)] == [refs[0].id]
    assert await desk.calls(everything(desk, last + 60_000)) == {"POST /rest/api/2/search": 1}


async def test_a_sweep_over_a_bulk_change_sees_every_issue(desk: Desk) -> None:
    """130 issues of one second are more than a page; all are seen."""
    refs = [await desk.new(summary=f"Issue {number}") for number in range(130)]
    moment = desk.sandbox.world.clock.now_ms() // 1000 * 1000
    for issue in desk.sandbox.world.issues.values():
        issue.updated = moment
    assert {issue.id for issue in await everything(desk, 0)} == {ref.id for ref in refs}


async def test_a_search_is_paged(desk: Desk) -> None:
    """Each page is one call; a query that Jira does not understand is refused in its words."""
    refs = [await desk.new(summary=f"Issue {number}") for number in range(5)]
    first = await desk.tracker.search("project = SC ORDER BY key ASC", limit=3)
    assert (first.total, first.next) == (5, "3")
    second = await desk.tracker.search("project = SC ORDER BY key ASC", limit=3, cursor=first.next)
    assert second.next is None
    assert [raw["key"] for raw in first.issues + second.issues] == [ref.key for ref in refs]
    with pytest.raises(TrackerRefused, match="nonsuch"):
        await desk.tracker.search("nonsuch = 5")


async def test_what_was_created_before_a_lost_answer_is_found(desk: Desk) -> None:
    """The call took effect and its answer was lost: the marker tells which issue it was, whatever the clocks say."""
    desk.sandbox.world.clock.advance(86_400)
    began = SystemClock().now_ms()
    await desk.new()
    desk.sandbox.faults.add("cut_after", "/issue", method="POST")
    with pytest.raises(TrackerUncertain):
        await desk.tracker.create_issue("SC", FIELDS, marker="m1")
    found = await desk.tracker.find_created("SC", "m1", since_ms=began)
    assert found is not None
    assert found.key == "SC-2"
    assert await desk.tracker.find_created("SC", "m2", since_ms=began) is None


async def test_a_comment_before_a_lost_answer_is_found(desk: Desk) -> None:
    """The same for comments."""
    ref = await desk.new()
    desk.sandbox.faults.add("cut_after", "*/comment", method="POST")
    with pytest.raises(TrackerUncertain):
        await desk.tracker.add_comment(ref.id, "once", marker="m1")
    assert await desk.tracker.find_comment(ref.id, "m1") is not None


async def test_what_the_sync_made_is_told_from_what_people_made(desk: Desk) -> None:
    """Comments and worklogs are listed once for all markers; an issue says whether the sync created it."""
    ref, tracker = await desk.new(), desk.tracker
    started = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
    first = await tracker.add_comment(ref.id, "first", marker="m1")
    second = await tracker.add_comment(ref.id, "second", marker="m2")
    path = f"issue/{ref.key}/comment"
    await tracker._client.send("POST", path, {"body": "by a person"}, what="comment", answer=True)
    route = "/rest/api/2/issue/{issue}/comment"
    assert await desk.calls(tracker.marked_comments(ref.id, ["m2"])) == {f"GET {route}": 1}
    found = await tracker.marked_comments(ref.id, ["m2", "m3"])
    assert (found.found, found.every) == ({"m2": second}, frozenset({first, second}))
    logged = await tracker.add_worklog(ref.id, seconds=60, started=started, comment=None, marker="m4")
    worklogs = await tracker.marked_worklogs(ref.id, ["m4", "m5"])
    assert (worklogs.found, worklogs.every) == ({"m4": logged}, frozenset({logged}))
    assert await tracker.issue_marker(ref.id) == "m0"
    fields = {"project": {"key": "SC"}, "issuetype": {"name": "Task"}, "summary": "by a person"}
    created = await tracker._client.send("POST", "issue", {"fields": fields}, what="create", answer=True)
    assert await tracker.issue_marker(created["id"]) is None
    assert await tracker.own_id() == "alice"
    assert await desk.calls(tracker.own_id()) == {}


async def test_a_lost_issue_is_looked_for_in_its_time(desk: Desk) -> None:
    """What was created after the time in question is not asked for its marker."""
    ref = await desk.new()
    now = SystemClock().now_ms()
    assert await desk.tracker.find_created("SC", "m0", since_ms=now - 1000, until_ms=now) == ref
    assert await desk.tracker.find_created("SC", "m0", since_ms=0, until_ms=now - 3_600_000) is None


FAULTS: list[tuple[str, dict[str, Any], type[TrackerError], type[TrackerError]]] = [
    ("too_many", {"seconds": 7}, TrackerBusy, TrackerBusy),
    ("error", {"status": 500}, TrackerUncertain, TrackerUnreachable),
    ("error", {"status": 503}, TrackerBusy, TrackerBusy),
    ("error_after", {"status": 502}, TrackerUncertain, TrackerUnreachable),
    ("cut_before", {}, TrackerUncertain, TrackerUnreachable),
    ("cut_after", {}, TrackerUncertain, TrackerUnreachable),
    ("wrong_shape", {}, TrackerUncertain, TrackerNonsense),
    ("not_json", {}, TrackerUncertain, TrackerNonsense),
    ("oversized", {"bytes": 40_000_000}, TrackerUncertain, TrackerNonsense),
]


@pytest.mark.parametrize(("kind", "details", "writing", "reading"), FAULTS)
async def test_every_fault_is_told_truly(
    desk: Desk, kind: Any, details: dict[str, Any], writing: type[TrackerError], reading: type[TrackerError]
) -> None:
    """A write that may have had its effect is uncertain, a read never is; afterwards all is well again."""
    desk.sandbox.faults.add(kind, **details)
    with pytest.raises(TrackerError) as caught:
        await desk.new()
    assert type(caught.value) is writing
    assert "SC" in caught.value.message
    desk.sandbox.faults.add(kind, **details)
    with pytest.raises(TrackerError) as caught:
        await desk.tracker.issue("SC-1")
    assert type(caught.value) is reading
    assert "SC-1" in caught.value.message
    if isinstance(caught.value, TrackerBusy):
        assert caught.value.retry_after in {7, 30}
    ref = await desk.new()
    assert (await desk.tracker.issue(ref.id)).complete


async def test_users_are_found(desk: Desk) -> None:
    """By name, display name or e-mail address."""
    assert [user.id for user in await desk.tracker.find_users("bob")] == ["bob"]
    assert [user.id for user in await desk.tracker.find_users("alice@example.com")] == ["alice"]
    assert list(await desk.tracker.find_users("nobody at all")) == []


async def test_our_webhook_is_registered_delivered_and_read() -> None:
    """Registered once by an administrator's token; a change arrives as a notice with the whole issue."""
    bodies: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def receive(request: web.Request) -> web.Response:
        bodies.put_nowait(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        async with desk_of(Auth("accord", "accord")) as desk:
            state = await desk.tracker.ensure_webhook(url, projects=["SC"], name="Accord")
            assert state.active
            assert (await desk.tracker.ensure_webhook(url, projects=["SC"], name="Accord")).id == state.id
            ref = await desk.new()
            async with asyncio.timeout(10):
                created = desk.tracker.read_webhook(await bodies.get())
            assert created is not None
            assert (created.issue_id, created.issue_key) == (ref.id, ref.key)
            assert created.issue is not None
            assert created.issue.summary == FIELDS["summary"]
            await desk.tracker.add_comment(ref.id, "hi", marker="m")
            async with asyncio.timeout(10):
                commented = desk.tracker.read_webhook(await bodies.get())
            assert commented is not None
            assert commented.issue_id == ref.id
            await desk.tracker.remove_webhook("Accord")
            await desk.new()
            assert (await desk.tracker.ensure_webhook(url, projects=["SC"], name="Accord")).id != state.id
    finally:
        await runner.cleanup()


async def test_without_the_right_to_register_a_webhook_there_is_advice(desk: Desk) -> None:
    """An ordinary user's token cannot; the text says what an administrator does by hand."""
    state = await desk.tracker.ensure_webhook("https://node.example.com/hook", projects=["SC"], name="Accord")
    assert not state.active
    assert "https://node.example.com/hook" in state.advice


async def test_a_version_and_a_component_are_made_once_and_found_by_their_names() -> None:
    """Looked up first; made with one call; there already, in any letters, is not made again. Nothing else changes."""
    async with desk_of(Auth("admin", "admin")) as desk:
        calls = await desk.calls(desk.tracker.ensure_version("SC", "2.0"))
        assert calls == {"GET /rest/api/2/project/{project}/versions": 1, "POST /rest/api/2/version": 1}
        await desk.tracker.ensure_version("SC", "3.0 Beta")
        calls = await desk.calls(desk.tracker.ensure_version("SC", "3.0 beta"))
        assert calls == {"GET /rest/api/2/project/{project}/versions": 1}
        assert [one.name for one in await desk.tracker.versions("SC")] == ["2.0", "3.0 Beta"]
        calls = await desk.calls(desk.tracker.ensure_component("SC", "Core"))
        assert calls == {"GET /rest/api/2/project/{project}/components": 1, "POST /rest/api/2/component": 1}
        await desk.tracker.ensure_component("SC", "CORE")
        assert await desk.tracker.components("SC") == ["Core"]


async def test_two_who_make_the_same_version_at_once_get_one() -> None:
    """Jira refuses the second, who looks again and finds it; so does a call whose answer was lost."""
    async with desk_of(Auth("admin", "admin")) as desk:
        await asyncio.gather(*(desk.tracker.ensure_version("SC", "2.0") for _ in range(4)))
        assert [one.name for one in await desk.tracker.versions("SC")] == ["2.0"]


async def test_an_archived_version_is_told_and_not_made_again() -> None:
    """Its name is taken; whether it may still be set on an issue is Jira's to say."""
    async with desk_of(Auth("admin", "admin")) as desk:
        await desk.tracker.ensure_version("SC", "0.9")
        (version,) = desk.sandbox.world.site.versions.values()
        version.archived = True
        assert [(one.name, one.archived) for one in await desk.tracker.versions("SC")] == [("0.9", True)]
        calls = await desk.calls(desk.tracker.ensure_version("SC", "0.9"))
        assert calls == {"GET /rest/api/2/project/{project}/versions": 1}


async def test_who_may_not_administer_the_project_is_told_what_to_do(desk: Desk) -> None:
    """403 is a refusal of this name, held on the issue, and no reason to try the same again and again."""
    for make in (desk.tracker.ensure_version, desk.tracker.ensure_component):
        with pytest.raises(TrackerRefused, match=r"create (version|component) 'New' in SC") as caught:
            await make("SC", "New")
        assert "'Administer Projects' in SC" in caught.value.advice
        with pytest.raises(TrackerRefused, match="1 to 255 characters"):
            await make("SC", "n" * 256)
    assert await desk.tracker.missing_permissions("SC", also=["ADMINISTER_PROJECTS"]) == ["Administer Projects"]


async def test_data_center_cannot_add_an_option_by_rest(desk: Desk) -> None:
    """It has no such call, so none is tried: a person has to add the option."""
    with pytest.raises(TrackerRefused, match="no REST call that adds one") as caught:
        await desk.tracker.ensure_option("SC", "Severity", "Odd")
    assert caught.value.advice == "Add the option to the field 'Severity' in Jira, then retry the issue."


@pytest.mark.parametrize("outward", [True, False])
async def test_a_link_is_made_found_and_removed_in_its_direction(desk: Desk, outward: bool) -> None:
    """Two calls make it and tell its id; again changes nothing; what reads it back sees who blocks whom."""
    one, other = await desk.new(), await desk.new()
    tracker = desk.tracker
    assert await tracker.find_issue_link(one.id, "Blocks", other.id, outward=outward) is None
    calls = await desk.calls(tracker.add_issue_link(one.id, "Blocks", other.id, outward=outward))
    assert calls == {"POST /rest/api/2/issueLink": 1, "GET /rest/api/2/issue/{issue}": 1}
    number = await tracker.add_issue_link(one.id, "Blocks", other.id, outward=outward)
    assert await tracker.find_issue_link(one.id, "blocks", other.id, outward=outward) == number
    assert await tracker.find_issue_link(one.id, "Blocks", other.id, outward=not outward) is None
    assert await tracker.find_issue_link(other.id, "Blocks", one.id, outward=not outward) == number
    (link,) = (await tracker.issue(one.id)).links
    assert (link.id, link.outward, link.other_id) == (number, outward, other.id)
    assert link.phrase == ("blocks" if outward else "is blocked by")
    await tracker.delete_issue_link(number)
    assert (await tracker.issue(one.id)).links == ()
    with pytest.raises(TrackerNotFound):
        await tracker.delete_issue_link(number)


async def test_a_link_that_jira_will_not_make_is_refused_with_what_to_do() -> None:
    """An unknown type (404) and a missing permission (401 or 403) are held on the issue, and not tried for ever."""

    def deny(world: Any) -> None:
        world.user_named("bob").denied = ["LINK_ISSUES"]

    async with desk_of(Auth("bob", "bob"), deny) as desk:
        one, other = await desk.new(), await desk.new()
        with pytest.raises(TrackerRefused) as caught:
            await desk.tracker.add_issue_link(one.id, "Blocks", other.id, outward=True)
        assert "'Link Issues'" in caught.value.advice
    async with desk_of() as desk:
        one, other = await desk.new(), await desk.new()
        with pytest.raises(TrackerRefused, match="Needs") as caught:
            await desk.tracker.add_issue_link(one.id, "Needs", other.id, outward=True)
        assert "link type 'Needs'" in caught.value.advice


async def test_roles_of_a_project_are_listed(desk: Desk) -> None:
    """One call, which everybody may make who sees the project."""
    assert set(await desk.tracker.roles("SC")) >= {"Administrators", "Developers"}
    assert await desk.calls(desk.tracker.roles("SC")) == {"GET /rest/api/2/project/{project}/role": 1}


async def test_transitions_are_seen_on_one_issue_of_each_status(desk: Desk) -> None:
    """Statuses without an issue are not known; an issue of another type in the same status is asked, too."""
    assert await desk.tracker.offered_transitions("SC") == {}
    first = await desk.new()
    for kind in ("Task", "Task", "Bug"):
        await desk.new(type=kind)
    start = next(one for one in await desk.tracker.transitions(first.id) if one.to_status == "In Progress")
    await desk.tracker.transition(first.id, start.id)
    offered = await desk.tracker.offered_transitions("SC")
    assert set(offered) == {"To Do", "In Progress"}
    assert start.name in offered["To Do"]
    assert offered["In Progress"] == {one.name for one in await desk.tracker.transitions(first.id)}
    calls = await desk.calls(desk.tracker.offered_transitions("SC"))
    assert calls == {"POST /rest/api/2/search": 1, "GET /rest/api/2/issue/{issue}/transitions": 3}


async def test_a_status_that_no_recent_issue_has_is_looked_for(desk: Desk) -> None:
    """Behind a page of issues in one status, one that is older and in another is found by one search more."""
    old = await desk.new()
    start = next(one for one in await desk.tracker.transitions(old.id) if one.to_status == "In Progress")
    await desk.tracker.transition(old.id, start.id)
    for _ in range(50):
        await desk.new()
    desk.sandbox.world.issues[old.id].updated -= 86_400_000
    assert set(await desk.tracker.offered_transitions("SC")) == {"To Do", "In Progress"}
    calls = await desk.calls(desk.tracker.offered_transitions("SC"))
    assert calls == {"POST /rest/api/2/search": 2, "GET /rest/api/2/issue/{issue}/transitions": 2}
