"""What connections are called."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import UsageError
from node.names import MAX_NAME, check_name, default_name, free_name


def test_the_default_name_is_that_of_the_reference_product() -> None:
    """Users know it."""
    assert default_name("Blue", "Green") == "Blue_to_Green"
    assert default_name("Blue & Co.", "") == "Blue_Co_to_Peer"


@given(ours=st.text(max_size=80), theirs=st.text(max_size=80), taken=st.integers(0, 5))
def test_whatever_people_call_themselves_the_name_is_valid_and_free(ours: str, theirs: str, taken: int) -> None:
    """A label is a stranger's text."""
    names: set[str] = set()
    for _ in range(taken + 1):
        name = free_name(None, ours, theirs, names)
        assert name not in names
        check_name(name)
        names.add(name)


@given(st.text(max_size=100))
def test_a_typed_name_is_taken_as_it_is_or_refused(name: str) -> None:
    """Nothing is quietly changed."""
    valid = len(name) <= MAX_NAME and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name) is not None
    if valid:
        check_name(name)
        assert free_name(name, "A", "B", set()) == name
    else:
        with pytest.raises(UsageError):
            check_name(name)


def test_a_typed_name_that_is_taken_is_refused() -> None:
    """It would not be the connection that the person meant."""
    with pytest.raises(UsageError, match="already"):
        free_name("mine", "A", "B", {"mine"})
