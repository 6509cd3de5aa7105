"""Commands around connections: invite, accept, verify, connections, pause, resume, close, revoke."""

from __future__ import annotations

import sys
from typing import Any

import click
from rich.markup import escape

from node.admin.client import part
from node.cli.show import Terminal, when
from node.errors import UsageError
from node.rules.fields import CREATABLE


@click.command()
@click.argument("peer")
@click.option("--project", required=True, help="Our project: issues of the peer's are created here.")
@click.option("--name", help="Name of the connection here. Default: <this node>_to_<PEER>.")
@click.option("--default-type", help="Issue type for issues whose type our project does not have. Default: Task.")
@click.option("--expires", "hours", type=click.IntRange(1, 336), default=72, show_default=True, help="Hours.")
@click.option("--to", "fingerprint", help="Fingerprint of the only node that may use the code.")
@click.option("--description", default="", help="For yourselves; it never leaves.")
@click.pass_obj
def invite(terminal: Terminal, /, peer: str, **options: Any) -> None:
    """Make an invitation code for PEER, the name by which you call the other organisation."""
    body = {"peer": peer, **{name: value for name, value in options.items() if value not in (None, "")}}
    data = terminal.node.call("POST", "/api/v1/invitations", body)
    if terminal.data(data):
        return
    terminal.say(
        f"Invitation for [bold]{data['connection']}[/bold], good for one use until {when(data['expires_ms'])}."
    )
    terminal.say(f"This node's fingerprint: [bold]{data['fingerprint']}[/bold]")
    terminal.say("Send this code to the other admin over a channel that you trust:\n")
    click.echo(data["code"])
    terminal.say("\nThey run: accord accept CODE --project THEIR_PROJECT")


@click.command()
@click.argument("code")
@click.option("--project", required=True, help="Our project: issues of the peer's are created here.")
@click.option("--name", help="Name of the connection here. Default: <this node>_to_<peer>.")
@click.option("--default-type", help="Issue type for issues whose type our project does not have. Default: Task.")
@click.option("--description", default="", help="For yourselves; it never leaves.")
@click.option("--yes", is_flag=True, help="Do not ask whether the fingerprint is right.")
@click.pass_obj
def accept(terminal: Terminal, /, code: str, yes: bool, **options: Any) -> None:
    """Accept an invitation CODE (a dash reads it from standard input) and connect."""
    text = sys.stdin.read() if code == "-" else code
    described = terminal.node.call("POST", "/api/v1/invitations/describe", {"code": text})
    if not terminal.as_json:
        terminal.say(f"[bold]{escape(described['label']) or 'Somebody'}[/bold] invites this node to connect.")
        terminal.say(f"Their fingerprint: [bold]{described['fingerprint']}[/bold]")
        terminal.say(f"Their address: {escape(', '.join(described['urls'])) or 'none, they will call us'}")
    if not yes:
        if terminal.as_json or not sys.stdin.isatty():
            raise UsageError(
                "Nobody is here to confirm the fingerprint.", advice="Compare it with the inviter, then add --yes."
            )
        click.confirm("Did the inviter tell you this fingerprint?", abort=True, err=True)
    body = {"code": text, **{name: value for name, value in options.items() if value not in (None, "")}}
    data = terminal.node.call("POST", "/api/v1/connections", body)
    if not terminal.data(data):
        _tell_state(terminal, data)


def _tell_state(terminal: Terminal, connection: dict[str, Any]) -> None:
    name = escape(connection["name"])
    if connection["state"] == "active":
        terminal.say(f"[green]{name} is active.[/green]")
        if not connection["verified"]:
            terminal.say(
                "It is unverified until you compared short codes by phone. "
                f"Read out [bold]{connection['short_code']['say']}[/bold], type theirs: accord verify {name} CODE"
            )
        terminal.say(f"Send a first issue: accord sync {name} {connection['project']}-1")
    else:
        terminal.say(f"{name} waits for the other node; it goes on by itself. See: accord connections")


