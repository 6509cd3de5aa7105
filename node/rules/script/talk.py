"""The talk with one session while a script runs: its questions are answered, its log lines are kept.

Drives a session to its end and never lets it wait for anything but ``asking``. Judges nothing that comes out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic_monty import (
    AsyncFunctionSnapshot,
    AsyncMontySession,
    AsyncNameLookupSnapshot,
    AsyncSnapshot,
    CollectString,
    MontyComplete,
)

from node.errors import AccordError, RuleError
from node.rules.script import failure
from node.rules.script.asking import ask
from node.rules.script.engine import HelperCall, Helpers
from node.rules.script.workers import HELPER_CALLS

_ESCAPED = re.compile(r"\\(.)")
"""The box writes each log line on one line: a line feed as ``\\n``, a backslash as two."""

_MAX_LOG = 512 << 10
_MAX_LOG_LINES = 201


class Talk:
    """What a session says while it runs: questions and log lines, by the index of the issue."""

    def __init__(self, helpers: Helpers, count: int) -> None:
        self.helpers = helpers
        self.calls: list[list[HelperCall]] = [[] for _ in range(count)]
        self.printed = CollectString(max_bytes=_MAX_LOG)
        self.failure: AccordError | None = None

    def log(self, index: int) -> tuple[str, ...]:
        """Return the log lines of one issue."""
        prefix = f"{index} "
        return tuple(
            _ESCAPED.sub(_unescaped, line.removeprefix(prefix))
            for line in self.printed.output.split("\n")
            if line.startswith(prefix)
        )[:_MAX_LOG_LINES]

    async def answer(self, arguments: Sequence[Any]) -> Any:
        """Answer one question. Raises AccordError."""
        if len(arguments) < 2 or type(arguments[0]) is not int or not 0 <= arguments[0] < len(self.calls):  # noqa: PLR2004 - index and name
            raise RuleError("A script asked for a helper that does not exist.")
        calls = self.calls[arguments[0]]
        if len(calls) >= HELPER_CALLS:
            raise RuleError(
                f"The script asked helpers more than {HELPER_CALLS} questions.",
                advice="Ask once and keep the answer in a variable.",
            )
        calls.append(await ask(self.helpers, arguments[1], arguments[2:]))
        return calls[-1].result


def _unescaped(found: re.Match[str]) -> str:
    return "\n" if found[1] == "n" else found[1]


async def drive(session: AsyncMontySession, call: str, jobs: Any, talk: Talk, *, asks: bool) -> object:
    """Run to the end, answering what is asked. Raises MontyError; where a helper failed, ``talk.failure`` says why.

    Without ``asks`` nothing is answered, and whatever the box wants fails inside it. Raises RuleError where the input
    cannot be handed over: broken characters, or nested too deeply.
    """
    inputs = {"_jobs": jobs}
    try:
        if not asks:
            # A third faster than to start and to look at what it stopped for.
            return await session.feed_run(call, inputs=inputs, print_callback=talk.printed)
        snapshot: AsyncSnapshot = await session.feed_start(call, inputs=inputs, print_callback=talk.printed)
    except (ValueError, TypeError, RecursionError) as error:
        raise RuleError(
            "The issue or replica holds a value that cannot be handed to a script: broken characters, or deep nesting.",
            advice="Correct the value in Jira, or use mappings for this connection; then try the issue again.",
        ) from error
    while not isinstance(snapshot, MontyComplete):
        if isinstance(snapshot, AsyncFunctionSnapshot) and snapshot.function_name == "_ask":
            try:
                value = await talk.answer(snapshot.args)
            except AccordError as error:
                talk.failure = error
                snapshot = await snapshot.resume({"exc_type": "SystemExit", "message": failure.HELPER_FAILED})
            else:
                snapshot = await snapshot.resume({"return_value": value})
        elif isinstance(snapshot, AsyncNameLookupSnapshot):
            snapshot = await snapshot.resume()
        elif isinstance(snapshot, AsyncFunctionSnapshot):
            missing = f"name '{snapshot.function_name}' is not defined"
            snapshot = await snapshot.resume({"exc_type": "NameError", "message": missing})
        else:
            snapshot = await snapshot.resume(
                {
                    number: {"exc_type": "PermissionError", "message": "not for scripts"}
                    for number in snapshot.pending_call_ids
                }
            )
    return snapshot.output
