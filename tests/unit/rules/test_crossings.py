"""Rules by which one partner's data would reach another are doubted; how certain it is depends on who carries it."""

from __future__ import annotations

from node.rules_desk.crossings import Carried, crossings

NOTE = "custom.Note"


def _said(mine: Carried, **others: Carried) -> list[str]:
    return [doubt.message for doubt in crossings("incoming", mine, others.items())]


def test_mappings_are_certain_and_scripts_are_not() -> None:
    """Each field is told once, on the connections that it concerns."""
    mine = Carried(frozenset({"summary", "due"}), frozenset({"status"}))
    bob = Carried(frozenset({"summary"}), frozenset({"due", "priority"}))
    assert _said(mine, Bob=bob, Carol=Carried(frozenset({"status"}))) == [
        "What the other side sends into 'summary' leaves on Bob too, where an issue is on both connections.",
        (
            "What the other side sends into 'due', 'status' may leave on Bob and Carol too, where an issue is on both "
            "connections: scripts take it in or pass it on."
        ),
    ]
    assert _said(mine, Bob=Carried(frozenset({"priority"}))) == []


def test_computed_names_and_whole_issues_may_be_anything() -> None:
    """Any custom field for the first, every field for the second; where nothing is filled, nothing leaves."""
    computed = Carried(perhaps=frozenset({"custom"}))
    [doubt] = _said(Carried(frozenset({"summary", NOTE})), Bob=computed)
    assert "into 'custom.Note' may leave" in doubt
    [doubt] = _said(computed, Bob=computed)
    assert "into custom fields may leave" in doubt
    [doubt] = _said(Carried(frozenset({"summary", NOTE})), Bob=Carried(whole=True))
    assert "into 'custom.Note', 'summary' may leave" in doubt
    assert _said(Carried(), Bob=Carried(whole=True)) == []