@click.command()
@click.argument("connection")
@click.argument("digits", required=False)
@click.pass_obj
def verify(terminal: Terminal, connection: str, digits: str | None) -> None:
    """Compare short codes: shows what to read out, takes the DIGITS that the other admin reads out."""
    if digits is None:
        data = terminal.node.call("GET", f"/api/v1/connections/{part(connection)}")
        if not terminal.data(data):
            code = data.get("short_code")
            terminal.say(f"Read out: {code['say']}" if code else f"{connection} has no short code to compare.")
        return
    data = terminal.node.call("POST", f"/api/v1/connections/{part(connection)}/verify", {"digits": digits})
    if not terminal.data(data):
        terminal.say(f"[green]{connection} is verified.[/green]")


@click.group(invoke_without_command=True)
@click.pass_context
def connections(context: click.Context) -> None:
    """List connections: state, issues in sync, when the peer was last heard of, what rules may create."""
    if context.invoked_subcommand is None:
        _list_connections(context.find_object(Terminal) or context.fail("There is no terminal."))


def _list_connections(terminal: Terminal) -> None:
    data = terminal.node.call("GET", "/api/v1/connections")
    if terminal.data(data):
        return
    terminal.table(
        ("Connection", "State", "Peer", "Project", "Issues", "Verified", "Last sync", "Last heard", "May create"),
        [
            (
                one["name"], one["state"], one["peer_label"], one["project"], one["issues"],
                "yes" if one["verified"] else "no", when(one["last_sync_ms"]), when(one["last_heard_ms"]),
                ", ".join(one["may_create"]) or "nothing",
            )
            for one in data["connections"]
        ],
        empty="There are no connections yet. Begin with: accord invite PEER --project KEY",
    )  # fmt: skip


def _may_create_command(action: str, summary: str) -> click.Command:
    @click.command(action, help=summary)
    @click.argument("connection")
    @click.argument("kinds", nargs=-1, required=True, type=click.Choice(CREATABLE), metavar="KIND...")
    @click.pass_obj
    def command(terminal: Terminal, connection: str, kinds: tuple[str, ...]) -> None:
        data = terminal.node.call("POST", f"/api/v1/connections/{part(connection)}/{action}", {"kinds": list(kinds)})
        if not terminal.data(data):
            may = ", ".join(data["may_create"]) or "nothing"
            terminal.say(f"The rules of {escape(data['name'])} may create in our Jira: {may}.")

    return command


_KINDS = "A KIND is versions, components or options (options on Jira Cloud only)."
connections.add_command(
    _may_create_command("allow", f"Let the rules of a connection create what our Jira lacks. {_KINDS}")
)
connections.add_command(
    _may_create_command("forbid", f"Do not let the rules of a connection create these any more. {_KINDS}")
)


def _state_command(action: str, summary: str, done: str) -> click.Command:
    @click.command(action, help=summary)
    @click.argument("connection")
    @click.pass_obj
    def command(terminal: Terminal, connection: str) -> None:
        data = terminal.node.call("POST", f"/api/v1/connections/{part(connection)}/{action}", {})
        if not terminal.data(data):
            terminal.say(done.format(connection))

    return command


pause = _state_command(
    "pause", "Pause a connection: changes are collected, nothing is sent or applied.", "{} is paused. Changes wait."
)
resume = _state_command("resume", "Resume a paused connection; what waited goes on.", "{} is active again.")
revoke = _state_command("revoke", "Revoke an invitation that was not used yet.", "The invitation of {} is revoked.")


@click.command()
@click.argument("connection")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def close(terminal: Terminal, connection: str, yes: bool) -> None:
    """Close a connection for good: keys are destroyed, issues stay as they are on both sides."""
    if not yes:
        if terminal.as_json or not sys.stdin.isatty():
            raise UsageError("Nobody is here to confirm.", advice="Add --yes if you are sure.")
        click.confirm(f"Close {connection} for good? Pairing again will need a new invitation", abort=True, err=True)
    data = terminal.node.call("POST", f"/api/v1/connections/{part(connection)}/close", {})
    if not terminal.data(data):
        terminal.say(f"{connection} is closed.")
