"""Which issues enter sync by themselves: each once, none that the sync made, and a new one not before that is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from node.rules.ruleset import RuleSet, Scope
from node.trackers.issue import Issue
from node.triggers.trigger import CLOCK_SKEW_MS, Decision, Known, decide, watched

NOW = datetime(2025, 1, 1, tzinfo=UTC)
MS = int(NOW.timestamp() * 1000)
ISSUE = Issue(id="1", key="UD-1", project="UD", type="Bug", summary="s", created=NOW, updated=NOW, labels=("design",))
RULES = RuleSet(direction="outgoing", method="automatic", scope=Scope(labels=("design",)))
NOTHING = Known({}, ())


def decided(issue: Issue = ISSUE, ruleset: RuleSet = RULES, known: Known = NOTHING) -> Decision:
    return decide(issue, connection_id=7, project="UD", ruleset=ruleset, known=known)


def test_an_issue_in_scope_enters() -> None:
    """Automatic rules and a label that fits: it enters; another label: it stays."""
    assert decided() is Decision.ENTER
    assert decided(replace(ISSUE, labels=("other",))) is Decision.STAY


@pytest.mark.parametrize("method", ["manual", "disabled"])
def test_only_automatic_rules_let_issues_enter(method: str) -> None:
    """With manual or disabled rules no issue enters by itself."""
    assert decided(ruleset=RULES.model_copy(update={"method": method})) is Decision.STAY


def test_without_a_project_the_connections_own_counts() -> None:
    """A scope without a project means the connection's: issues of other projects never enter by an empty filter."""
    assert decided(replace(ISSUE, project="HR")) is Decision.STAY
    both = RULES.model_copy(update={"scope": Scope(project=("ud", "HR"))})
    assert decided(replace(ISSUE, project="HR"), both) is Decision.ENTER
    assert decided(ruleset=both) is Decision.ENTER
    assert watched(RULES, "UD") == {"UD"}


def test_a_link_on_this_connection_is_enough() -> None:
    """What is linked is linked, and what was unlinked does not come back by itself."""
    assert decided(known=Known({7: False}, ())) is Decision.STAY


def test_our_own_issue_may_be_on_several_connections() -> None:
    """An issue that our people made enters this connection although it is on another one."""
    assert decided(known=Known({3: False}, ())) is Decision.ENTER


def test_what_the_sync_made_goes_nowhere_else() -> None:
    """A twin that was made for one peer does not enter another peer's connection by itself."""
    assert decided(known=Known({3: True}, ())) is Decision.STAY
    assert decided(known=Known({3: True, 4: False}, ())) is Decision.STAY


def test_a_new_issue_waits_while_the_sync_makes_one() -> None:
    """While a create is open, an issue as young as that may be its result; an older or a known one need not wait."""
    assert decided(known=Known({}, (MS - 1000,))) is Decision.WAIT
    assert decided(known=Known({}, (MS + CLOCK_SKEW_MS,))) is Decision.WAIT
    assert decided(known=Known({}, (MS + CLOCK_SKEW_MS + 1,))) is Decision.ENTER
    assert decided(known=Known({3: False}, (MS,))) is Decision.ENTER
    assert decided(replace(ISSUE, labels=()), known=Known({}, (MS,))) is Decision.STAY
