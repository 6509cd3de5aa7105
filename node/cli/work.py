"""Commands around issues: sync, status, queue, errors, retry, skip."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import click
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from node.admin.client import part
from node.cli.show import Terminal, when
from node.errors import UsageError

BATCH = 50
"""Issues in one request, so that the progress bar moves."""


@click.command()
@click.argument("connection")
@click.argument("keys", nargs=-1, metavar="KEY...")
@click.pass_obj
def sync(terminal: Terminal, connection: str, keys: tuple[str, ...]) -> None:
    """Bring issues under sync on a connection; they stay in sync by themselves after that.

    Keys may also come from standard input, one a line, where KEY is a single dash.
    """
    wanted = [line.strip() for line in sys.stdin if line.strip()] if keys == ("-",) else list(keys)
    if not wanted:
        raise UsageError("No issue was named.", advice=f"For example: accord sync {connection} ABC-1 ABC-2")
    results: list[dict[str, Any]] = []
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=terminal.err, disable=terminal.as_json or len(wanted) <= BATCH, transient=True,
    )  # fmt: skip
    with bar:
        task = bar.add_task(f"Sending over {connection}", total=len(wanted))
        for start in range(0, len(wanted), BATCH):
            batch = wanted[start : start + BATCH]
            path = f"/api/v1/connections/{part(connection)}/sync"
            results += terminal.node.call("POST", path, {"keys": batch})["results"]
            bar.advance(task, len(batch))
    others = [one for one in results if one["result"] not in {"queued", "unchanged"}]
    if not terminal.data({"results": results}):
        shown: Sequence[dict[str, Any]] = results if len(results) <= BATCH else others
        terminal.table(
            ("Issue", "Result", "Why"), [(one["key"], one["result"], _why(one)) for one in shown], empty="", prose=True
        )
        counted = Counter(one["result"] for one in others)
        rest = "".join(f"; {number} {_RESULTS[result]}" for result, number in sorted(counted.items()))
        terminal.say(f"{len(results) - len(others)} of {len(results)} issues are on their way or in step{rest}.")
    if any(one["result"] == "failed" for one in others):
        raise SystemExit(1)


_RESULTS = {"failed": "failed, see accord errors", "skipped": "kept at home by the rules", "waits": "wait for Jira"}
"""What became of issues that are neither on their way nor in step, in words."""


def _why(one: dict[str, Any]) -> str:
    return " ".join(part for part in (one["text"], one["advice"]) if part)


@click.command()
@click.argument("key")
@click.pass_obj
def status(terminal: Terminal, key: str) -> None:
    """Show where an issue is linked to, and what happened to it."""
    data = terminal.node.call("GET", f"/api/v1/issues/{part(key)}")
    if terminal.data(data):
        return
    for link in data["links"]:
        twin = link["twin_key"] or ("linked" if link["applied"] else "not answered yet")
        there = escape(f"{twin} {link['twin_url'] or ''} ({link['state']})")
        terminal.say(f"[bold]{escape(key)}[/bold] on {link['connection']}: {there}")
        terminal.say(f"  last sync {when(link['synced_ms'])}; sent {link['sent']}, applied {link['applied']} revisions")
        terminal.table(
            ("When", "", "What", "Detail"),
            [
                (when(event["at_ms"]), event["direction"], event["event"], _detail(event["detail"]))
                for event in link["history"]
            ],
            empty="  nothing happened yet",
            prose=True,
        )
    show_problems(terminal, data["problems"])


def _detail(detail: dict[str, Any]) -> str:
    """Say what an event was about: what moved, what was answered, the rest by its name; below it what rules logged."""
    moved = ", ".join([*detail.get("fields", ()), *detail.get("items", ())])
    told = [moved, *(str(detail.get(name) or "") for name in _SENTENCES)]
    known = {"revision", "fields", "items", "log", *_SENTENCES}
    if detail.get("text"):
        known.add("code")
    told += [
        f"{name}: {_short(value)}"
        for name, value in detail.items()
        if name not in known and value not in (None, [], "")
    ]
    words = "; ".join(one for one in told if one)
    revision = f"revision {detail['revision']}" if detail.get("revision") else ""
    head = ": ".join(one for one in (revision, words) if one)
    return "\n".join([*([head] if head else []), *(f"log: {line}" for line in detail.get("log") or ())])


_SENTENCES = ("text", "reason")
"""Parts of an event that are sentences already."""


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."  # noqa: PLR2004 - one line of a terminal


@click.command()
@click.pass_obj
def queue(terminal: Terminal) -> None:
    """Show what waits to leave and what waits to be applied."""
    data = terminal.node.call("GET", "/api/v1/queue")
    if terminal.data(data):
        return
    changes = data["changes"]
    terminal.say(f"Notices from Jira: {sum(changes.values())} waiting, {changes.get('held', 0)} of them held")
    terminal.table(
        ("Connection", "State", "To send", "No receipt", "To apply", "Held", "Oldest"),
        [
            (
                one["connection"], one["state"], one["outgoing"]["queued"], one["outgoing"]["sealed"],
                one["incoming"].get("new", 0) + one["incoming"].get("waiting", 0), one["incoming"].get("held", 0),
                when(one["outgoing"]["oldest_ms"]) if one["outgoing"]["oldest_ms"] else "",
            )
            for one in data["connections"]
            if one["state"] != "closed" or one["outgoing"]["queued"] or one["outgoing"]["sealed"]
        ],
        empty="There are no connections yet. Begin with: accord invite",
        spare=("State", "Oldest"),
    )  # fmt: skip


@click.command()
@click.pass_obj
def errors(terminal: Terminal) -> None:
    """Show what cannot go on by itself, and what to do about it. Exit status 3 when there is anything.

    Notes, which need nothing to be done, are shown for a day and do not count.
    """
    data = terminal.node.call("GET", "/api/v1/errors")
    wrong = [one for one in data["problems"] if not one["note"]]
    if not terminal.data(data):
        show_problems(terminal, data["problems"])
        if not wrong:
            terminal.say("Nothing is wrong.")
    if wrong:
        raise SystemExit(3)


def show_problems(terminal: Terminal, problems: Sequence[dict[str, Any]]) -> None:
    """Print problems, each with its number and its next step."""
    for one in problems:
        where = " ".join(part for part in (one["connection"], one["issue_key"]) if part)
        times = f", {one['count']} times" if one["count"] > 1 else ""
        number = f"{one['id']} note" if one["note"] else f"[red]{one['id']}[/red]"
        terminal.say(f"{number} [bold]{escape(where)}[/bold] since {when(one['first_ms'])}{times}")
        for line in one["message"].split("\n"):
            terminal.quote(f"  {line}")
        terminal.quote(f"  {one['advice']}" if one["advice"] else "")


@click.command()
@click.argument("numbers", nargs=-1, type=int, metavar="[NUMBER]...")
@click.option("--all", "everything", is_flag=True, help="Retry everything that is held or waiting.")
@click.pass_obj
def retry(terminal: Terminal, numbers: tuple[int, ...], everything: bool) -> None:
    """Try again now what `accord errors` lists under these numbers."""
    if not numbers and not everything:
        raise UsageError("Nothing was named to retry.", advice="Give numbers from accord errors, or --all.")
    data = terminal.node.call("POST", "/api/v1/errors/retry", {"ids": None if everything else list(numbers)})
    if not terminal.data(data):
        count = data["count"]
        terminal.say(f"Being tried again: {count}. See: accord errors" if count else "There is nothing to try again.")


@click.command()
@click.argument("numbers", nargs=-1, type=int, required=True, metavar="NUMBER...")
@click.pass_obj
def skip(terminal: Terminal, numbers: tuple[int, ...]) -> None:
    """Give up on what `accord errors` lists under these numbers; later changes of those issues still sync."""
    data = terminal.node.call("POST", "/api/v1/errors/skip", {"ids": list(numbers)})
    if not terminal.data(data):
        terminal.say(f"{data['count']} were skipped.")
