"""Scripts and mappings side by side, with the real engine; and what is never taken from a script."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from typing_extensions import override

from node.errors import RuleError
from node.rules.facts import CachedFacts
from node.rules.incoming import IncomingContext, IncomingRules
from node.rules.model import Draft, Origin, Shared, Skip
from node.rules.outgoing import OutgoingContext, OutgoingRules
from node.rules.ruleset import MappingStep, RuleSet, Scope, ScriptStep
from node.rules.script.engine import (
    Asked,
    Direction,
    Finding,
    Flow,
    Helpers,
    Script,
    ScriptFailed,
    ScriptInputs,
    ScriptResult,
    ScriptSchema,
)
from node.rules.script.sandbox import MontyEngine
from node.trackers.issue import Attachment, Comment, User
from protocol.replica import Replica, ReplicaAttachment, ReplicaComment
from tests.support.known_jira import ALICE, BOB, KnownJira
from tests.support.rule_sets import an_issue


@pytest.fixture
async def engine() -> AsyncIterator[MontyEngine]:
    """Run scripts for real."""
    made = MontyEngine(workers=1)
    yield made
    await made.close()


class Answering:
    """An engine that always gives the same changes: what a script would have to get past the checks."""

    def __init__(self, changes: dict[str, Any]) -> None:
        self._changes = changes

    async def evaluate(self, script: Script, inputs: ScriptInputs, helpers: Helpers) -> ScriptResult:
        """Answer."""
        del script, inputs, helpers
        return ScriptResult(changes=self._changes)

    async def evaluate_many(
        self, script: Script, inputs: Sequence[ScriptInputs], helpers: Helpers
    ) -> list[ScriptResult | RuleError]:
        """Answer every time."""
        del script, helpers
        return [ScriptResult(changes=self._changes) for _ in inputs]

    async def check(
        self, source: str, direction: Direction, schema: ScriptSchema, *, jira: Asked | None = None
    ) -> list[Finding]:
        """Find nothing."""
        del source, direction, schema, jira
        return []

    async def flow(self, source: str, direction: Direction) -> Flow:
        """Carry nothing."""
        del source, direction
        return Flow()

    async def close(self) -> None:
        """Hold nothing."""


_JUST_A_SCRIPT = RuleSet(direction="incoming", steps=(ScriptStep(name="x", source="pass"),))


def _out(source: str, *more: MappingStep) -> RuleSet:
    summary = MappingStep(source="summary", target="summary")
    return RuleSet(direction="outgoing", steps=(summary, ScriptStep(name="Mine", source=source), *more))


def _context(**more: Any) -> OutgoingContext:
    return OutgoingContext(**{"first_sync": True, "facts": CachedFacts(KnownJira()), **more})


async def test_steps_work_on_what_earlier_steps_did(engine: MontyEngine) -> None:
    """A script sees the mapping before it, and the mapping after it has the last word; origins say who set what."""
    source = (
        "replica.summary = replica.summary.upper()\nreplica.labels = issue.labels\n"
        'replica.priority = "High"\nlog("done")\n'
    )
    rules = OutgoingRules(
        _out(source, MappingStep(source="environment", target="priority")), version=1, engine=engine
    )  # fmt: skip
    shared = await rules.evaluate(an_issue(project="SC", labels=("x",), environment="Lab"), _context())
    assert isinstance(shared, Shared)
    assert shared.fields == {"summary": "THE LAMP DOES NOT LIGHT", "labels": ["x"], "priority": "Lab"}
    assert shared.origins["summary"] == Origin(2, 1)
    assert shared.origins["labels"] == Origin(2, 2)
    assert shared.origins["priority"] == Origin(3, None, frozenset({"environment"}))
    assert shared.log == ("done",)


async def test_a_script_shares_neither_ids_nor_addresses(engine: MontyEngine) -> None:
    """People leave by name, also those in custom fields and those whose name is an address."""
    source = (
        'replica.assignee = issue.assignee\nreplica.custom["Owner"] = issue.custom["Owner"]\n'
        'replica.custom["All"] = issue.custom["Watchers"]\nreplica.comments = issue.comments\n'
    )
    issue = an_issue(
        project="SC",
        assignee=User("x", "al.smith@blue.example", "al.smith@blue.example"),
        custom={"Owner": "bob", "Watchers": ["alice", "unknown-id"]},
        comments=(
            Comment(id="1", body="Hi", author=User("y", "eve@blue.example")),
            Comment(id="2", body="secret", internal=True),
            Comment(id="3", body="twin", author=BOB),
        ),
    )
    rules = OutgoingRules(_out(source), version=1, engine=engine)
    shared = await rules.evaluate(issue, _context(own_items=frozenset({("comment", "3")})))
    assert isinstance(shared, Shared)
    assert shared.fields["assignee"] == "al.smith"
    assert shared.fields["custom.Owner"] == "Bob Jones"
    assert shared.fields["custom.All"] == ["Alice Smith"]
    assert [(comment.id, comment.author) for comment in shared.comments or ()] == [("1", "eve")]


async def test_user_fields_are_persons_for_incoming_scripts(engine: MontyEngine) -> None:
    """Those of our issue, and those that a mapping before the script set; each is asked for once."""
    steps = (
        MappingStep(source="owner", target="custom.Owner"),
        ScriptStep(
            name="x",
            source="names = [one.display_name for one in issue.custom['Watchers']]\n"
            "issue.summary = f'{issue.custom[\"Owner\"].display_name} {names}'\n"
            "issue.custom['Watchers'].append(issue.custom['Owner'])\n",
        ),
    )
    rules = IncomingRules(RuleSet(direction="incoming", steps=steps), version=1, engine=engine)
    ours = an_issue(project="SC", type="Task", custom={"Watchers": ["alice"]})
    context = IncomingContext(first_sync=False, project="SC", facts=CachedFacts(KnownJira()), issue=ours)
    draft = await rules.evaluate(Replica(issue="h", fields={"owner": "Bob Jones"}), context)
    assert isinstance(draft, Draft)
    assert draft.fields == {
        "custom.Owner": "bob", "summary": "Bob Jones ['Alice Smith']", "custom.Watchers": ["alice", "bob"],
    }  # fmt: skip


async def test_an_address_leaves_where_the_script_says_so(engine: MontyEngine) -> None:
    """On purpose, and the guard still looks at it."""
    rules = OutgoingRules(_out("replica.assignee = users.with_email(issue.assignee)\n"), version=1, engine=engine)
    shared = await rules.evaluate(an_issue(project="SC", assignee=ALICE), _context())
    assert isinstance(shared, Shared)
    assert shared.fields["assignee"] == {"display_name": "Alice Smith", "email": "alice@blue.example"}


async def test_many_issues_give_what_each_gives_alone(engine: MontyEngine) -> None:
    """Whatever becomes of them: shared, skipped by scope or script, failed by mapping or script."""
    source = (
        'if "skip" in issue.labels:\n    skip("not this one")\n'
        'if "fail" in issue.labels:\n    error("broken")\nreplica.labels = issue.labels\n'
    )
    must = MappingStep(source="status", target="status", values={"Open": "New"}, otherwise="error")
    scope = Scope(type=("Bug",))
    ruleset = _out(source, must).model_copy(update={"scope": scope})
    rules = OutgoingRules(ruleset, version=1, engine=engine)
    issues = [
        an_issue(id=str(number), key=f"SC-{number}", project="SC", labels=labels, status=status, type=kind)
        for number, (labels, status, kind) in enumerate(
            [(("a",), "Open", "Bug"), (("skip",), "Open", "Bug"), (("fail",), "Open", "Bug"), ((), "Odd", "Bug"),
             ((), "Open", "Task"), (("b",), "Open", "Bug")]
        )
    ]  # fmt: skip
    many = await rules.evaluate_many([(issue, _context()) for issue in issues])
    assert [type(one).__name__ for one in many] == ["Shared", "Skip", "ScriptFailed", "RuleError", "Skip", "Shared"]
    for issue, together in zip(issues, many, strict=True):
        try:
            alone: Shared | Skip | RuleError = await rules.evaluate(issue, _context())
        except RuleError as error:
            alone = error
        if isinstance(together, RuleError):
            assert isinstance(alone, RuleError)
            assert alone.message == together.message
        else:
            assert alone == together


async def test_incoming_scripts_want_what_they_say(engine: MontyEngine) -> None:
    """Helpers answer from what our Jira offers; a project, a transition and an error-free draft come out."""
    source = (
        'if first_sync:\n    issue.project = "ABC"\n'
        'issue.type = jira.issue_type(replica.type) or "Task"\n'
        "issue.comments = comments.merge(issue, replica)\n"
        'if replica.status == "Over":\n    workflow.transition("Close it")\n'
    )
    ruleset = RuleSet(
        direction="incoming",
        steps=(MappingStep(source="summary", target="summary"), ScriptStep(name="Mine", source=source)),
    )
    replica = Replica(
        issue="h", fields={"summary": "S", "type": "bug", "status": "Over"},
        comments=(ReplicaComment(id="c", author="Al", body="Hi"),),
    )  # fmt: skip
    context = IncomingContext(first_sync=True, project="SC", facts=_TwoProjects())
    draft = await IncomingRules(ruleset, version=1, engine=engine).evaluate(replica, context)
    assert isinstance(draft, Draft)
    assert draft.project == "ABC"
    assert draft.fields == {"summary": "S", "type": "Bug"}
    assert draft.transition == "Close it"
    assert [comment.body for comment in draft.comments or ()] == ["*Al* commented:\nHi"]
    assert [call.name for call in draft.calls] == ["jira.issue_type"]
    there = an_issue(project="SC", type="Task")
    stays = await IncomingRules(ruleset, version=1, engine=engine).evaluate(
        replica, IncomingContext(first_sync=True, project="SC", facts=_TwoProjects(), issue=there)
    )
    assert isinstance(stays, Draft)
    assert stays.project == "SC"


class _TwoProjects(CachedFacts):
    """Knows the project ABC as well, with the same types."""

    def __init__(self) -> None:
        super().__init__(KnownJira())

    @override
    async def issue_types(self, project: str) -> Any:
        """Answer for both."""
        return await super().issue_types("SC" if project == "ABC" else project)


async def test_an_issue_does_not_cross_the_line_to_sub_tasks(engine: MontyEngine) -> None:
    """Whichever step wanted it, since Jira cannot do that by an edit."""
    ruleset = RuleSet(direction="incoming", steps=(ScriptStep(name="x", source='issue.type = "Sub-task"\n'),))
    rules = IncomingRules(ruleset, version=1, engine=engine)
    context = IncomingContext(
        first_sync=False, project="SC", facts=CachedFacts(KnownJira()), issue=an_issue(project="SC", type="Task")
    )  # fmt: skip
    draft = await rules.evaluate(Replica(issue="h", fields={}), context)
    assert isinstance(draft, Draft)
    assert draft.fields == {}
    assert draft.log == ("UD-1 keeps the type 'Task': an edit cannot make it a 'Sub-task'.",)
    source = 'issue.type = "Sub-task"\nissue.parent_key = "UD-7"\n'
    ruleset = RuleSet(direction="incoming", steps=(ScriptStep(name="x", source=source),))
    draft = await IncomingRules(ruleset, version=1, engine=engine).evaluate(Replica(issue="h", fields={}), context)
    assert isinstance(draft, Draft)
    assert draft.fields == {}
    assert draft.log[-1] == "UD-1 gets no parent, because it is no sub-task here."


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"comments": [{"id": "2", "body": "of the sync"}]}, "not among those"),
        ({"comments": [{"id": "99", "body": "of another issue"}]}, "not among those"),
        ({"comments": [{"id": "1"}]}, "wrong shape at 1"),
        ({"comments": [{"id": "1", "body": 5}]}, "wrong shape at 1"),
        ({"comments": {"id": "1"}}, "are not a list"),
        ({"attachments": [{"id": "9", "name": "x"}]}, "not among those"),
        ({"worklogs": [{"id": "9", "seconds": 1}]}, "not among those"),
        ({"fields": {str(number): 1 for number in range(501)}}, "more than 500 fields"),
        ({"fields": []}, None),
        ({"fields": [1]}, "more than 500 fields"),
        ({"key": 5}, "its key is not a text"),
    ],
)
async def test_what_a_script_lets_out_is_checked_against_what_it_saw(changes: dict[str, Any], why: str | None) -> None:
    """It can share only what is the issue's own, in the right shape and number."""
    issue = an_issue(comments=(Comment(id="1", body="ours"), Comment(id="2", body="twin")))
    rules = OutgoingRules(_out("pass"), version=1, engine=Answering(changes))
    context = _context(facts=None, own_items=frozenset({("comment", "2")}))
    if why is None:
        assert isinstance(await rules.evaluate(issue, context), Shared)
        return
    with pytest.raises(RuleError, match=why) as caught:
        await rules.evaluate(issue, context)
    assert caught.value.step == 2
    (together,) = await rules.evaluate_many([(issue, context)])
    assert isinstance(together, RuleError)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"fields": {"key": "X-1"}}, "'key', which is not a field that can be written"),
        ({"fields": {"nonsense": 1}}, "'nonsense', which is not a field"),
        ({"comments": [{"handle": "other", "body": "x"}]}, "not among those"),
        ({"attachments": [{"handle": "a", "name": "x", "size": "big", "blob": "b"}]}, "wrong shape"),
        ({"worklogs": [{"handle": "w", "seconds": 1}]}, "not among those"),
        ({"project": 5}, "its project is not a text"),
        ({"transition": []}, "its transition is not a text"),
    ],
)
async def test_what_a_script_wants_is_checked_against_the_replica(changes: dict[str, Any], why: str) -> None:
    """It can write only fields that can be written, and only what the peer sent."""
    rules = IncomingRules(_JUST_A_SCRIPT, version=1, engine=Answering(changes))
    replica = Replica(issue="h", fields={}, attachments=(ReplicaAttachment(id="a", name="n", size=1, blob="a" * 64),))
    context = IncomingContext(first_sync=True, project="SC", facts=CachedFacts(KnownJira()))
    with pytest.raises(RuleError, match=why) as caught:
        await rules.evaluate(replica, context)
    assert caught.value.step == 1
    assert caught.value.advice


