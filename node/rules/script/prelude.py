"""What a script finds in its box: ``issue``, ``replica``, the helpers. The text of this file runs INSIDE the sandbox.

Written for the interpreter of ``pydantic-monty``, which is a part of Python: no inheritance, no decorators, no
``__getattr__``. The node reads this file as text (without docstrings and annotations) and never calls it, except a
test and a bench that compare it with bare Python. Whatever it promises is for the comfort of people who write rules:
nothing in here is a wall, since a script shares the interpreter with it. The walls are outside (``confine``) and in
what the host answers (``_ask``).

``_ask(index, name, *arguments)`` is the only way out; the host answers it.
"""

# ruff: noqa: ANN401, A002 - values are JSON; names are those that people write in rules

from __future__ import annotations

import json
import re
from datetime import date, datetime, timedelta, timezone
from typing import Any

_MAX_RESULT = 1_000_000
_MAX_LOG_LINES = 200
_MAX_LOG_TEXT = 1_000
_MAX_DEPTH = 20
_MAX_PATTERN = 1_000
_MAX_TEXT = 200_000
_COMMENT = ("id", "handle", "body", "author", "author_email", "internal", "restrict_to_role", "created", "updated")
_FILE = ("id", "handle", "name", "size", "blob", "mime", "author", "created")
_WORKLOG = ("id", "handle", "seconds", "started", "author", "comment", "created")
_LISTS = ("labels", "components", "fix_versions", "affects_versions", "comments", "attachments", "worklogs", "links")


class _State:
    """What one evaluation leaves behind."""


def _ask(*_arguments: Any) -> Any:  # the host's function takes this name's place
    raise NotImplementedError


class Record:
    """A JSON object whose members are attributes; ``record["name"]`` works too."""

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

    def __str__(self) -> str:
        return "" if self._kind != "user" else str(self.display_name or self.id or "")

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


class Custom:
    """The custom fields of an issue or a replica, by the name that people see."""

    def __getitem__(self, name: str) -> Any:
        if name in self._data:
            return self._data[name]
        if self._known is not None and name not in self._known:
            raise KeyError(f"there is no custom field {name!r}")
        return None

    def __setitem__(self, name: str, value: Any) -> None:
        if not self._writable:
            raise AttributeError("these custom fields are only read here")
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

    def drop(self, name: str) -> None:
        """Take a field back that an earlier step put here."""
        if not self._writable:
            raise AttributeError(f"{self._name} is only read here")
        setattr(self, name, None)
        self._dropped.append(name)
        self._touched[name] = _state.line


def _item(name: str, data: Any, fields: Any, known: Any, writable: Any) -> Any:
    item = Item()
    for field in fields:
        setattr(item, field, [] if field in _LISTS[:4] else None)
    for field, value in data.items():
        if field in fields:
            setattr(item, field, _value(field, value))
    custom = Custom()
    custom._data = {key: _wrap(value) for key, value in data.get("custom", {}).items()}
    custom._known = known
    custom._touched = {}
    custom._writable = bool(writable)
    item.custom = custom
    item._name = name
    item._start = data
    item._writable = writable
    item._touched = {}
    item._dropped = []
    return item


def _value(field: str, value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float)):
        return value
    if field == "comments":
        return [_note(entry, _COMMENT, "comment") for entry in value]
    if field == "worklogs":
        return [_note(entry, _WORKLOG, "worklog") for entry in value]
    if field == "attachments":
        return [_record(entry, "file", _FILE) for entry in value]
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
    if user.display_name is None:
        raise ValueError("only the id of this person is known here; let a mapping share this field")
    if user.get("with_email"):
        return {"display_name": user.display_name, "email": user.email}
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
        made = {"handle": entry.handle, "body": _plain(entry.body), "internal": bool(entry.internal),
                "restrict_to_role": _plain(entry.restrict_to_role)}  # fmt: skip
        if "as_user" in entry:
            made["as_user"] = _plain(entry.as_user)
        return made
    if field == "attachments":
        return {"handle": entry.handle, "name": _plain(entry.name), "size": entry.size, "blob": entry.blob,
                "mime": entry.mime}  # fmt: skip
    return {"handle": entry.handle, "seconds": _plain(entry.seconds), "started": _plain(entry.started),
            "comment": _plain(entry.comment)}  # fmt: skip


