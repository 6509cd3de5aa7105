"""What the tracker's calls share: what we know of this Jira, its paged lists, searches, and writes in our words.

What is known is asked once, when it is first needed, and the fields again when an unknown one turns up. Never decides
what to call for whom; the groups of calls do.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from node.errors import TrackerNonsense, TrackerNotFound, TrackerRefused, TrackerUncertain
from node.trackers.base import Page
from node.trackers.issue import CUSTOM, IssueRef, Value
from node.trackers.jira.client import JiraClient
from node.trackers.jira.custom import FieldCatalogue
from node.trackers.jira.markers import MARKER, marker_of
from node.trackers.jira.payload import Reader, unnamed_custom
from node.trackers.jira.shapes import entries_of, identifier, mapping, word
from node.trackers.jira.webhooks import projects_jql
from node.trackers.jira.writing import our_name, rest_fields

T = TypeVar("T")

PAGE = 100
"""Entries asked for at once where a list is paged; Jira Cloud gives no more comments than this."""
REFS = 1_000
"""Issues asked for at once where only their keys are wanted; Jira may give fewer."""
MOST_ISSUES = 10_000_000
"""Where a project has more issues than that, the list is not believed."""
MOST_ENTRIES = 100_000
"""Where a list never ends, it is not believed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Server:
    """What ``serverInfo`` says."""

    cloud: bool
    version: str
    major: int
    title: str
    time: object

    @classmethod
    def from_json(cls, raw: object) -> Server:
        """Read the answer of ``serverInfo``."""
        told = mapping(raw, "what Jira says of itself")
        version = word(told, "version", "what Jira says of itself")
        title = told.get("serverTitle")
        first = version.split(".")[0]
        return cls(
            cloud=told.get("deploymentType") == "Cloud",
            version=version,
            major=int(first) if first.isascii() and first.isdecimal() else 0,
            title=title if isinstance(title, str) and title else "Jira",
            time=told.get("serverTime"),
        )


