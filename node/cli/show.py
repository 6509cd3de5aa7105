"""How the command line looks: tables, times, JSON on request, errors in two lines. Decides nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.text import Text
from typing_extensions import override

from node.admin.client import AdminClient
from node.cli import lines
from node.config import NodeFolder
from node.plain_text import escaped, plain

GOOD = "green"
BAD = "red"
SOSO = "yellow"
_COLOURS = {
    "active": GOOD, "ok": GOOD, "queued": GOOD, "unchanged": GOOD, "applied": GOOD,
    "pending": SOSO, "deactivated": SOSO, "warning": SOSO, "skipped": SOSO, "ended": SOSO,
    "closed": BAD, "error": BAD, "failed": BAD, "held": BAD,
}  # fmt: skip


class PlainConsole(Console):
    """A console on which text from outside is only text."""

    @override
    def render_str(self, text: str, **options: Any) -> Text:
        """Turn text, with our own markup, into what is printed."""
        return super().render_str(plain(text), **options)

    @property
    def line_width(self) -> int | None:
        """How many cells a line has; None without a terminal, where lines stay whole."""
        return self.width if self.is_terminal else None

    def tell(self, text: str | Text, *, hang: int = 0) -> None:
        """Print sentences, with our own markup where it is no `Text`; lines break between words only."""
        shown = text if isinstance(text, Text) else self.render_str(text, highlight=False)
        for line in lines.wrapped(shown, self.line_width, hang=hang):
            self.print(line, highlight=False, soft_wrap=True)


@dataclass(slots=True)
class Terminal:
    """What every command needs: where the node is, and how to speak."""

    folder: NodeFolder
    as_json: bool
    out: PlainConsole
    err: PlainConsole

    @property
    def node(self) -> AdminClient:
        """The running node."""
        return AdminClient(self.folder)

    def data(self, data: Any) -> bool:
        """Print ``data`` if JSON was asked for, and tell whether it was."""
        if self.as_json:
            click.echo(escaped(json.dumps(data, ensure_ascii=False, indent=2)))
        return self.as_json

    def say(self, text: str, *, hang: int = 0) -> None:
        """Print sentences with our own markup, unless JSON was asked for."""
        if not self.as_json:
            self.out.tell(text, hang=hang)

    def quote(self, text: str, *, hang: int = 0) -> None:
        """Print text from outside, in which nothing is markup, unless JSON was asked for."""
        if text and not self.as_json:
            self.out.tell(Text(plain(text)), hang=hang)

    def copy(self, text: str) -> None:
        """Print what people copy, each line as it is: a code, a file; unless JSON was asked for."""
        if text and not self.as_json:
            self.out.print(plain(text), markup=False, highlight=False, soft_wrap=True)

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        empty: str,
        spare: Sequence[str] = (),
        prose: bool = False,
    ) -> None:
        """Print a table; words that name a state are coloured, and no cell is ever broken.

        Args:
            columns: the headers.
            rows: a cell for each column.
            empty: what is said where there are no rows.
            spare: columns that are left out where the terminal is too narrow for all, the first one first.
            prose: the last column holds sentences, which may go on below.
        """
        if not rows:
            self.say(empty)
            return
        for line in lines.table(
            [Text(name, "bold") for name in columns],
            [[_cell(value) for value in row] for row in rows],
            spare=[columns.index(name) for name in spare],
            width=self.out.line_width,
            prose=prose,
        ):
            self.out.print(line, highlight=False, soft_wrap=True)


def _cell(value: object) -> Text:
    text = plain("" if value is None else str(value))
    return Text(text, _COLOURS.get(text, ""))


def takes_json(command: click.Command) -> click.Command:
    """Let a command, and each of a group's, take ``--json`` itself too, where people look for it first."""
    if isinstance(command, click.Group):
        for one in command.commands.values():
            takes_json(one)
        if not command.invoke_without_command:
            return command

    def asked(context: click.Context, _option: click.Parameter, given: bool) -> None:
        terminal = context.find_object(Terminal)
        if given and terminal is not None:
            terminal.as_json = True

    command.params.append(
        click.Option(["--json"], is_flag=True, expose_value=False, callback=asked, help="Print JSON, for scripts.")
    )
    return command


def when(milliseconds: int | None) -> str:
    """Write a time in the reader's own zone, to the second."""
    if milliseconds is None:
        return "never"
    moment = datetime.fromtimestamp(milliseconds / 1000, tz=UTC).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def error(console: PlainConsole, message: str, advice: str = "") -> None:
    """Print what happened, and the next step below it."""
    console.tell(f"[{BAD}]Error:[/{BAD}] {escape(message)}")
    if advice:
        console.tell(Text(plain(advice)))
