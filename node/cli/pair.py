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
    _warn(terminal, data)


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
        _warn(terminal, data)


def _warn(terminal: Terminal, data: dict[str, Any]) -> None:
    if data["warning"]:
        terminal.say(f"[yellow]Warning:[/yellow] {escape(data['warning'])}")


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
        return
    terminal.say(f"{name} waits for the other node; it goes on by itself. See: accord connections")
    _tell_reach(terminal, connection)


def _tell_reach(terminal: Terminal, connection: dict[str, Any]) -> None:
    """Say why the peer is not reached, if it is not."""
    if connection["last_error"]:
        terminal.quote(f"{connection['name']}: {connection['last_error']}", hang=2)
        terminal.quote(f"  {connection['last_error_advice']}" if connection["last_error_advice"] else "")


@click.command()
@click.argument("connection")
@click.argument("digits", required=False)
@click.pass_obj
def verify(terminal: Terminal, connection: str, digits: str | None) -> None:
    """Compare short codes: shows what to read out, takes the DIGITS that the other admin reads out."""
    if digits is None:
        data = terminal.node.call("GET", f"/api/v1/connections/{part(connection)}")
        if not terminal.data(data):
            _tell_digits(terminal, data)
        return
    data = terminal.node.call("POST", f"/api/v1/connections/{part(connection)}/verify", {"digits": digits})
    if not terminal.data(data):
        terminal.say(f"[green]{connection} is verified here.[/green]")
        _tell_digits(terminal, data)


def _tell_digits(terminal: Terminal, connection: dict[str, Any]) -> None:
    """Say what to read out; also after our own comparison, because the other admin may not have typed it yet."""
    name, code = connection["name"], connection["short_code"]
    if code is None:
        why = "is verified" if connection["verified"] else f"is {connection['state']}"
        terminal.say(f"{escape(name)} has no short code to compare: it {why}.")
        return
    terminal.say(f"Read out: [bold]{code['say']}[/bold]")
    if connection["verified"]:
        terminal.say("Theirs was typed here. They type ours: until they have, the connection is unverified there.")
    else:
        terminal.say(f"Type what they read out: accord verify {escape(name)} CODE")


@click.group(invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="Closed ones too.")
@click.pass_context
def connections(context: click.Context, everything: bool) -> None:
    """List connections: state, issues in sync, when the peer was last heard of, what rules may create.

    Where a peer cannot be reached, the reason stands below.
    """
    if context.invoked_subcommand is None:
        terminal = context.find_object(Terminal) or context.fail("There is no terminal.")
        _list_connections(terminal, everything=everything)


def _list_connections(terminal: Terminal, *, everything: bool) -> None:
    data = terminal.node.call("GET", "/api/v1/connections")
    shown = [one for one in data["connections"] if everything or one["state"] != "closed"]
    if terminal.data({**data, "connections": shown}):
        return
    terminal.table(
        ("Connection", "State", "Peer", "Project", "Issues", "Verified", "Last sync", "Last heard", "May create"),
        [
            (
                one["name"], one["state"], one["peer_label"], one["project"], one["issues"],
                "yes" if one["verified"] else "no", when(one["last_sync_ms"]), when(one["last_heard_ms"]),
                ", ".join(one["may_create"]) or "nothing",
            )
            for one in shown
        ],
        empty="There are no connections yet. Begin with: accord invite PEER --project KEY",
        spare=("Last sync", "May create", "Peer", "Project", "Verified"),
    )  # fmt: skip
    for one in shown:
        if one["state"] != "closed":
            _tell_reach(terminal, one)
    if closed := len(data["connections"]) - len(shown):
        terminal.say(f"{closed} closed: accord connections --all")


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


@connections.command()
@click.argument("connection")
@click.argument("url")
@click.pass_obj
def address(terminal: Terminal, connection: str, url: str) -> None:
    """Call the partner's node at another URL. Needed only when both nodes have moved at once.

    A node whose node.public_url was changed tells its partners by itself, when it is started anew.
    """
    data = terminal.node.call("POST", f"/api/v1/connections/{part(connection)}/address", {"url": url})
    if not terminal.data(data):
        terminal.say(f"The node of {escape(data['peer_label'])} is called at {escape(', '.join(data['peer_urls']))}.")


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
