"""One way of writing rules turns into another and back, and means the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.errors import RuleError, UsageError
from node.rules.checks import check_rules
from node.rules.convert import NotMappings, to_mappings, to_script
from node.rules.facts import CachedFacts
from node.rules.findings import has_errors
from node.rules.incoming import IncomingContext, IncomingRules
from node.rules.model import Draft, Shared
from node.rules.outgoing import OutgoingContext, OutgoingRules
from node.rules.plain import plain_result
from node.rules.ruleset import Default, MappingStep, RuleSet, ScriptStep, basic_incoming, basic_outgoing, mode
from node.rules.script.sandbox import MontyEngine
from node.trackers.issue import Attachment, Comment, Issue, IssueLink, Restriction, Worklog
from protocol.replica import Replica, ReplicaAttachment, ReplicaComment, ReplicaWorklog
from tests.support.known_jira import ALICE, BOB, KINDS, KnownJira
from tests.support.rule_sets import an_issue, texts

_KINDS = {f"custom.{name}": kind for name, (kind, _) in KINDS.items()}


def _map(source: str, target: str | None = None, **settings: Any) -> MappingStep:
    return MappingStep(source=source, target=target or source, **settings)


_OUT = RuleSet(
    direction="outgoing",
    steps=(
        *basic_outgoing().steps,
        _map("worklogs"),
        _map("links"),
        _map("status", "custom.State", values={"Open": "New", "DONE": "Over"}),
        _map("priority", values={"High": "1"}, otherwise=Default(default="2")),
        _map("resolution", values={"": "None yet", "Fixed": "Fixed"}),
        _map("labels", values={"web": "www", "w3": "www"}),
        _map("components", values={"UI": "Front"}, otherwise=Default(default="Other")),
        _map("environment", when="create"),
        _map("assignee"),
        _map("reporter", people="email"),
        _map("custom.Owner"),
        _map("custom.Points"),
        _map("custom.Place", "custom.Region"),
        _map("due", "custom.Until", when="create"),
        _map("status", "state", values={"Open": "New"}, otherwise=Default(default="Odd")),
        _map("summary", "head line"),
        _map("environment", "where", when="create"),
    ),
)
_IN = RuleSet(
    direction="incoming",
    steps=(
        *basic_incoming("Bug").steps,
        _map("worklogs"),
        _map("links"),
        _map("custom.State", "status", values={"New": "Open", "Over": "Done"}),
        _map("priority", otherwise=Default(default="Low")),
        _map("labels"),
        _map("components"),
        _map("fix_versions"),
        _map("due", when="create"),
        _map("assignee", otherwise=Default(default="bob")),
        _map("reporter", values={"Alice Smith": "Bob Jones"}),
        _map("parent_key"),
        _map("environment", "custom.Note"),
        _map("custom.sev", "custom.Severity", values={"1": "High"}),
        _map("original_estimate"),
        _map("sev", "custom.Mood", values={"1": "Good", "2": "Bad"}),
        _map("the story", "custom.Story"),
        _map("url", "custom.Site"),
    ),
)


@pytest.fixture
async def engine() -> AsyncIterator[MontyEngine]:
    """Run scripts for real."""
    made = MontyEngine(workers=1)
    yield made
    await made.close()


@pytest.mark.parametrize("ruleset", [basic_outgoing(), basic_incoming(), basic_incoming("Bug"), _OUT, _IN])
async def test_mappings_become_a_script_and_mappings_again(ruleset: RuleSet, engine: MontyEngine) -> None:
    """The way back gives the very same rules, and the script between has no errors."""
    script = to_script(ruleset, kinds=_KINDS)
    assert mode(script) == "script"
    assert len(script.steps) == 1
    findings = await check_rules(script, CachedFacts(KnownJira()), project="SC", engine=engine)
    assert not has_errors(findings), "\n".join(map(str, findings))
    again = to_mappings(script, kinds=_KINDS)
    assert again == ruleset
    assert mode(again) == mode(ruleset)


def test_the_script_reads_like_one_that_a_person_wrote() -> None:
    """Natural attributes, and a comment that names each mapping."""
    rules = RuleSet(
        direction="outgoing", steps=(_map("summary"), _map("status", values={"Open": "New"}, otherwise="error"))
    )
    (step,) = to_script(rules).steps
    assert isinstance(step, ScriptStep)
    head, _, body = step.source.partition("# summary to summary\n")
    assert head.startswith("def look_up(value, values):")
    assert (
        body
        == """replica.summary = issue.summary

# status to status
values = {
    "Open": "New",
}
value = issue.status or ""
found = look_up(value, values)
if not value:
    replica.status = None
elif found is not None:
    replica.status = found
else:
    error("status: a value is not in the value map")
