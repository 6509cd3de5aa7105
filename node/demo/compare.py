"""Compares two Jiras field by field: what the Basic rules promise, and nothing more.

A difference is excused only where Jira itself refuses the content by its own limits, and the node has said so in an
open problem that names the issue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from node.demo.house import SYNC_USER
from node.demo.jira import Person
from node.rules.comments import format_comment
from node.sync.merge import same

TEXT_LIMIT = 32_767
"""Characters that Jira takes in one text field."""


@dataclass(slots=True)
class Report:
    """What a comparison found."""

    issues: int = 0
    comments: int = 0
    attachments: int = 0
    differences: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """What a node says is wrong, by issue key (ours or the peer's)."""

    problems: Mapping[str, str]

    @classmethod
    def of(cls, problems: Sequence[Mapping[str, Any]]) -> Told:
        """Read the open problems of a node."""
        return cls({str(one["issue_key"]): str(one["message"]) for one in problems if one["issue_key"]})


class Comparison:
    """Compares linked issues of two Jiras. ``types`` are those that the second side's project offers."""

    def __init__(self, first: Person, second: Person, told: Told, types: set[str], default_type: str) -> None:
        self._first = first
        self._second = second
        self._told = told
        self._types = types
        self._default_type = default_type
        self._digests: dict[str, str] = {}
        self.report = Report()

    async def pair(self, one: Mapping[str, Any], other: Mapping[str, Any], *, born_here: bool) -> None:
        """Compare two linked issues; ``born_here`` says that the first was there first."""
        self.report.issues += 1
        mine, theirs = one["fields"], other["fields"]
        name = f"{one['key']}/{other['key']}"
        for text in ("summary", "description"):
            if not same(mine.get(text), theirs.get(text)):
                self._differs(one["key"], name, text, excusable=_too_long(mine.get(text)))
        expected = mine["issuetype"]["name"]
        if born_here and expected not in self._types:
            expected = self._default_type
        if born_here and expected != theirs["issuetype"]["name"]:
            self._differs(one["key"], name, f"type {expected} and {theirs['issuetype']['name']}")
        self._comments(one, other, name)
        self._comments(other, one, name)
        await self._attachments(one, other, name)

    def missing(self, one: Mapping[str, Any]) -> None:
        """An issue of the first side has no twin."""
        fields = one["fields"]
        refusable = not (fields.get("summary") or "").strip() or _too_long(fields.get("description"))
        why = self._told.problems.get(one["key"], "nobody says why")
        self._differs(one["key"], one["key"], f"no twin: {why}", excusable=refusable)

    def _differs(self, key: str, name: str, what: str, *, excusable: bool = False) -> None:
        told = self._told.problems.get(key) or self._told.problems.get(name.rpartition("/")[2])
        if excusable and told:
            self.report.refused[key] = told
        else:
            self.report.differences.append(f"{name}: {what}")

    def _comments(self, source: Mapping[str, Any], copy: Mapping[str, Any], name: str) -> None:
        """Every comment that a person wrote on one side is on the other, once, with its author's name."""
        wanted: Counter[str] = Counter()
        excusable = False
        for comment in source["fields"]["comment"]["comments"]:
            if _by_sync(comment) or comment.get("visibility"):
                continue
            author = (comment.get("author") or {}).get("displayName")
            text = format_comment(author, comment.get("body") or "")
            if _too_long(text):
                excusable = True
                continue
            wanted[_trimmed(text)] += 1
        found = Counter(_trimmed(one["body"]) for one in copy["fields"]["comment"]["comments"] if _by_sync(one))
        self.report.comments += sum((wanted & found).values())
        if wanted != found:
            lost, extra = sum((wanted - found).values()), sum((found - wanted).values())
            self._differs(source["key"], name, f"comments: {lost} missing, {extra} extra")
        elif excusable:
            self._differs(source["key"], name, "a comment that is too long", excusable=True)

    async def _attachments(self, one: Mapping[str, Any], other: Mapping[str, Any], name: str) -> None:
        mine = await self._files(self._first, one)
        theirs = await self._files(self._second, other)
        self.report.attachments += sum((mine & theirs).values())
        if mine != theirs:
            self._differs(one["key"], name, f"files {sorted((mine - theirs) + (theirs - mine))}")

    async def _files(self, person: Person, issue: Mapping[str, Any]) -> Counter[tuple[str, str]]:
        files: Counter[tuple[str, str]] = Counter()
        for attachment in issue["fields"]["attachment"]:
            url = attachment["content"]
            if url not in self._digests:
                self._digests[url] = await person.sha256(url)
            files[attachment["filename"], self._digests[url]] += 1
        return files


def _by_sync(comment: Mapping[str, Any]) -> bool:
    return (comment.get("author") or {}).get("name") == SYNC_USER


def _trimmed(text: str) -> str:
    return text.replace("\r\n", "\n").rstrip()


def _too_long(text: object) -> bool:
    return isinstance(text, str) and len(text) > TEXT_LIMIT
