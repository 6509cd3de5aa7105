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
from rich.table import Table
from rich.text import Text
from typing_extensions import override

from node.admin.client import AdminClient
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


@dataclass(slots=True)
class Terminal:
    """What every command needs: where the node is, and how to speak."""

    folder: NodeFolder
    as_json: bool
    out: Console
    err: Console

    @property
    def node(self) -> AdminClient:
        """The running node."""
        return AdminClient(self.folder)

    def data(self, data: Any) -> bool:
        """Print ``data`` if JSON was asked for, and tell whether it was."""
        if self.as_json:
            click.echo(escaped(json.dumps(data, ensure_ascii=False, indent=2)))
        return self.as_json

    def say(self, text: str) -> None:
        """Print a sentence, unless JSON was asked for."""
        if not self.as_json:
            self.out.print(text, highlight=False, soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
        """Print a table; words that name a state are coloured."""
        if not rows:
            self.say(empty)
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(_cell(value) for value in row))
        self.out.print(table)


def _cell(value: object) -> str:
    text = escape("" if value is None else str(value))
    colour = _COLOURS.get(text)
    return f"[{colour}]{text}[/{colour}]" if colour else text


def when(milliseconds: int | None) -> str:
    """Write a time in the reader's own zone, to the second."""
    if milliseconds is None:
        return "never"
    moment = datetime.fromtimestamp(milliseconds / 1000, tz=UTC).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def error(console: Console, message: str, advice: str = "") -> None:
    """Print what happened, and the next step below it."""
    console.print(f"[{BAD}]Error:[/{BAD}] {escape(message)}", highlight=False, soft_wrap=True)
    if advice:
        console.print(escape(advice), highlight=False, soft_wrap=True)
