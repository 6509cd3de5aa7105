"""Commands that look at issues through rules: `accord rules preview|compare|record|test` and `accord explain`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from node.cli.rules import (
    base,
    direction_option,
    folder_option,
    indent,
    only,
    read_file,
    read_files,
    rules,
    write_file,
)
from node.cli.show import Terminal, when
from node.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from node.rules.ruleset import RuleSet
    from node.rules.script.engine import RuleEngine

_RESULTS = {
    "changes": "would change",
    "unchanged": "would change nothing",
    "skipped": "is skipped",
    "stopped": "is stopped by the guard",
    "fails": "fails",
}


def _pages(terminal: Terminal, what: str, ask: Callable[[str | None], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Ask for page after page, with a progress bar once there is more than one."""
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=terminal.err, disable=terminal.as_json, transient=True,
    )  # fmt: skip
    cursor: str | None = None
    task = None
    done = 0
    with bar:
        while True:
            page = ask(cursor)
            done += page.get("looked_at", len(page.get("previews", ())))
            yield page
            cursor = page["next"]
            if cursor is None:
                return
            if task is None:
                task = bar.add_task(what, total=page["total"])
            bar.update(task, completed=done)


@rules.command()
@click.argument("connection")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--jql", help="The issues of a query instead of keys (outgoing).")
@click.option("--replica", type=click.Path(path_type=Path, dir_okay=False), help="A file with a replica (incoming).")
@click.option("--file", "path", type=click.Path(path_type=Path, dir_okay=False), help="Rules that are not published.")
@click.option("--payload", is_flag=True, help="Print the exact payload too.")
@direction_option
@click.pass_obj
def preview(
    terminal: Terminal,
    connection: str,
    keys: tuple[str, ...],
    jql: str | None,
    replica: Path | None,
    path: Path | None,
    payload: bool,
    direction: str | None,
) -> None:
    """Show what would leave of issues, or what a replica would change here. Nothing is sent or written.

    Outgoing: KEYs, or --jql. Incoming (--direction incoming): the last replica received for KEY, or --replica FILE,
    compared with KEY where one is named.
    """
    direction = "incoming" if replica is not None else direction or "outgoing"
    text = read_file(path) if path is not None else None
    if direction == "incoming":
        if jql is not None or len(keys) > 1:
            raise UsageError("An incoming preview is about one replica.", advice="Name one KEY, or --replica FILE.")
        given = _json(replica) if replica is not None else None
        body = {"key": keys[0] if keys else None, "replica": given, "text": text}
        previews = terminal.node.call("POST", f"{base(connection)}/preview/incoming", body)["previews"]
    else:
        address = f"{base(connection)}/preview/outgoing"

        def ask(cursor: str | None) -> dict[str, Any]:
            body = {"keys": list(keys), "jql": jql, "cursor": cursor, "text": text}
            page: dict[str, Any] = terminal.node.call("POST", address, body)
            return page

        previews = [one for page in _pages(terminal, "Looking", ask) for one in page["previews"]]
    if not terminal.data({"previews": previews}):
        for one in previews:
            _show_preview(terminal, one, payload=payload or (direction == "outgoing" and len(previews) == 1))
        if previews and previews[0]["notice"]:
            terminal.say(previews[0]["notice"])
    if any(one["result"] in {"fails", "stopped"} for one in previews):
        raise SystemExit(3)


