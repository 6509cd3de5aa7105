"""Answers the questions of scripts: the one door out of the box, with a table of what may pass.

Every name that is not in the table is refused. Arguments are texts of bounded length, answers are plain and bounded.
Never hands out an object of a tracker, and never decides what a connection allows: ``Helpers`` does.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from node.errors import RuleError
from node.rules.script.engine import HelperCall, Helpers
from node.trackers.issue import Value

MAX_ARGUMENT = 1_000
"""Characters of one argument: names and addresses."""

MAX_ANSWER = 10_000
"""Characters of one answer as JSON."""

_USER = ("id", "display_name", "email")

_Ask = Callable[[Helpers, Sequence[Any]], Awaitable[Any]]
_TABLE: dict[str, tuple[int, _Ask]] = {
    "jira.issue_type": (2, lambda helpers, a: helpers.issue_type(a[0], a[1])),
    "jira.priority": (1, lambda helpers, a: helpers.priority(a[0])),
    "jira.resolution": (1, lambda helpers, a: helpers.resolution(a[0])),
    "users.by_email": (1, lambda helpers, a: helpers.user_by_email(a[0])),
    "users.by_name": (1, lambda helpers, a: helpers.user_by_name(a[0])),
    "users.by_map": (1, lambda helpers, a: helpers.user_by_map(a[0])),
    "versions.get": (1, lambda helpers, a: helpers.version(a[0], create=False)),
    "versions.get_or_create": (1, lambda helpers, a: helpers.version(a[0], create=True)),
    "components.get": (1, lambda helpers, a: helpers.component(a[0], create=False)),
    "components.get_or_create": (1, lambda helpers, a: helpers.component(a[0], create=True)),
    "options.get": (2, lambda helpers, a: helpers.option(a[0], a[1], create=False)),
    "options.get_or_create": (2, lambda helpers, a: helpers.option(a[0], a[1], create=True)),
    "sync.local_key": (1, lambda helpers, a: helpers.local_key(a[0])),
}
_OPTIONAL = {("jira.issue_type", 1)}


async def ask(helpers: Helpers, name: object, arguments: Sequence[object]) -> HelperCall:
    """Ask one question. Raises RuleError where the question makes no sense, and what ``helpers`` raise."""
    if not isinstance(name, str) or name not in _TABLE:
        raise RuleError("A script asked for a helper that does not exist.")
    count, function = _TABLE[name]
    if len(arguments) != count:
        raise RuleError(f"{name} takes {count} arguments.")
    checked: list[Value] = []
    for position, argument in enumerate(arguments):
        if argument is None and (name, position) in _OPTIONAL:
            checked.append(None)
        elif isinstance(argument, str) and 0 < len(argument) <= MAX_ARGUMENT:
            checked.append(argument)
        else:
            raise RuleError(f"{name} takes texts of at most {MAX_ARGUMENT} characters.")
    answer = await function(helpers, checked)
    return HelperCall(name, tuple(checked), _bounded(name, answer))


def _bounded(name: str, answer: Any) -> Value:
    if answer is None or isinstance(answer, bool):
        return answer
    if isinstance(answer, str):
        plain: Value = answer
    else:
        plain = {key: answer.get(key) for key in _USER}
    if len(json.dumps(plain)) > MAX_ANSWER:
        raise RuleError(f"The answer of {name} is too long.")
    return plain