class Lookup:
    """Asks one Jira. ``reader`` knows its kind and fields once ``ready`` has returned."""

    def __init__(self, client: JiraClient) -> None:
        self._client = client
        self.reader = Reader(client.url)
        self._server: Server | None = None
        self._fields_known = False
        self._learning = asyncio.Lock()

    @property
    def known(self) -> bool:
        """Whether the reader knows this Jira's kind and fields."""
        return self._fields_known

    async def server(self) -> Server:
        """Ask Jira what it is (1 call)."""
        try:
            told = await self._client.get("serverInfo", what="say what it is")
        except TrackerNotFound:
            raise TrackerNotFound(
                f"What answers at {self._client.url} is no Jira: it knows no REST interface there.",
                advice="Correct jira.url in accord.toml: the address of Jira's own pages up to their common part, "
                "for example https://example.org/jira; then start the node anew.",
            ) from None
        server = Server.from_json(told)
        self._server = server
        self.reader = dataclasses.replace(self.reader, cloud=server.cloud)
        return server

    async def kind(self) -> Server:
        """Return what Jira is (no call once it is known)."""
        async with self._learning:
            return self._server or await self.server()

    async def ready(self) -> Reader:
        """Return a reader that knows this Jira's kind and fields (no call once they are known)."""
        await self.kind()
        async with self._learning:
            if not self._fields_known:
                await self._learn_fields()
        return self.reader

    async def learn_fields(self) -> FieldCatalogue:
        """Ask for the fields anew (1 call)."""
        await self.kind()
        async with self._learning:
            await self._learn_fields()
        return self.reader.catalogue

    async def _learn_fields(self) -> None:
        answer = entries_of(await self._client.get("field", what="list its fields"))
        self.reader = dataclasses.replace(self.reader, catalogue=FieldCatalogue.from_json(answer))
        self._fields_known = True

    async def reader_for(self, issues: Sequence[Mapping[str, object]]) -> Reader:
        """Return a reader that can name every custom field of these issues that can be named at all."""
        reader = await self.ready()
        if any(unnamed_custom(raw, reader.catalogue) for raw in issues):
            catalogue = await self.learn_fields()
            nameless = frozenset[str]().union(*(unnamed_custom(raw, catalogue) for raw in issues))
            if nameless:
                self.reader = dataclasses.replace(self.reader, catalogue=catalogue.with_unknown(nameless))
        return self.reader

    async def each(self, path: str, *names: str, what: str, **params: object) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the entries of a paged list; ``names`` are what the page may call them."""
        seen: set[str] = set()
        start = 0
        while True:
            asked = {"startAt": start, "maxResults": PAGE, **params}
            page = mapping(await self._client.get(path, asked, what=what), "a page of a list")
            entries = entries_of(next((page[name] for name in names if name in page), None))
            fresh = 0
            for place, entry in enumerate(entries, start):
                raw = mapping(entry, "an entry of a list")
                mark = str(raw.get("id") or raw.get("fieldId") or f"#{place}")
                if mark not in seen:
                    seen.add(mark)
                    fresh += 1
                    yield raw
            start += len(entries)
            total = page.get("total")
            if not fresh or page.get("isLast") is True or not isinstance(total, int) or start >= total:
                return
            if start > MOST_ENTRIES:
                raise TrackerNonsense(f"Jira was asked to {what}, but the list does not end.")

    def comments(self, issue_id: str) -> AsyncIterator[Mapping[str, Any]]:
        """Yield an issue's comments with their properties, newest first."""
        what = f"list the comments of issue {issue_id}"
        path = f"issue/{issue_id}/comment"
        return self.each(path, "comments", what=what, expand="properties", orderBy="-created")

    async def search(self, jql: str, start: int, limit: int) -> tuple[tuple[Mapping[str, Any], ...], int]:
        """Return a page of whole issues by number, and how many there are (1 call; Data Center)."""
        asked = {"jql": jql, "startAt": start, "maxResults": limit, "fields": ["*all"]}
        answer = mapping(await self._client.ask("search", asked, what="search issues"), "a page of issues")
        total = answer.get("total")
        if not isinstance(total, int):
            raise TrackerNonsense("Jira was asked to search issues, but does not say how many there are.")
        return await self._issues(answer), total

    async def search_cloud(self, jql: str, token: str | None, limit: int, **more: object) -> Page:
        """Return a page of whole issues by token (1 call; Cloud)."""
        asked = {"jql": jql, "maxResults": limit, "fields": ["*all"], **more}
        if token is not None:
            asked["nextPageToken"] = token
        answer = mapping(await self._client.ask("search/jql", asked, what="search issues"), "a page of issues")
        following = answer.get("nextPageToken")
        last = answer.get("isLast") is True or not isinstance(following, str)
        return Page(issues=await self._issues(answer), next=None if last else str(following))

    async def _issues(self, answer: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
        issues = tuple(mapping(entry, "an issue") for entry in entries_of(answer.get("issues")))
        await self.reader_for(issues)
        return issues

    async def refs(self, jql: str) -> AsyncIterator[IssueRef]:
        """Yield id and key of all issues of a query (1 call for 1,000)."""
        cloud = (await self.kind()).cloud
        path = "search/jql" if cloud else "search"
        where: dict[str, object] = {} if cloud else {"startAt": 0}
        count = 0
        while True:
            asked = {"jql": jql, "maxResults": REFS, "fields": ["key"], **where}
            answer = mapping(await self._client.ask(path, asked, what="list issues"), "a page of issues")
            page = [mapping(entry, "an issue") for entry in entries_of(answer.get("issues"))]
            for raw in page:
                yield IssueRef(identifier(raw, "an issue"), word(raw, "key", "an issue"))
            count += len(page)
            if count > MOST_ISSUES:
                raise TrackerNonsense("Jira was asked to list issues, but the list does not end.")
            token, total = answer.get("nextPageToken"), answer.get("total")
            if cloud and isinstance(token, str) and answer.get("isLast") is not True:
                where = {"nextPageToken": token}
            elif not cloud and page and isinstance(total, int) and count < total:
                where = {"startAt": count}
            else:
                return

    async def marked(self, project: str, marker: str, since_ms: int, until_ms: int) -> IssueRef | None:
        """Return our issue with this marker created in that time of Jira's clock (0: until now), oldest first."""
        until = f" AND created <= {until_ms}" if until_ms else ""
        scope = f"{projects_jql([project])} AND created >= {since_ms}{until}"
        cloud = (await self.kind()).cloud
        for mine in (" AND creator = currentUser()", ""):
            jql = f"{scope}{mine} ORDER BY created ASC, key ASC"
            try:
                return await (self._marked_cloud(jql, marker) if cloud else self._marked(jql, marker))
            except TrackerRefused:
                if not mine:
                    raise  # it was not for the word "creator"
        return None

    async def _marked(self, jql: str, marker: str) -> IssueRef | None:
        what = "look for an issue that we may have created"
        params = {"jql": jql, "fields": "created", "properties": MARKER}
        async for raw in self.each("search", "issues", what=what, **params):
            number = identifier(raw, "an issue")
            found = marker_of(raw) if "properties" in raw else await self.issue_marker(number)
            if found == marker:
                return IssueRef(number, word(raw, "key", "an issue"))
        return None

    async def _marked_cloud(self, jql: str, marker: str) -> IssueRef | None:
        token: str | None = None
        while True:
            page = await self.search_cloud(jql, token, PAGE, fields=["created"], properties=[MARKER])
            for raw in page.issues:
                if marker_of(raw) == marker:
                    return IssueRef(identifier(raw, "an issue"), word(raw, "key", "an issue"))
            if page.next is None or page.next == token:
                return None
            token = page.next

    async def issue_marker(self, issue_id: str) -> str | None:
        """Return an issue's marker (1 call); Data Center's search does not give properties."""
        what = f"show whether issue {issue_id} is ours"
        try:
            answer = mapping(await self._client.get(f"issue/{issue_id}/properties/{MARKER}", what=what), "a property")
        except TrackerNotFound:
            return None
        return marker_of({"properties": {MARKER: answer.get("value")}})

    async def rest(self, fields: Mapping[str, Value]) -> dict[str, Any]:
        """Return fields as Jira wants them. Raises TrackerRefused where they cannot be written."""
        reader = await self.ready()
        customs = (name.removeprefix(CUSTOM) for name in fields if name.startswith(CUSTOM))
        if any(reader.catalogue.by_name(name) is None for name in customs):
            await self.learn_fields()  # perhaps it is new
        return rest_fields(fields, self.reader.catalogue, cloud=reader.cloud)

    async def write(
        self, method: str, path: str, body: object, *, what: str, params: Mapping[str, object] | None = None
    ) -> None:
        """Make a call that changes an issue; field names in a refusal become our words."""
        await self._refusing_in_our_words(self._client.send(method, path, body, what=what, params=params))

    async def create(
        self,
        path: str,
        body: object,
        read: Callable[[Mapping[str, Any]], T],
        *,
        what: str,
        params: Mapping[str, object] | None = None,
    ) -> T:
        """Make a call that creates something, and return what ``read`` finds in the answer."""
        sent = self._client.send("POST", path, body, what=what, params=params, answer=True)
        answer = await self._refusing_in_our_words(sent)
        with uncertain_if_nonsense(what):
            return read(mapping(answer, "what was created"))

    async def _refusing_in_our_words(self, call: Awaitable[Any]) -> Any:
        try:
            return await call
        except TrackerRefused as error:
            message, fields = error.message, {}
            for rest_id, reason in error.fields.items():
                ours = our_name(rest_id, self.reader.catalogue)
                fields[ours] = reason
                message = message.replace(f"{rest_id}: ", f"{ours.removeprefix(CUSTOM)}: ")
            raise TrackerRefused(message, fields=fields, advice=error.advice) from None


@contextmanager
def uncertain_if_nonsense(what: str) -> Iterator[None]:
    """Say of a write whose answer has the wrong shape that it may have been done."""
    try:
        yield
    except TrackerNonsense as error:
        raise TrackerUncertain(
            f"Jira was asked to {what} and may have done it. {error.message}",
            advice="Nothing needs to be done: before it is tried again, it is looked up whether it was done.",
        ) from None