def _show_preview(terminal: Terminal, one: dict[str, Any], *, payload: bool) -> None:
    terminal.say(f"[bold]{one['key']}[/bold] {_RESULTS[one['result']]}")
    if one["skipped"]:
        terminal.quote(f"  {one['skipped']}")
    if one["error"]:
        terminal.quote(indent(one["error"]["message"]))
        if one["error"]["shown"]:
            mark = f"\n{' ' * (one['error']['column'] - 1)}^" if one["error"]["column"] else ""
            terminal.copy(indent(indent(f"{one['error']['shown']}{mark}")))
        terminal.quote(indent(one["error"]["advice"]))
    for found in one["guard"]:
        stopped = escape(f"{found['pattern']} in {found['field']}")
        terminal.say(f"  [red]the guard found {stopped}: it would not leave[/red]")
    for change in one["changes"]:
        terminal.copy("\n".join(f"  {line}" for line in change["lines"]))
    for wish in one["creates"]:
        place = wish["field"].removeprefix("custom.") or wish["project"]
        terminal.quote(f"  would be created first: {wish['name']} ({wish['kind']} of {place})")
    for call in one["calls"]:
        arguments = ", ".join(json.dumps(each, ensure_ascii=False) for each in call["arguments"])
        result = json.dumps(call["result"], ensure_ascii=False)
        terminal.quote(f"  asked {call['name']}({arguments}): {result}")
    for line in one["log"]:
        terminal.quote(f"  log: {line}")
    if payload and one["payload"] is not None:
        size = f", {one['bytes']:,} bytes" if one["bytes"] else ""
        terminal.say(f"  The payload{size}:")
        terminal.copy(indent(json.dumps(one["payload"], indent=2, ensure_ascii=False)))


@rules.command()
@click.argument("connection")
@click.option("--jql", help="The issues of a query. Default: those of past syncs.")
@folder_option
@direction_option
@click.option("--all", "everything", is_flag=True, help="Print the diffs of every issue, not of the first 20.")
@click.pass_obj
def compare(
    terminal: Terminal, connection: str, jql: str | None, folder: Path, direction: str | None, everything: bool
) -> None:
    """Show what the edited files would alter, over past syncs or a query, before you publish them."""
    from node.rules.preview import Altered, Comparison  # noqa: PLC0415 - the other commands need no rules

    files = read_files(folder, connection, direction)
    if jql is not None:
        files = {one: text for one, text in files.items() if one == "outgoing"}
    results: dict[str, Any] = {}
    for one, text in files.items():

        def ask(cursor: str | None, one: str = one, text: str = text) -> dict[str, Any]:
            body = {"direction": one, "text": text, "jql": jql, "cursor": cursor}
            page: dict[str, Any] = terminal.node.call("POST", f"{base(connection)}/compare", body)
            return page

        compared, altered = 0, []
        for page in _pages(terminal, f"Comparing {one}", ask):
            compared += page["compared"]
            altered += page["altered"]
        said = Comparison(compared, tuple(Altered(each["key"], (), each["change"]) for each in altered)).sentence
        results[one] = {"sentence": said, "compared": compared, "altered": altered}
    if terminal.data({"comparisons": results}):
        return
    for one, result in results.items():
        terminal.say(f"[bold]{one}[/bold]  {result['sentence']}")
        shown = result["altered"] if everything else result["altered"][:20]
        for each in shown:
            terminal.quote(f"  {each['key']} {each['change']}".rstrip())
            for change in each["changes"]:
                terminal.copy("\n".join(f"      {line}" for line in change["lines"]))
        if len(shown) < len(result["altered"]):
            terminal.say(f"  and {len(result['altered']) - len(shown)} more; see them with --all")


@rules.command()
@click.argument("connection")
@click.argument("key")
@direction_option
@click.option("--name", help="The case's name. Default: direction and key.")
@folder_option
@click.pass_obj
def record(
    terminal: Terminal, connection: str, key: str, direction: str | None, name: str | None, folder: Path
) -> None:
    """Record a test case from a real issue, with people's data replaced, beside the rules files."""
    body = {"key": key, "direction": only(direction), "name": name}
    data = terminal.node.call("POST", f"{base(connection)}/record", body)
    path = folder / connection / "cases" / data["file"]
    write_file(path, data["text"])
    if not terminal.data({"file": str(path), "name": data["name"]}):
        terminal.say(f"{path}  Read it, then keep it in git; run it with: accord rules test {connection}")


