"""The guard's place in a sync: after the rules, before anything is queued. Fails closed; asks nobody."""

from __future__ import annotations

from node.errors import AccordError, RuleError
from node.rules.guard import Guarded, GuardPolicy, Stopped, email_fields, inspect
from node.rules.model import Shared
from node.rules.ruleset import RuleSet
from node.trackers.issue import Issue
from protocol.replica import Replica


def findings(
    replica: Replica, *, shared: Shared, issue: Issue, ruleset: RuleSet, policy: GuardPolicy
) -> tuple[Stopped, ...]:
    """Return what must not leave.

    A mapping that says ``people = "email"`` allows addresses under its own name, and so does a script that put a person
    there with ``users.with_email``.

    Raises:
        RuleError: the guard itself failed; nothing may leave.
    """
    allowed = policy.model_copy(update={"email_fields": policy.email_fields | email_fields(ruleset) | shared.emails})
    try:
        return inspect(replica, shared=shared, issue=issue, policy=allowed)
    except AccordError:
        raise
    except Exception as error:
        raise RuleError(
            f"{issue.key} did not leave: the guard failed while it looked at it.",
            advice="Nothing was sent. Look at the guard's patterns in accord.toml, then retry the issue.",
        ) from error


def refuse(replica: Replica, *, shared: Shared, issue: Issue, ruleset: RuleSet, policy: GuardPolicy) -> None:
    """Raise Guarded where something must not leave, and RuleError where the guard failed."""
    found = findings(replica, shared=shared, issue=issue, ruleset=ruleset, policy=policy)
    if found:
        raise Guarded(issue.key, found)
