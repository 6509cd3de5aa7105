"""The names that a script may use: fields, helpers, builtins. Data only; the check and the engine agree on it.

Stands alone on the standard library, since the parsing worker loads it too.
"""

from __future__ import annotations

ISSUE_FIELDS = (
    "id", "key", "project", "type", "summary", "description", "environment", "status", "resolution", "priority",
    "security_level", "labels", "components", "fix_versions", "affects_versions", "due", "assignee", "reporter",
    "creator", "parent_key", "subtask", "original_estimate", "remaining_estimate", "created", "updated", "comments",
    "attachments", "worklogs", "links",
)  # fmt: skip
"""What an issue has beside ``custom``; the words of ``node.trackers.issue``."""

REPLICA_FIELDS = tuple(name for name in ISSUE_FIELDS if name not in ("id", "subtask"))
"""What a replica can carry beside ``custom``."""

WRITABLE_ISSUE_FIELDS = tuple(
    name for name in ISSUE_FIELDS if name not in ("id", "key", "creator", "subtask", "created", "updated")
)
"""What incoming rules may set."""

COLLECTIONS = ("comments", "attachments", "worklogs")
ENTRIES = (*COLLECTIONS, "links")
"""Fields that hold entries, which helpers make ready."""
TEXT_LISTS = ("labels", "components", "fix_versions", "affects_versions")
USERS = ("assignee", "reporter", "creator")

HELPERS = (
    "comments", "attachments", "worklogs", "links", "workflow", "jira", "users", "versions", "components", "options",
    "sync", "dates",
)  # fmt: skip
"""Helpers, in the order in which the prelude hands them to a rule."""

PARAMETERS = ("issue", "replica", "previous", "first_sync", *HELPERS)
FUNCTIONS = ("log", "skip", "error", "re_search", "re_findall", "re_sub", "re_split")
GIVEN = frozenset((*PARAMETERS, *FUNCTIONS))

HELPER_METHODS = {
    "comments": ("merge", "public", "private", "including_private", "with_author"),
    "attachments": ("merge", "added", "removed"),
    "worklogs": ("merge", "public"),
    "links": ("of_linked", "merge"),
    "workflow": ("transition",),
    "jira": ("issue_type", "priority", "resolution"),
    "users": ("by_email", "by_name", "by_map", "with_email"),
    "versions": ("get", "get_or_create", "all"),
    "components": ("get", "get_or_create", "all"),
    "options": ("get", "get_or_create"),
    "sync": ("local_key",),
    "dates": (
        "now", "today", "parse", "format", "add_days", "add_hours", "add_business_days", "days_between",
        "is_business_day",
    ),
}  # fmt: skip

NO_OTHER_AUTHOR = ("as_author", "as_user", "author")
"""Arguments by which people of other products have comments written by somebody else: Jira cannot do it by REST."""

BUILTINS = frozenset(
    (
        "abs", "all", "any", "bool", "dict", "divmod", "enumerate", "filter", "float", "frozenset", "int",
        "isinstance", "len", "list", "map", "max", "min", "range", "reversed", "round", "set", "sorted", "str", "sum",
        "tuple", "zip", "Exception", "ValueError", "TypeError", "KeyError", "IndexError", "AttributeError",
        "LookupError", "ZeroDivisionError", "ArithmeticError",
    )
)  # fmt: skip

REFUSED_NAMES = {
    "print": "Use log(...) to see a value.",
    "open": "Files are out of reach of a script; the attachments helper works with files of the issue.",
    "eval": "Write the expression itself.",
    "exec": "Write the statements themselves.",
    "compile": "Write the statements themselves.",
    "getattr": "Write issue.field, or issue.custom[name] for a custom field.",
    "setattr": "Write issue.field = value, or issue.custom[name] = value for a custom field.",
    "hasattr": "Compare with None: every field is there, an empty one is None.",
    "delattr": "Set the field to None to empty it, or use replica.drop(name) to take it back.",
    "type": "Use isinstance(value, str).",
    "globals": "Variables of a script are plain names.",
    "locals": "Variables of a script are plain names.",
    "vars": "Variables of a script are plain names.",
    "dir": "The fields are listed in the documentation of scripts.",
    "input": "Nobody is there to answer.",
    "super": "Scripts have no classes.",
    "object": "Scripts have no classes.",
    "repr": "Use str(value) or an f-string.",
    "id": "Compare values with ==.",
    "hash": "Compare values with ==.",
    "re": "Use re_search, re_findall, re_sub or re_split.",
    "datetime": "Use the dates helper, for example dates.now().",
    "date": "Use the dates helper, for example dates.today().",
    "nodeHelper": "The helpers are called jira, users, versions, components and options here.",
    "commentHelper": "The helper is called comments here.",
    "attachmentHelper": "The helper is called attachments here.",
    "workLogHelper": "The helper is called worklogs here.",
    "workflowHelper": "The helper is called workflow here.",
    "syncHelper": "The helper is called sync here.",
    "firstSync": "It is called first_sync here.",
    "debug": "Use log(...) or error(...).",
    "null": "Write None.",
    "true": "Write True.",
    "false": "Write False.",
    "BaseException": "Catch Exception, or better the one error that you expect.",
    "SystemExit": "Use skip(...) or error(...) to end a script.",
}

GROOVY_FIELDS = {
    "typeName": "type", "projectKey": "project", "customFields": "custom", "fixVersions": "fix_versions",
    "affectedVersions": "affects_versions", "workLogs": "worklogs", "issueLinks": "links", "parentId": "parent_key",
    "dueDate": "due", "duedate": "due", "originalEstimate": "original_estimate",
    "remainingEstimate": "remaining_estimate", "securityLevel": "security_level", "statusName": "status",
    "issuetype": "type", "issue_type": "type", "resolutionName": "resolution", "priorityName": "priority",
}  # fmt: skip
"""What people who come from other products type, and our word for it."""
