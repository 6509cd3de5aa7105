"""One mapping step on one value."""

from __future__ import annotations

from typing import Any

import pytest

from node.errors import RuleError
from node.rules.mapping import LeftAlone, Mapped, Numbered, map_incoming, map_outgoing, wanted_texts
from node.rules.ruleset import Default, MappingStep
from node.rules.values import Target
from node.trackers.issue import Value

_STATUS = Target(name="status", kind="select", allowed=frozenset({"Doing", "Done", "Open"}))
_PAST_NONE = Mapped(None, past_map=True)
_TEAMS = Target(name="custom.Teams", kind="multi-select", allowed=frozenset({"Web", "Core"}))


def _step(**settings: Any) -> Numbered:
    return Numbered(3, MappingStep(source="status", target="status", **settings))


@pytest.mark.parametrize(
    ("value", "expected"),
    [("In Progress", "Doing"), ("in progress", "Doing"), ("Closed", None), ("Doing", None), (None, _PAST_NONE)],
)
def test_only_values_of_the_map_leave(value: Value, expected: Any) -> None:
    """Exact spelling first, then any case; what is not in the map stays at home; an empty field stays empty."""
    mapped = map_outgoing(_step(values={"In Progress": "Doing", "IN PROGRESS": "Loud"}), value)
    if expected is None:
        assert isinstance(mapped, LeftAlone)
        assert "is not in the value map" in mapped.reason
    else:
        assert mapped == (expected if isinstance(expected, Mapped) else Mapped(expected))


def test_exact_spelling_wins() -> None:
    """Two entries that differ only in case are told apart."""
    step = _step(values={"ab": "lower", "AB": "upper"})
    assert [map_outgoing(step, text) for text in ("ab", "AB", "Ab")] == [
        Mapped("lower"),
        Mapped("upper"),
        Mapped("lower"),
    ]


def test_a_value_that_our_jira_offers_in_another_case_fits() -> None:
    """Options are matched as people read them, and written as our Jira spells them."""
    assert map_incoming(_step(), "DONE", _STATUS) == Mapped("Done")


def test_nothing_is_done_by_default_when_no_value_fits() -> None:
    """The field is left alone and the log says why."""
    mapped = map_incoming(_step(), "Frozen", _STATUS)
    assert mapped == LeftAlone(
        "step 3 (status to status): nothing was set, because 'Frozen' is not a value that this field offers."
    )


def test_a_misfit_can_be_an_error() -> None:
    """The error names step and value, and says what to do."""
    with pytest.raises(RuleError) as caught:
        map_incoming(_step(otherwise="error", values={"A": "Open"}), "Frozen", _STATUS)
    assert caught.value.message == "Step 3 (status to status): 'Frozen' is not in the value map."
    assert caught.value.step == 3
    assert "value map" in caught.value.advice


def test_a_misfit_can_have_a_default() -> None:
    """The default must fit itself."""
    assert map_incoming(_step(otherwise=Default(default="open")), "Frozen", _STATUS) == Mapped("Open", "all")
    with pytest.raises(RuleError, match="the default 'Ice' is not a value"):
        map_incoming(_step(otherwise=Default(default="Ice")), "Frozen", _STATUS)


def test_a_map_that_gives_a_value_we_do_not_offer_is_a_misfit() -> None:
    """The map does not overrule what our Jira offers."""
    assert isinstance(map_incoming(_step(values={"A": "Ice"}), "A", _STATUS), LeftAlone)


def test_an_empty_field_can_be_mapped() -> None:
    """The empty key of a map stands for an empty field."""
    assert map_incoming(_step(values={"": "Open"}), None, _STATUS) == Mapped("Open")
    assert map_outgoing(_step(values={"": "none"}), []) == Mapped(["none"])


def test_a_map_of_the_empty_value_alone_lets_others_pass() -> None:
    """It says what an empty field becomes; every other value fits as it would without a map, or does not."""
    step = _step(values={"": "Open"}, otherwise=Default(default="Done"))
    assert map_incoming(step, None, _STATUS) == map_incoming(step, "", _STATUS) == Mapped("Open")
    assert map_incoming(step, "doing", _STATUS) == Mapped("Doing", past_map=True)
    assert map_incoming(step, "Nowhere", _STATUS) == Mapped("Done", "all", past_map=True)
    assert map_outgoing(_step(values={"": "none"}), "High") == Mapped("High", past_map=True)
    assert map_incoming(_step(values={"": "Web"}), ["core"], _TEAMS) == Mapped(["Core"], past_map=True)
    assert map_incoming(_step(values={"": "Web"}), [], _TEAMS) == Mapped(["Web"])
    made: list[str] = []

    def create(name: str) -> str:
        made.append(name)
        return name

    making = _step(values={"": "Web"}, otherwise="create")
    assert map_incoming(making, ["core", "Shop"], _TEAMS, create=create) == Mapped(["Core", "Shop"], past_map=True)
    assert made == ["Shop"]
    closed = _step(values={"": "Open", "New": "Open"})
    assert isinstance(map_incoming(closed, "Doing", _STATUS), LeftAlone)


def test_lists_are_mapped_one_by_one() -> None:
    """What fits stays, what does not fit goes, nothing stands twice."""
    step = _step(values={"web": "Web", "www": "Web", "db": "Data"})
    assert map_incoming(step, ["web", "www", "db", "x"], _TEAMS) == Mapped(["Web"])
    assert map_incoming(_step(otherwise=Default(default="Core")), ["web", "x", "y"], _TEAMS) == Mapped(
        ["Web", "Core"], "some"
    )
    assert map_incoming(_step(), "core", _TEAMS) == Mapped(["Core"])
    assert map_incoming(_step(), None, _TEAMS) == Mapped([])


def test_a_cascading_option_is_mapped_as_one() -> None:
    """Both levels are one value, written with a slash."""
    step = _step(values={"Europe / Berlin": "EU"})
    assert map_outgoing(step, ["Europe", "Berlin"], "cascading") == Mapped("EU")
    assert map_outgoing(_step(), ["Europe", "Berlin"], "cascading") == Mapped(["Europe", "Berlin"])


def test_people_are_looked_up_after_the_map() -> None:
    """Who has to be known is what the map and the default say, not what came."""
    target = Target(name="assignee", kind="user")
    step = _step(values={"Al": "alice"}, otherwise=Default(default="bob"))
    assert wanted_texts(step, "al", target) == ["alice", "bob"]
    passing = _step(values={"": "bob"}, otherwise=Default(default="triage"))
    assert wanted_texts(passing, None, target) == ["bob", "triage"]
    assert wanted_texts(passing, "Alice Smith", target) == ["Alice Smith", "triage"]
    assert wanted_texts(_step(), {"display_name": "Al", "email": "al@x.example"}, target) == ["al@x.example"]


def test_long_values_are_cut_in_messages() -> None:
    """A message stays readable, and a description does not end up in it whole."""
    with pytest.raises(RuleError) as caught:
        map_outgoing(_step(values={"a": "b"}, otherwise="error"), "x" * 5000)
    assert len(caught.value.message) < 200
