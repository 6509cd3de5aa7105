"""Custom fields: kinds, names, values there and back."""

from __future__ import annotations

from typing import Any

import pytest

from node.errors import TrackerRefused
from node.trackers.base import KINDS
from node.trackers.issue import Value
from node.trackers.jira.custom import FieldCatalogue, read_value
from node.trackers.jira.writing import our_name, rest_fields
from tests.support.jira_data import field_entry

FIELDS = FieldCatalogue.from_json([
    {"id": "summary", "name": "Summary", "schema": {"type": "string", "system": "summary"}},
    {"id": "description", "name": "Description", "schema": {"type": "string", "system": "description"}},
    field_entry("customfield_1", "Text", "textfield"),
    field_entry("customfield_2", "Paragraph", "textarea"),
    field_entry("customfield_3", "Number", "float", "number"),
    field_entry("customfield_4", "Day", "datepicker", "date"),
    field_entry("customfield_5", "Moment", "datetime", "datetime"),
    field_entry("customfield_6", "Select", "select", "option"),
    field_entry("customfield_7", "Several", "multiselect", "array", items="option"),
    field_entry("customfield_8", "Cascade", "cascadingselect", "option-with-child"),
    field_entry("customfield_9", "Radio", "radiobuttons", "option"),
    field_entry("customfield_10", "Boxes", "multicheckboxes", "array", items="option"),
    field_entry("customfield_11", "Person", "userpicker", "user"),
    field_entry("customfield_12", "People", "multiuserpicker", "array", items="user"),
    field_entry("customfield_13", "Tags", "labels", "array", items="string"),
    field_entry("customfield_14", "Address", "url"),
    field_entry("customfield_15", "Version", "version", "version"),
    field_entry("customfield_16", "Versions", "multiversion", "array", items="version"),
    field_entry("customfield_17", "Twin", "textfield"),
    field_entry("customfield_18", "Twin", "textfield"),
    field_entry("customfield_19", "Rank", "com.pyxis.greenhopper.jira:gh-lexo-rank", "any"),
    field_entry("customfield_20", "Plugin", "com.example:thing", "any"),
])  # fmt: skip

SAMPLES: list[tuple[str, str, Value, Any]] = [
    ("Text", "text", "a", "a"),
    ("Paragraph", "paragraph", "a\nb", "a\nb"),
    ("Number", "number", 2.5, 2.5),
    ("Day", "date", "2026-11-24", "2026-11-24"),
    ("Moment", "datetime", "2026-11-24T10:00:00.500Z", "2026-11-24T10:00:00.500+0000"),
    ("Select", "select", "Red", {"value": "Red"}),
    ("Several", "multi-select", ["Red", "Blue"], [{"value": "Red"}, {"value": "Blue"}]),
    ("Cascade", "cascading", ["Europe", "France"], {"value": "Europe", "child": {"value": "France"}}),
    ("Cascade", "cascading", ["Europe"], {"value": "Europe"}),
    ("Radio", "radio", "Yes", {"value": "Yes"}),
    ("Boxes", "checkbox", ["A"], [{"value": "A"}]),
    ("Person", "user", "alice", {"name": "alice"}),
    ("People", "multi-user", ["alice", "bob"], [{"name": "alice"}, {"name": "bob"}]),
    ("Tags", "labels", ["x", "y"], ["x", "y"]),
    ("Address", "url", "https://example.com", "https://example.com"),
    ("Version", "version", "1.0", {"name": "1.0"}),
    ("Versions", "multi-version", ["1.0"], [{"name": "1.0"}]),
]


@pytest.mark.parametrize(("name", "kind", "ours", "rest"), SAMPLES)
def test_every_type_is_written_and_read_back(name: str, kind: str, ours: Value, rest: object) -> None:
    """A value that was written and comes back is the same value in our words."""
    known = FIELDS.by_name(name)
    assert known is not None
    assert known.kind == kind
    assert rest_fields({f"custom.{name}": ours}, FIELDS, cloud=False) == {known.id: rest}
    assert read_value(kind, rest, cloud=False) == ours


@pytest.mark.parametrize("name", sorted({sample[0] for sample in SAMPLES}))
def test_none_empties_every_type(name: str) -> None:
    """None is how a field is emptied; labels are emptied by an empty list."""
    written = rest_fields({f"custom.{name}": None}, FIELDS, cloud=False)
    assert list(written.values()) == [[] if name == "Tags" else None]