async def test_a_file_keeps_its_own_bytes() -> None:
    """A script may rename or leave out a file, not swap its content."""
    changes = {"attachments": [{"handle": "a", "name": "renamed", "size": 99, "blob": "b" * 64}]}
    rules = IncomingRules(_JUST_A_SCRIPT, version=1, engine=Answering(changes))
    sent = ReplicaAttachment(id="a", name="n", size=1, blob="a" * 64, mime="text/plain")
    replica = Replica(issue="h", fields={}, attachments=(sent,))
    context = IncomingContext(first_sync=True, project="SC", facts=CachedFacts(KnownJira()))
    draft = await rules.evaluate(replica, context)
    assert isinstance(draft, Draft)
    assert draft.attachments is not None
    (file,) = draft.attachments
    assert (file.name, file.size, file.blob, file.mime) == ("renamed", 1, "a" * 64, "text/plain")


async def test_custom_fields_stay_at_home_where_the_jira_is_not_known(engine: MontyEngine) -> None:
    """A user id would look like any other text."""
    issue = an_issue(
        project="SC", custom={"Owner": "bob"}, attachments=(Attachment(id="1", name="x", size=1, content_url="u"),)
    )  # fmt: skip
    rules = OutgoingRules(_out('replica.custom["O"] = issue.custom["Owner"]\n'), version=1, engine=engine)
    shared = await rules.evaluate(issue, _context(facts=None))
    assert isinstance(shared, Shared)
    assert shared.fields["custom.O"] is None


