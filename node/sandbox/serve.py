"""Running the sandbox from a command line: what can be chosen, and the life of the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from node.sandbox.app import RunningSandbox, running_sandbox
from node.sandbox.load import LoadReport, load_issues, read_dump
from node.sandbox.persistence import Saver, read_world
from node.sandbox.seed import create_project, default_world
from node.sandbox.store import World


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """What a sandbox is started with.

    ``limit`` is how many issues of the dump ``load`` are taken, None for all.
    ``projects`` maps keys to names; ``tokens`` maps personal access tokens to user names. ``placeholder_limit`` is in
    bytes, for the made-up files of a dump. ``base_url`` is what ``self`` links begin with when it is not the port's own
    address. ``control_open`` lets anybody who reaches the port set up faults.
    """

    host: str = "127.0.0.1"
    port: int = 0
    data: Path | None = None
    load: Path | None = None
    limit: int | None = None
    projects: Mapping[str, str] = field(default_factory=dict)
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    title: str = "Sandbox"
    placeholder_limit: int = 64 * 1024
    upload_limit: int = 10 * 1024 * 1024
    base_url: str = ""
    control_open: bool = False


def prepare_world(options: SandboxOptions) -> tuple[World, LoadReport | None]:
    """Return the world to serve: the one that was saved, else a new one, with what the options add.

    A dump is loaded into a new world only, so that a restart does not load it twice.
    Raises DataFileError, LoadError, and ValueError for a token of an unknown user.
    """
    world = read_world(options.data) if options.data is not None else None
    report = None
    if world is None:
        world = default_world()
        world.site.title = options.title
        world.site.placeholder_limit = options.placeholder_limit
        if options.load is not None:
            report = load_issues(world, islice(read_dump(options.load), options.limit))
    world.site.upload_limit = options.upload_limit
    for key, name in options.projects.items():
        if world.project(key) is None:
            create_project(world, key, name)
    for token, name in options.tokens.items():
        user = world.user_named(name)
        if user is None:
            msg = f"There is no user {name} to give a token to."
            raise ValueError(msg)
        world.create_token(user, token)
    return world, report


async def serve_sandbox(
    options: SandboxOptions,
    *,
    ready: Callable[[RunningSandbox, LoadReport | None], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until ``stop`` is set or the task is cancelled; ``ready`` is told once when the port is open.

    Raises DataFileError, LoadError, OSError when the port is taken, ValueError.
    """
    world, report = await asyncio.to_thread(prepare_world, options)
    saver = Saver(world, options.data) if options.data is not None else None
    try:
        async with running_sandbox(
            world,
            host=options.host,
            port=options.port,
            base_url=options.base_url,
            control_open=options.control_open,
        ) as sandbox:
            if saver is not None:
                saver.start()
            if ready is not None:
                ready(sandbox, report)
            await (stop if stop is not None else asyncio.Event()).wait()
    finally:
        if saver is not None:
            await saver.close()
