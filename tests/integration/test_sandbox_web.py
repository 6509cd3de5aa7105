"""The sandbox's pages over real HTTP: what a newcomer sees and does, and what strangers cannot do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from node.sandbox import comments
from node.sandbox.app import SENDER, running_sandbox
from node.sandbox.events import Event
from node.sandbox.issues import create
from node.sandbox.model import Issue, User
from node.sandbox.seed import create_project, default_world
from node.sandbox.store import World

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


@dataclass
class Browser:
    """A person's browser: keeps cookies, follows redirects, sends the token that the last page's forms carry."""

    session: aiohttp.ClientSession
    base: URL
    token: str = ""
    status: int = 0
    at: str = ""
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    async def look(self, path: str) -> str:
        """Open a page."""
        async with self.session.get(self.base.join(URL(path, encoded="?" in path))) as answer:
            return await self._read(answer)

    async def send(self, path: str, *, origin: str | None = None, **texts: str) -> str:
        """Post a form."""
        form = {"token": self.token, **texts}
        headers = {"Origin": origin} if origin is not None else None
        async with self.session.post(self.base.join(URL(path)), data=form, headers=headers) as answer:
            return await self._read(answer)

    async def upload(self, path: str, *files: tuple[str, str, bytes], token: str | None = None) -> str:
        """Post a form with files."""
        form = aiohttp.FormData()
        form.add_field("token", self.token if token is None else token)
        for name, kind, content in files:
            form.add_field("file", content, filename=name, content_type=kind)
        async with self.session.post(self.base.join(URL(path)), data=form) as answer:
            return await self._read(answer)

    async def fetch(self, path: str) -> bytes:
        """Fetch bytes."""
        async with self.session.get(self.base.join(URL(path, encoded=True))) as answer:
            self.status, self.headers = answer.status, dict(answer.headers)
            return await answer.read()

    async def _read(self, answer: aiohttp.ClientResponse) -> str:
        self.status, self.at, self.headers = answer.status, answer.url.path_qs, dict(answer.headers)
        self.text = await answer.text()
        found = re.search(r'name="token" value="([0-9a-f]+)"', self.text)
        self.token = found[1] if found else self.token
        return self.text


@dataclass
class Place:
    """A sandbox with one project and one issue, its web address, and what its listeners heard."""

    world: World
    issue: Issue
    base: URL
    heard: list[Event]
    app: web.Application

    @property
    def heard_names(self) -> list[str]:
        """Return what the listeners heard, by name."""
        return [event.name for event in self.heard]

    def person(self, name: str) -> User:
        """Return a user by name."""
        user = self.world.user_named(name)
        assert user is not None
        return user


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    world = default_world()
    create_project(world, "BLUE", "Blue Printers")
    fields = {
        "project": {"key": "BLUE"},
        "issuetype": {"name": "Bug"},
        "summary": "Paper <jam>",
        "description": "*hot*",
    }
    bob = world.user_named("bob")
    assert bob is not None
    issue = create(world, {"fields": fields}, bob)
    heard: list[Event] = []
    world.listen(heard.append)
    async with running_sandbox(world) as sandbox:
        heard.clear()
        yield Place(world, issue, URL(sandbox.url), heard, sandbox.app)


@pytest.fixture
async def browser(place: Place) -> AsyncIterator[Browser]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield Browser(session, place.base)


async def test_a_newcomer_lands_on_the_projects_as_an_ordinary_person(browser: Browser) -> None:
    """Nobody logs in; the person acted as is neither an administrator nor the account that syncs."""
    text = await browser.look("/")
    assert browser.status == 200
    assert "Blue Printers" in text
    assert "1 issue" in text
    assert 'value="alice" selected' in text
    assert "Paper &lt;jam&gt;" in text
    assert "<jam>" not in text


async def test_an_issue_is_shown_with_its_markup_and_details(place: Place, browser: Browser) -> None:
    """Summary escaped, description rendered, status and the ways out of it, people."""
    text = await browser.look("/browse/BLUE-1")
    assert "<h1>Paper &lt;jam&gt;</h1>" in text
    assert "<strong>hot</strong>" in text
    assert "To Do" in text
    assert "Start progress" in text
    assert "Bob Brewer" in text
    await browser.look("/browse/BLUE-99")
    assert browser.status == 404
    assert "Issue Does Not Exist" in browser.text


async def test_pages_load_nothing_from_elsewhere_and_cannot_be_framed(browser: Browser) -> None:
    """The headers hold even if a page were wrong; style and script come from this site."""
    text = await browser.look("/browse/BLUE-1")
    policy = browser.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    for address in re.findall(r'(?:src|href)="([^"]+)"', text):
        assert address.startswith(("/", "#", "data:"))
    for asset in ("/assets/style.css", "/assets/script.js"):
        await browser.fetch(asset)
        assert browser.status == 200


async def test_the_search_box_takes_jql_and_says_what_is_wrong_with_it(place: Place, browser: Browser) -> None:
    """Found issues are listed; a wrong query is answered in Jira's words."""
    assert "BLUE-1" in await browser.look("/issues?jql=summary+~+jam+AND+reporter+%3D+bob")
    assert "BLUE-1" not in await browser.look("/issues?jql=status+%3D+Done")
    assert "No issues here." in browser.text
    await browser.look("/issues?jql=project+%3D+NOPE")
    assert browser.status == 400
    assert "The value &#x27;NOPE&#x27; does not exist for the field &#x27;project&#x27;." in browser.text
    assert "BLUE-1" in await browser.look("/browse/BLUE")