def _in(*sources: str) -> RuleSet:
    steps = tuple(ScriptStep(name=f"Script {number}", source=source) for number, source in enumerate(sources, 1))
    return RuleSet(direction="incoming", steps=steps)


async def _wanted(engine: MontyEngine, fields: dict[str, Any], *sources: str) -> Draft:
    context = IncomingContext(first_sync=True, project="SC", facts=CachedFacts(KnownJira()))
    rules = IncomingRules(_in(*sources), version=1, engine=engine)
    draft = await rules.evaluate(Replica(issue="h", fields=fields), context)
    assert isinstance(draft, Draft)
    return draft


@pytest.mark.parametrize(
    ("value", "wanted"), [("3.5", 3.5), ("-0.25", -0.25), ("5", 5), (7, 7), ("", None), (None, None)]
)
async def test_a_number_goes_from_script_to_script(engine: MontyEngine, value: Any, wanted: float | None) -> None:
    """A fraction is a text on the way; assigned to a number field it is a number again."""
    draft = await _wanted(engine, {"custom.Num": value}, 'issue.custom["Points"] = replica.custom["Num"]\n')
    assert draft.fields["custom.Points"] == wanted
    assert type(draft.fields["custom.Points"]) is type(wanted)


async def test_what_leaves_as_a_number_arrives_as_one(engine: MontyEngine) -> None:
    """Both scripts of one field, the wire in between."""
    shared = await OutgoingRules(
        _out('replica.custom["Num"] = issue.custom["Points"]\n'), version=1, engine=engine
    ).evaluate(an_issue(project="SC", custom={"Points": 3.5}), _context())
    assert isinstance(shared, Shared)
    assert shared.fields["custom.Num"] == "3.5"
    draft = await _wanted(engine, dict(shared.fields), 'issue.custom["Points"] = replica.custom["Num"]\n')
    assert draft.fields["custom.Points"] == 3.5


