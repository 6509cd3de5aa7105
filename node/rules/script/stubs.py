"""Declares to the type checker what a script is given, from this Jira's schema. Pure; the text is never run."""

from __future__ import annotations

from node.rules.script import words
from node.rules.script.engine import Direction, ScriptSchema

_TYPES = {
    "id": "str", "key": "str | None", "project": "str", "type": "str", "summary": "str", "labels": "list[str]",
    "components": "list[str]", "fix_versions": "list[str]", "affects_versions": "list[str]",
    "assignee": "User | None", "reporter": "User | None", "creator": "User | None", "subtask": "bool",
    "original_estimate": "int | None", "remaining_estimate": "int | None", "comments": "list[Comment]",
    "attachments": "list[Attachment]", "worklogs": "list[Worklog]", "links": "list[Link]", "created": "str",
    "updated": "str",
}  # fmt: skip
_CUSTOM_TYPES = {
    "number": "float | None", "multi-select": "list[str] | None", "checkbox": "list[str] | None",
    "labels": "list[str] | None", "multi-user": "list[User] | None", "user": "User | None",
    "multi-version": "list[str] | None", "cascading": "Any", "other": "Any",
}  # fmt: skip
"""Read types; kinds that are not here are texts or None."""

_COMMON = """
from typing import Any, Callable, Literal, Never, overload

class User:
    id: str
    display_name: str
    email: str | None

class Entry:
    def __getitem__(self, name: str) -> Any: ...
    def __contains__(self, name: str) -> bool: ...
    def get(self, name: str, default: Any = None) -> Any: ...

class Comment(Entry):
    id: Any
    handle: Any
    body: str
    author: Any
    author_email: str | None
    internal: bool
    restrict_to_role: str | None
    created: str | None
    updated: str | None

class Attachment(Entry):
    id: Any
    handle: Any
    name: str
    size: int
    blob: Any
    mime: str | None
    author: Any
    created: str | None

class Worklog(Entry):
    id: Any
    handle: Any
    seconds: int
    started: str | None
    author: Any
    comment: str | None
    created: str | None

class Link(Entry):
    id: Any
    type: str
    phrase: str
    outward: bool
    handle: Any
    other_id: Any
    other_key: str | None

class AnyCustom:
    def __getitem__(self, name: str) -> Any: ...
    def __setitem__(self, name: str, value: Any) -> None: ...
    def __contains__(self, name: str) -> bool: ...
    def __iter__(self) -> Any: ...
    def get(self, name: str, default: Any = None) -> Any: ...

class Comments:
    def merge(self, issue: Issue, replica: Replica, text: Callable[[Comment], Any] | None = None,
              internal: Any = None, role: str | None = None) -> Any: ...
    def public(self, entries: list[Comment] | None) -> list[Comment]: ...
    def private(self, entries: list[Comment] | None) -> list[Comment]: ...
    def including_private(self, entries: list[Comment] | None) -> list[Comment]: ...
    def with_author(self, comment: Comment) -> str: ...

class Attachments:
    def merge(self, issue: Issue, replica: Replica, keep: Callable[[Attachment], Any] | None = None) -> Any: ...
    def added(self, replica: Replica, previous: Replica | None) -> list[Attachment]: ...
    def removed(self, replica: Replica, previous: Replica | None) -> list[Attachment]: ...

class Worklogs:
    def merge(self, issue: Issue, replica: Replica, text: Callable[[Worklog], Any] | None = None) -> Any: ...
    def public(self, entries: list[Worklog] | None) -> list[Worklog]: ...

class Links:
    def of_linked(self, issue: Issue) -> list[Link]: ...
    def merge(self, issue: Issue, replica: Replica, types: dict[str, str] | None = None) -> Any: ...

class Workflow:
    def transition(self, name: str) -> None: ...

class Jira:
    def issue_type(self, name: str | None, project: str | None = None) -> str | None: ...
    def priority(self, name: str | None) -> str | None: ...
    def resolution(self, name: str | None) -> str | None: ...

class Users:
    def by_email(self, email: Any) -> User | None: ...
    def by_name(self, name: Any) -> User | None: ...
    def by_map(self, who: Any) -> User | None: ...
    def with_email(self, user: Any, name: bool = True) -> Any: ...

class Named:
    def get(self, name: str | None) -> str | None: ...
    def get_or_create(self, name: str | None) -> str | None: ...
    def all(self, names: list[str] | None, create: bool = False) -> list[str]: ...

class Options:
    def get(self, field: str, value: Any) -> Any: ...
    def get_or_create(self, field: str, value: Any) -> Any: ...

class Sync:
    def local_key(self, remote: str | None) -> str | None: ...

class Dates:
    def now(self) -> str: ...
    def today(self) -> str: ...
    def parse(self, text: str, format: str | None = None) -> str: ...
    def format(self, value: str, format: str) -> str: ...
    def add_days(self, value: str, days: int) -> str: ...
    def add_hours(self, value: str, hours: float) -> str: ...
    def add_business_days(self, value: str, days: int) -> str: ...
    def days_between(self, first: str, second: str) -> int: ...
    def is_business_day(self, value: str) -> bool: ...

def log(*parts: Any) -> None: ...
def skip(reason: Any = "") -> Never: ...
def error(message: Any = "") -> Never: ...
def re_search(pattern: str, text: str | None, ignore_case: bool = False) -> list[Any] | None: ...
def re_findall(pattern: str, text: str | None, ignore_case: bool = False) -> list[Any]: ...
def re_sub(pattern: str, replacement: str, text: str | None, ignore_case: bool = False) -> str: ...
def re_split(pattern: str, text: str | None) -> list[str]: ...
"""