async def test_long_lists_are_paged(place: Place, browser: Browser) -> None:
    """Fifty issues a page, with a way on and back."""
    for number in range(60):
        fields = {"project": {"key": "BLUE"}, "issuetype": {"name": "Task"}, "summary": f"Number {number}"}
        create(place.world, {"fields": fields}, place.person("bob"))
    text = await browser.look("/issues?jql=ORDER+BY+key+ASC")
    assert "1 to 50 of 61" in text
    following = re.search(r'href="(/issues\?[^"]*start=50)"', text)
    assert following is not None
    assert "51 to 61 of 61" in await browser.look(following[1].replace("&amp;", "&"))


async def test_an_issue_is_created(place: Place, browser: Browser) -> None:
    """The new issue is the acting person's, and whoever listens hears of it as of one made over REST."""
    await browser.look("/create?project=BLUE")
    task = next(kind.id for kind in place.world.site.issue_types.values() if kind.name == "Task")
    await browser.send("/create", project="BLUE", type=task, priority="2", summary="New", description="one\r\ntwo")
    assert browser.at == "/browse/BLUE-2"
    issue = place.world.issue("BLUE-2")
    assert issue is not None
    assert (issue.summary, issue.description, issue.reporter, issue.priority_id) == ("New", "one\ntwo", "alice", "2")
    assert place.heard_names == ["jira:issue_created"]
    assert place.heard[0].actor is place.person("alice")


async def test_a_form_that_jira_refuses_comes_back_filled(place: Place, browser: Browser) -> None:
    """Nothing that was typed is lost, and the reason is Jira's."""
    await browser.look("/create?project=BLUE")
    task = next(kind.id for kind in place.world.site.issue_types.values() if kind.name == "Task")
    await browser.send("/create", project="BLUE", type=task, summary="", description="typed with care")
    assert browser.status == 400
    assert "You must specify a summary of the issue." in browser.text
    assert "typed with care" in browser.text
    await browser.send("/browse/BLUE-1/comment", body="x" * 40_000)
    assert browser.status == 400
    assert "The entered text is too long." in browser.text
    assert place.heard == []


async def test_texts_are_edited_and_only_what_changed(place: Place, browser: Browser) -> None:
    """Saving a form as it was changes nothing and tells nobody."""
    text = await browser.look("/browse/BLUE-1/edit")
    assert "*hot*" in text
    await browser.send("/browse/BLUE-1/edit", summary="Paper <jam>", description="*hot*")
    assert place.heard == []
    await browser.send("/browse/BLUE-1/edit", summary="Paper jam again", description="*hot*")
    assert browser.at == "/browse/BLUE-1"
    assert place.issue.summary == "Paper jam again"
    [event] = place.heard
    assert event.change is not None
    assert [item.field for item in event.change.items] == ["summary"]
    assert "Paper jam again" in await browser.look("/browse/BLUE-1#history")