def _export(item: Any) -> Any:
    start, touched = item._start, item._touched
    values: Any = {field: _plain_field(item, field) for field in touched if field not in item._dropped}
    for field in start:
        if field in touched or field not in item._writable:
            continue
        if field in _LISTS:
            value, before = _plain_field(item, field), item._compared[field]
            if value != before:
                values[field] = value
    custom: Any = {}
    begun = start.get("custom", {})
    for name, value in item.custom._data.items():
        if name in item.custom._touched or (isinstance(begun.get(name), (list, dict)) and _changed(value, begun[name])):
            custom[name] = _plain(value)
    if custom:
        values["custom"] = custom
    return values


def _plain_field(item: Any, field: str) -> Any:
    value = getattr(item, field)
    return _plain_list(field, value) if field in ("comments", "attachments", "worklogs") else _plain(value)


def _changed(value: Any, before: Any) -> bool:
    return bool(_plain(value) != _plain(_wrap(before)))


class Comments:
    """Helpers for comments."""

    def merge(self, issue: Any, replica: Any, text: Any = None, internal: Any = None, role: Any = None,
              as_author: Any = None) -> Any:  # fmt: skip
        """Return our own comments and those of the replica, made ready for our issue."""
        if replica.comments is None:
            return None
        merged = [comment for comment in issue.comments or [] if comment.handle is None]
        for comment in replica.comments:
            made = _note({key: getattr(comment, key) for key in _COMMENT}, _COMMENT, "comment")
            made._prefix = comment._prefix
            made.body = _below(made)
            if text is not None:
                made.body = comment.body
                answer = text(made)
                if answer is None:
                    continue
                if isinstance(answer, str):
                    made.body = answer
            if internal is not None:
                made.internal = bool(internal(comment)) if callable(internal) else bool(internal)
            if role is not None:
                made.restrict_to_role = role
            if as_author is not None:
                _impersonate(made, as_author(comment) if callable(as_author) else as_author)
            merged.append(made)
        return merged

    def public(self, entries: Any) -> Any:
        """Return the comments that are neither internal nor restricted."""
        return [entry for entry in entries or [] if not entry._private]

    def private(self, entries: Any) -> Any:
        """Return the comments that are internal or restricted."""
        return [entry for entry in entries or [] if entry._private]

    def including_private(self, entries: Any) -> Any:
        """Return all of them and let internal and restricted ones leave too."""
        for entry in entries or []:
            entry._cleared = True
        return entries

    def with_author(self, comment: Any) -> str:
        """Return the text with the author's name before it."""
        return _below(comment)


def _below(comment: Any) -> str:
    """Return a comment's text below the line that says who wrote it; the host made that line."""
    body = str(comment.body or "")
    return f"{comment._prefix}\n{body}" if body.strip() and comment._prefix else comment._prefix or body


def _impersonate(comment: Any, user: Any) -> None:
    if user is None:
        return
    if not _state.impersonation:
        raise ValueError("comments cannot be written as another user of this Jira; leave out as_author")
    comment["as_user"] = user.id if isinstance(user, Record) else user
    if comment._prefix and comment.body.startswith(comment._prefix):
        comment.body = comment.body[len(comment._prefix) + 1 :]


class Attachments:
    """Helpers for files."""

    def merge(self, issue: Any, replica: Any, keep: Any = None) -> Any:
        """Return our own files and those of the replica. Files that only we have are never removed."""
        if replica.attachments is None:
            return None
        own = [entry for entry in issue.attachments or [] if entry.handle is None]
        return own + [entry for entry in replica.attachments if keep is None or keep(entry)]

    def added(self, replica: Any, previous: Any) -> Any:
        """Return the files that the peer added since the sync before."""
        return _missing(replica.attachments, previous.attachments if previous else None)

    def removed(self, replica: Any, previous: Any) -> Any:
        """Return the files that the peer removed since the sync before."""
        return _missing(previous.attachments if previous else None, replica.attachments)