_PLACE = "issue.custom['Place'] takes an option, and perhaps one below it, and"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (
            'issue.custom["Points"] = replica.custom["Num"]',
            "issue.custom['Points'] takes a number, and 'many' is not a number.",
        ),
        (
            'issue.custom["Place"] = ["Europe", "Tokyo"]',
            f"{_PLACE} 'Europe, Tokyo' is not a value that this field offers below 'Europe'.",
        ),
        ('issue.custom["Place"] = "Nowhere"', f"{_PLACE} 'Nowhere' is not a value that this field offers."),
    ],
)
async def test_a_value_that_our_field_cannot_hold_names_step_and_line(
    engine: MontyEngine, line: str, what: str
) -> None:
    """With what the scripts had logged until then, and the line as it is written."""
    with pytest.raises(ScriptFailed) as caught:
        await _wanted(engine, {"custom.Num": "many"}, "log('one')\n", f"log('two')\n{line}\n")
    assert caught.value.message == f"Step 2 (script 'Script 2') failed in line 2: {what}"
    assert (caught.value.step, caught.value.line, caught.value.shown) == (2, 2, line)
    assert caught.value.log == ("one", "two")


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ('["Europe", "Berlin"]', ["Europe", "Berlin"]),
        ('["europe", "BERLIN"]', ["Europe", "Berlin"]),
        ('"asia / tokyo"', ["Asia", "Tokyo"]),
        ('["asia"]', ["Asia"]),
        ("[]", None),
    ],
)
async def test_a_two_level_option_is_spelled_as_ours(
    engine: MontyEngine, written: str, wanted: list[str] | None
) -> None:
    """In any case, as a list or as one text."""
    draft = await _wanted(engine, {}, f'issue.custom["Place"] = {written}\n')
    assert draft.fields["custom.Place"] == wanted


