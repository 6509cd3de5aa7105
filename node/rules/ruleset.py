"""The one format of rules: an ordered list of steps for one direction of one connection.

Basic, Visual and Script are ways to write it, read off the steps and never stored. Plain frozen values: nothing here
evaluates a rule, reads a Jira or touches a file; ``files.py`` writes rule sets for people.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag, ValidationError

from node.errors import ConfigError
from node.shape_words import first_problem

Direction: TypeAlias = Literal["outgoing", "incoming"]
When: TypeAlias = Literal["always", "create"]
Method: TypeAlias = Literal["manual", "automatic", "disabled"]
Mode: TypeAlias = Literal["basic", "visual", "script"]

MAX_STEPS = 200
"""Steps in one rule set: more than anybody can read."""
MAX_SOURCE = 64 * 1024
"""Characters of one script step."""
MAX_VALUES = 2_000
"""Pairs in one value map."""

Name: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=255, strip_whitespace=True)]
Text: TypeAlias = Annotated[str, StringConstraints(max_length=32_767)]

TASK = "Task"
"""The issue type that almost every project has."""
COLLECTIONS = ("comments", "attachments", "worklogs")
"""What an issue has many of; a mapping carries each whole and under its own name."""


class Frozen(BaseModel):
    """Ground of all parts of a rule set: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Default(Frozen):
    """For a value that fits nowhere: take this one."""

    default: Text


class MappingStep(Frozen):
    """Carries one field.

    Outgoing, ``source`` is a field of our issue and ``target`` the name under which it leaves. Incoming, ``source`` is
    a name in the replica and ``target`` a field of our issue.
    """

    source: Name
    target: Name
    when: When = "always"
    """``create`` carries the value only when the issue enters sync, and leaves it alone after that."""
    values: Annotated[dict[Text, Text], Field(max_length=MAX_VALUES)] = Field(default_factory=dict)
    """Replaces values: exact spelling first, else the same letters in any case.

    Values that are not in it do not fit. Where it is empty, or has the empty value as its only key, every value fits.
    """
    otherwise: Literal["nothing", "error", "create"] | Default = "nothing"
    """What a value does that is not in the map or that our Jira does not offer. ``create`` has it made in our Jira."""
    people: Literal["name", "email"] = "name"
    """Outgoing: how people leave. E-mail addresses leave only where this says so."""


class ScriptStep(Frozen):
    """Text in Python syntax that does what mappings cannot."""

    name: Name
    source: Annotated[str, StringConstraints(max_length=MAX_SOURCE)]


def _kind(step: Any) -> str:
    keys = step if isinstance(step, dict) else vars(step)
    return "mapping" if "target" in keys else "script"


Step: TypeAlias = Annotated[
    Annotated[MappingStep, Tag("mapping")] | Annotated[ScriptStep, Tag("script")], Discriminator(_kind)
]

_Values: TypeAlias = Annotated[tuple[Text, ...], Field(strict=False, max_length=MAX_VALUES)]


class Scope(Frozen):
    """Which issues enter sync by these rules.

    Several values of one filter: one is enough. Different filters: all have to agree. No value: everything. An issue
    that is linked stays in sync when it leaves the scope.
    """

    project: _Values = ()
    type: _Values = ()
    status: _Values = ()
    priority: _Values = ()
    labels: _Values = ()
    assignee: _Values = ()
    reporter: _Values = ()
    summary: _Values = ()
    """Words that the summary contains."""
    description: _Values = ()
    """Words that the description contains."""


class RuleSet(Frozen):
    """Everything that one side decides for one direction of a connection."""

    direction: Direction
    method: Method = "automatic"
    """``automatic``: issues in scope enter by themselves. ``manual``: people send them. ``disabled``: nothing moves."""
    scope: Scope = Scope()
    steps: Annotated[tuple[Step, ...], Field(strict=False, max_length=MAX_STEPS)] = ()

    def to_body(self) -> str:
        """Return the text that is stored; equal rule sets give equal texts."""
        return self.model_dump_json(exclude_defaults=True)

    @classmethod
    def from_body(cls, body: str) -> RuleSet:
        """Read what ``to_body`` wrote. Raises ConfigError."""
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            raise ConfigError(
                f"A stored rule set cannot be read: {first_problem(error)}.",
                advice="Roll back to an earlier version, or import the rules again.",
            ) from None


def _same_names(names: Sequence[str]) -> tuple[MappingStep, ...]:
    return tuple(MappingStep(source=name, target=name) for name in names)


def basic_outgoing() -> RuleSet:
    """Return the Basic rules for what leaves: key, summary, description, type, comments and attachments."""
    names = ("key", "type", "summary", "description", "comments", "attachments")
    return RuleSet(direction="outgoing", method="manual", steps=_same_names(names))


def basic_incoming(default_type: str = TASK) -> RuleSet:
    """Return the Basic rules for what comes in.

    The type is mirrored by name, else it is ``default_type``. Task needs no step that says so: an issue whose type no
    step found gets the connection's default type, else Task, else the project's first.
    """
    otherwise = "nothing" if default_type == TASK else Default(default=default_type)
    return RuleSet(
        direction="incoming",
        method="automatic",
        steps=(
            MappingStep.model_validate({"source": "type", "target": "type", "otherwise": otherwise}),
            *_same_names(("summary", "description", "comments", "attachments")),
        ),
    )


def default_type_of(ruleset: RuleSet) -> str | None:
    """Return the issue type that a rule set falls back to, where one step says so."""
    for step in ruleset.steps:
        if isinstance(step, MappingStep) and step.target == "type" and isinstance(step.otherwise, Default):
            return step.otherwise.default
    return None


def is_basic(ruleset: RuleSet) -> bool:
    """Tell whether these are the Basic rules, whatever the default type and the sync method are."""
    outgoing = ruleset.direction == "outgoing"
    basic = basic_outgoing() if outgoing else basic_incoming(default_type_of(ruleset) or TASK)
    return ruleset.steps == basic.steps and ruleset.scope == Scope()


def is_visual(ruleset: RuleSet) -> bool:
    """Tell whether mappings alone say everything (Basic included)."""
    return all(isinstance(step, MappingStep) for step in ruleset.steps)


def mode(ruleset: RuleSet) -> Mode:
    """Name the way in which these rules are written."""
    if is_basic(ruleset):
        return "basic"
    return "visual" if is_visual(ruleset) else "script"
