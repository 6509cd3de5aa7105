"""Reads the real Jira data for tests of the Jira adapter: issues, recorded answers, webhook bodies, catalogues."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from typing import Any

from node.trackers.jira.custom import FieldCatalogue
from tests.support.data import data_file

_SYSTEM = "com.atlassian.jira.plugin.system.customfieldtypes:"


def archived_issues() -> list[dict[str, Any]]:
    """Return the 800 issues of a public Jira Server."""
    with gzip.open(data_file("issues-800.jsonl.gz"), "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def recorded_issues(name: str) -> list[dict[str, Any]]:
    """Return raw answers of a Jira: ``cloud-issues-33`` or ``server-issues-22``."""
    with gzip.open(data_file(f"{name}.jsonl.gz"), "rt", encoding="utf-8") as lines:
        return [json.loads(line)["data"] for line in lines]


def webhook_bodies() -> dict[str, dict[str, Any]]:
    """Return the real webhook bodies by file name."""
    return {path.name: json.loads(path.read_bytes()) for path in sorted(data_file("webhooks").glob("*.json"))}


def webhook_body(name: str) -> dict[str, Any]:
    """Return one real webhook body."""
    body: dict[str, Any] = json.loads(data_file(f"webhooks/{name}.json").read_bytes())
    return body


def field_entry(field_id: str, name: str, custom_type: str, json_type: str = "string", **schema: object) -> Any:
    """Return an entry of ``/field`` for a custom field; a type without a colon is one of Jira's own."""
    custom = custom_type if ":" in custom_type else _SYSTEM + custom_type
    return {
        "id": field_id,
        "name": name,
        "custom": True,
        "schema": {"type": json_type, "custom": custom, **schema},
    }


def catalogue_for(issues: Iterable[dict[str, Any]]) -> FieldCatalogue:
    """Return a catalogue that names every custom field of these issues after its id, of unknown types."""
    ids = {key for issue in issues for key in issue["fields"] if key.startswith("customfield_")}
    return FieldCatalogue.from_json(
        [{"id": key, "name": f"Field {key}", "schema": {"type": "any"}} for key in sorted(ids)]
    )
