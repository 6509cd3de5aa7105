"""Issues, replicas and results as plain JSON objects, and back: the form in which scripts and files hold them.

Pure. What comes back from a script is untrusted: it is checked against what was given in, and bounded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, fields, is_dataclass
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

from pydantic import TypeAdapter, ValidationError

from node.rules.fields import utc
from node.rules.issue_links import LINKS, MAX_LINKS, read_links
from node.rules.model import (
    DraftAttachment,
    DraftComment,
    DraftIssueLink,
    DraftWorklog,
    SharedAttachment,
    SharedComment,
    SharedWorklog,
)
from node.shape_words import place_of
from node.trackers.issue import Issue
from protocol.replica import MAX_ATTACHMENTS, MAX_COMMENTS, MAX_FIELDS, MAX_WORKLOGS, Replica

Plain: TypeAlias = dict[str, Any]
OwnItems: TypeAlias = AbstractSet[tuple[str, str]]
T = TypeVar("T")

LIMITS = {"comments": MAX_COMMENTS, "attachments": MAX_ATTACHMENTS, "worklogs": MAX_WORKLOGS, LINKS: MAX_LINKS}


def plain(value: Any) -> Any:
    """Return dataclasses, tuples and times as JSON."""
    if is_dataclass(value) and not isinstance(value, type):
        return {entry.name: plain(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, datetime):
        return utc(value)
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def plain_issue(issue: Issue, own_items: OwnItems = frozenset()) -> Plain:
    """Return an issue; comments, files, worklogs and links that the sync wrote are left out."""
    whole: Plain = plain(issue)
    for kind, name in (
        ("comment", "comments"), ("attachment", "attachments"), ("worklog", "worklogs"), ("issue link", LINKS),
    ):  # fmt: skip
        whole[name] = [item for item in whole[name] if (kind, item["id"]) not in own_items]
    return whole


def issue_from_plain(data: Mapping[str, Any]) -> Issue:
    """Read what ``plain_issue`` gave. Raises ValueError."""
    try:
        return TypeAdapter(Issue).validate_python(dict(data))
    except ValidationError as error:
        raise ValueError(str(error)) from None


def plain_replica(replica: Replica) -> Plain:
    """Return a received replica; its comments, files and worklogs carry the peer's handle as ``handle``."""
    data: Plain = replica.model_dump(mode="json")
    for name in ("comments", "attachments", "worklogs"):
        if data[name] is not None:
            data[name] = [{"handle": item.pop("id"), **item} for item in data[name]]
    return data


def plain_result(result: Any) -> Plain:
    """Return what counts of a ``Shared`` or ``Draft``: what leaves or is wanted, without origins, log and the like."""
    data = asdict(result) if is_dataclass(result) and not isinstance(result, type) else dict(result)
    for name in ("origins", "emails", "log", "calls", "refused"):
        data.pop(name, None)
    if not data.get("creates"):
        data.pop("creates", None)
    whole: Plain = plain(data)
    return whole


class Untrusted(ValueError):
    """A script gave back something that cannot be used; the text is a sentence's second half."""


def read_fields(data: Mapping[str, Any]) -> Plain:
    """Return the fields of a script's result. Raises Untrusted."""
    found = data.get("fields") or {}
    if not isinstance(found, dict) or len(found) > MAX_FIELDS:
        raise Untrusted(f"it set more than {MAX_FIELDS} fields")
    return dict(found)


def read_text(data: Mapping[str, Any], name: str) -> str | None:
    """Return a text of a script's result. Raises Untrusted."""
    value = data.get(name)
    if value is not None and not isinstance(value, str):
        raise Untrusted(f"its {name} is not a text")
    return value


_ENTRIES: dict[type[Any], TypeAdapter[list[Any]]] = {
    kind: TypeAdapter(list[kind])  # type: ignore[valid-type]
    for kind in (
        SharedComment,
        SharedAttachment,
        SharedWorklog,
        DraftComment,
        DraftAttachment,
        DraftWorklog,
        DraftIssueLink,
    )
}


def _read(kind: type[T], entries: Any, name: str) -> tuple[T, ...] | None:
    if entries is None:
        return None
    if not isinstance(entries, list) or len(entries) > LIMITS[name]:
        raise Untrusted(f"its {name} are not a list of at most {LIMITS[name]:,}")
    known = {entry.name for entry in fields(kind)}  # type: ignore[arg-type]
    bare = [{key: entry[key] for key in known if key in entry} for entry in entries if isinstance(entry, dict)]
    try:
        return tuple(_ENTRIES[kind].validate_json(json.dumps(bare), strict=True))
    except ValidationError as error:
        place = place_of(error.errors(include_input=False)[0]["loc"])
        raise Untrusted(f"its {name} have the wrong shape at {place}") from None


def _only_known(found: Sequence[Any] | None, attribute: str, known: AbstractSet[str], name: str) -> None:
    for item in found or ():
        if getattr(item, attribute) not in known:
            raise Untrusted(f"its {name} hold one that is not among those that it was given")


def read_shared_collections(data: Mapping[str, Any], issue: Mapping[str, Any]) -> Plain:
    """Return comments, files and worklogs that a script lets out. ``issue`` is what it was given. Raises Untrusted."""
    kinds: dict[str, type[Any]] = {
        "comments": SharedComment,
        "attachments": SharedAttachment,
        "worklogs": SharedWorklog,
    }
    result: Plain = {}
    for name, kind in kinds.items():
        result[name] = _read(kind, data.get(name), name)
        _only_known(result[name], "id", {item["id"] for item in issue[name]}, name)
    return result


def read_draft_collections(data: Mapping[str, Any], replica: Replica) -> Plain:
    """Return comments, files, worklogs and links that a script wants; files keep their bytes. Raises Untrusted."""
    comments = _read(DraftComment, data.get("comments"), "comments")
    _only_known(comments, "handle", {item.id for item in replica.comments or ()}, "comments")
    files = _read(DraftAttachment, data.get("attachments"), "attachments")
    given = {item.id: item for item in replica.attachments or ()}
    _only_known(files, "handle", set(given), "attachments")
    worklogs = _read(DraftWorklog, data.get("worklogs"), "worklogs")
    _only_known(worklogs, "handle", {item.id for item in replica.worklogs or ()}, "worklogs")
    links = _read(DraftIssueLink, data.get(LINKS), LINKS)
    _only_known(links, "issue", {link.issue for link in read_links(replica.fields.get(LINKS))}, LINKS)
    return {
        LINKS: links,
        "comments": comments,
        "attachments": None
        if files is None
        else tuple(
            DraftAttachment(
                handle=file.handle,
                name=file.name,
                size=given[file.handle].size,
                blob=given[file.handle].blob,
                mime=given[file.handle].mime,
            )
            for file in files
        ),
        "worklogs": worklogs,
    }
