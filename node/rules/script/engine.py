"""The port of the script engine: what a script takes, what it gives, and how it fails.

Plain values only, so that the engine behind it can change. Everything that crosses is JSON: the words are those of
``node.trackers.issue`` and ``node.rules.model`` (``asdict`` of an ``Issue`` with times as ISO 8601 texts is a good
input). Nothing here runs, parses or stores a script.

Shapes of the plain dicts
    issue    the fields of ``Issue``; users as ``{"id", "display_name", "email"}``; ``custom`` is a dict by name, in
             which users are ids: ``ScriptInputs.people`` says who they are
    replica  ``{"fields": {...}, "comments": [...] | None, "attachments": ..., "worklogs": ..., "key": ...}``;
             custom fields are in ``fields`` as ``custom.<Name>``; the lists hold dicts with the names of
             ``SharedComment`` and its siblings (outgoing) or ``DraftComment`` and its siblings (incoming, ``handle``)
    draft    the same shape as ``replica``, plus ``project`` and, where a script asked for one, ``transition``
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from typing_extensions import override

from node.errors import RuleError
from node.trackers.issue import Value

Direction: TypeAlias = Literal["outgoing", "incoming"]
Plain: TypeAlias = Mapping[str, Any]
"""A JSON object."""


class Asked(Protocol):
    """What a check asks our Jira, each only where a script writes such a name out. May raise any ``TrackerError``."""

    async def has_project(self, key: str) -> bool:
        """Tell whether a project is there and we can see it."""
        ...

    async def roles(self) -> frozenset[str]:
        """Return the roles of our project; none where nobody knows."""
        ...

    async def offered_transitions(self) -> Mapping[str, frozenset[str]]:
        """Return transitions that were seen out of a status in our project: not all, and none where none is known."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomField:
    """A custom field of this Jira. ``kind`` is one of ``node.trackers.base.KINDS``; options where it has a list."""

    kind: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptSchema:
    """What this Jira offers: names that a script may use. An empty tuple means "not known": nothing is checked."""

    custom: Mapping[str, CustomField] = field(default_factory=dict)
    statuses: tuple[str, ...] = ()
    issue_types: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()
    resolutions: tuple[str, ...] = ()
    service_project: bool | None = None
    """Whether comments can be internal in this project; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Script:
    """One script step. ``step`` counts from 1; it and ``name`` are only repeated in errors."""

    source: str
    direction: Direction
    schema: ScriptSchema = field(default_factory=ScriptSchema)
    step: int | None = None
    name: str = ""

    @property
    def called(self) -> str:
        """How errors call it: a rule set may have several scripts."""
        if self.step is None:
            return "The script"
        return f"Step {self.step} (script {self.name!r})" if self.name else f"Step {self.step}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptInputs:
    """What a script sees. Outgoing starts from ``replica``; incoming starts from ``draft`` laid over ``issue``."""

    issue: Plain
    """Our issue as it is now. Incoming, first sync: an empty dict, or just ``{"project": "ABC"}``."""
    replica: Plain = field(default_factory=dict)
    """Outgoing: what earlier steps put there. Incoming: what was received."""
    draft: Plain = field(default_factory=dict)
    """Incoming: what earlier steps want. Outgoing: not used."""
    previous: Plain | None = None
    """The replica of the sync before this one, or None."""
    first_sync: bool = False
    people: Mapping[str, Plain] = field(default_factory=dict)
    """Persons of our Jira by their id, for the user fields of ``issue`` and ``draft``; one not here is not known."""
    now: str | None = None
    """The time that ``dates.now()`` shows, ISO 8601 in UTC; None is the engine's clock."""


@dataclass(frozen=True, slots=True)
class HelperCall:
    """A question that a script asked outside its box, and the answer."""

    name: str
    arguments: tuple[Value, ...]
    result: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptResult:
    """What a script decided.

    ``changes`` is the whole resulting replica or draft (what earlier steps put there included). ``origins`` names, for
    the fields that this script set, the line that set each last: ``summary``, ``custom.Severity``, ``comments``,
    ``transition``. ``skipped`` is the reason given to ``skip``; then ``changes`` is empty. ``emails`` names the fields
    in which it let an e-mail address out by saying so (``users.with_email``).
    """

    changes: Plain
    origins: Mapping[str, int] = field(default_factory=dict)
    emails: frozenset[str] = frozenset()
    log: tuple[str, ...] = ()
    calls: tuple[HelperCall, ...] = ()
    skipped: str | None = None
    skipped_line: int | None = None
    cached: bool = False
    """Whether an earlier evaluation of the same input answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that the check saw. Errors refuse the script, warnings do not. Columns count from 1."""

    severity: Literal["error", "warning"]
    message: str
    line: int
    column: int = 1
    end_column: int | None = None
    shown: str = ""
    """The line of the source, as written."""
    suggestion: str = ""
    code: str = ""

    @override
    def __str__(self) -> str:
        """Return the finding as people read it: message, line with a caret, suggestion."""
        lines = [f"line {self.line}, column {self.column}: {self.message}"]
        if self.shown:
            width = max(1, (self.end_column or self.column + 1) - self.column)
            width = min(width, max(1, len(self.shown) - self.column + 1))
            lines += [f"    {self.shown}", "    " + " " * (self.column - 1) + "^" * width]
        if self.suggestion:
            lines.append(self.suggestion)
        return "\n".join(lines)