@rules.command()
@click.argument("connections", nargs=-1, metavar="[CONNECTION]...")
@folder_option
@click.pass_obj
def test(terminal: Terminal, connections: tuple[str, ...], folder: Path) -> None:
    """Run the test cases beside the rules files. Needs no running node and no Jira. Exit status 1 when one fails."""
    names = connections or tuple(sorted(path.parent.name for path in folder.glob("*/cases") if path.is_dir()))
    if not names:
        raise ConfigError(
            f"There are no test cases under {folder}.",
            advice="Record one with: accord rules record CONNECTION KEY --direction outgoing",
        )
    results = asyncio.run(_run_cases(folder, names))
    if not terminal.data({"results": results}):
        for one in results:
            terminal.quote(f"{one['connection']}  {one['lines'][0]}")
            terminal.copy("\n".join(one["lines"][1:]))
        failed = sum(1 for one in results if not one["passed"])
        terminal.say(f"{len(results) - failed} of {len(results)} cases passed.")
    if not all(one["passed"] for one in results):
        raise SystemExit(1)


async def _run_cases(folder: Path, names: tuple[str, ...]) -> list[dict[str, Any]]:
    from node.rules.files import import_rules  # noqa: PLC0415 - the other commands need no rules
    from node.rules.script.sandbox import MontyEngine  # noqa: PLC0415 - as above

    engine = MontyEngine()
    results = []
    try:
        for name in names:
            here = folder / name
            try:
                files = read_files(folder, name, None)
                rulesets = {one: import_rules(text, name=str(here / f"{one}.toml")) for one, text in files.items()}
            except ConfigError as error:
                results.append(_broken(name, here, error))
                continue
            for path in sorted((here / "cases").glob("*.json")):
                try:
                    results.append(await _run_case(name, path, rulesets, engine))
                except ConfigError as error:
                    results.append(_broken(name, path, error))
    finally:
        await engine.close()
    return results


async def _run_case(name: str, path: Path, rulesets: Mapping[str, RuleSet], engine: RuleEngine) -> dict[str, Any]:
    from node.rules.cases import read_case, run_case  # noqa: PLC0415 - the other commands need no rules

    case = read_case(read_file(path), name=str(path))
    if case.direction not in rulesets:
        raise ConfigError(f"{path} is for {case.direction} rules, and {name} has no file with such rules.")
    result = await run_case(case, rulesets[case.direction], engine=engine)
    shown = {"connection": name, "file": str(path), "name": case.name}
    return {**shown, "passed": result.passed, "lines": result.lines()}


def _broken(connection: str, path: Path, error: ConfigError) -> dict[str, Any]:
    """Return the result for a file that cannot be read: it fails, and the others go on."""
    lines = [f"FAILED  {path}", indent(error.message), *([indent(error.advice)] if error.advice else [])]
    return {"connection": connection, "file": str(path), "name": path.name, "passed": False, "lines": lines}


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(read_file(path))
    except (ValueError, RecursionError):
        raise ConfigError(f"{path} is not JSON.") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path} holds no replica.")
    return data


@click.command()
@click.argument("key")
@click.option("--sync", type=int, help="The number of one past sync.")
@click.option("--past", type=click.IntRange(1, 200), default=1, show_default=True, help="So many of each direction.")
@click.option("--field", "fields", multiple=True, help="Only this field; may be given several times.")
@click.pass_obj
def explain(terminal: Terminal, key: str, sync: int | None, past: int, fields: tuple[str, ...]) -> None:
    """Tell which step of the rules let each field out or in, for the last sync or any past one."""
    query = [f"past={past}", *(f"field={quote(each)}" for each in fields)]
    if sync is not None:
        query.append(f"sync={sync}")
    data = terminal.node.call("GET", f"/api/v1/issues/{quote(key)}/explanation?{'&'.join(query)}")
    if terminal.data(data):
        return
    for one in data["syncs"]:
        version = f"rules version {one['rule_version']}" if one["rule_version"] is not None else ""
        terminal.say(
            f"[bold]Sync {one['sync']}[/bold] {one['connection']}, {one['direction']}, {one['event']} "
            f"{when(one['at_ms'])}, {version}"
        )
        terminal.quote(f"  {one['note']}" if one["note"] else "")
        for each in one["fields"]:
            terminal.quote(f"  {'*' if each['changed'] else ' '} {each['text']}")
    if any(each["changed"] for one in data["syncs"] for each in one["fields"]):
        terminal.say("  * changed with that sync")
