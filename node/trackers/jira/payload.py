"""Reads Jira's JSON of issues, comments, attachments and the like into our words. Pure; nothing here calls Jira.

Strict about what a sync stands on (ids, key, project, type, times): there a wrong shape is TrackerNonsense. Lenient
about the rest, since real Jiras leave out nearly anything: authors, bodies, whole fields. Doubt about who may see a
comment is read as "not everybody".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from node.errors import TrackerNonsense
from node.trackers.issue import Attachment, Comment, Issue, IssueLink, Restriction, User, Value, Worklog
from node.trackers.jira.custom import FieldCatalogue, is_custom, read_moment, read_value, tidy, user_id
from node.trackers.jira.shapes import entries_of, identifier, mapping, name_of, names_of, text, word

INTERNAL = "sd.public.comment"
"""The comment property in which Jira Service Management keeps whether a comment is internal."""

SERVICE = "service_desk"
"""How Jira calls the type of a service project."""

_WORKLOG_MARKER = re.compile(r"\s*\{anchor:accord-([0-9a-f]{32})\}\s*\Z")
_UNREADABLE = Restriction("role", "(a restriction that could not be read)")


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads issues of one Jira: its address without a trailing slash, its kind, its custom fields."""

    url: str
    cloud: bool = False
    catalogue: FieldCatalogue = field(default_factory=FieldCatalogue)

    def issue(self, raw: Mapping[str, object], *, absent_is_empty: bool = True) -> Issue:
        """Return an issue. Raises TrackerNonsense where what a sync stands on is missing or of the wrong shape.

        Args:
            raw: the JSON of one issue, from a GET, a search or a webhook.
            absent_is_empty: whether an absent list of comments, attachments or worklogs is an empty one (a GET) or
                one that was not told (a webhook), which makes the issue incomplete.
        """
        key = word(raw, "key", "an issue")
        fields = mapping(raw.get("fields"), f"issue {key}, without fields,")
        kind = mapping(fields.get("issuetype"), f"the type of {key}")
        comments, all_comments = self._comments(fields, absent_is_empty=absent_is_empty)
        worklogs, all_worklogs = self._worklogs(fields, absent_is_empty=absent_is_empty)
        files = fields.get("attachment")
        custom, all_custom = self._custom(fields)
        return Issue(
            id=identifier(raw, f"issue {key}"),
            key=key,
            project=_project(fields, key),
            type=word(kind, "name", f"the type of {key}"),
            subtask=kind.get("subtask") is True,
            summary=text(fields.get("summary")) or "",
            created=_moment(fields, "created", key),
            updated=_moment(fields, "updated", key),
            description=text(fields.get("description")),
            environment=text(fields.get("environment")),
            status=name_of(fields.get("status")),
            resolution=name_of(fields.get("resolution")),
            priority=name_of(fields.get("priority")),
            security_level=name_of(fields.get("security")),
            labels=tuple(tidy(label) for label in entries_of(fields.get("labels")) if isinstance(label, str)),
            components=names_of(fields.get("components")),
            fix_versions=names_of(fields.get("fixVersions")),
            affects_versions=names_of(fields.get("versions")),
            due=_day(fields.get("duedate")),
            assignee=self.user(fields.get("assignee")),
            reporter=self.user(fields.get("reporter")),
            creator=self.user(fields.get("creator")),
            parent_key=_parent(fields),
            original_estimate=_seconds(fields.get("timeoriginalestimate")),
            remaining_estimate=_seconds(fields.get("timeestimate")),
            comments=comments,
            attachments=tuple(self.attachment(entry) for entry in entries_of(files)),
            worklogs=worklogs,
            links=read_links(fields.get("issuelinks")),
            custom=custom,
            complete=all_comments and all_worklogs and all_custom and (isinstance(files, list) or absent_is_empty),
        )

    def user(self, person: object) -> User | None:
        """Return a person, as far as Jira says who it is; None where it says nothing."""
        if not isinstance(person, Mapping):
            return None
        number = user_id(person, cloud=self.cloud)
        shown = person.get("displayName")
        shown = tidy(shown) if isinstance(shown, str) and shown else number
        if shown is None:
            return None
        email = person.get("emailAddress")
        return User(number or "", shown, email if isinstance(email, str) and "@" in email else None)

    def comment(self, raw: object, *, service_desk: bool = False) -> Comment:
        """Return a comment; on a service desk one that does not say that it is public counts as internal."""
        told = mapping(raw, "a comment")
        return Comment(
            id=identifier(told, "a comment"),
            body=text(told.get("body")) or "",
            author=self.user(told.get("author")),
            created=read_moment(told.get("created")),
            updated=read_moment(told.get("updated")),
            restriction=_restriction(told),
            internal=_internal(told) or (service_desk and not _says_visibility(told)),
        )

    def attachment(self, raw: object) -> Attachment:
        """Return an attachment. Its address is one of ours even where Jira knows itself by another host name."""
        told = mapping(raw, "an attachment")
        number = identifier(told, "an attachment")
        size = told.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise TrackerNonsense(f"Jira does not say how large attachment {number} is.")
        name = text(told.get("filename")) or f"attachment-{number}"
        mime = told.get("mimeType")
        return Attachment(
            id=number,
            name=name,
            size=size,
            content_url=self._content_url(told.get("content"), number, name),
            mime=mime if isinstance(mime, str) and mime else None,
            author=self.user(told.get("author")),
            created=read_moment(told.get("created")),
        )

    def worklog(self, raw: object) -> Worklog:
        """Return a worklog; the mark that we may have left in its comment is not part of it."""
        told = mapping(raw, "a worklog")
        comment = text(told.get("comment"))
        return Worklog(
            id=identifier(told, "a worklog"),
            seconds=_seconds(told.get("timeSpentSeconds")) or 0,
            started=read_moment(told.get("started")),
            author=self.user(told.get("author")),
            comment=(_WORKLOG_MARKER.sub("", comment) or None) if comment else None,
            restriction=_restriction(told),
        )

    def cut(self, fields: Mapping[str, object]) -> tuple[bool, bool]:
        """Tell whether the comments and the worklogs inside a GET of an issue are not all there, or not clear."""
        comments, worklogs = (read(fields, absent_is_empty=True)[1] for read in (self._comments, self._worklogs))
        return not comments, not worklogs

    def _content_url(self, told: object, number: str, name: str) -> str:
        if self.cloud:
            # With redirect=false the bytes come from Jira itself, so no other host is ever asked.
            return f"{self.url}/rest/api/2/attachment/content/{quote(number, safe='')}?redirect=false"
        ours = urlsplit(self.url)
        if isinstance(told, str) and told.startswith(f"{ours.scheme}://{ours.netloc}{ours.path}/"):
            return told
        return f"{self.url}/secure/attachment/{quote(number, safe='')}/{quote(name, safe='')}"

    def _comments(self, fields: Mapping[str, object], *, absent_is_empty: bool) -> tuple[tuple[Comment, ...], bool]:
        entries, whole = _page(fields.get("comment"), "comments", absent_is_empty=absent_is_empty)
        project = fields.get("project")
        service_desk = isinstance(project, Mapping) and project.get("projectTypeKey") == SERVICE
        if service_desk:
            whole = whole and all(isinstance(entry, Mapping) and _says_visibility(entry) for entry in entries)
        return tuple(self.comment(entry, service_desk=service_desk) for entry in entries), whole

    def _worklogs(self, fields: Mapping[str, object], *, absent_is_empty: bool) -> tuple[tuple[Worklog, ...], bool]:
        # A Jira without time tracking never tells worklogs, so that their absence alone says nothing.
        entries, whole = _page(fields.get("worklog"), "worklogs", absent_is_empty=True)
        logged = isinstance(fields.get("timespent"), int) and not entries and not absent_is_empty
        return tuple(self.worklog(entry) for entry in entries), whole and not logged

    def _custom(self, fields: Mapping[str, object]) -> tuple[dict[str, Value], bool]:
        """Return the custom fields that have a value, and whether all could be named."""
        found: dict[str, Value] = {}
        whole = True
        for number, value in fields.items():
            if value is None or not is_custom(number) or self.catalogue.silent(number):
                continue
            known = self.catalogue.by_id(number)
            if known is None:
                whole = False
                continue
            read = read_value(known.kind, value, cloud=self.cloud)
            if read is not None:
                found[known.name] = read
        return found, whole