async def test_scripts_share_names_that_are_no_fields(engine: MontyEngine) -> None:
    """Written, read again by a later step, taken back, changed in place; with the line that set each."""
    first = ScriptStep(
        name="One",
        source=(
            'replica.other["state"] = issue.status\nreplica.other["tags"] = ["a"]\nreplica.other["gone"] = 1\n'
            'replica.drop("gone")\nreplica.drop("kept")\nreplica.other["kept"] = "yes"\n'
        ),
    )
    second = ScriptStep(
        name="Two",
        source=(
            'replica.other["tags"].append("b")\nreplica.other["was"] = replica.other["state"]\n'
            'log(replica.has("state"), replica.has("gone"), "state" in replica.other, replica.other["never"])\n'
        ),
    )
    third = ScriptStep(name="Three", source='log(replica.has("state"), replica.has("gone"))\n')
    mapped = MappingStep(source="summary", target="kept")
    ruleset = RuleSet(direction="outgoing", steps=(mapped, first, second, third))
    shared = await OutgoingRules(ruleset, version=1, engine=engine).evaluate(
        an_issue(project="SC", status="Open"), _context()
    )
    assert isinstance(shared, Shared)
    assert shared.fields == {"kept": "yes", "state": "Open", "tags": ["a", "b"], "was": "Open"}
    assert {name: (origin.step, origin.line) for name, origin in shared.origins.items()} == {
        "kept": (2, 6), "state": (2, 1), "tags": (3, 1), "was": (3, 2),
    }  # fmt: skip
    assert shared.log == ("true false true null", "true false")