def _missing(here: Any, there: Any) -> Any:
    known = [entry.handle for entry in there or []]
    return [entry for entry in here or [] if entry.handle not in known]


class Worklogs:
    """Helpers for logged time."""

    def merge(self, issue: Any, replica: Any, text: Any = None) -> Any:
        """Return our own worklogs and those of the replica, with the author's name in the comment."""
        if replica.worklogs is None:
            return None
        merged = [entry for entry in issue.worklogs or [] if entry.handle is None]
        for entry in replica.worklogs:
            made = _note({key: getattr(entry, key) for key in _WORKLOG}, _WORKLOG, "worklog")
            comment = entry.comment or ""
            made.comment = (f"{entry._prefix}\n{comment}" if comment.strip() else entry._prefix) or None
            if text is not None:
                answer = text(entry)
                if answer is None:
                    continue
                if isinstance(answer, str):
                    made.comment = answer
            merged.append(made)
        return merged

    def public(self, entries: Any) -> Any:
        """Return the worklogs that nobody is kept from seeing."""
        return [entry for entry in entries or [] if not entry._private]


class Workflow:
    """Helpers for the workflow."""

    def transition(self, name: str) -> None:
        """Ask for a transition by its name; the node performs it, or reports that it is not there."""
        if not isinstance(name, str) or not name:
            raise TypeError("workflow.transition takes the name of a transition")
        _state.transition = name
        _state.origins["transition"] = _state.line


def _call(name: str, *arguments: Any) -> Any:
    for argument in arguments:
        if argument is not None and not isinstance(argument, (str, bool)):
            raise TypeError(f"{name} takes a text")
    key = json.dumps([name, arguments])
    if key not in _state.answers:
        _state.answers[key] = _ask(_state.index, name, *arguments)
    return _state.answers[key]


class Jira:
    """What this Jira calls things."""

    def issue_type(self, name: Any, project: Any = None) -> Any:
        """Return the issue type of that name, or None."""
        return _call("jira.issue_type", name, project) if name else None

    def priority(self, name: Any) -> Any:
        """Return the priority of that name, or None."""
        return _call("jira.priority", name) if name else None

    def resolution(self, name: Any) -> Any:
        """Return the resolution of that name, or None."""
        return _call("jira.resolution", name) if name else None


class Users:
    """People of this Jira."""

    def by_email(self, email: Any) -> Any:
        """Return the user with this address, or None."""
        email = email.email if isinstance(email, Record) else email
        return _user(_call("users.by_email", email)) if email else None

    def by_name(self, name: Any) -> Any:
        """Return the user with this name, or None."""
        name = name.display_name if isinstance(name, Record) else name
        return _user(_call("users.by_name", name)) if name else None

    def by_map(self, who: Any) -> Any:
        """Return the user that the connection's user map names for this one, or None."""
        who = (who.get("email") or who.get("display_name")) if isinstance(who, Record) else who
        return _user(_call("users.by_map", who)) if who else None

    def with_email(self, user: Any) -> Any:
        """Return the user such that the e-mail address leaves too."""
        if user is None:
            return None
        made = _user({"id": user.id, "display_name": user.display_name, "email": user.email})
        made["with_email"] = True
        return made


class Named:
    """Versions or components: get, or get or create."""

    def get(self, name: Any) -> Any:
        """Return the name as this Jira writes it, or None."""
        return _call(f"{self._what}.get", name) if name else None

    def get_or_create(self, name: Any) -> Any:
        """Return the name as this Jira writes it; it is made where it is missing and that is allowed."""
        return _call(f"{self._what}.get_or_create", name) if name else None

    def all(self, names: Any, create: bool = False) -> Any:
        """Return those of the names that are there (or all, made where missing)."""
        found = [self.get_or_create(name) if create else self.get(name) for name in names or []]
        return [name for name in found if name is not None]


class Options:
    """Options of custom fields."""

    def get(self, field: str, value: Any) -> Any:
        """Return the option, or None."""
        return _call("options.get", field, value) if value else None

    def get_or_create(self, field: str, value: Any) -> Any:
        """Return the option; it is made where it is missing and that is allowed."""
        return _call("options.get_or_create", field, value) if value else None


