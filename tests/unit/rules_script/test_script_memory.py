"""The memory of evaluations stays small, and knows an input that did not change."""

from __future__ import annotations

import enum
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from node.rules.script.memory import Memory, Remembered
from node.rules.script.projection import packed

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
JOBS = st.dictionaries(st.text(max_size=5), PLAIN, max_size=5)


@given(JOBS)
def test_an_equal_job_is_the_same_however_it_was_made(job: dict[str, Any]) -> None:
    """The same values give the same bytes, whether they are shared, read again, or made anew."""
    again = json.loads(json.dumps(job))
    assert packed(again) == packed(job)
    assert packed({"both": [job, job]}) == packed({"both": [job, again]})


@given(JOBS, JOBS)
def test_another_job_is_another(job: dict[str, Any], other: dict[str, Any]) -> None:
    """Where a value differs, in kind too, so do the bytes: True is not 1."""
    assert (packed(job) == packed(other)) == (json.dumps(job) == json.dumps(other))


def test_a_text_of_a_type_of_its_own_is_packed_too() -> None:
    """A name out of an enumeration, and half a character, do not keep a script from running."""

    class Kind(enum.StrEnum):
        BUG = "Bug"

    assert packed({"type": Kind.BUG}) == packed({"type": Kind("Bug")})
    assert packed({"type": Kind.BUG, "text": "\ud800"}) != packed({"type": "Task", "text": "\ud800"})


def test_memory_is_bounded() -> None:
    """The oldest go where there is no room, by number and by size."""
    memory = Memory(entries=3, characters=3_000)
    for number in range(5):
        memory.put(number, Remembered("x", (), ()))
    assert [memory.get(number) is not None for number in range(5)] == [False, False, True, True, True]
    memory.put("large", Remembered("x" * 2_600, (), ()))
    assert memory.get("large") is not None
    assert memory.get(2) is None
    memory.forget("large")
    assert memory.get("large") is None
    memory.put("too large", Remembered("x" * 5_000, (), ()))
    assert memory.get("too large") is None
