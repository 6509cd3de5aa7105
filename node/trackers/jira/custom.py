"""Custom fields: which there are, what people call them, and what their values look like in our words.

Built from the answer of ``/field``. Pure. A type that is not known is read as far as it is plain (text, number, a
name, lists of those) and left out otherwise; nothing that a plugin puts into an issue can make reading it fail.

| kind | in our words | in Jira's JSON |
|---|---|---|
| text, paragraph, url | text | text |
| number | number | number |
| date, datetime | ``2026-11-24``, ``2026-11-24T10:00:00.000Z`` | the same day; Jira's way of writing times |
| select, radio | text | ``{"value": text}`` |
| multi-select, checkbox | list of texts | list of those |
| cascading | ``[parent]`` or ``[parent, child]`` | ``{"value": parent, "child": {"value": child}}`` |
| user, multi-user | user id, list of user ids | ``{"name": id}`` or ``{"accountId": id}`` |
| version, multi-version | name, list of names | ``{"name": name}`` |
| labels | list of texts | list of texts |
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from node.trackers.base import Field
from node.trackers.issue import Value

_SYSTEM_TYPES = "com.atlassian.jira.plugin.system.customfieldtypes:"
_AGILE = "com.pyxis.greenhopper.jira:"

_KIND_OF_TYPE = {
    _SYSTEM_TYPES + "textfield": "text",
    _SYSTEM_TYPES + "readonlyfield": "text",
    _SYSTEM_TYPES + "textarea": "paragraph",
    _SYSTEM_TYPES + "float": "number",
    _SYSTEM_TYPES + "importid": "number",
    _SYSTEM_TYPES + "datepicker": "date",
    _SYSTEM_TYPES + "datetime": "datetime",
    _SYSTEM_TYPES + "select": "select",
    _SYSTEM_TYPES + "multiselect": "multi-select",
    _SYSTEM_TYPES + "cascadingselect": "cascading",
    _SYSTEM_TYPES + "radiobuttons": "radio",
    _SYSTEM_TYPES + "multicheckboxes": "checkbox",
    _SYSTEM_TYPES + "userpicker": "user",
    _SYSTEM_TYPES + "multiuserpicker": "multi-user",
    _SYSTEM_TYPES + "people": "multi-user",
    _SYSTEM_TYPES + "labels": "labels",
    _SYSTEM_TYPES + "url": "url",
    _SYSTEM_TYPES + "version": "version",
    _SYSTEM_TYPES + "multiversion": "multi-version",
    _AGILE + "gh-epic-label": "text",
    _AGILE + "gh-epic-link": "text",
    _AGILE + "jsw-story-points": "number",
}
_KIND_OF_JSON_TYPE = {
    "string": "text",
    "number": "number",
    "date": "date",
    "datetime": "datetime",
    "user": "user",
    "option": "select",
    "option-with-child": "cascading",
    "priority": "select",
    "resolution": "select",
    "securitylevel": "select",
    "version": "version",
}
_KIND_OF_ITEMS = {
    "option": "multi-select",
    "component": "multi-select",
    "user": "multi-user",
    "string": "labels",
    "version": "multi-version",
}
_PARAGRAPHS = {"description", "environment"}
_SILENT = re.compile(
    r"lexo-rank|:devsummary|timeinstatus|firstresponsedate|vulnerabilit|jpo-custom-field", re.IGNORECASE
)
"""Types that change by themselves or hold a plugin's internals: they would only make noise."""
_SPRINT_NAME = re.compile(r"[\[,]name=")
_SPRINT_NAME_END = re.compile(r",(?:startDate|goal|endDate|completeDate|sequence|activatedDate)=|\]\Z")
"""A sprint as Jira Server writes it: ``...Sprint@1d6f[id=1,...,name=Sample Sprint 2,startDate=...]``."""


def kind_of(field_id: str, schema: object) -> str:
    """Return the kind (one of ``base.KINDS``) of a field with this REST ``schema``."""
    if field_id in _PARAGRAPHS:
        return "paragraph"
    if not isinstance(schema, Mapping):
        return "other"
    custom = schema.get("custom")
    if isinstance(custom, str):
        known = _KIND_OF_TYPE.get(custom)
        if known is not None:
            return known
    if schema.get("type") == "array":
        return _KIND_OF_ITEMS.get(str(schema.get("items")), "other")
    return _KIND_OF_JSON_TYPE.get(str(schema.get("type")), "other")


