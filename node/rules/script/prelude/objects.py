"""What scripts hold in their hands: issues, replicas, their entries and custom fields.

The text runs inside the sandbox; see this package.
"""


# ruff: noqa: SLF001 - one text in several files: underscores hide from scripts, not from it

from __future__ import annotations

from typing import Any

from typing_extensions import override

_MAX_LOG_TEXT = 1_000
_COMMENT = ("id", "handle", "body", "author", "author_email", "internal", "restrict_to_role", "created", "updated")
_FILE = ("id", "handle", "name", "size", "blob", "mime", "author", "created")
_WORKLOG = ("id", "handle", "seconds", "started", "author", "comment", "created")
_LINK = ("id", "handle", "type", "phrase", "outward", "other_id", "other_key")
_LISTS = ("labels", "components", "fix_versions", "affects_versions", "comments", "attachments", "worklogs", "links")


class _State:
    """What one evaluation leaves behind."""

    index: int
    line: int
    lines: int
    kept_back: int
    nameless: int
    unlinked: int
    direction: str
    now: str
    skipped: Any
    transition: Any
    answers: Any
    origins: Any
    addressed: bool
    emails: Any


def _ask(*_arguments: Any) -> Any:  # the host's function takes this name's place
    raise NotImplementedError


class Record:
    """A JSON object whose members are attributes; ``record["name"]`` works too."""

    _keys: Any
    _kind: Any
    _private: Any
    _cleared: Any
    _prefix: Any
    id: Any
    handle: Any
    display_name: Any
    email: Any
    type: Any
    outward: Any

    def __getitem__(self, name: str) -> Any:
        if name not in self._keys:
            raise KeyError(name)
        return getattr(self, name)

    def __setitem__(self, name: str, value: Any) -> None:
        if name not in self._keys:
            self._keys.append(name)
        setattr(self, name, value)

    def __contains__(self, name: str) -> bool:
        return name in self._keys

    def __iter__(self) -> Any:
        return iter(self._keys)

    @override
    def __str__(self) -> str:
        return "" if self._kind != "user" else str(self.display_name or "")

    def get(self, name: str, default: Any = None) -> Any:
        """Return a member, or the default."""
        return getattr(self, name) if name in self._keys else default


def _record(data: Any, kind: str, names: Any = None) -> Any:
    record = Record()
    keys = [key for key in data if key[:1] != "_"] if names is None else list(names)
    for key in keys:
        value = data.get(key)
        setattr(record, key, _wrap(value) if isinstance(value, (dict, list)) else value)
    record._kind = kind
    record._keys = keys
    return record


def _wrap(value: Any) -> Any:
    if isinstance(value, dict):
        return _user(value) if "display_name" in value else _record(value, "record")
    if isinstance(value, list):
        return [_wrap(item) for item in value]
    return value


def _user(value: Any) -> Any:
    return _record(value, "user", ("id", "display_name", "email")) if isinstance(value, dict) else value


def _note(value: Any, names: Any, kind: str) -> Any:
    record = _record(value, kind, names)
    record._private = bool(value.get("internal") or value.get("restriction") or value.get("_private"))
    record._cleared = False
    record._prefix = value.get("_prefix") or ""
    return record


def _link(value: Any) -> Any:
    record = _record(value, "link", _LINK)
    record.handle = value.get("handle") or value.get("issue")
    return record


class Custom:
    """Values of an issue or a replica by name: custom fields as people see them, or what a replica has besides."""

    _data: Any
    _known: Any
    _touched: Any
    _writable: Any

    def __getitem__(self, name: str) -> Any:
        if name in self._data:
            return self._data[name]
        if self._known is not None and name not in self._known:
            raise KeyError(f"there is no custom field {name!r}")
        return None

    def __setitem__(self, name: str, value: Any) -> None:
        if not self._writable:
            raise AttributeError("these values are only read here")
        if self._known is not None and name not in self._known:
            raise KeyError(f"there is no custom field {name!r}")
        self._data[name] = value
        self._touched[name] = _state.line

    def __contains__(self, name: str) -> bool:
        return name in self._data

    def __iter__(self) -> Any:
        return iter(list(self._data))

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a field, or the default where it is empty or unknown."""
        value = self._data.get(name)
        return default if value is None else value


class Item:
    """An issue or a replica."""

    custom: Any
    other: Any
    _name: Any
    _start: Any
    _writable: Any
    _touched: Any
    _dropped: Any
    _compared: Any

    def has(self, name: str) -> bool:
        """Tell whether a field came at all: one that did not come is no empty one."""
        return name in self._start or (self.other is not None and name in self.other)

    def drop(self, name: str) -> None:
        """Take a field back that an earlier step put here."""
        if not self._writable:
            raise AttributeError(f"{self._name} is only read here")
        setattr(self, name, None)
        self._dropped.append(name)
        self._touched.pop(name, None)
        if self.other is not None:
            self.other._touched.pop(name, None)


def _item(name: str, data: Any, fields: Any, known: Any, writable: Any) -> Any:
    item = Item()
    for field in fields:
        setattr(item, field, [] if field in _LISTS[:4] else None)
    for field, value in data.items():
        if field in fields:
            setattr(item, field, _value(field, value))
    item.custom = _named(data.get("custom", {}), known, writable)
    item.other = _named(data.get("other", {}), None, writable) if _shape["others"] and name != "issue" else None
    item._name = name
    item._start = data
    item._writable = writable
    item._touched = {}
    item._dropped = []
    return item


def _named(data: Any, known: Any, writable: Any) -> Any:
    named = Custom()
    named._data = {key: _wrap(value) for key, value in data.items()}
    named._known = known
    named._touched = {}
    named._writable = bool(writable)
    return named


def _value(field: str, value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float)):
        return value
    if field == "comments":
        return [_note(entry, _COMMENT, "comment") for entry in value]
    if field == "worklogs":
        return [_note(entry, _WORKLOG, "worklog") for entry in value]
    if field == "attachments":
        return [_record(entry, "file", _FILE) for entry in value]
    if field == "links":
        return [_link(entry) for entry in value if isinstance(entry, dict)]
    return _wrap(value)


def _w(base: Any, name: Any, line: int) -> None:
    """Note that a line of the script set ``base.name`` or ``base[name]``."""
    if isinstance(base, Item):
        if name not in base._writable:
            raise AttributeError(f"{base._name} has no field {name!r} that can be set here")
        base._touched[name] = line
        if name in base._dropped:
            base._dropped.remove(name)
    elif isinstance(base, Custom):
        base._touched[name] = line


def _at(line: int) -> None:
    _state.line = line


_state: Any = None
_shape: Any = {}
"""What all issues of a script share (``projection.shape_for``); the program puts it in this place."""
