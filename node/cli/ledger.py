"""Commands around the ledger: `accord ledger KEY|CONNECTION`, `accord ledger verify`, `accord ledger sign-anew`."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from rich.markup import escape
from typing_extensions import override

from node.admin.client import part
from node.cli.rules import indent
from node.cli.show import Terminal, when
from node.plain_text import escaped


class _Group(click.Group):
    """A group whose first argument may also be an issue's key or a connection's name."""

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take everything that is no command as what to show."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["show", *args]
        return super().resolve_command(ctx, args)


@click.group(cls=_Group)
def ledger() -> None:
    """Show what left, when and to whom: accord ledger KEY, or accord ledger CONNECTION; and prove it: verify."""


@ledger.command()
@click.argument("about", metavar="KEY|CONNECTION")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="The newest so many.")
@click.option("--raw", is_flag=True, help="Print payloads byte for byte, one a line, and nothing else.")
@click.pass_obj
def show(terminal: Terminal, about: str, limit: int, raw: bool) -> None:
    """Show exactly what left of an issue, or over a connection, newest first."""
    data = terminal.node.call("GET", f"/api/v1/ledger/of/{part(about)}?limit={limit}")
    if terminal.data(data):
        return
    for one in data["entries"]:
        if raw:
            payload = one["payload"] or ""
            # Byte for byte for a program; what people wrote must not steer a terminal.
            click.echo(escaped(payload) if sys.stdout.isatty() else payload)
            continue
        what = f"{one['kind']} of {one['key']}" if one["key"] else one["kind"]
        terminal.say(
            f"[bold]{one['connection']} {one['number']}[/bold]  {when(one['at_ms'])}  {escape(what)}, "
            f"to {escape(one['to'])} ({one['to_fingerprint']})"
        )
        terminal.say(_place(one))
        if one["payload"] is None:
            terminal.say(f"    The payload was dropped; its SHA-256 is {one['payload_sha256']}.")
        else:
            terminal.copy(indent(json.dumps(json.loads(one["payload"]), indent=2, ensure_ascii=False)))
    if not data["entries"] and not raw:
        terminal.quote(f"Nothing left over {about} yet.")


def _place(one: dict[str, Any]) -> str:
    parts = [f"envelope {one['seq']}" if one["seq"] is not None else "beside the stream"]
    if one["place"] is not None:
        parts.append(f"message {one['place']} of {one['places']} in it")
    if one["revision"] is not None:
        parts.append(f"revision {one['revision']}")
    if one["rule_version"] is not None:
        parts.append(f"rules version {one['rule_version']}")
    return f"    {', '.join(parts)}"


@ledger.command()
@click.pass_obj
def verify(terminal: Terminal) -> None:
    """Prove that nothing in the ledger was changed or removed. Exit status 1 when something was."""
    data = terminal.node.call("POST", "/api/v1/ledger/verify", {})
    if not terminal.data(data):
        for chain in data["chains"]:
            dropped = f", {chain['payloads_dropped']} payloads dropped" if chain["payloads_dropped"] else ""
            mark = "[red]broken[/red]" if chain["broken"] else "[green]whole[/green]"
            terminal.say(f"{chain['connection']}: {chain['rows']} rows{dropped}, {mark}  {chain['head'][:16]}")
            for found in chain["broken"]:
                terminal.quote(f"    {found['text']}")
        for problem in data["problems"]:
            terminal.say(f"[red]{problem}[/red]")
        if data["sound"]:
            signed = f"; signed by this node's key {when(data['anchored_ms'])}" if data["anchored_ms"] else ""
            terminal.say(f"Nothing was changed or removed{signed}.")
    if not data["sound"]:
        raise SystemExit(1)


@ledger.command("sign-anew")
@click.confirmation_option(prompt="Sign for the ledger as it is now, whatever was signed for before?")
@click.pass_obj
def sign_anew(terminal: Terminal) -> None:
    """Sign for the ledger as it is, after a backup was restored; the old signature is kept beside it."""
    data = terminal.node.call("POST", "/api/v1/ledger/sign-anew", {})
    if not terminal.data(data):
        terminal.say(f"Signed for {data['chains']} chains.")