class Sync:
    """What this connection knows."""

    def local_key(self, remote: Any) -> Any:
        """Return the key of our issue that is linked with the peer's issue, or None."""
        return _call("sync.local_key", remote) if remote else None


class Dates:
    """Days (``2026-11-24``) and times (``2026-11-24T09:00:00+00:00``) as texts: they compare in the right order."""

    def now(self) -> str:
        """Return the time of this evaluation."""
        return str(_state.now)

    def today(self) -> str:
        """Return the day of this evaluation, in UTC."""
        return str(_state.now)[:10]

    def parse(self, text: str, format: Any = None) -> Any:
        """Return a day or time that is written in another form (``%d.%m.%Y``)."""
        if not text:
            return None
        if format is None:
            return _iso(_moment(text))
        moment = datetime.strptime(text, format)  # noqa: DTZ007 - a form without a zone means UTC
        return _iso(moment.date() if "%H" not in format and "%I" not in format else moment)

    def format(self, value: Any, format: str) -> Any:
        """Return a day or time written in another form (``%d.%m.%Y``)."""
        return _moment(value).strftime(format) if value else None

    def add_days(self, value: Any, days: int) -> Any:
        """Return the day or time so many days later (or earlier)."""
        return _iso(_moment(value) + timedelta(days=days)) if value else None

    def add_hours(self, value: Any, hours: float) -> Any:
        """Return the time so many hours later (or earlier)."""
        return _iso(_moment(value) + timedelta(hours=hours)) if value else None

    def add_business_days(self, value: Any, days: int) -> Any:
        """Return the day or time so many days from Monday to Friday later (or earlier)."""
        if not value:
            return None
        if abs(days) > 5_000:
            raise ValueError("add_business_days counts up to 5000 days")
        moment, step, left = _moment(value), timedelta(days=1 if days >= 0 else -1), abs(days)
        while left > 0:
            moment = moment + step
            if moment.weekday() < 5:
                left -= 1
        return _iso(moment)

    def days_between(self, first: Any, second: Any) -> int:
        """Return how many days lie between two days or times."""
        return int((_day(second) - _day(first)).days)

    def is_business_day(self, value: Any) -> bool:
        """Whether a day is one from Monday to Friday."""
        return bool(_moment(value).weekday() < 5)


def _moment(value: Any) -> Any:
    if isinstance(value, str):
        text = value.strip()
        if len(text) == 10:
            return date.fromisoformat(text)
        if text[-5:-4] in ("+", "-") and text[-3:-2] != ":":
            text = text[:-2] + ":" + text[-2:]
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    if isinstance(value, (datetime, date)):
        return value
    raise TypeError("a day or a time is expected, as text")


def _day(value: Any) -> Any:
    return date.fromisoformat(_iso(_moment(value))[:10])


def _iso(moment: Any) -> str:
    if isinstance(moment, datetime) and moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return str(moment.isoformat())


def _bounded(pattern: Any, text: Any) -> str:
    if not isinstance(pattern, str) or len(pattern) > _MAX_PATTERN:
        raise ValueError(f"a regular expression is a text of at most {_MAX_PATTERN} characters")
    if text is None:
        return ""
    if not isinstance(text, str) or len(text) > _MAX_TEXT:
        raise ValueError(f"regular expressions search texts of at most {_MAX_TEXT} characters")
    return text


def re_search(pattern: str, text: Any, ignore_case: bool = False) -> Any:
    """Return the first match as a list, the whole first and then the groups; None where there is none."""
    found = re.search(pattern, _bounded(pattern, text), re.IGNORECASE if ignore_case else 0)
    return None if found is None else [found.group(0), *found.groups()]


def re_findall(pattern: str, text: Any, ignore_case: bool = False) -> Any:
    """Return all matches: texts, or lists where the expression has several groups."""
    found = re.findall(pattern, _bounded(pattern, text), re.IGNORECASE if ignore_case else 0)
    return [list(entry) if isinstance(entry, tuple) else entry for entry in found]


def re_sub(pattern: str, replacement: str, text: Any, ignore_case: bool = False) -> Any:
    """Return the text with every match replaced."""
    return re.sub(pattern, replacement, _bounded(pattern, text), flags=re.IGNORECASE if ignore_case else 0)


