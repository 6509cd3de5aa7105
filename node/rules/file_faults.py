"""What is wrong in a rules file: the place, the line with a mark below it, and what was probably meant. Pure.

Speaks of the file in our own words; what the readers of TOML and of shapes say is for programmers.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from node.errors import ConfigError
from node.rules.similar import closest
from node.rules.toml_faults import told, toml_fault
from node.rules.toml_places import Place, Shown, find_place
from node.shape_words import said

_CHOICES = {
    "direction": ("outgoing", "incoming"),
    "method": ("manual", "automatic", "disabled"),
    "when": ("always", "create"),
    "people": ("name", "email"),
    "otherwise": ("nothing", "error", "create"),
}
_TABLES = {"scope": "[scope]", "values": "[step.values]"}


class RulesFileError(ConfigError):
    """A rules file cannot be read. Lines and columns count from 1; ``shown`` is the line as written."""

    def __init__(self, what: str, *, name: str, line: int, column: int, shown: str, suggestion: str = "") -> None:
        """Make one message of it, with the line and a mark under the place."""
        text = told(Shown(line, column, shown), what, name)
        super().__init__(text, advice=suggestion or "Correct the file, then import it again; nothing was changed.")
        self.line = line
        self.column = column
        self.shown = shown
        self.suggestion = suggestion


def fault_at(text: str, place: Place, what: str, name: str, suggestion: str = "") -> RulesFileError:
    """Return the error for a place in the file."""
    return _fault(find_place(text, place), what, name, suggestion)


def not_toml(text: str, error: Exception, name: str) -> RulesFileError:
    """Return the error for a file that cannot be read as TOML."""
    fault = toml_fault(text, error, tables="[scope], [[step]] or [step.values]")
    return _fault(fault.at, fault.what, name, fault.suggestion)


def wrong_shape(text: str, error: ValidationError, data: Any, name: str) -> RulesFileError:
    """Return the error for a file whose keys are known and whose values cannot be. Steps are counted from 1."""
    detail = error.errors(include_url=False)[0]
    place = tuple(part for part in detail["loc"] if part not in {"mapping", "script", "Default"})
    in_file = ("step", *place[1:]) if place[:1] == ("steps",) else place
    if _is_script(data, place) and in_file[-1:] == ("source",):
        in_file = (*in_file[:-1], "script")
    key = next((part for part in reversed(in_file) if part in _CHOICES), None)
    what = f"{_called(in_file)} {said(detail['type'], detail.get('ctx'))}"
    suggestion = ""
    if in_file[-1:] and in_file[-1] in _TABLES and detail["type"] in {"dict_type", "model_type"}:
        suggestion = f'Write {_TABLES[str(in_file[-1])]} on a line of its own, and below it: "name" = "value".'
    elif detail["type"] in {"tuple_type", "list_type"}:
        suggestion = f'Write a list: {in_file[-1]} = ["one", "two"].'
    elif key is not None and detail["type"] != "missing":
        in_file = in_file[: in_file.index(key) + 1]
        choices = _CHOICES[str(key)]
        near = closest(str(detail["input"])[:80], choices)
        shown = [repr(choice) for choice in choices] + (["{ default = ... }"] if key == "otherwise" else [])
        what = f"{key!r} is one of {', '.join(shown)}"
        suggestion = f"Did you mean {near!r}?" if near else ""
    return fault_at(text, in_file, what, name, suggestion)


def _called(place: Place) -> str:
    """Name a place in the file: ``step 2: 'values', 'High'``."""
    step = f"step {place[1] + 1}: " if place[:1] == ("step",) and len(place) > 1 and isinstance(place[1], int) else ""
    rest = place[2:] if step else place
    return step + ", ".join(repr(part) if isinstance(part, str) else f"entry {part + 1}" for part in rest)


def _is_script(data: Any, place: Place) -> bool:
    return len(place) > 1 and isinstance(place[1], int) and "target" not in data["steps"][place[1]]


def _fault(at: Shown, what: str, name: str, suggestion: str = "") -> RulesFileError:
    return RulesFileError(what, name=name, line=at.line, column=at.column, shown=at.text, suggestion=suggestion)
