"""E-mail addresses leave where rules say so on purpose, written as a mapping or as a script, and nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from node.rules.convert import to_mappings, to_script
from node.rules.facts import CachedFacts
from node.rules.guard import GuardPolicy, Stopped
from node.rules.model import Shared
from node.rules.outgoing import OutgoingContext, OutgoingRules
from node.rules.ruleset import MappingStep, RuleSet, ScriptStep
from node.rules.script.sandbox import MontyEngine
from node.sync import last_look
from node.sync.content import replica_of
from node.trackers.issue import User
from tests.support.known_jira import ALICE, BOB, KnownJira
from tests.support.rule_sets import an_issue

_ISSUE = an_issue(
    key="SC-1", project="SC", assignee=ALICE, reporter=User("eve", "Eve Black", None), custom={"Owner": "bob"}
)
_EMAIL = Stopped("e-mail address", "assignee")


@pytest.fixture
async def engine() -> AsyncIterator[MontyEngine]:
    """Run scripts for real."""
    made = MontyEngine(workers=1)
    yield made
    await made.close()


async def _leaves(engine: MontyEngine, *steps: Any) -> tuple[Mapping[str, Any], tuple[Stopped, ...]]:
    """Return the fields that would leave, and what the guard stops."""
    rules = RuleSet(direction="outgoing", steps=steps)
    context = OutgoingContext(first_sync=True, facts=CachedFacts(KnownJira()))
    one, other = OutgoingRules(rules, version=1, engine=engine), [(_ISSUE, context)] * 2
    shared = await one.evaluate(_ISSUE, context)
    assert isinstance(shared, Shared)
    assert await one.evaluate_many(other) == [shared, shared]
    made = replica_of(_ISSUE, shared, handle=lambda _, local: f"h{local}", files={})
    policy = GuardPolicy(emails_in_texts=False)
    return made.fields, last_look.findings(made, shared=shared, issue=_ISSUE, ruleset=rules, policy=policy)


def _script(*lines: str) -> ScriptStep:
    return ScriptStep(name="S", source="\n".join(lines))


@pytest.mark.parametrize("source", ["assignee", "reporter", "custom.Owner"])
async def test_a_conversion_lets_out_what_the_mapping_let_out(engine: MontyEngine, source: str) -> None:
    """The script lets the same address out, the guard accepts it there, and it turns back into the mapping."""
    step = MappingStep(source=source, target=source, people="email")
    kinds = {"custom.Owner": "user"}
    script = to_script(RuleSet(direction="outgoing", steps=(step,)), kinds=kinds)
    left, stopped = await _leaves(engine, step)
    assert (left, stopped) == ({source: {"assignee": ALICE.email, "custom.Owner": BOB.email}.get(source)}, ())
    assert await _leaves(engine, *script.steps) == (left, ())
    assert to_mappings(script, kinds=kinds).steps == (step,)


async def test_a_person_with_an_address_leaves_where_a_script_says_so(engine: MontyEngine) -> None:
    """Name and address, or the address alone; in lists, too."""
    left, stopped = await _leaves(
        engine,
        _script(
            "replica.assignee = users.with_email(issue.assignee)",
            'replica.custom["who"] = users.with_email(issue.assignee, name=False)',
            'replica.custom["all"] = [users.with_email(one) for one in [issue.assignee, issue.reporter]]',
        ),
    )
    both = {"display_name": "Alice Smith", "email": "alice@blue.example"}
    assert left == {"assignee": both, "custom.who": "alice@blue.example", "custom.all": [both, "Eve Black"]}
    assert stopped == ()


@pytest.mark.parametrize(
    "steps",
    [
        (_script("replica.assignee = issue.assignee.email"),),
        (_script("x = users.with_email(issue.assignee)", "replica.assignee = x.email"),),
        (_script("replica.custom['x'] = users.with_email(issue.assignee)", "replica.assignee = issue.assignee.email"),),
        (_script("replica.assignee = users.with_email(issue.assignee)"), _script("replica.assignee = 'eve@x.example'")),
        (
            _script("replica.assignee = users.with_email(issue.assignee)", "replica.summary = 'eve@x.example'"),
            MappingStep(source="summary", target="assignee", values={_ISSUE.summary: "eve@x.example"}),
        ),
    ],
)
async def test_an_address_is_stopped_where_no_rule_says_so(engine: MontyEngine, steps: tuple[Any, ...]) -> None:
    """Only in that very field, and only what the last step put there with those words."""
    _, stopped = await _leaves(engine, *steps)
    assert _EMAIL in stopped
