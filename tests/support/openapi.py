"""Holds answers of a REST server against a published OpenAPI document, with relaxations that are written down.

A relaxation is either a change of the document before it is used, or a place where an answer may differ; each has a
reason. Nothing is relaxed in silence.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Relaxation:
    """One correction of the document: what is done to it, and why the document is wrong there."""

    reason: str
    apply: Callable[[Json], None]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path as the document describes it."""

    method: str
    path: str
    responses: Mapping[str, Json]


class Published:
    """A document with its relaxations applied. ``base`` is what the document's paths leave out (``/rest``)."""

    def __init__(self, file: Path, base: str, relaxations: Sequence[Relaxation]) -> None:
        document: Json = json.loads(gzip.decompress(file.read_bytes()))
        for relaxation in relaxations:
            relaxation.apply(document)
        self._components = document["components"]
        self._validators: dict[str, Draft7Validator] = {}
        self._base = base
        self._paths: list[tuple[re.Pattern[str], str, Json]] = sorted(
            ((_pattern(path), path, methods) for path, methods in document["paths"].items()),
            key=lambda entry: entry[1].count("{"),
        )

    def operation(self, method: str, path: str) -> Operation | None:
        """Return the described operation of a request's path (or of a route's, with its variables in braces)."""
        if not path.startswith(self._base):
            return None
        rest = path.removeprefix(self._base)
        for pattern, template, methods in self._paths:
            if pattern.fullmatch(rest):
                described = methods.get(method.lower())
                return Operation(method, template, described["responses"]) if described else None
        return None

    def problems(self, operation: Operation, status: int, body: object) -> list[str]:
        """Return how an answer differs from the document: an unknown status, or a body of another shape."""
        described = operation.responses.get(str(status))
        if described is None:
            return [f"status {status} is not described, only {', '.join(sorted(operation.responses))}"]
        schema = described.get("content", {}).get("application/json", {}).get("schema")
        if schema is None:
            return []
        if body is None:
            return ["the body is missing"]
        items = _items(self._resolved(schema), body)
        return [problem for item in items for problem in self._differences(schema, item)]

    def shape_problems(self, schema: str, body: object) -> list[str]:
        """Return how a body differs from a schema of the document, by its name."""
        return self._differences({"$ref": f"#/components/schemas/{schema}"}, body)

    def _resolved(self, schema: Json) -> Json:
        reference = schema.get("$ref")
        if reference is None:
            return schema
        found: Json = self._components["schemas"][reference.rpartition("/")[2]]
        return found

    def _differences(self, schema: Json, body: object) -> list[str]:
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            self._validators[key] = Draft7Validator({"allOf": [schema], "components": self._components})
        return [
            f"{error.json_path}: {error.message[:160]} (wanted by {'/'.join(map(str, error.schema_path))})"
            for error in self._validators[key].iter_errors(body)
        ]


def _items(schema: Json, body: object) -> list[object]:
    """Return what the schema is about: all over the document a list, or a page, is described by the schema of one."""
    if isinstance(body, list):
        return [body] if schema.get("type") == "array" else body
    if isinstance(body, dict) and isinstance(body.get("values"), list) and "startAt" in body:
        return [body] if "values" in schema.get("properties", {}) else body["values"]
    return [body]


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(
        "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^}]*\})", path))
    )
