"""The functions that may stand for a value, and what they yield in a given Jira at a given moment.

After Atlassian's reference of JQL functions. A function that is not in the table is refused, never ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from node.sandbox.jql.context import FieldKind, JqlContext, JqlField
from node.sandbox.jql.dates import Boundary, to_milliseconds
from node.sandbox.jql.errors import JqlError
from node.sandbox.jql.syntax import Call

_VERSION_FIELDS = frozenset({"fixVersions", "versions"})


@dataclass(frozen=True, slots=True)
class Function:
    """One function. ``fits`` tells whether a field may take what it yields; ``yields`` computes that.

    A ``many`` function stands for a list and needs IN; the others stand for one value. Moments are yielded in
    milliseconds since 1970-01-01 UTC.
    """

    name: str
    fewest: int
    most: int
    many: bool
    fits: Callable[[JqlField], bool]
    yields: Callable[[JqlContext, Call], Sequence[object]]


def _is_date(field: JqlField) -> bool:
    return field.kind in {FieldKind.DATETIME, FieldKind.DATE}


def _is_user(field: JqlField) -> bool:
    return field.kind is FieldKind.USER


def _is_issue(field: JqlField) -> bool:
    return field.kind is FieldKind.ISSUE


def _is_version(field: JqlField) -> bool:
    return field.id in _VERSION_FIELDS


def _is_issue_type(field: JqlField) -> bool:
    return field.id == "issuetype"


def _now(context: JqlContext, _call: Call) -> Sequence[object]:
    return [to_milliseconds(context.now)]


def _current_user(context: JqlContext, _call: Call) -> Sequence[object]:
    return [] if context.current_user is None else [context.current_user]


def _members_of(context: JqlContext, call: Call) -> Sequence[object]:
    members = context.members_of(call.arguments[0])
    if members is None:
        raise JqlError(
            f"Function '{call.name}' can not generate a list of usernames for group '{call.arguments[0]}'; "
            "the group does not exist.",
        )
    return members


def _linked_issues(context: JqlContext, call: Call) -> Sequence[object]:
    issue, *links = call.arguments
    if links and not context.link_exists(links[0]):
        raise JqlError(f"Issue link type '{links[0]}' could not be found in function '{call.name}'.")
    linked = context.linked_issues(issue, links[0] if links else None)
    if linked is None:
        raise JqlError(f"Issue '{issue}' could not be found in function '{call.name}'.")
    return linked


def _boundary(unit: str, *, end: bool) -> Callable[[JqlContext, Call], Sequence[object]]:
    boundary = Boundary(unit, end)

    def yields(context: JqlContext, call: Call) -> Sequence[object]:
        increment = boundary.read_increment(call.arguments[0]) if call.arguments else (0, unit)
        moment = boundary.of(context.now, context.time_zone, increment) if increment else None
        if moment is None:
            raise JqlError(
                f"Duration for function '{call.name}' should have the format (+/-)n(yMwdm), "
                "e.g -1M for 1 month earlier.",
            )
        return [moment]

    return yields


def _all_versions(*, released: bool) -> Callable[[JqlContext, Call], Sequence[object]]:
    def yields(context: JqlContext, call: Call) -> Sequence[object]:
        if not call.arguments:
            return context.versions_of(None, released=released) or []
        return [version for project in call.arguments for version in _versions(context, call, project, released)]

    return yields


def _one_version(*, released: bool, last: bool) -> Callable[[JqlContext, Call], Sequence[object]]:
    def yields(context: JqlContext, call: Call) -> Sequence[object]:
        versions = _versions(context, call, call.arguments[0], released)
        return versions[-1:] if last else versions[:1]

    return yields


def _versions(context: JqlContext, call: Call, project: str, released: bool) -> Sequence[str]:
    versions = context.versions_of(project, released=released)
    if versions is None:
        raise JqlError(f"Could not resolve the project '{project}' provided to function '{call.name}'.")
    return versions


def _issue_types(*, subtask: bool) -> Callable[[JqlContext, Call], Sequence[object]]:
    return lambda context, _call: context.issue_types(subtask=subtask)


_ANY_NUMBER = 1_000

_ALL: Sequence[Function] = (
    Function("currentUser", 0, 0, many=False, fits=_is_user, yields=_current_user),
    Function("membersOf", 1, 1, many=True, fits=_is_user, yields=_members_of),
    Function("linkedIssues", 1, 2, many=True, fits=_is_issue, yields=_linked_issues),
    Function("now", 0, 0, many=False, fits=_is_date, yields=_now),
    Function("startOfDay", 0, 1, many=False, fits=_is_date, yields=_boundary("d", end=False)),
    Function("startOfWeek", 0, 1, many=False, fits=_is_date, yields=_boundary("w", end=False)),
    Function("startOfMonth", 0, 1, many=False, fits=_is_date, yields=_boundary("M", end=False)),
    Function("startOfYear", 0, 1, many=False, fits=_is_date, yields=_boundary("y", end=False)),
    Function("endOfDay", 0, 1, many=False, fits=_is_date, yields=_boundary("d", end=True)),
    Function("endOfWeek", 0, 1, many=False, fits=_is_date, yields=_boundary("w", end=True)),
    Function("endOfMonth", 0, 1, many=False, fits=_is_date, yields=_boundary("M", end=True)),
    Function("endOfYear", 0, 1, many=False, fits=_is_date, yields=_boundary("y", end=True)),
    Function("releasedVersions", 0, _ANY_NUMBER, many=True, fits=_is_version, yields=_all_versions(released=True)),
    Function("unreleasedVersions", 0, _ANY_NUMBER, many=True, fits=_is_version, yields=_all_versions(released=False)),
    Function(
        "latestReleasedVersion", 1, 1, many=False, fits=_is_version, yields=_one_version(released=True, last=True)
    ),
    Function(
        "earliestUnreleasedVersion", 1, 1, many=False, fits=_is_version, yields=_one_version(released=False, last=False)
    ),
    Function("standardIssueTypes", 0, 0, many=True, fits=_is_issue_type, yields=_issue_types(subtask=False)),
    Function("subtaskIssueTypes", 0, 0, many=True, fits=_is_issue_type, yields=_issue_types(subtask=True)),
)
_BY_NAME = {function.name.casefold(): function for function in _ALL}


def find_function(call: Call) -> Function:
    """Return the function that a call names; JqlError when there is none or it takes another number of arguments."""
    function = _BY_NAME.get(call.name.casefold())
    if function is None:
        raise JqlError(f"Unable to find JQL function '{call.name}({', '.join(call.arguments)})'.")
    given = len(call.arguments)
    if function.fewest <= given <= function.most:
        return function
    if function.fewest == function.most:
        expected = f"expected '{function.fewest}' arguments"
    else:
        expected = f"expected between '{function.fewest}' and '{function.most}' arguments"
    raise JqlError(f"Function '{call.name}' {expected} but received '{given}'.")