_PARAMETER_TYPES = {
    "issue": "Issue", "replica": "Replica", "previous": "Replica | None", "first_sync": "bool",
    "comments": "Comments", "attachments": "Attachments", "worklogs": "Worklogs", "links": "Links",
    "workflow": "Workflow", "jira": "Jira", "users": "Users", "versions": "Named", "components": "Named",
    "options": "Options", "sync": "Sync", "dates": "Dates",
}  # fmt: skip


def stubs_for(direction: Direction, schema: ScriptSchema) -> str:
    """Return the declarations for scripts of this direction in this Jira."""
    return "\n".join([_COMMON, _own_custom(schema), _issue(), _replica(direction)])


def signature() -> str:
    """Return the first line of the function that holds a script, with types."""
    return "def _rule(" + ", ".join(f"{name}: {_PARAMETER_TYPES[name]}" for name in words.PARAMETERS) + ") -> None:"


def _own_custom(schema: ScriptSchema) -> str:
    typed = [(name, kind) for name, field in sorted(schema.custom.items()) if (kind := _custom_type(field.kind))]
    rows = ["class Custom(AnyCustom):"]
    for name, kind in typed:
        rows += ["    @overload", f"    def __getitem__(self, name: Literal[{name!r}]) -> {kind}: ..."]
    if typed:
        rows += ["    @overload", "    def __getitem__(self, name: str) -> Any: ..."]
    return "\n".join([*rows, "    pass"])


def _custom_type(kind: str) -> str:
    return _CUSTOM_TYPES.get(kind, "str | None")


_METHODS = ("    def has(self, name: str) -> bool: ...", "    def drop(self, name: str) -> None: ...")


def _issue() -> str:
    rows = ["class Issue:", "    custom: Custom", *_METHODS]
    return "\n".join([*rows, *(f"    {name}: {_TYPES.get(name, 'str | None')}" for name in words.ISSUE_FIELDS)])


def _replica(direction: Direction) -> str:
    rows = ["class Replica:", "    custom: AnyCustom", "    other: AnyCustom", *_METHODS]
    for name in words.REPLICA_FIELDS:
        if direction == "outgoing":
            # Whatever rules put there: a replica is filled with words of our own.
            kind = "Any"
        else:
            kind = _TYPES.get(name, "str | None")
            # Nearly every peer shares the summary: a doubt about each use of it would hide the doubts that matter.
            kind = kind if name == "summary" or "None" in kind or kind.startswith("list") else f"{kind} | None"
            kind = "Any" if name in words.USERS else kind
        rows.append(f"    {name}: {kind}")
    return "\n".join(rows)
