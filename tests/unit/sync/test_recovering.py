"""What becomes of a field when nobody remembers what was agreed: nothing that people wrote vanishes without a word."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from node.rules.model import Origin
from node.sync.merge import same
from node.sync.plan import TRANSITION
from node.sync.recovering import agreed_content, recover_fields
from node.trackers.issue import Value

_VALUE = st.one_of(st.none(), st.text(alphabet="ab \n", max_size=4), st.lists(st.sampled_from("ab"), max_size=2))
_NAMES = st.sampled_from("fgh")
_FIELDS = st.dictionaries(_NAMES, _VALUE)
_SOME = st.sets(_NAMES)


def _outcome(theirs: Value, ours: Value, before: Value, *, edited: bool, changed: bool) -> tuple[object, int, bool]:
    found = recover_fields(
        {"f": theirs},
        {"f": ours},
        before={"f": before},
        edited={"f"} if edited else set(),
        changed_there={"f"} if changed else set(),
    )
    return found.merged.write.get("f", "kept"), len(found.merged.conflicts), "f" in found.ours


def test_what_is_alike_is_agreed() -> None:
    """Whoever wrote it last, both Jiras hold the same: nothing is written, and it is nobody's edit."""
    assert _outcome("same", "same", "old", edited=True, changed=True) == ("kept", 0, False)


def test_what_they_did_not_touch_since_we_applied_it_is_our_peoples() -> None:
    """Alice changed it while her node was away, or just before: her value stays and is sent."""
    assert _outcome("applied", "hers", "old", edited=False, changed=False) == ("kept", 0, True)


def test_what_only_they_changed_is_written() -> None:
    """Alice's issue is as the backup knew it: Bob's value comes in, and nobody has to be told."""
    assert _outcome("his", "old", "old", edited=False, changed=True) == ("his", 0, False)


def test_what_both_may_have_changed_is_told() -> None:
    """Alice's value is not what the backup knew, or she had edited it: Bob's is written, and people find both."""
    assert _outcome("his", "hers", "old", edited=False, changed=True) == ("his", 1, False)
    assert _outcome("his", "hers", "hers", edited=True, changed=True) == ("his", 1, False)


def test_a_transition_is_made_only_for_a_change() -> None:
    """It was made once already, unless Bob's people changed what a script makes it from."""
    for changed, write in ((set[str](), {}), ({TRANSITION}, {TRANSITION: "Close"})):
        found = recover_fields({TRANSITION: "Close"}, {}, before={}, edited=set(), changed_there=changed)
        assert (found.merged.write, found.ours) == (write, frozenset())


@given(_FIELDS, _FIELDS, st.none() | _FIELDS, _SOME, _SOME)
def test_no_value_is_lost_without_a_word(
    wanted: dict[str, Value],
    ours: dict[str, Value],
    before: dict[str, Value] | None,
    edited: set[str],
    changed: set[str],
) -> None:
    """Each field that differs is written or sent, never both; what is overwritten was in the backup, or is told."""
    found = recover_fields(wanted, ours, before=before, edited=edited, changed_there=changed)
    told = {conflict.field: conflict for conflict in found.merged.conflicts}
    differ = {name for name, value in wanted.items() if not same(value, ours.get(name))}
    assert set(found.merged.write) | found.ours == differ
    assert not set(found.merged.write) & found.ours
    for name in found.merged.write:
        known = before is not None and name not in edited and same(before.get(name), ours.get(name))
        assert known != (name in told)
        if name in told:
            assert (told[name].ours, told[name].theirs) == (ours.get(name), wanted[name])


@given(_FIELDS, _FIELDS, st.dictionaries(_NAMES, _SOME), _SOME, _SOME, st.booleans())
def test_exactly_our_peoples_changes_are_said_again(
    fields: dict[str, Value],
    known: dict[str, Value],
    sources: dict[str, set[str]],
    wanted: set[str],
    more: set[str],
    born: bool,
) -> None:
    """What is ours is never taken as known, what was agreed always is, and a field that only leaves keeps its base."""
    ours = wanted & more
    origins = {name: Origin(1, sources=frozenset(made)) for name, made in sources.items()}
    content = agreed_content({"key": None, "fields": fields}, origins, known=known, wanted=wanted, ours=ours, born=born)
    assert set(content) == {"key", "fields"}
    for name, value in fields.items():
        made = sources.get(name, set())
        if made & ours:
            assert name not in content["fields"]
        elif made & wanted:
            assert content["fields"][name] == value
        elif made:
            assert content["fields"].get(name, "absent") == known.get(name, value if born else "absent")
