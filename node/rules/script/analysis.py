"""What the parsing worker says about a script, checked: it read hostile text, so its answer may be hostile. Pure."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from node.errors import RuleError


class Found(TypedDict):
    """Something that is not part of the language."""

    severity: str
    message: str
    line: int
    column: int
    end_column: int | None
    suggestion: str
    code: str


class Readings(TypedDict):
    """Which fields are read of each; None is all of them."""

    issue: list[str] | None
    replica: list[str] | None
    previous: list[str] | None


class Taken(TypedDict):
    """Fields of our issue whose values a script takes, and those that it fills; see ``flow``."""

    taken: list[str]
    filled: list[str]
    whole: bool


class Analysis(TypedDict, total=False):
    """The answer of ``subset.analyse``; only ``findings`` is there where the text could not be read at all."""

    findings: list[Found]
    plain: str
    code: str
    notes: list[tuple[int, int, str]]
    uses: list[dict[str, Any]]
    reads: Readings
    clock: bool
    entries: bool
    names: list[str]
    loops: list[int]
    flow: Taken


_ADAPTER = TypeAdapter(Analysis)


def checked(text: bytes) -> Analysis:
    """Read the worker's answer. Raises RuleError where it has another shape."""
    try:
        answer = _ADAPTER.validate_json(text)
    except ValidationError as error:
        raise RuleError("The script could not be read: its parser answered nonsense.") from error
    whole = Analysis.__annotations__.keys() <= answer.keys()
    if "findings" not in answer or not (whole or answer["findings"]):
        raise RuleError("The script could not be read: its parser answered nonsense.")
    return answer
