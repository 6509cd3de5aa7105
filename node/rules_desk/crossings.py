"""Doubts rules by which one partner's data would reach another: a field that one may fill and another is sent.

What mappings carry is certain. What a script takes or fills is read from its text (``script/flow.py``) and only
possible. Comments, files, logged time and links of one peer never leave for another, whatever the rules say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from node.rules.fields import is_custom
from node.rules.findings import Finding
from node.rules.issue_links import LINKS
from node.rules.ruleset import COLLECTIONS, Direction, MappingStep, RuleSet
from node.rules.script.engine import RuleEngine
from node.rules.script.flow import ANY_CUSTOM


@dataclass(frozen=True, slots=True)
class Carried:
    """Fields of our issue that rules read (outgoing) or fill (incoming): by mappings, and perhaps by scripts."""

    surely: frozenset[str] = frozenset()
    perhaps: frozenset[str] = frozenset()
    whole: bool = False
    """Whether a script hands our whole issue on: then any field may leave."""

    @property
    def all(self) -> frozenset[str]:
        """Everything that is named."""
        return self.surely | self.perhaps


async def carried(ruleset: RuleSet, engine: RuleEngine) -> Carried:
    """Return what rules carry. Scripts are read, not run. Raises RuleError where one cannot be read at all."""
    if ruleset.method == "disabled":
        return Carried()
    surely, perhaps, whole = set[str](), set[str](), False
    outgoing = ruleset.direction == "outgoing"
    for step in ruleset.steps:
        if isinstance(step, MappingStep):
            if step.source not in {*COLLECTIONS, LINKS}:
                surely.add(step.source if outgoing else step.target)
            continue
        flow = await engine.flow(step.source, ruleset.direction)
        perhaps |= flow.taken if outgoing else flow.filled
        whole = whole or (outgoing and flow.whole)
    return Carried(frozenset(surely), frozenset(perhaps), whole)


def crossings(direction: Direction, mine: Carried, others: Iterable[tuple[str, Carried]]) -> list[Finding]:
    """Return the doubts about rules, the certain ones first.

    Args:
        direction: of the rules to publish.
        mine: what they carry.
        others: what the rules for the other direction carry on connections where the same issue may be, by the
            connection's name.
    """
    certain: dict[str, frozenset[str]] = {}
    possible: dict[str, frozenset[str]] = {}
    for name, other in others:
        certain[name] = mine.surely & other.surely
        possible[name] = _met(mine, other) - certain[name]
    return [
        *([_doubt(direction, certain, possible=False)] if any(certain.values()) else []),
        *([_doubt(direction, possible, possible=True)] if any(possible.values()) else []),
    ]


def _met(one: Carried, other: Carried) -> frozenset[str]:
    """Return the fields that both name; a whole issue has them all, and a computed name may be any custom field's."""
    met = set(one.all & other.all)
    for these, those in ((one, other), (other, one)):
        met |= those.all if these.whole else frozenset()
        met |= {name for name in those.all if is_custom(name) and ANY_CUSTOM in these.all}
    return frozenset(met)


def _doubt(direction: Direction, met: dict[str, frozenset[str]], *, possible: bool) -> Finding:
    where = " and ".join(sorted(name for name, both in met.items() if both))
    fields = sorted(frozenset[str]().union(*met.values()))
    what = ", ".join("custom fields" if name == ANY_CUSTOM else repr(name) for name in fields)
    leaves = "may leave" if possible else "leaves"
    scripts = ": scripts take it in or pass it on" if possible else ""
    if direction == "incoming":
        message = (
            f"What the other side sends into {what} {leaves} on {where} too, where an issue is on both connections"
        )
        suggestion = "Where they must not see each other's data, take it into a field that leaves nowhere else."
    else:
        message = f"What comes in on {where} into {what} {leaves} here too, where an issue is on both connections"
        suggestion = (
            "Where they must not see each other's data, leave it out here, or take it into another field there."
        )
    return Finding(severity="warning", message=f"{message}{scripts}.", suggestion=suggestion)