def re_split(pattern: str, text: Any) -> Any:
    """Return the parts between the matches."""
    return re.split(pattern, _bounded(pattern, text))


def log(*parts: Any) -> None:
    """Write a line into the log of this evaluation."""
    _state.lines += 1
    if _state.lines > _MAX_LOG_LINES:
        return
    text = " ".join([_shown(part) for part in parts])[:_MAX_LOG_TEXT]
    print(_state.index, text.replace("\\", "\\\\").replace("\r", " ").replace("\n", "\\n"))  # noqa: T201 - the host reads it


def _shown(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Record) and part._kind == "user":
        return str(part)
    if isinstance(part, Item):
        return part._name
    return json.dumps(_plain(part.custom._data if isinstance(part, Item) else part), ensure_ascii=False)


def skip(reason: Any = "") -> None:
    """End the script: this issue is not for this connection now."""
    _state.skipped = str(reason)[:_MAX_LOG_TEXT]
    raise SystemExit("skip:" + _state.skipped)


def error(message: Any = "") -> None:
    """End the script with an error on this issue."""
    raise SystemExit("error:" + str(message)[:_MAX_LOG_TEXT])


def _helpers() -> Any:
    """Return the helpers in the order of ``words.HELPERS``; the program replaces it by those that a script names."""
    return (Comments(), Attachments(), Worklogs(), Workflow(), Jira(), Users(), _versions(), _components(), Options(),
            Sync(), Dates())  # fmt: skip


def _versions() -> Any:
    named = Named()
    named._what = "versions"
    return named


def _components() -> Any:
    named = Named()
    named._what = "components"
    return named


def _evaluate(rule: Any, index: int, job: Any) -> str:
    """Run a rule on one issue; return JSON. Everything a rule can reach is made afresh."""
    global _state  # noqa: PLW0603 - one evaluation at a time; a script cannot name it
    _state = _State()
    _state.index, _state.line, _state.lines, _state.kept_back = index, 0, 0, 0
    _state.direction, _state.now, _state.impersonation = job["direction"], job["now"], job["impersonation"]
    _state.skipped, _state.transition = None, None
    _state.answers, _state.origins = {}, {}
    outgoing = job["direction"] == "outgoing"
    issue = _item("issue", job["issue"], job["issue_fields"], job["known"], () if outgoing else job["writable"])
    replica = _item("replica", job["replica"], job["replica_fields"], None, job["writable"] if outgoing else ())
    previous = None
    if job["previous"] is not None:
        previous = _item("previous", job["previous"], job["previous_fields"], None, ())
    target = replica if outgoing else issue
    target._compared = {
        field: _plain_field(target, field) for field in target._start if field in _LISTS and field in target._writable
    }
    _state.kept_back = 0
    rule(issue, replica, previous, job["first_sync"], *_helpers())
    values = _export(target)
    if _state.kept_back:
        log(f"{_state.kept_back} internal or restricted comments or worklogs were kept back")
    if _state.lines > _MAX_LOG_LINES:
        print(index, f"({_state.lines - _MAX_LOG_LINES} more lines were dropped)")  # noqa: T201 - as above
    origins = {**{f"custom.{name}": line for name, line in target.custom._touched.items()}, **target._touched}
    origins.update(_state.origins)
    text = json.dumps(
        {"values": values, "dropped": target._dropped, "origins": origins, "transition": _state.transition},
        ensure_ascii=False,
    )
    if len(text) > _MAX_RESULT:
        raise ValueError(f"the result is larger than {_MAX_RESULT} characters")
    return text


def _evaluate_all(rule: Any, jobs: Any) -> list[Any]:
    """Run a rule on several issues; None for one that must be run alone to see what is wrong with it."""
    results: list[Any] = []
    for index, job in enumerate(jobs):
        try:
            results.append(_evaluate(rule, index, job))
        except (Exception, SystemExit):
            reason, line = _state.skipped, _state.line
            results.append(None if reason is None else json.dumps({"skipped": reason, "line": line}))
    return results


_state: Any = None