async def test_a_comment_is_added(place: Place, browser: Browser) -> None:
    """It is the acting person's and reads as markup; the listeners hear both events of a Server."""
    await browser.look("/browse/BLUE-1")
    await browser.send("/browse/BLUE-1/comment", body="Seen _twice_ & <b>")
    assert "Seen <em>twice</em> &amp; &lt;b&gt;" in browser.text
    [comment] = place.issue.comments
    assert (comment.author, comment.body) == ("alice", "Seen _twice_ & <b>")
    assert sorted(place.heard_names) == ["comment_created", "jira:issue_updated"]


async def test_a_restricted_comment_is_hidden_from_others(place: Place, browser: Browser) -> None:
    """The page shows what the acting person may read, no more."""
    draft = {"body": "for admins only", "visibility": {"type": "group", "value": "jira-administrators"}}
    comments.add(place.world, place.issue, place.person("admin"), comments.read_draft(place.world, draft))
    assert "for admins only" not in await browser.look("/browse/BLUE-1")
    await browser.send("/user", user="admin", back="/browse/BLUE-1")
    assert "for admins only" in browser.text


async def test_files_are_attached_and_come_back_byte_for_byte(place: Place, browser: Browser) -> None:
    """A picture is shown, anything else is saved by the browser and never opened in the page."""
    await browser.look("/browse/BLUE-1")
    await browser.upload(
        "/browse/BLUE-1/attach",
        ("jam ü.png", "image/png", PNG),
        ("evil.html", "text/html", b"<script>alert(1)</script>"),
    )
    assert browser.at == "/browse/BLUE-1"
    addresses = re.findall(r'href="(/files/[^"]+)"', browser.text)
    assert len(addresses) == 2
    assert await browser.fetch(addresses[0]) == PNG
    assert browser.headers["Content-Type"] == "image/png"
    assert await browser.fetch(addresses[1]) == b"<script>alert(1)</script>"
    assert browser.headers["Content-Type"] == "application/octet-stream"
    assert browser.headers["Content-Disposition"].startswith("attachment;")
    assert place.heard_names.count("attachment_created") == 2
    assert [file.author for file in place.issue.attachments] == ["alice", "alice"]


async def test_a_file_over_the_limit_is_refused(place: Place, browser: Browser) -> None:
    """The page names the file and the limit; nothing is attached."""
    place.world.site.upload_limit = 1000
    await browser.look("/browse/BLUE-1")
    await browser.upload("/browse/BLUE-1/attach", ("big.bin", "application/octet-stream", bytes(5000)))
    assert browser.status == 413
    assert "The file big.bin is larger than 1,000 bytes" in browser.text
    assert place.issue.attachments == []


async def test_an_issue_moves_through_its_workflow(place: Place, browser: Browser) -> None:
    """A plain step is one button; a step with a screen asks first and says what is missing."""
    await browser.look("/browse/BLUE-1")
    await browser.send("/browse/BLUE-1/transition", transition="11")
    assert place.world.site.statuses[place.issue.status_id].name == "In Progress"
    text = await browser.look("/browse/BLUE-1/transition/51")
    assert "Resolution" in text
    await browser.send("/browse/BLUE-1/transition", transition="51", comment="no resolution")
    assert browser.status == 400
    assert "no resolution" in browser.text
    await browser.send(
        "/browse/BLUE-1/transition", transition="51", resolution="10000", assignee="bob", comment="fixed"
    )
    assert browser.at == "/browse/BLUE-1"
    assert place.world.site.statuses[place.issue.status_id].name == "Done"
    assert (place.issue.resolution_id, place.issue.assignee) == ("10000", "bob")
    assert [comment.body for comment in place.issue.comments] == ["fixed"]
    await browser.send("/browse/BLUE-1/transition", transition="11")
    assert browser.status == 404


