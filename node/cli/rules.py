"""Commands around rules: `accord rules show|fields|export|import|check|diff|history|rollback|convert`.

Files of a connection are ``FOLDER/CONNECTION/outgoing.toml`` and ``incoming.toml``, with test cases in ``cases/``
beside them. What looks at issues (preview, compare, record, test, explain) is in ``rules_look``.
"""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from node.admin.client import part
from node.cli.show import Terminal, when
from node.errors import ConfigError, UsageError

DIRECTIONS = ("outgoing", "incoming")
FOLDER = Path("rules")


@click.group()
def rules() -> None:
    """Decide what leaves and what comes in: rules as files, with checks, previews and tests."""


folder_option = click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), default=FOLDER, show_default=True,
    help="Where the files of all connections are.",
)  # fmt: skip
direction_option = click.option("--direction", type=click.Choice(DIRECTIONS), help="Only this direction.")
author_option = click.option("--author", help="Who publishes. Default: the user of this machine.")
why_option = click.option("--why", default="", help="Why, for those who read the history.")


def who(author: str | None) -> str:
    """Return who publishes."""
    if author:
        return author
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def read_file(path: Path) -> str:
    """Return a file's text. Raises ConfigError."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{path} cannot be read: {reason}.") from None


def read_files(folder: Path, connection: str, direction: str | None) -> dict[str, str]:
    """Return the rules files of a connection by direction. Raises ConfigError where there is none."""
    wanted = DIRECTIONS if direction is None else (direction,)
    paths = {one: folder / connection / f"{one}.toml" for one in wanted}
    found = {one: read_file(path) for one, path in paths.items() if path.exists()}
    if not found:
        raise ConfigError(
            f"There are no rules files in {folder / connection}.",
            advice=f"Write them with: accord rules export {connection}",
        )
    return found


def write_file(path: Path, text: str) -> None:
    """Write a file anew. Raises ConfigError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from None


def base(connection: str) -> str:
    """Return the address of a connection's rules."""
    return f"/api/v1/connections/{part(connection)}/rules"


@rules.command()
@click.argument("connection")
@direction_option
@click.pass_obj
def show(terminal: Terminal, connection: str, direction: str | None) -> None:
    """Show the rules that count now: mode, version, method, and the file itself."""
    data = terminal.node.call("GET", base(connection))
    if terminal.data(data):
        return
    for one in DIRECTIONS if direction is None else (direction,):
        shown = data[one]
        published = f"by {escape(shown['author'])} on {when(shown['at_ms'])}" if shown["at_ms"] else ""
        terminal.say(f"[bold]{one}[/bold]  {shown['mode']}, {shown['method']}, version {shown['version']} {published}")
        if shown["why"]:
            terminal.quote(f"  {shown['why']}")
        terminal.copy("\n" + indent(shown["text"]))


@rules.command()
@click.argument("connection")
@click.pass_obj
def fields(terminal: Terminal, connection: str) -> None:
    """Read the fields of your Jira anew: names, kinds and values, as rules write them."""
    data = terminal.node.call("GET", f"{base(connection)}/fields")
    if terminal.data(data):
        return
    terminal.table(
        ("Field", "Kind", "Values"),
        [(one["name"], one["kind"], ", ".join(one["values"])) for one in data["fields"]],
        empty="This Jira shows no fields.",
        prose=True,
    )


@rules.command()
@click.argument("connection")
@folder_option
@click.pass_obj
def export(terminal: Terminal, connection: str, folder: Path) -> None:
    """Write the rules that count now to files that read well in git."""
    data = terminal.node.call("GET", base(connection))
    written = []
    for one in DIRECTIONS:
        path = folder / connection / f"{one}.toml"
        write_file(path, data[one]["text"])
        written.append({"direction": one, "file": str(path), "version": data[one]["version"]})
    if not terminal.data({"files": written}):
        for entry in written:
            terminal.say(f"{entry['file']}  version {entry['version']}")
        terminal.say(f"Edit them, look with: accord rules diff {connection}, publish with: "
                     f"accord rules import {connection}")  # fmt: skip


@rules.command("import")
@click.argument("connection")
@folder_option
@direction_option
@author_option
@why_option
@click.pass_obj
def import_(
    terminal: Terminal, connection: str, folder: Path, direction: str | None, author: str | None, why: str
) -> None:
    """Check the files against your Jira and publish both directions at once; errors refuse, doubts warn."""
    files = read_files(folder, connection, direction)
    data = terminal.node.call("POST", f"{base(connection)}/import", {"files": files, "author": who(author), "why": why})
    show_published(terminal, data)


@rules.command()
@click.argument("connection")
@folder_option
@direction_option
@click.pass_obj
def check(terminal: Terminal, connection: str, folder: Path, direction: str | None) -> None:
    """Check the files against your Jira without publishing them. Exit status 3 when they would be refused."""
    files = read_files(folder, connection, direction)
    data = terminal.node.call("POST", f"{base(connection)}/check", {"files": files})
    if not terminal.data(data):
        show_findings(terminal, data["findings"])
        terminal.say("These rules can be published." if data["ok"] else "These rules would be refused.")
    if not data["ok"]:
        raise SystemExit(3)