@dataclass(frozen=True, slots=True)
class FieldCatalogue:
    """The fields of a Jira at one moment. Two custom fields of one name are told apart by their ids in brackets."""

    fields: tuple[Field, ...] = ()
    _by_id: Mapping[str, Field] = field(default_factory=dict, repr=False)
    _by_name: Mapping[str, Field] = field(default_factory=dict, repr=False)
    _silent: frozenset[str] = field(default_factory=frozenset, repr=False)

    @classmethod
    def from_json(cls, answer: Iterable[object]) -> FieldCatalogue:
        """Build it from the answer of ``/field``; entries that make no sense are left out."""
        entries = [entry for entry in answer if isinstance(entry, Mapping)]
        entries = [
            entry for entry in entries if isinstance(entry.get("id"), str) and isinstance(entry.get("name"), str)
        ]
        customs = Counter(entry["name"] for entry in entries if is_custom(entry["id"]))
        fields: list[Field] = []
        silent: set[str] = set()
        for entry in entries:
            number, name, schema = entry["id"], entry["name"], entry.get("schema")
            custom = is_custom(number)
            if custom and customs[name] > 1:
                name = f"{name} ({number})"
            fields.append(Field(id=number, name=name, kind=kind_of(number, schema), custom=custom))
            if isinstance(schema, Mapping) and _SILENT.search(str(schema.get("custom"))):
                silent.add(number)
        return cls(
            tuple(fields),
            {entry.id: entry for entry in fields},
            {entry.name: entry for entry in fields if entry.custom},
            frozenset(silent),
        )

    def with_unknown(self, ids: Iterable[str]) -> FieldCatalogue:
        """Return a catalogue that knows of these ids that nobody can name them, so that nobody asks again."""
        return FieldCatalogue(self.fields, self._by_id, self._by_name, self._silent | frozenset(ids))

    def by_id(self, field_id: str) -> Field | None:
        """Return the field with this REST id."""
        return self._by_id.get(field_id)

    def by_name(self, name: str) -> Field | None:
        """Return the custom field that people see under this name."""
        return self._by_name.get(name)

    def silent(self, field_id: str) -> bool:
        """Tell whether a field's value means nothing to people."""
        return field_id in self._silent


def is_custom(field_id: str) -> bool:
    """Tell whether a REST id is a custom field's."""
    return field_id.startswith("customfield_")


def user_id(person: object, *, cloud: bool) -> str | None:
    """Return what identifies a person: the account id on Cloud, the user name on Data Center."""
    if not isinstance(person, Mapping):
        return None
    for name in ("accountId", "name", "key") if cloud else ("name", "key", "accountId"):
        value = person.get(name)
        if isinstance(value, str) and value:
            return value
    return None


def read_value(kind: str, value: object, *, cloud: bool) -> Value:
    """Return a custom field's value in our words; None where there is none, or none that could be understood."""
    if kind == "cascading":
        return _cascading(value)
    if kind == "datetime":
        return _moment(value)
    if kind in {"user", "multi-user"}:
        people = [user_id(person, cloud=cloud) for person in (value if isinstance(value, list) else [value])]
        known: list[Value] = [person for person in people if person is not None]
        if kind == "multi-user":
            return known or None
        return known[0] if known else None
    if kind == "number" and isinstance(value, str):
        return _number(value)
    if kind == "text" and isinstance(value, list):
        value = ", ".join(str(entry) for entry in value if isinstance(entry, str | int | float)) or None
    found = _plain(value, cloud=cloud)
    return None if found in ("", []) else found


def _cascading(value: object) -> Value:
    if not isinstance(value, Mapping):
        return None
    parent = value.get("value")
    child = value.get("child")
    under = child.get("value") if isinstance(child, Mapping) else None
    if not isinstance(parent, str):
        return None
    return [tidy(parent), tidy(under)] if isinstance(under, str) else [tidy(parent)]


def _number(text: str) -> Value:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _moment(value: object) -> Value:
    moment = read_moment(value)
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_moment(value: object) -> datetime | None:
    """Return a time that Jira wrote (``2026-11-23T23:47:08.714+0000``, in the caller's zone) in UTC, if it is one."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _plain(value: object, *, cloud: bool) -> Value:
    """Return what can be understood of a value of an unknown type."""
    if isinstance(value, list):
        entries = [_plain(entry, cloud=cloud) for entry in value if not isinstance(entry, list)]
        return [entry for entry in entries if entry is not None]
    if isinstance(value, Mapping):
        for name in ("value", "name"):
            inner = value.get(name)
            if isinstance(inner, str | int | float):
                return tidy(inner) if isinstance(inner, str) else inner
        return user_id(value, cloud=cloud) if "displayName" in value else None
    if isinstance(value, str):
        return tidy(_sprint_name(value) or value)
    return value if isinstance(value, bool | int | float) else None


def _sprint_name(text: str) -> str | None:
    """Return the name in what may be a sprint; people may write anything, so each part is looked for only once."""
    begin = _SPRINT_NAME.search(text) if ".Sprint@" in text else None
    end = _SPRINT_NAME_END.search(text, begin.end()) if begin is not None else None
    return text[begin.end() : end.start()] if begin is not None and end is not None else None


def tidy(text: str) -> str:
    """Return text with one kind of line end and without halves of characters, which cannot be stored or sent."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
