"""How text is laid out on lines: broken between words only, so that a name, a key or a code can be copied.

Pure. Without a terminal there is no width, and each line stays whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.cells import cell_len
from rich.text import Text

GAP: Final = 2
"""Blanks between two columns."""
_NARROWEST: Final = 24
"""Cells that sentences need beside other columns; with fewer they are hard to read."""


def wrapped(text: Text, width: int | None, *, hang: int = 0) -> Iterator[Text]:
    """Yield the lines of a text for so many cells; what is carried over stands below its line's first word.

    A word that is longer than that stays whole. ``hang`` moves what is carried over further to the right.
    """
    for line in text.split("\n", allow_blank=True):
        if width is None or cell_len(line.plain) <= width:
            yield line
            continue
        margin = len(line.plain) - len(line.plain.lstrip(" "))
        rest = line[margin:]
        room = width - margin
        first = True
        while rest.plain:
            head, rest = _cut(rest, room)
            yield Text(" " * (margin if first else margin + hang)) + head
            if first:
                room, first = max(width - margin - hang, 1), False


def _cut(text: Text, width: int) -> tuple[Text, Text]:
    """Split a line at the last blank within so many cells, or at the first one where its first word is longer."""
    used, place = 0, None
    for number, sign in enumerate(text.plain):
        if sign == " ":
            if used <= width or place is None:
                place = number
            if used > width:
                break
        used += cell_len(sign)
    else:
        if used <= width or place is None:
            return text, Text()
    rest = text[place:]
    return text[:place], rest[len(rest.plain) - len(rest.plain.lstrip(" ")) :]


def columns_that_fit(needs: Sequence[int], spare: Sequence[int], width: int | None) -> list[int] | None:
    """Return the columns to show, or None where not even those that must be there fit.

    Args:
        needs: cells that each column needs at least.
        spare: columns that may be left out, the first one first.
        width: cells of a line; None: there is no end to it.
    """
    shown = list(range(len(needs)))
    for gone in (None, *spare):
        if gone is not None:
            shown.remove(gone)
        if width is None or sum(needs[one] for one in shown) + GAP * (len(shown) - 1) <= width:
            return shown
    return None


def table(
    header: Sequence[Text], rows: Sequence[Sequence[Text]], *, spare: Sequence[int], width: int | None, prose: bool
) -> Iterator[Text]:
    """Yield the lines of a table; each row becomes a paragraph of its own where the table is too wide for the line.

    ``spare`` are columns that may be left out, the first one first; with ``prose`` the last column holds sentences,
    which may go on below.
    """
    everything = [header, *rows]
    widths = [max(cell_len(row[one].plain) for row in everything) for one in range(len(header))]
    needs = list(widths)
    if prose:
        longest_word = max((cell_len(word) for row in everything for word in row[-1].plain.split()), default=0)
        needs[-1] = min(widths[-1], max(longest_word, _NARROWEST))
    shown = columns_that_fit(needs, spare, width)
    if shown is None:
        for row in rows:
            yield from _paragraph(header, row, width)
        return
    last = shown[-1]
    before = sum(widths[one] for one in shown[:-1]) + GAP * (len(shown) - 1)
    for row in everything:
        start = Text()
        for one in shown[:-1]:
            start.append_text(row[one]).append(" " * (widths[one] - cell_len(row[one].plain) + GAP))
        room = None if width is None else width - before
        for number, line in enumerate(wrapped(row[last], room) if prose else [row[last]]):
            whole = (start if number == 0 else Text(" " * before)) + line
            whole.rstrip()
            yield whole


def _paragraph(header: Sequence[Text], row: Sequence[Text], width: int | None) -> Iterator[Text]:
    yield row[0]
    for name, value in zip(header[1:], row[1:], strict=True):
        if value.plain:
            title = Text.assemble("  ", name, ": ") if name.plain else Text("  ")
            yield from wrapped(title + value, width, hang=2)