@pytest.mark.parametrize(
    ("path", "texts"),
    [
        ("/create", {"project": "BLUE", "type": "10002", "summary": "forged"}),
        ("/browse/BLUE-1/edit", {"summary": "forged", "description": ""}),
        ("/browse/BLUE-1/comment", {"body": "forged"}),
        ("/browse/BLUE-1/transition", {"transition": "11"}),
        ("/user", {"user": "admin"}),
    ],
)
async def test_a_form_from_elsewhere_does_nothing(
    place: Place, browser: Browser, path: str, texts: dict[str, str]
) -> None:
    """Without the token, with another browser's token, from another site, or without a cookie: 403 and no change."""
    await browser.send(path, **texts)
    assert browser.status == 403
    await browser.look("/")
    own = browser.token
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        other = Browser(session, place.base)
        await other.look("/")
        for token in ("", "0" * 64, other.token):
            browser.token = token
            await browser.send(path, **texts)
            assert browser.status == 403
    browser.token = own
    await browser.send(path, origin="http://elsewhere.example", **texts)
    assert browser.status == 403
    assert place.heard == []
    assert place.issue.summary == "Paper <jam>"


@pytest.mark.parametrize("path", ["/", "/browse/BLUE-1", "/rest/api/2/serverInfo", "/sandbox/calls"])
async def test_a_name_that_was_led_to_this_machine_opens_nothing(place: Place, path: str) -> None:
    """A page that lets its own name resolve to the loopback would act as anybody here; the loopback's names may."""
    async with aiohttp.ClientSession() as session:

        async def status(host: str) -> int:
            headers = {"Host": f"{host}:{place.base.port}"}
            async with session.get(place.base.join(URL(path)), headers=headers) as answer:
                return answer.status

        assert [await status(host) for host in ("elsewhere.example", "localhost.elsewhere.example")] == [403, 403]
        assert [await status(host) for host in ("localhost", "127.0.0.1", "[::1]", "blue.localhost")] == [200] * 4
        place.world.base_url = "https://jira.blue.example"
        assert await status("jira.blue.example") == 200


async def test_a_file_with_a_wrong_token_is_not_attached(place: Place, browser: Browser) -> None:
    """Uploads are guarded like the other forms."""
    await browser.look("/browse/BLUE-1")
    await browser.upload("/browse/BLUE-1/attach", ("a.txt", "text/plain", b"a"), token="0" * 64)
    assert browser.status == 403
    assert place.issue.attachments == []


async def test_a_person_is_chosen_and_the_way_back_stays_on_this_site(place: Place, browser: Browser) -> None:
    """The choice lasts; an address elsewhere is not followed."""
    await browser.look("/browse/BLUE-1")
    await browser.send("/user", user="bob", back="/browse/BLUE-1")
    assert browser.at == "/browse/BLUE-1"
    assert 'value="bob" selected' in browser.text
    await browser.send("/user", user="alice", back="//elsewhere.example/")
    assert browser.at == "/"
    await browser.send("/user", user="nobody", back="/")
    assert browser.status == 404


async def test_somebody_without_the_permission_is_told_so(place: Place, browser: Browser) -> None:
    """The pages ask for the same permissions as REST."""
    place.person("alice").denied.append("ADD_COMMENTS")
    await browser.look("/browse/BLUE-1")
    await browser.send("/browse/BLUE-1/comment", body="let me in")
    assert browser.status == 403
    assert "let me in" in browser.text
    assert place.issue.comments == []
    place.person("alice").denied.append("BROWSE_PROJECTS")
    await browser.look("/browse/BLUE-1")
    assert browser.status == 403
    assert "Blue Printers" not in await browser.look("/")
    assert "Paper" not in browser.text


async def test_an_act_on_the_page_calls_webhooks_like_one_over_rest(place: Place, browser: Browser) -> None:
    """A node that listens learns of what a newcomer does in the browser."""
    received: list[str] = []

    async def receive(request: web.Request) -> web.Response:
        received.append((await request.json())["issue_event_type_name"])
        return web.Response()

    listener = web.Application()
    listener.router.add_post("/hook", receive)
    token = place.world.create_token(place.person("admin"))
    async with TestServer(listener) as receiver:
        hook = {"name": "test", "url": str(receiver.make_url("/hook")), "events": ["jira:issue_updated"]}
        async with browser.session.post(
            place.base / "rest/webhooks/1.0/webhook", json=hook, headers={"Authorization": f"Bearer {token}"}
        ) as answer:
            assert answer.status == 201
        await browser.look("/browse/BLUE-1")
        await browser.send("/browse/BLUE-1/transition", transition="11")
        await browser.send("/browse/BLUE-1/comment", body="on my way")
        await place.app[SENDER].drained()
    assert received == ["issue_work_started", "issue_commented"]
