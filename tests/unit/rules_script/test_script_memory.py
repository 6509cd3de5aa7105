"""The memory of evaluations stays small."""

from __future__ import annotations

from node.rules.script.memory import Memory, Remembered


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