def unnamed_custom(raw: Mapping[str, object], catalogue: FieldCatalogue) -> frozenset[str]:
    """Return the ids of custom fields that have a value and that the catalogue does not know."""
    fields = raw.get("fields")
    if not isinstance(fields, Mapping):
        return frozenset()
    return frozenset(
        number
        for number, value in fields.items()
        if value is not None and is_custom(number) and not catalogue.silent(number) and catalogue.by_id(number) is None
    )


def worklog_marker(comment: object) -> str | None:
    """Return the mark that we left in a worklog's comment, if there is one."""
    found = _WORKLOG_MARKER.search(comment) if isinstance(comment, str) else None
    return found[1] if found else None


def marked_worklog_comment(comment: str | None, mark: str) -> str:
    """Return a worklog's comment with our mark (32 hexadecimal digits): an anchor, which wiki markup does not show."""
    return f"{comment or ''}\n{{anchor:accord-{mark}}}".lstrip("\n")


def property_value(raw: Mapping[str, object], key: str) -> object:
    """Return an entity property from ``properties``: a list of pairs on comments, an object on issues."""
    told = raw.get("properties")
    value: object = None
    if isinstance(told, Mapping):
        value = told.get(key)
    elif isinstance(told, Sequence) and not isinstance(told, str):
        pairs = (entry for entry in told if isinstance(entry, Mapping))
        value = next((entry.get("value") for entry in pairs if entry.get("key") == key), None)
    if isinstance(value, str):
        try:
            return json.loads(value)  # Data Center may write a value as the text of its JSON
        except ValueError:
            return value
    return value