"""
    )


def _issues() -> list[Issue]:
    full = an_issue(
        project="SC",
        status="open",
        priority="High",
        resolution="Fixed",
        labels=("web", "w3", "secret"),
        components=("UI", "API"),
        environment="Lab",
        assignee=ALICE,
        reporter=BOB,
        due="2026-11-24",
        description="Dark.\nVery.",
        custom={"Owner": "bob", "Points": 2.5, "Place": ["Europe", "Berlin"]},
        comments=(
            Comment(id="1", body="a", author=ALICE),
            Comment(id="2", body="b", restriction=Restriction("role", "x")),
            Comment(id="3", body="twin"),
        ),
        attachments=(Attachment(id="3", name="x.png", size=1, content_url="https://x.example", author=BOB),),
        worklogs=(
            Worklog(id="1", seconds=60, author=ALICE),
            Worklog(id="2", seconds=1, restriction=Restriction("group", "g")),
        ),
        links=tuple(
            IssueLink(id=number, type="Blocks", phrase="blocks", outward=True, other_id=other, other_key=f"UD-{other}")
            for number, other in (("1", "7"), ("2", "8"), ("3", "7"))
        ),
    )
    return [
        full,
        an_issue(project="SC"),
        an_issue(project="SC", status="Done", priority="Odd", labels=("other",), components=()),
    ]


@pytest.mark.parametrize("first", [True, False])
async def test_outgoing_scripts_mean_the_same(first: bool, engine: MontyEngine) -> None:
    """For issues with and without values, at the first sync and after."""
    facts = CachedFacts(KnownJira())
    mapped = OutgoingRules(_OUT, version=1)
    scripted = OutgoingRules(to_script(_OUT, kinds=_KINDS), version=1, engine=engine)
    previous = (
        None
        if first
        else {"key": "UD-1", "fields": {"environment": "Old lab", "custom.Until": None, "where": "Cellar"}}
    )
    context = OutgoingContext(
        first_sync=first, previous=previous, facts=facts, twins=_Links(),
        own_items=frozenset({("comment", "3"), ("issue link", "3")}),
    )  # fmt: skip
    for issue in _issues():
        one, other = await mapped.evaluate(issue, context), await scripted.evaluate(issue, context)
        assert isinstance(one, Shared)
        assert isinstance(other, Shared)
        assert plain_result(one) == plain_result(other)


class _Links:
    async def handles(self, issue_ids: Sequence[str]) -> Mapping[str, str]:
        """Know one handle."""
        return {issue_id: "h7" for issue_id in issue_ids if issue_id == "7"}

    async def local_key(self, remote: str) -> str | None:
        """Know one twin."""
        return {"UD-7": "SC-70"}.get(remote)


_FULL = Replica(
    issue="h",
    key="UD-1",
    fields={
        "type": "Bug", "summary": "S", "description": "D\nE", "custom.State": "new", "priority": "high",
        "labels": ["a", "b"], "components": ["ui", "nowhere"], "fix_versions": ["1.0"], "due": "2026-11-24",
        "assignee": "Alice Smith", "reporter": "Alice Smith", "parent_key": "UD-7", "environment": "Lab",
        "custom.sev": "1", "original_estimate": 60, "sev": "2", "the story": "Once", "custom": "odd", "other": "odd",
        "links": [{"type": "Blocks", "outward": False, "issue": "h8"}],
    },
    url="https://blue.example/browse/UD-1",
    comments=(ReplicaComment(id="c", author="Al*", body="* hi"), ReplicaComment(id="d", body="x", internal=True)),
    attachments=(ReplicaAttachment(id="a", name="n", size=1, blob="a" * 64, mime="image/png"),),
    worklogs=(ReplicaWorklog(id="w", seconds=60, author="Al", comment="Tea"),),
)  # fmt: skip
_REPLICAS = [
    _FULL,
    Replica(issue="h", fields={"summary": "S"}),
    Replica(issue="h", fields=dict.fromkeys(_FULL.fields), comments=(), attachments=(), worklogs=()),
    Replica(
        issue="h",
        fields={"summary": "S", "type": "Epic", "custom.State": "odd", "priority": "odd", "assignee": "Nobody",
                "reporter": "Mallory", "parent_key": "UD-8", "custom.sev": "9", "labels": [], "components": ["UI"]},
    ),
    Replica(issue="h", fields={"summary": "S", "type": "Sub-task"}),
    Replica(issue="h", fields={"summary": "S", "type": "Sub-task", "parent_key": "UD-7"}),
]  # fmt: skip


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("replica", _REPLICAS, ids=["full", "bare", "empty", "odd", "orphan", "child"])
async def test_incoming_scripts_mean_the_same(replica: Replica, there: bool, engine: MontyEngine) -> None:
    """For replicas that say everything, little, nothing and nonsense; for a new issue and one that is there."""
    ours = an_issue(key="SC-5", project="SC", type="Task", comments=(Comment(id="1", body="ours"),)) if there else None
    context = IncomingContext(
        first_sync=not there, project="SC", facts=CachedFacts(KnownJira()), issue=ours, twins=_Links()
    )  # fmt: skip
    one = await IncomingRules(_IN, version=1).evaluate(replica, context)
    scripted = IncomingRules(to_script(_IN, kinds=_KINDS), version=1, engine=engine)
    other = await scripted.evaluate(replica, context)
    assert isinstance(one, Draft)
    assert isinstance(other, Draft)
    assert plain_result(one) == plain_result(other)


async def test_an_error_stays_an_error(engine: MontyEngine) -> None:
    """What a mapping refuses, its script refuses too."""
    rules = RuleSet(direction="outgoing", steps=(_map("status", values={"Open": "New"}, otherwise="error"),))
    for one in (OutgoingRules(rules, version=1), OutgoingRules(to_script(rules), version=1, engine=engine)):
        with pytest.raises(RuleError, match="not in the value map"):
            await one.evaluate(an_issue(status="Frozen"), OutgoingContext(first_sync=True))


@pytest.mark.parametrize(
    ("direction", "step", "why"),
    [
        ("outgoing", _map("sumary", "headline"), "scripts cannot name 'sumary'"),
        ("outgoing", _map("comments", people="email"), "comments are carried as they are"),
        ("outgoing", _map("custom.Owner", people="email"), "by e-mail address"),
        ("outgoing", _map("custom.Odd", values={"a": "b"}), "not one of plain values"),
        ("outgoing", _map("summary", otherwise="error"), "has no effect without a value map"),
        ("outgoing", _map("labels", values={"": "none"}), "speaks of the empty field only"),
        ("outgoing", _map("priority", values={"": "None"}), "speaks of the empty field only"),
        ("incoming", _map("type", values={"": "Bug"}), "speaks of the empty field only"),
        ("outgoing", _map("labels", values={"": "none", "a": "b"}), "an entry for an empty list"),
        ("outgoing", _map("custom.a\nb", "summary"), "several lines"),
        ("incoming", _map("status"), "a status needs a value map"),
        ("incoming", _map("x", "odd"), "scripts cannot name 'odd'"),
        ("incoming", _map("custom.x", "custom.Odd"), "what 'custom.Odd' holds is not known"),
        ("incoming", _map("priority", values={"": "Low"}), "an entry for an empty field"),
        ("incoming", _map("summary", values={"a": "b"}), "no simple script"),
        ("incoming", _map("summary", people="email"), "only on what leaves"),
    ],
)
def test_a_mapping_without_an_equal_script_is_refused(direction: Any, step: MappingStep, why: str) -> None:
    """With the step and the reason; nothing is turned halfway."""
    with pytest.raises(UsageError, match=why) as caught:
        to_script(RuleSet(direction=direction, steps=(_map("summary"), step)))
    assert caught.value.message.startswith("Step 2 (")


_SOURCE = "# summary to summary\nreplica.summary = issue.summary\n\n# labels to labels\nreplica.labels = issue.labels\n"


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (_SOURCE.replace("= issue.labels", "= issue.labels or []"), 5),
        (_SOURCE.replace("# labels", "# label"), 4),
        (_SOURCE + "\nlog('hello')\n", 6),
        ("log('hello')\n" + _SOURCE, 1),
        (_SOURCE.replace("\n\n", "\n"), 3),
        ("", 1),
        ("this is not python", 1),
        (_SOURCE.replace("replica.summary", "replica.description"), 2),
    ],
)
def test_a_script_of_ones_own_is_not_taken_for_mappings(source: str, line: int) -> None:
    """The line that no mapping would have is named, and nothing is turned."""
    rules = RuleSet(direction="outgoing", steps=(_map("type"), ScriptStep(name="Mine", source=source)))
    with pytest.raises(NotMappings) as caught:
        to_mappings(rules)
    assert (caught.value.step, caught.value.line) == (2, line), caught.value.message
    assert f"Step 2 (script 'Mine'), line {line}: " in caught.value.message


def test_scripts_between_mappings_stay_where_they_are() -> None:
    """The order of steps is kept."""
    mine = ScriptStep(name="Mine", source="log('x')\n")
    rules = RuleSet(direction="outgoing", steps=(_map("summary"), _map("labels"), mine, _map("type")))
    turned = to_script(rules)
    assert [step.name for step in turned.steps if isinstance(step, ScriptStep)] == ["Mappings", "Mine", "Mappings"]
    assert turned.steps[1] == mine


_NAMES = st.sampled_from(["status", "labels", "priority", "summary", "custom.A to B", 'custom."quoted"'])
_STEPS = st.builds(
    MappingStep,
    source=_NAMES,
    target=_NAMES,
    when=st.sampled_from(["always", "create"]),
    values=st.dictionaries(texts, texts, max_size=3),
    otherwise=st.one_of(st.sampled_from(["nothing", "error"]), st.builds(Default, default=texts)),
)


@given(st.sampled_from(["outgoing", "incoming"]), st.lists(_STEPS, min_size=1, max_size=3))
@settings(max_examples=200)
def test_whatever_becomes_a_script_comes_back(direction: Any, steps: list[MappingStep]) -> None:
    """No mapping is taken for another one, whatever its names and values are."""
    rules = RuleSet(direction=direction, steps=tuple(steps))
    kinds = {'custom."quoted"': "select", "custom.A to B": "text"}
    try:
        script = to_script(rules, kinds=kinds)
    except UsageError:
        return
    assert to_mappings(script, kinds=kinds) == rules
