"""What a script takes out of our issue and what it fills, as far as its text tells."""

from __future__ import annotations

import ast

import pytest

from node.rules.script.engine import Flow
from node.rules.script.flow import flow
from node.rules.script.sandbox import MontyEngine


@pytest.mark.parametrize(
    ("source", "taken"),
    [
        ("replica.summary = issue.summary", {"summary"}),
        ("replica.custom['Level'] = issue.custom['Severity']", {"custom.Severity"}),
        ("for name in ('A', 'B'):\n    replica.custom[name] = issue.custom[name]", {"custom"}),
        ("text = issue.summary + issue.custom['Note']\nreplica.summary = text", {"summary", "custom.Note"}),
        ("replica.status = {'Open': 'New'}.get(issue.status)", {"status"}),
        ("replica.comments = comments.public(issue.comments)\nreplica.attachments = issue.attachments", set()),
        ("if 'secret' in issue.labels or len(issue.summary) > 5:\n    skip('no')", set()),
        ("replica.summary = 'x' if issue.status == 'Open' else 'y'", set()),
        ("if (found := issue.summary):\n    replica.summary = found", {"summary"}),
        ("def keep(x):\n    replica.summary = x\n    return True\nif keep(issue.summary):\n    pass", {"summary"}),
        ("kept = []\nif kept.append(issue.summary):\n    pass\nreplica.labels = kept", {"summary"}),
        ("replica.labels = [one for one in issue.labels if issue.status == 'Open']", {"labels"}),
        ("if issue.status == 'Open':\n    replica.status = issue.status", {"status"}),
    ],
)
def test_what_leaves_a_condition_is_taken(source: str, taken: set[str]) -> None:
    """Fields that are only looked at are not, nor are comments and files; a computed name may be any custom field's."""
    found = flow(ast.parse(source))
    assert (set(found["taken"]), found["whole"]) == (taken, False)


@pytest.mark.parametrize(
    ("source", "filled"),
    [
        ("issue.summary = replica.summary", {"summary"}),
        ("issue.custom['Red says'] = replica.status", {"custom.Red says"}),
        ("name = 'x'\nissue.custom[name] = replica.status", {"custom"}),
        ("issue.labels.append(replica.summary)\nissue.labels += ['red']", {"labels"}),
        ("issue.summary, issue.custom['Note'] = replica.summary, 5", {"summary", "custom.Note"}),
        ("if first_sync:\n    issue.labels = ['red']\n    issue.status = 'Open'", set()),
        ("issue.comments = comments.merge(issue, replica)", set()),
        ("found = users.by_map(replica.assignee)\nissue.assignee = found", {"assignee"}),
    ],
)
def test_what_gets_a_value_from_elsewhere_is_filled(source: str, filled: set[str]) -> None:
    """A value that is written out in the script is nobody's data."""
    found = flow(ast.parse(source))
    assert (set(found["filled"]), found["whole"]) == (filled, False)


@pytest.mark.parametrize("source", ["x = issue\nx.summary = replica.summary", "def f(i):\n    pass\nf(issue)"])
def test_an_issue_that_is_handed_on_may_give_and_take_anything(source: str) -> None:
    """Under another name its fields are not known for sure."""
    found = flow(ast.parse(source))
    assert found["whole"]
    assert found["filled"] == (["summary"] if "replica" in source else [])


async def test_the_engine_tells_it_from_its_parsing_process() -> None:
    """Of a script that cannot be read it tells nothing; the check says what is wrong with it."""
    engine = MontyEngine(workers=1)
    try:
        assert await engine.flow("replica.summary = issue.summary", "outgoing") == Flow(taken=frozenset({"summary"}))
        assert await engine.flow("replica.summary = (", "outgoing") == Flow()
        deep = "class A:\n    x = issue" + "[0]" * 5_000
        assert await engine.flow(deep, "outgoing") == Flow()
    finally:
        await engine.close()
