"""Doubts rules by which one partner's data would reach another: a field that one may fill and another is sent. Pure.

Knows mappings only: what a script takes or shares is not known before it runs. Comments, files, logged time and
links of one peer never leave for another, whatever the rules say.
"""

from __future__ import annotations

from collections.abc import Iterable

from node.rules.findings import Finding
from node.rules.issue_links import LINKS
from node.rules.ruleset import COLLECTIONS, MappingStep, RuleSet


def crossing(ruleset: RuleSet, others: Iterable[tuple[str, RuleSet]]) -> Finding | None:
    """Return the doubt about these rules, if there is one.

    Args:
        ruleset: the rules to publish on one connection.
        others: the rules for the other direction that count now on connections where the same issue may be, by the
            connection's name.
    """
    mine = _fields(ruleset)
    met = {name: mine & _fields(other) for name, other in others}
    fields = sorted(frozenset[str]().union(*met.values()))
    if not fields:
        return None
    where = " and ".join(sorted(name for name, both in met.items() if both))
    what = ", ".join(map(repr, fields))
    if ruleset.direction == "incoming":
        message = f"What the other side sends into {what} leaves on {where} too, where an issue is on both connections."
        suggestion = "Where they must not see each other's data, take it into a field that leaves nowhere else."
    else:
        message = f"What comes in on {where} into {what} leaves here too, where an issue is on both connections."
        suggestion = (
            "Where they must not see each other's data, leave it out here, or take it into another field there."
        )
    return Finding(severity="warning", message=message, suggestion=suggestion)


def _fields(ruleset: RuleSet) -> frozenset[str]:
    """Name the fields of our issue that mappings read (outgoing) or write (incoming)."""
    if ruleset.method == "disabled":
        return frozenset()
    kept = {*COLLECTIONS, LINKS}
    steps = [step for step in ruleset.steps if isinstance(step, MappingStep) and step.source not in kept]
    outgoing = ruleset.direction == "outgoing"
    return frozenset(step.source if outgoing else step.target for step in steps)
