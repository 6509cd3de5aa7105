"""Text and tables on a line of so many cells: words, names and keys stay whole, and nothing is lost."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from node.cli import lines

WORD = st.text("abcdefghij_-.\N{CJK UNIFIED IDEOGRAPH-65E5}", min_size=1, max_size=30)
SENTENCE = st.lists(WORD, min_size=1, max_size=20).map(" ".join)


@given(st.lists(SENTENCE, min_size=1, max_size=4), st.integers(1, 100), st.integers(0, 8), st.integers(0, 8))
def test_words_stay_whole_and_lines_are_as_short_as_words_let_them(
    paragraphs: list[str], width: int, margin: int, hang: int
) -> None:
    """Every word is there, once and in order; a line is too long only where it is one word."""
    text = "\n".join(" " * margin + one for one in paragraphs)
    found = [line.plain for line in lines.wrapped(Text(text), width, hang=hang)]
    assert " ".join(found).split() == text.split()
    assert all(cell_len(line) <= width or len(line.split()) == 1 for line in found)


@given(st.lists(SENTENCE, min_size=1, max_size=4))
def test_without_a_terminal_lines_stay_as_they_are(paragraphs: list[str]) -> None:
    """What a script reads has one line for each line that was said."""
    text = "\n".join(paragraphs)
    assert "\n".join(line.plain for line in lines.wrapped(Text(text), None)) == text


@example(rows=[("_", "_", "_", "_" * 25)], width=37, prose=True)  # a word that is longer than its column would be
@given(st.lists(st.tuples(WORD, WORD, WORD, SENTENCE), min_size=1, max_size=4), st.integers(10, 120), st.booleans())
def test_cells_of_a_table_stay_whole(rows: list[tuple[str, str, str, str]], width: int, prose: bool) -> None:
    """Names are never folded: a column that may go is left out, or each row becomes a paragraph."""
    header = [Text(name) for name in ("Name", "State", "Spare", "Why")]
    cells = [[Text(value) for value in row] for row in rows]
    shown = [line.plain for line in lines.table(header, cells, spare=[2], width=width, prose=prose)]
    words = " ".join(shown).split()
    for name, state, _, why in rows:
        assert {name, state, *why.split()} <= set(words)
    if prose:
        assert all(cell_len(line) <= width or len(line.split()) <= 2 for line in shown)


def test_a_column_that_may_go_is_left_out_before_anything_else() -> None:
    """At 30 cells the spare column is gone; at 20 each row is a paragraph that holds it."""
    header = [Text(name) for name in ("Connection", "Peer", "State")]
    row = [Text("Blue_to_Green"), Text("Green"), Text("active")]

    def shown(width: int) -> list[str]:
        return [line.plain for line in lines.table(header, [row], spare=[1], width=width, prose=False)]

    assert shown(40) == ["Connection     Peer   State", "Blue_to_Green  Green  active"]
    assert shown(25) == ["Connection     State", "Blue_to_Green  active"]
    assert shown(18) == ["Blue_to_Green", "  Peer: Green", "  State: active"]
