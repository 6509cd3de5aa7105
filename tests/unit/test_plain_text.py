"""Text from outside is shown as text: it moves no cursor, hides nothing and starts no line of its own."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from node.cli.setup import _OneLine
from node.cli.show import PlainConsole, Terminal, error
from node.config import NodeFolder
from node.plain_text import escaped, one_line, plain

HOSTILE = "\x1b[2J\x1b]0;owned\x07Bob\x9b1mis\u202egood\r\x08[red]x[/red]"


def _console() -> tuple[PlainConsole, io.StringIO]:
    out = io.StringIO()
    return PlainConsole(file=out, width=200, force_terminal=True, color_system=None), out


@given(st.text())
def test_nothing_in_plain_text_acts(text: str) -> None:
    """No control character but tab and line feed is left, and what a person reads stays."""
    shown = plain(text)
    assert not [one for one in shown if (ord(one) < 32 and one not in "\t\n") or 0x7F <= ord(one) <= 0x9F]
    assert len(shown) == len(text)
    assert plain(shown) == shown


@given(st.text())
def test_a_log_message_is_one_line(text: str) -> None:
    """Nobody can write a line of his own into a log."""
    assert len(one_line(text).splitlines()) <= 1


@given(st.recursive(st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_escaped_json_means_the_same(data: object) -> None:
    """A script reads the same data; a terminal sees nothing that acts."""
    shown = escaped(json.dumps(data, ensure_ascii=False, indent=2))
    assert json.loads(shown) == data
    assert plain(shown) == shown


def test_sentences_tables_and_errors_are_harmless() -> None:
    """Whatever way text takes to the terminal, its escape sequences do not arrive there."""
    console, out = _console()
    terminal = Terminal(folder=NodeFolder(Path()), as_json=False, out=console, err=console)
    terminal.say(plain(HOSTILE).replace("[", "\\["))
    terminal.table(("Name",), [(HOSTILE,)], empty="")
    console.print(HOSTILE, markup=False)
    error(console, HOSTILE, HOSTILE)
    assert "\x1b]" not in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()
    assert not {"\x07", "\x08", "\x9b", "\u202e"} & set(out.getvalue())
    assert out.getvalue().count("[red]x[/red]") == 5, "our own markup is not theirs to use"


def test_the_log_keeps_a_hostile_message_on_its_line() -> None:
    """A label with a line feed does not look like a second entry."""
    record = logging.LogRecord("node", logging.WARNING, __file__, 1, "peer %s", ("a\n2026 INFO forged\x1b[1m",), None)
    assert len(_OneLine("%(levelname)s %(message)s").format(record).splitlines()) == 1
