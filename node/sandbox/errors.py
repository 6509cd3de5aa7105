"""What the sandbox answers when it will not do something, worded as Jira words it.

JiraProblem          `.status`, `.messages`, `.errors`: Jira's own error body
├── BadRequest       400
├── NotLoggedIn      401
├── Forbidden        403
├── NotThere         404
├── Conflict         409
├── TooLarge         413
└── WrongMediaType   415
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class JiraProblem(Exception):
    """An answer that is an error: ``messages`` concern the whole request, ``errors`` single fields."""

    status = 400

    def __init__(
        self,
        *messages: str,
        errors: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__("; ".join([*messages, *(f"{name}: {text}" for name, text in (errors or {}).items())]))
        self.messages: Sequence[str] = list(messages)
        self.errors = dict(errors or {})
        self.headers = dict(headers or {})
        self.status = type(self).status if status is None else status

    def body(self) -> dict[str, Any]:
        """Return Jira's error body."""
        return {"errorMessages": list(self.messages), "errors": self.errors}


class BadRequest(JiraProblem):
    """The request makes no sense to Jira."""

    status = 400


class NotLoggedIn(JiraProblem):
    """An anonymous caller asked for something that needs a user."""

    status = 401


class Forbidden(JiraProblem):
    """The user is known and may not do it."""

    status = 403


class NotThere(JiraProblem):
    """There is no such thing, or the user may not know of it."""

    status = 404


class Conflict(JiraProblem):
    """Something of that kind is already there."""

    status = 409


class TooLarge(JiraProblem):
    """The request is larger than the site allows."""

    status = 413


class WrongMediaType(JiraProblem):
    """The body is not of a kind that this path reads."""

    status = 415


def field_problem(field: str, message: str) -> BadRequest:
    """Return the problem of one field."""
    return BadRequest(errors={field: message})


NOT_ON_SCREEN = "Field '{}' cannot be set. It is not on the appropriate screen, or unknown."
ISSUE_NOT_THERE = "Issue Does Not Exist"
NO_BROWSE = "You do not have the permission to see the specified issue."
LOGIN_REQUIRED = "Login Required"
NOT_AUTHENTICATED = "You are not authenticated. Authentication required to perform this operation."
