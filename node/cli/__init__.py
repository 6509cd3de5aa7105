"""The command line, `accord`: sets a node up and talks to the running one through its admin API.

Reading order: `setup` (init, serve, check), `pair` (invite, accept, connections), `work` (sync, status, queue, errors,
retry), `rules` and `rules_look` (rules as files; preview, compare, record, test, explain), `ledger`, `sandbox` and
`demo`; `show` prints, on `lines`. Exit status: 0 done, 1 failed, 2 wrong usage, 3 something needs
attention.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Final

import click
from typing_extensions import override

from node.cli.show import PlainConsole, Terminal, error, takes_json
from node.config import NodeFolder
from node.errors import AccordError, UsageError
from protocol.errors import ProtocolError

TRACE_VARIABLE = "ACCORD_TRACE"
"""Set, it lets a mistake of this program end in Python's own words, for those who repair it."""


_MODULES: Final = {
    "setup": ("init", "token", "serve", "check"),
    "pair": ("invite", "accept", "verify", "connections", "pause", "resume", "revoke", "close"),
    "work": ("sync", "status", "queue", "errors", "retry", "skip"),
    "rules_look": ("rules", "explain"),  # it adds its own commands to the group of `rules`
    "ledger": ("ledger",),
    "sandbox": ("sandbox",),
    "demo": ("demo",),
}
"""Which module of this package holds which commands; each is loaded when one of its commands is asked for."""

_FOR_PEOPLE: Final = {"serve", "sandbox"}
"""What these two say while they run is for people only."""


class _Commands(click.Group):
    """Finds commands by name and loads only what they need, so that a small command starts fast."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *(name for names in _MODULES.values() for name in names)})

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = next((module for module, names in _MODULES.items() if cmd_name in names), None)
        if module is not None and cmd_name not in self.commands:
            command: click.Command = getattr(import_module(f"node.cli.{module}"), cmd_name)
            self.add_command(command if cmd_name in _FOR_PEOPLE else takes_json(command))
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path, file_okay=False), default=Path(".accord"), envvar="ACCORD_DIR",
    show_default=True, show_envvar=True, help="The node's folder.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts; also after a command.")
@click.version_option(version("accord-sync"), prog_name="accord")
@click.pass_context
def accord(context: click.Context, folder: Path, as_json: bool) -> None:
    """Keep issues in step between your Jira and a partner's, node to node, without a middleman."""
    context.obj = Terminal(NodeFolder(folder), as_json, PlainConsole(), PlainConsole(stderr=True))


@accord.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of your shell: eval "$(accord completion bash)"."""
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - only this command needs it

    kind = get_completion_class(shell)
    if kind is None:
        raise UsageError(f"There is no completion for {shell}.")
    click.echo(kind(accord, {}, "accord", "_ACCORD_COMPLETE").source())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; errors are two lines on standard error and an exit status."""
    try:
        status = accord.main(arguments, standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as problem:
        problem.show()
        sys.exit(problem.exit_code)
    except (AccordError, ProtocolError) as problem:
        error(PlainConsole(stderr=True), problem.message, problem.advice)
        sys.exit(2 if isinstance(problem, UsageError) else 1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python must not complain of it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as problem:
        if os.environ.get(TRACE_VARIABLE):
            raise
        text = problem.strerror if isinstance(problem, OSError) else type(problem).__name__
        error(
            PlainConsole(stderr=True),
            f"The command failed: {text}.",
            f"If this is not a matter of your machine, report it with what is printed when {TRACE_VARIABLE}=1 is set.",
        )
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)
