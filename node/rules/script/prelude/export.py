"""Turns what a script left in an issue or a replica into JSON values.

The text runs inside the sandbox; see this package.
"""


# ruff: noqa: SLF001, C901, PLR0911, PLR0124 - one text in several files: underscores hide from scripts, not from it

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

from node.rules.script.prelude.objects import _LISTS, Record, _state, _wrap

_MAX_DEPTH = 20


def _plain(value: Any, deep: int = 0) -> Any:
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise ValueError("a number that is not finite cannot be a value")
        return value
    if deep > _MAX_DEPTH:
        raise ValueError("a value is nested too deeply or contains itself")
    if isinstance(value, (list, tuple)):
        return [_plain(entry, deep + 1) for entry in value]
    if isinstance(value, (set, frozenset)):
        return sorted([_plain(entry, deep + 1) for entry in value])
    if isinstance(value, Record):
        if value._kind == "user":
            return _plain_user(value)
        return {key: _plain(getattr(value, key), deep + 1) for key in value._keys}
    if isinstance(value, dict):
        return {_key(key): _plain(entry, deep + 1) for key, entry in value.items()}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError("only texts, numbers, dates, users, lists and dicts can be values")


def _plain_user(user: Any) -> Any:
    if _state.direction == "incoming":
        return user.id
    if not user.display_name:
        _state.nameless += 1
        return None
    if user.get("with_email"):
        _state.addressed = True
        return user.email if user.with_email == "alone" else {"display_name": user.display_name, "email": user.email}
    return {"display_name": user.display_name}


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError("the keys of a dict that becomes a value are texts")
    return key


def _text_of(value: Any) -> Any:
    return str(value) if isinstance(value, Record) else value


def _plain_list(field: str, entries: Any) -> Any:
    if entries is None:
        return None
    if not isinstance(entries, (list, tuple)):
        raise TypeError(f"{field} must be a list")
    wanted = []
    for entry in entries:
        if not isinstance(entry, Record):
            raise TypeError(f"{field} takes the entries of an issue or a replica, or what a helper returns")
        if _state.direction == "incoming":
            if entry.handle is not None:
                wanted.append(_incoming(field, entry))
        elif field == "attachments" or entry._cleared or not entry._private:
            if entry.id is not None:
                wanted.append(_outgoing(field, entry))
        else:
            _state.kept_back += 1
    return wanted


def _plain_links(entries: Any) -> Any:
    if entries is None:
        return None
    if not isinstance(entries, (list, tuple)):
        raise TypeError("links must be a list")
    wanted = []
    for entry in entries:
        if not isinstance(entry, Record) or entry._kind != "link":
            raise TypeError("links takes the entries of an issue or a replica, or what a helper returns")
        if entry.handle is not None:
            wanted.append({"type": _plain(entry.type), "outward": bool(entry.outward), "issue": entry.handle})
        else:
            _state.unlinked += _state.direction == "outgoing"
    return wanted


def _outgoing(field: str, entry: Any) -> Any:
    if field == "comments":
        return {"id": entry.id, "body": _plain(entry.body), "author": _plain(_text_of(entry.author)),
                "author_email": _plain(entry.author_email), "internal": bool(entry.internal)}  # fmt: skip
    if field == "attachments":
        return {"id": entry.id, "name": _plain(entry.name), "author": _plain(_text_of(entry.author))}
    return {"id": entry.id, "seconds": _plain(entry.seconds), "started": _plain(entry.started),
            "author": _plain(_text_of(entry.author)), "comment": _plain(entry.comment)}  # fmt: skip


def _incoming(field: str, entry: Any) -> Any:
    if field == "comments":
        return {"handle": entry.handle, "body": _plain(entry.body), "internal": bool(entry.internal),
                "restrict_to_role": _plain(entry.restrict_to_role)}  # fmt: skip
    if field == "attachments":
        return {"handle": entry.handle, "name": _plain(entry.name), "size": entry.size, "blob": entry.blob,
                "mime": entry.mime}  # fmt: skip
    return {"handle": entry.handle, "seconds": _plain(entry.seconds), "started": _plain(entry.started),
            "comment": _plain(entry.comment)}  # fmt: skip


def _export(item: Any) -> Any:
    start, touched = item._start, item._touched
    values: Any = {}
    for field in touched:
        _state.addressed = False
        try:
            values[field] = _plain_field(item, field)
        except (TypeError, ValueError) as problem:
            _refuse(field, touched[field], problem)
        _let_out(field)
    for field in start:
        if field in touched or field in item._dropped or field not in item._writable:
            continue
        if field in _LISTS:
            value, before = _plain_field(item, field), item._compared[field]
            if value != before:
                values[field] = value
    for shelf, held in (("custom", item.custom), ("other", item.other)):
        found = {} if held is None else _export_named(shelf, held, start.get(shelf, {}))
        if found:
            values[shelf] = found
    return values


def _export_named(shelf: str, held: Any, begun: Any) -> Any:
    found: Any = {}
    for name, value in held._data.items():
        if name in held._touched or (isinstance(begun.get(name), (list, dict)) and _changed(value, begun[name])):
            _state.addressed = False
            try:
                found[name] = _plain(value)
            except (TypeError, ValueError) as problem:
                _refuse(f"{shelf}[{name!r}]", held._touched.get(name, 0), problem)
            _let_out(f"custom.{name}" if shelf == "custom" else name)
    return found


def _let_out(field: str) -> None:
    """Note that an e-mail address leaves in this field because the script said so."""
    if _state.addressed:
        _state.emails.append(field)


def _refuse(field: str, line: int, problem: Any) -> None:
    """Name the field and line of a value that cannot leave the box; the traceback points at the prelude."""
    raise SystemExit("value:" + json.dumps([field, line, str(problem)]))


def _plain_field(item: Any, field: str) -> Any:
    value = getattr(item, field)
    if field == "links":
        return _plain_links(value)
    return _plain_list(field, value) if field in ("comments", "attachments", "worklogs") else _plain(value)


def _changed(value: Any, before: Any) -> bool:
    return bool(_plain(value) != _plain(_wrap(before)))