def _says_visibility(comment: Mapping[str, object]) -> bool:
    return isinstance(comment.get("jsdPublic"), bool) or "properties" in comment


def _internal(comment: Mapping[str, object]) -> bool:
    if comment.get("jsdPublic") is False:
        return True
    told = property_value(comment, INTERNAL)
    if told is None:
        return False
    return not (isinstance(told, Mapping) and str(told.get("internal")).lower() == "false")


def _restriction(told: Mapping[str, object]) -> Restriction | None:
    visibility = told.get("visibility")
    if not visibility:
        return None
    if not isinstance(visibility, Mapping):
        return _UNREADABLE
    kind, value = visibility.get("type"), visibility.get("value") or visibility.get("identifier")
    return Restriction(kind, value) if isinstance(kind, str) and isinstance(value, str) else _UNREADABLE


def _page(told: object, name: str, *, absent_is_empty: bool) -> tuple[list[Any], bool]:
    """Return the entries of a page inside an issue, and whether they are all that there are."""
    if told is None:
        return [], absent_is_empty
    if isinstance(told, list):
        return told, True
    page = mapping(told, f"the list of {name}")
    entries = page.get(name, [])
    if not isinstance(entries, list):
        raise TrackerNonsense(f"Jira's list of {name} has the wrong shape.")
    total = page.get("total", len(entries))
    return entries, isinstance(total, int) and total <= len(entries)


def read_links(told: object) -> tuple[IssueLink, ...]:
    """Return the links of an issue, as its field ``issuelinks`` tells them."""
    links: list[IssueLink] = []
    for raw in entries_of(told):
        link = mapping(raw, "an issue link")
        kind = link.get("type") if isinstance(link.get("type"), Mapping) else {}
        outward = isinstance(link.get("outwardIssue"), Mapping)
        other = link.get("outwardIssue" if outward else "inwardIssue")
        if not isinstance(other, Mapping) or not isinstance(kind, Mapping):
            continue  # a link to an issue that our user may not see
        name = text(kind.get("name")) or ""
        phrase = text(kind.get("outward" if outward else "inward")) or name
        key = other.get("key")
        if isinstance(key, str):
            number = identifier(link, "an issue link")
            links.append(
                IssueLink(
                    id=number,
                    type=name,
                    phrase=phrase,
                    outward=outward,
                    other_id=identifier(other, f"issue {key}"),
                    other_key=key,
                )
            )
    return tuple(links)


def _parent(fields: Mapping[str, object]) -> str | None:
    parent = fields.get("parent")
    key = parent.get("key") if isinstance(parent, Mapping) else None
    return key if isinstance(key, str) else None


def _project(fields: Mapping[str, object], key: str) -> str:
    return word(mapping(fields.get("project"), f"the project of {key}"), "key", f"the project of {key}")


def _moment(fields: Mapping[str, object], name: str, key: str) -> datetime:
    moment = read_moment(fields.get(name))
    if moment is None:
        raise TrackerNonsense(f"Jira does not say when {key} was {name}.")
    return moment


def _day(value: object) -> str | None:
    return value if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII) else None


def _seconds(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