WRONG: list[tuple[str, Value]] = [
    ("Text", 5),
    ("Number", "5"),
    ("Number", True),
    ("Number", float("nan")),
    ("Day", "24.11.2026"),
    ("Day", "2026-11-31"),
    ("Moment", "2026-11-24 10:00"),
    ("Select", ["Red"]),
    ("Several", "Red"),
    ("Cascade", []),
    ("Cascade", ["a", "b", "c"]),
    ("People", ["alice", None]),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_value_that_does_not_fit_is_refused_by_name(name: str, value: Value) -> None:
    """Nothing is sent, and the reason stands under the field's name."""
    with pytest.raises(TrackerRefused) as caught:
        rest_fields({"summary": "fine", f"custom.{name}": value}, FIELDS, cloud=False)
    assert list(caught.value.fields) == [f"custom.{name}"]
    assert "needs" in caught.value.message


def test_unknown_fields_are_refused_all_at_once() -> None:
    """A rule with three mistakes hears of all three; a status is reached by a transition."""
    with pytest.raises(TrackerRefused) as caught:
        rest_fields({"status": "Done", "custom.Nowhere": 1, "colour": "red"}, FIELDS, cloud=False)
    assert set(caught.value.fields) == {"status", "custom.Nowhere", "colour"}
    assert "transition" in caught.value.fields["status"]


def test_system_fields_are_written_as_jira_wants_them() -> None:
    """One PUT carries them all; estimates share one field, seconds become minutes."""
    fields: dict[str, Value] = {
        "summary": "S",
        "type": "Bug",
        "priority": None,
        "labels": ["a"],
        "components": ["Core"],
        "fix_versions": [],
        "affects_versions": None,
        "due": "2026-11-24",
        "assignee": "alice",
        "reporter": None,
        "parent_key": "SC-1",
        "resolution": "Done",
        "security_level": "Secret",
        "original_estimate": 3600,
        "remaining_estimate": None,
    }
    assert rest_fields(fields, FIELDS, cloud=False) == {
        "summary": "S",
        "issuetype": {"name": "Bug"},
        "priority": None,
        "labels": ["a"],
        "components": [{"name": "Core"}],
        "fixVersions": [],
        "versions": [],
        "duedate": "2026-11-24",
        "assignee": {"name": "alice"},
        "reporter": None,
        "parent": {"key": "SC-1"},
        "resolution": {"name": "Done"},
        "security": {"name": "Secret"},
        "timetracking": {"originalEstimate": "60m", "remainingEstimate": "0m"},
    }
    assert rest_fields({"assignee": "5b10"}, FIELDS, cloud=True) == {"assignee": {"accountId": "5b10"}}


def test_two_fields_of_one_name_are_told_apart() -> None:
    """A name that two fields share would lead to the wrong one, so neither has it alone."""
    assert FIELDS.by_name("Twin") is None
    written = rest_fields({"custom.Twin (customfield_18)": "x"}, FIELDS, cloud=False)
    assert written == {"customfield_18": "x"}


def test_all_kinds_are_words_of_the_port() -> None:
    """The catalogue speaks the port's language."""
    assert {entry.kind for entry in FIELDS.fields} <= set(KINDS)
    assert our_name("customfield_3", FIELDS) == "custom.Number"
    assert our_name("fixVersions", FIELDS) == "fix_versions"
    assert our_name("customfield_999", FIELDS) == "customfield_999"


def test_a_catalogue_is_built_from_whatever_comes() -> None:
    """Entries without a name or of a wrong shape are left out; unknown types are `other`."""
    odd: list[object] = [
        None,
        "x",
        {"id": 5, "name": "n"},
        {"id": "customfield_5"},
        {"id": "customfield_6", "name": "Ok"},
    ]
    catalogue = FieldCatalogue.from_json(odd)
    assert [(entry.id, entry.kind) for entry in catalogue.fields] == [("customfield_6", "other")]


SPRINT = (
    "com.atlassian.greenhopper.service.sprint.Sprint@38c6[id=1,rapidViewId=2,state=ACTIVE,name=A, B,startDate=2019]"
)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("x", "x"),
        ("", None),
        ([], None),
        (2, 2),
        ({"value": "a"}, "a"),
        ({"name": "a", "id": 1}, "a"),
        ({"displayName": "Alice", "name": "alice"}, "alice"),
        ([{"name": "one"}, {"name": "two"}], ["one", "two"]),
        ([SPRINT], ["A, B"]),
        ({"hasEpicLinkFieldDependency": False, "showField": False}, None),
        ([[1]], None),
    ],
)
def test_unknown_types_are_read_as_far_as_they_are_plain(value: object, read: Value) -> None:
    """What a plugin puts into an issue never makes reading it fail."""
    assert read_value("other", value, cloud=False) == read


def test_a_text_that_begins_a_sprint_again_and_again_is_read_as_it_is() -> None:
    """Anybody may write into a field; a text of a megabyte without an end must not keep the node busy for hours."""
    text = ".Sprint@1[" + ",name=" * 200_000
    assert read_value("paragraph", text, cloud=False) == text


def test_fields_that_change_by_themselves_are_silent() -> None:
    """The rank of an issue in a backlog is no content: it would sync with every drag of another issue."""
    assert FIELDS.silent("customfield_19")
    assert not FIELDS.silent("customfield_20")