@rules.command()
@click.argument("connection")
@click.option("--old", type=int, help="A version. Default: the one that counts now.")
@click.option("--new", type=int, help="A version. Default: the file.")
@folder_option
@direction_option
@click.pass_obj
def diff(
    terminal: Terminal, connection: str, old: int | None, new: int | None, folder: Path, direction: str | None
) -> None:
    """Show what differs between the published rules and the files, or between two versions."""
    texts: dict[str, str] = read_files(folder, connection, direction) if new is None else {}
    wanted = list(texts) if new is None else [direction] if direction else list(DIRECTIONS)
    if direction is None:
        wanted = _having(terminal, connection, wanted, old, new)
    found = []
    for one in wanted:
        body = {"direction": one, "old": old, "new": new, "text": texts.get(one)}
        found.append(terminal.node.call("POST", f"{base(connection)}/diff", body))
    if terminal.data({"diffs": found}):
        return
    for data in found:
        terminal.say(f"[bold]{data['direction']}[/bold]")
        for change in data["changes"]:
            terminal.quote(f"  {change['title']}")
            terminal.copy("\n".join(f"      {line}" for line in change["lines"]))
        if not data["changes"]:
            terminal.say("  no difference")


def _having(
    terminal: Terminal, connection: str, directions: Sequence[str], old: int | None, new: int | None
) -> list[str]:
    """Return the directions that have these versions; the others are named. Where none has them, all are asked."""
    asked = {number for number in (old, new) if number}
    if not asked:
        return list(directions)
    versions = terminal.node.call("GET", f"{base(connection)}/history")["versions"]
    there = {one: {0, *(each["version"] for each in versions if each["direction"] == one)} for one in directions}
    having = [one for one in directions if asked <= there[one]]
    for one in directions if having else ():
        if one not in having:
            missing = " and ".join(f"version {number}" for number in sorted(asked - there[one]))
            terminal.say(f"The {one} rules have no {missing}; they are left out.")
    return having or list(directions)


@rules.command()
@click.argument("connection")
@direction_option
@click.pass_obj
def history(terminal: Terminal, connection: str, direction: str | None) -> None:
    """Show every version that was published: who, when, why, and what changed."""
    query = f"?direction={direction}" if direction else ""
    data = terminal.node.call("GET", f"{base(connection)}/history{query}")
    if terminal.data(data):
        return
    if not data["versions"]:
        terminal.say("Nothing was published yet: the Basic rules count, as version 0.")
    for one in data["versions"]:
        terminal.say(f"{when(one['at_ms'])}  [bold]{one['direction']} version {one['version']}[/bold]  {one['mode']}")
        terminal.quote(f"    by {one['author'] or 'unknown'}{': ' if one['why'] else ''}{one['why']}")
        for change in one["changes"]:
            terminal.quote(f"    {change['title']}", hang=4)
            terminal.copy("\n".join(f"        {line}" for line in _first_lines(connection, one, change["lines"])))


_SHOWN_LINES = 6
"""Lines of one change that a history shows; all of them are in the diff."""


def _first_lines(connection: str, version: dict[str, Any], lines: Sequence[str]) -> list[str]:
    if len(lines) <= _SHOWN_LINES:
        return list(lines)
    number, direction = version["version"], version["direction"]
    whole = f"accord rules diff {connection} --old {number - 1} --new {number} --direction {direction}"
    return [*lines[: _SHOWN_LINES - 1], f"and {len(lines) - _SHOWN_LINES + 1} lines more:", f"  {whole}"]


@rules.command()
@click.argument("connection")
@click.argument("direction", type=click.Choice(DIRECTIONS))
@click.argument("version", type=click.IntRange(min=0))
@author_option
@why_option
@click.pass_obj
def rollback(terminal: Terminal, connection: str, direction: str, version: int, author: str | None, why: str) -> None:
    """Publish an earlier version again; version 0 is the Basic rules."""
    body = {"direction": direction, "version": version, "author": who(author), "why": why}
    show_published(terminal, terminal.node.call("POST", f"{base(connection)}/rollback", body))


@rules.command()
@click.argument("connection")
@click.argument("mode", type=click.Choice(["basic", "visual", "script"]))
@direction_option
@author_option
@why_option
@click.pass_obj
def convert(
    terminal: Terminal, connection: str, mode: str, direction: str | None, author: str | None, why: str
) -> None:
    """Write the rules that count now in another way, with the same meaning, on the same connection."""
    body = {
        "mode": mode,
        "directions": [direction] if direction else list(DIRECTIONS),
        "author": who(author),
        "why": why,
    }
    data = terminal.node.call("POST", f"{base(connection)}/convert", body)
    show_published(terminal, data)
    for one, now in data["modes"].items():
        if now == "basic" and mode == "visual":
            terminal.say(f"The {one} rules are mappings already, and exactly the Basic ones; change them and they are "
                         f"Visual: accord rules export {connection}")  # fmt: skip


def show_published(terminal: Terminal, data: dict[str, Any]) -> None:
    """Print what was published, with the doubts."""
    if terminal.data(data):
        return
    show_findings(terminal, data["findings"])
    for direction, version in data["versions"].items():
        terminal.say(f"{data['connection']}: version {version} of the {direction} rules counts from now on.")
    for direction in data["unchanged"]:
        terminal.say(f"{data['connection']}: the {direction} rules say the same as before; nothing was published.")


def show_findings(terminal: Terminal, findings: Sequence[dict[str, Any]]) -> None:
    """Print errors and doubts, with place, line and suggestion."""
    for one in findings:
        colour = "red" if one["severity"] == "error" else "yellow"
        first, _, below = one["text"].partition("\n")
        if one["file"]:
            head = f"[{colour}]{one['severity']}[/{colour}]: {escape(first.partition(': ')[2])}"
        else:
            head = f"[{colour}]{one['direction']}[/{colour}] {escape(first)}"
        terminal.say(head, hang=4)
        terminal.copy(below)


def indent(text: str) -> str:
    """Move a text to the right."""
    return "\n".join(f"    {line}" if line else "" for line in text.splitlines())


def only(direction: str | None) -> str:
    """Return the one direction that was named. Raises UsageError."""
    if direction is None:
        raise UsageError("No direction was named.", advice="Add --direction outgoing or --direction incoming.")
    return direction
