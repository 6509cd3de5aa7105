"""One mapping step on one value: the value map, the conversion to the target's kind, and what happens otherwise.

Pure: no tracker is asked; what the target offers, and who people are, was looked up before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn

from typing_extensions import override

from node.errors import RuleError
from node.rules.model import Defaulted
from node.rules.ruleset import Default, MappingStep
from node.rules.values import (
    Item,
    NoMatch,
    Target,
    as_text,
    convert,
    is_empty,
    items_of,
    key_of,
    person_of,
    shortened,
)
from node.trackers.issue import Value


@dataclass(frozen=True)
class Numbered:
    """A mapping step with its place in the rule set, counted from 1."""

    number: int
    step: MappingStep

    @cached_property
    def folded(self) -> Mapping[str, str]:
        """The value map by case-folded value; of two that differ only in case the first counts."""
        folded: dict[str, str] = {}
        for value, replacement in self.step.values.items():
            folded.setdefault(value.casefold(), replacement)
        return folded

    def look_up(self, text: str) -> str | None:
        """Return what the value map says: exact spelling first, else the same letters in any case."""
        if not self.step.values:
            return None
        exact = self.step.values.get(text)
        return exact if exact is not None else self.folded.get(text.casefold())

    @cached_property
    def passes(self) -> bool:
        """Whether a value that is not in the map is taken as it is: a map may speak of the empty field alone."""
        return not any(self.step.values)

    @override
    def __str__(self) -> str:
        return f"step {self.number} ({self.step.source} to {self.step.target})"


@dataclass(frozen=True, slots=True)
class Mapped:
    """The value that the target gets; ``defaulted`` says whether the step's default stood in for it, or for some.

    ``past_map``: the step has a value map that had nothing to say of it.
    """

    value: Value
    defaulted: Defaulted = ""
    past_map: bool = False


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """The target is not touched. ``reason`` is a sentence for the log."""

    reason: str


def map_outgoing(numbered: Numbered, value: Value, kind: str = "") -> Mapped | LeftAlone:
    """Return what leaves of a field of that kind. With a value map, only values that are in it. Raises RuleError."""
    if isinstance(value, list) and kind != "cascading":
        return _map_list(numbered, value, _Fit(numbered, _as_is, kind))
    return _map_one(numbered, value, _Fit(numbered, _as_is, kind))


def map_incoming(
    numbered: Numbered, value: Value, target: Target, *, create: Callable[[str], str] | None = None
) -> Mapped | LeftAlone:
    """Return what our field gets. Raises RuleError where the step says that a misfit is an error.

    ``create`` has a name made that the field does not offer, and returns it or raises RuleError; None where nothing can
    be made for it.
    """

    def to_target(item: Value) -> Item:
        return convert(item, target)

    fit = _Fit(numbered, to_target, target.kind, create)
    if target.many:
        return _map_list(numbered, items_of(value, target), fit)
    return _map_one(numbered, value, fit)


def wanted_texts(numbered: Numbered, value: Value, target: Target) -> list[str]:
    """Return the names that must be looked up before ``map_incoming``: people, or keys of issues."""
    values = items_of(value, target) if target.many else (value if isinstance(value, list) else [value])
    texts = []
    for item in values:
        mapped = numbered.look_up(as_text(item))
        texts.append(person_of(item) if mapped is None and numbered.passes else mapped or "")
    if isinstance(numbered.step.otherwise, Default):
        texts.append(numbered.step.otherwise.default)
    return list(dict.fromkeys(text for text in texts if text))


def _as_is(value: Value) -> Item:
    return value


@dataclass(frozen=True, slots=True)
class _Fit:
    """Turns one value into what the target holds: through the value map, then to the target's kind."""

    numbered: Numbered
    to_target: Callable[[Value], Item]
    kind: str
    create: Callable[[str], str] | None = None

    def __call__(self, value: Value) -> Item:
        found = self._mapped(value)
        if found is not None:
            return self.to_target(found)
        return self.to_target(value) if self.numbered.passes else NoMatch("is not in the value map")

    def _mapped(self, value: Value) -> str | None:
        return self.numbered.look_up(key_of(value, self.kind)) if self.numbered.step.values else None

    def past_map(self, value: Value) -> bool:
        """Tell whether there is a value map that has nothing to say of this value, and lets it pass."""
        return bool(self.numbered.step.values) and self.numbered.passes and self._mapped(value) is None

    def otherwise(self, value: Value, misfit: NoMatch) -> Item:
        """Apply the step's choice for a value that does not fit; the misfit comes back if nothing is to be done."""
        choice = self.numbered.step.otherwise
        if choice == "create":
            found = self._mapped(value)
            name = as_text(value) if found is None and self.numbered.passes else found
            return misfit if self.create is None or not (name or "").strip() else self.create(name or "")
        if choice == "nothing":
            return misfit
        if choice == "error":
            _refuse(self.numbered, f"{shortened(as_text(value))} {misfit.reason}")
        default = self.to_target(choice.default)
        if isinstance(default, NoMatch):
            what = f"{shortened(as_text(value))} {misfit.reason}"
            _refuse(self.numbered, f"{what}, and the default {shortened(choice.default)} {default.reason}")
        return default


def _map_one(numbered: Numbered, value: Value, fit: _Fit) -> Mapped | LeftAlone:
    if is_empty(value) and numbered.look_up("") is None:
        return Mapped(None, past_map=bool(numbered.step.values))
    fitted = fit(value)
    past_map = fit.past_map(value)
    if not isinstance(fitted, NoMatch):
        return Mapped(fitted, past_map=past_map)
    instead = fit.otherwise(value, fitted)
    if isinstance(instead, NoMatch):
        return LeftAlone(f"{numbered}: nothing was set, because {shortened(as_text(value))} {instead.reason}.")
    return Mapped(instead, "all" if isinstance(numbered.step.otherwise, Default) else "", past_map)


def _map_list(numbered: Numbered, values: list[Value], fit: _Fit) -> Mapped:
    if not values and numbered.look_up("") is not None:
        values = [""]
    fitted: list[Value] = []
    defaults = 0
    for value in values:
        item = fit(value)
        if isinstance(item, NoMatch):
            item = fit.otherwise(value, item)
            defaults += isinstance(numbered.step.otherwise, Default)
        if not isinstance(item, NoMatch) and item not in fitted:
            fitted.append(item)
    past_map = bool(numbered.step.values) and all(map(fit.past_map, values))
    return Mapped(fitted, "" if not defaults else "all" if defaults == len(values) else "some", past_map)


def _refuse(numbered: Numbered, what: str) -> NoReturn:
    raise RuleError(
        f"{str(numbered)[:1].upper()}{str(numbered)[1:]}: {what}.",
        step=numbered.number,
        advice="Add the value to the step's value map, or choose a default or 'do nothing' for values that do not fit; "
        "then retry the issue.",
    )