async def test_a_script_and_a_mapping_understand_each_other(engine: MontyEngine) -> None:
    """A name that one side's mapping chose is read by the other side's script, and the other way round."""
    context = IncomingContext(first_sync=True, project="SC", facts=CachedFacts(KnownJira()))
    issue = an_issue(project="SC", status="Open")
    mapping = MappingStep(source="status", target="state")
    script = ScriptStep(name="x", source='replica.other["state"] = issue.status\n')
    back = ScriptStep(name="x", source='issue.status = replica.other["state"]\n')
    for sent, taken in ((mapping, back), (script, MappingStep(source="state", target="status"))):
        outgoing = OutgoingRules(RuleSet(direction="outgoing", steps=(sent,)), version=1, engine=engine)
        shared = await outgoing.evaluate(issue, _context())
        assert isinstance(shared, Shared)
        incoming = IncomingRules(RuleSet(direction="incoming", steps=(taken,)), version=1, engine=engine)
        draft = await incoming.evaluate(Replica(issue="h", fields=dict(shared.fields)), context)
        assert isinstance(draft, Draft)
        assert draft.fields["status"] == "Open"


async def test_a_name_of_a_field_is_no_name_of_ones_own(engine: MontyEngine) -> None:
    """A name that is put together when the script runs is judged then, with the line."""
    with pytest.raises(
        ScriptFailed, match=r"in line 2: replica\.other.'summary'. is a field that has a name"
    ) as caught:
        await OutgoingRules(
            _out('name = "sum" + "mary"\nreplica.other[name] = 1\n'), version=1, engine=engine
        ).evaluate(an_issue(project="SC"), _context())
    assert caught.value.line == 2


_THREE = Replica(
    issue="h",
    fields={"summary": "S"},
    comments=(
        ReplicaComment(id="a", body="open"),
        ReplicaComment(id="b", body="for few", internal=True),
        ReplicaComment(id="c", body="secret"),
    ),
)


@pytest.mark.parametrize(
    ("step", "written", "refused"),
    [
        (MappingStep(source="comments", target="comments"), "ac",
         "A comment is to be internal by step 1, and SC is no service project"),
        (ScriptStep(name="x", source="issue.comments = comments.merge(issue, replica, internal=True)\n"), "",
         "3 comments are to be internal by step 1, line 1, and SC is no service project"),
        (ScriptStep(
            name="x", source="issue.comments = comments.merge(issue, replica, internal=lambda c: 'secret' in c.body)\n"
        ), "ab", "A comment is to be internal by step 1, line 1,"),
        (ScriptStep(name="x", source="issue.comments = comments.merge(issue, replica, role='Staff')\n"), "abc", None),
        (ScriptStep(
            name="x", source="issue.comments = comments.merge(issue, replica, internal=True, role='Staff')\n"
        ), "abc", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("service", [True, False, None])
async def test_internal_comments_are_refused_where_everybody_could_read_them(
    engine: MontyEngine, service: bool | None, step: MappingStep | ScriptStep, written: str, refused: str | None
) -> None:
    """Only a project that is known to be a service project takes them; the rest of the issue is written."""
    context = IncomingContext(first_sync=True, project="SC", facts=CachedFacts(KnownJira(service=service)))
    summary = MappingStep(source="summary", target="summary")
    rules = IncomingRules(RuleSet(direction="incoming", steps=(step, summary)), version=1, engine=engine)
    draft = await rules.evaluate(_THREE, context)
    assert isinstance(draft, Draft)
    assert draft.fields["summary"] == "S"
    if service or refused is None:
        assert len(draft.comments or ()) == 3
        assert draft.refused == ()
        return
    assert "".join(comment.handle for comment in draft.comments or ()) == written
    [why] = draft.refused
    assert why.message.startswith(refused)
    assert "role=" in why.advice
    assert draft.log[-1] == why.message
