"""Helpers that ask outside: names of this Jira, people, links; and the wish for a transition.

The text runs inside the sandbox; see this package.
"""


# ruff: noqa: SLF001 - one text in several files: underscores hide from scripts, not from it

from __future__ import annotations

import json
from typing import Any

from node.rules.script.prelude.objects import Record, _ask, _state, _user


class Workflow:
    """Helpers for the workflow."""

    def transition(self, name: str) -> None:
        """Ask for a transition by its name; the node performs it, or reports that it is not there."""
        if not name:
            raise TypeError("workflow.transition takes the name of a transition")
        _state.transition = name
        _state.origins["transition"] = _state.line


def _call(name: str, *arguments: Any) -> Any:
    for argument in arguments:
        if argument is not None and not isinstance(argument, (str, bool)):
            raise TypeError(f"{name} takes a text")
    key = json.dumps([name, arguments])
    if key not in _state.answers:
        _state.answers[key] = _ask(_state.index, name, *arguments)
    return _state.answers[key]


class Jira:
    """What this Jira calls things."""

    def issue_type(self, name: Any, project: Any = None) -> Any:
        """Return the issue type of that name, or None."""
        return _call("jira.issue_type", name, project) if name else None

    def priority(self, name: Any) -> Any:
        """Return the priority of that name, or None."""
        return _call("jira.priority", name) if name else None

    def resolution(self, name: Any) -> Any:
        """Return the resolution of that name, or None."""
        return _call("jira.resolution", name) if name else None


class Users:
    """People of this Jira."""

    def by_email(self, email: Any) -> Any:
        """Return the user with this address, or None."""
        email = email.email if isinstance(email, Record) else email
        return _user(_call("users.by_email", email)) if email else None

    def by_name(self, name: Any) -> Any:
        """Return the user with this name, or None."""
        name = name.display_name if isinstance(name, Record) else name
        return _user(_call("users.by_name", name)) if name else None

    def by_map(self, who: Any) -> Any:
        """Return the user that the connection's user map names for this one, or None."""
        who = (who.get("email") or who.get("display_name")) if isinstance(who, Record) else who
        return _user(_call("users.by_map", who)) if who else None

    def with_email(self, user: Any, name: bool = True) -> Any:
        """Return the user such that the e-mail address leaves too, or alone."""
        if user is None:
            return None
        made = _user({"id": user.id, "display_name": user.display_name, "email": user.email})
        made["with_email"] = "both" if name else "alone"
        return made


class Named:
    """Versions or components: get, or get or create."""

    _what: str

    def get(self, name: Any) -> Any:
        """Return the name as this Jira writes it, or None."""
        return _call(f"{self._what}.get", name) if name else None

    def get_or_create(self, name: Any) -> Any:
        """Return the name as this Jira writes it; it is made where it is missing and that is allowed."""
        return _call(f"{self._what}.get_or_create", name) if name else None

    def all(self, names: Any, create: bool = False) -> Any:
        """Return those of the names that are there (or all, made where missing)."""
        found = [self.get_or_create(name) if create else self.get(name) for name in names or []]
        return [name for name in found if name is not None]


class Options:
    """Options of custom fields."""

    def get(self, field: str, value: Any) -> Any:
        """Return the option, or None."""
        return _call("options.get", field, value) if value else None

    def get_or_create(self, field: str, value: Any) -> Any:
        """Return the option; it is made where it is missing and that is allowed."""
        return _call("options.get_or_create", field, value) if value else None


class Sync:
    """What this connection knows."""

    def local_key(self, remote: Any) -> Any:
        """Return the key of our issue that is linked with the peer's issue, or None."""
        return _call("sync.local_key", remote) if remote else None


def _versions() -> Any:
    named = Named()
    named._what = "versions"
    return named


def _components() -> Any:
    named = Named()
    named._what = "components"
    return named