class ScriptFailed(RuleError):
    """A script failed on one issue; also where, the line as written, and what it had logged and asked until then.

    ``said`` is the message without the name of the script: it begins with a verb.
    """

    def __init__(
        self,
        script: Script,
        said: str,
        *,
        line: int | None = None,
        column: int | None = None,
        shown: str = "",
        advice: str = "",
        log: Sequence[str] = (),
        calls: Sequence[HelperCall] = (),
    ) -> None:
        """Keep everything a person needs to find the place."""
        super().__init__(f"{script.called} {said}", step=script.step, line=line, advice=advice, log=log)
        self.said = said
        self.column = column
        self.shown = shown
        self.calls = tuple(calls)

    @property
    @override
    def in_full(self) -> str:
        """The message, and below it the line of the script and the log."""
        message, newline, log = super().in_full.partition("\n")
        shown = f"\n    line {self.line}: {self.shown.strip()}" if self.shown and self.line is not None else ""
        return f"{message}{shown}{newline}{log}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What a script may do with values of our issue, as far as its text tells; comments and the like are left out.

    ``custom`` among the fields stands for custom fields by names that are computed.
    """

    taken: frozenset[str] = frozenset()
    """Fields whose values it takes for something else than a condition."""
    filled: frozenset[str] = frozenset()
    """Fields that it fills with values that are not written out in it."""
    whole: bool = False
    """Whether it hands the whole issue on, so that it may take or fill any field."""


class Helpers(Protocol):
    """What a script may ask this Jira and this connection, and nothing else.

    Bound to one connection and its project; answers are plain values, None where nothing fits. ``create`` asks to
    make what is missing; raise ``RuleError`` where the connection does not allow it (a preview answers as if it had).
    A ``TrackerError`` goes through the engine unchanged, so that it is tried again like any other.
    """

    async def issue_type(self, name: str, project: str | None) -> str | None:
        """Return the name of the issue type as this project writes it."""
        ...

    async def priority(self, name: str) -> str | None:
        """Return the name of the priority as this Jira writes it."""
        ...

    async def resolution(self, name: str) -> str | None:
        """Return the name of the resolution as this Jira writes it."""
        ...

    async def user_by_email(self, email: str) -> Plain | None:
        """Return ``{"id", "display_name", "email"}`` of the one user with this address."""
        ...

    async def user_by_name(self, name: str) -> Plain | None:
        """Return the one user with this user name or display name."""
        ...

    async def user_by_map(self, who: str) -> Plain | None:
        """Return the user that the connection's user map gives for a name or address of the peer."""
        ...

    async def version(self, name: str, *, create: bool) -> str | None:
        """Return the name of a version of the project."""
        ...

    async def component(self, name: str, *, create: bool) -> str | None:
        """Return the name of a component of the project."""
        ...

    async def option(self, custom_field: str, value: str, *, create: bool) -> str | None:
        """Return the option of a custom field."""
        ...

    async def local_key(self, remote: str) -> str | None:
        """Return the key of our issue that is linked with the peer's issue (its handle or key) here."""
        ...


class RuleEngine(Protocol):
    """Runs scripts. Never hangs and never takes the node down: whatever a script does is a ``RuleError``."""

    async def evaluate(self, script: Script, inputs: ScriptInputs, helpers: Helpers) -> ScriptResult:
        """Run one script on one issue. Raises RuleError (mostly ScriptFailed) and what ``helpers`` raise."""
        ...

    async def evaluate_many(
        self, script: Script, inputs: Sequence[ScriptInputs], helpers: Helpers
    ) -> list[ScriptResult | RuleError]:
        """Run one script on many issues, in order; a failure is in the list. Raises only what ``helpers`` raise."""
        ...

    async def check(
        self, source: str, direction: Direction, schema: ScriptSchema, *, jira: Asked | None = None
    ) -> list[Finding]:
        """Parse and type-check without running. An empty list is a clean script.

        Without ``jira`` projects, roles and transitions are not judged. Raises what ``jira`` raises.
        """
        ...

    async def flow(self, source: str, direction: Direction) -> Flow:
        """Read which fields of our issue a script takes values from and which it fills. Runs nothing."""
        ...

    async def close(self) -> None:
        """Stop the workers."""
        ...
