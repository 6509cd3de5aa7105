"""The three-way merge: what is written, what is kept, and that two nodes always end with the same values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from node.sync.merge import merge, same
from node.trackers.issue import Value

_TEXT = st.text(alphabet="ab \n\r", max_size=6)
_VALUE = st.one_of(st.none(), _TEXT, st.integers(), st.lists(_TEXT, max_size=3))


def _write(wanted: Value, ours: Value, *, asked: Value, touched: bool, edited: bool, wins: bool = True) -> object:
    merged = merge(
        {"f": wanted},
        {"f": ours},
        asked={"f": asked},
        touched={"f"} if touched else set(),
        overtaken=set(),
        edited={"f"} if edited else set(),
        ours_wins=wins,
    )
    return merged.write.get("f", "kept"), [conflict.ours_won for conflict in merged.conflicts]


def test_a_change_by_the_peer_alone_is_taken() -> None:
    """Bob changed the field and Alice did not: Bob's value is written."""
    assert _write("new", "old", asked="old", touched=True, edited=False) == ("new", [])


def test_a_change_of_ours_alone_is_kept() -> None:
    """Alice changed the field and Bob only sent his unchanged value again: Alice's value stays."""
    assert _write("old", "mine", asked="old", touched=False, edited=True) == ("kept", [])


def test_a_changed_rule_does_not_rewrite_what_nobody_changed() -> None:
    """Alice edited her value map: an issue in which Bob changed nothing keeps its value."""
    assert _write("mapped anew", "mapped", asked="mapped", touched=False, edited=False) == ("kept", [])


def test_a_field_that_the_rules_never_wanted_before_is_written() -> None:
    """Alice's rules now take a field that they left alone: its value comes in with the next replica."""
    merged = merge({"f": "x"}, {"f": None}, asked={}, touched=set(), overtaken=set(), edited=set(), ours_wins=True)
    assert merged.write == {"f": "x"}


def test_a_conflict_is_decided_by_side_and_told() -> None:
    """Both changed the field without knowing of each other: the side that prevails keeps its value, and it is told."""
    assert _write("his", "hers", asked="old", touched=True, edited=True, wins=True) == ("kept", [True])
    assert _write("his", "hers", asked="old", touched=True, edited=True, wins=False) == ("his", [False])


def test_white_space_that_jira_changes_is_no_difference() -> None:
    """Line ends and trailing blanks never cause a write, so an unchanged text is never rewritten."""
    assert same("a\r\nb  ", "a\nb")
    assert same(" a line", "a line")
    assert not same("  a\nb", "a\nb")
    assert same("", None)
    assert same(["b", "a"], ["a", "b"])
    assert not same("a b", "ab")


@given(_VALUE, _VALUE)
def test_sameness_is_fair(one: Value, other: Value) -> None:
    """A value is the same as itself, and sameness does not depend on the order of asking."""
    assert same(one, one)
    assert same(one, other) == same(other, one)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.booleans()), max_size=12))
def test_two_sides_converge_whatever_the_order_of_edits_and_deliveries(steps: list[tuple[str, str, bool]]) -> None:
    """Alice and Bob edit one field in any order, with deliveries in between: once all is delivered, both agree."""
    sides = {"a": _Side(wins=True), "b": _Side(wins=False)}
    for who, value, deliver in steps:
        sides[who].edit(value)
        if deliver:
            _deliver(sides[who], sides["b" if who == "a" else "a"])
    for _ in range(3):
        _deliver(sides["a"], sides["b"])
        _deliver(sides["b"], sides["a"])
    assert sides["a"].value == sides["b"].value


class _Side:
    """One node's view of one field that both rule sets pass through unchanged."""

    def __init__(self, *, wins: bool) -> None:
        self.wins = wins
        self.value: str = "base"
        self.sent = "base"
        self.revision = 0
        self.changed = 0
        self.edited = 0
        self.seen = 0
        self.asked = "base"
        self.their_changed = 0
        self.their_seen = 0
        self.queue: list[tuple[int, int, int, str]] = []

    def edit(self, value: str) -> None:
        if value == self.value:
            return
        self.value = value
        self.revision += 1
        self.changed = self.edited = self.revision
        self.sent = value
        self.queue.append((self.revision, self.changed, self.seen, value))


def _deliver(sender: _Side, receiver: _Side) -> None:
    for revision, changed, seen, value in sender.queue:
        merged = merge(
            {"f": value},
            {"f": receiver.value},
            asked={"f": receiver.asked},
            touched={"f"} if changed > receiver.their_changed else set(),
            overtaken={"f"} if receiver.edited > receiver.their_seen else set(),
            edited={"f"} if receiver.edited > seen else set(),
            ours_wins=receiver.wins,
        )
        written = merged.write.get("f")
        if isinstance(written, str):
            receiver.value = receiver.sent = written
        receiver.seen, receiver.their_changed, receiver.asked, receiver.their_seen = revision, changed, value, seen
    sender.queue.clear()
