"""Versions, components and options that a script wants and our Jira lacks: noted, and not made by an evaluation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from node.errors import RuleError, UsageError
from node.rules.cases import incoming_case, read_case, record_case, run_case
from node.rules.checks import check_rules
from node.rules.convert import to_mappings, to_script
from node.rules.facts import CachedFacts
from node.rules.fields import CREATABLE
from node.rules.incoming import IncomingContext, IncomingRules
from node.rules.model import Creation, Draft
from node.rules.outgoing import OutgoingContext, OutgoingRules
from node.rules.plain import plain_result
from node.rules.preview import preview_incoming
from node.rules.ruleset import MappingStep, RuleSet, ScriptStep
from node.rules.script.sandbox import MontyEngine
from protocol.replica import Replica
from tests.support.known_jira import KnownJira
from tests.support.rule_sets import an_issue

REPLICA = Replica(issue="h", key="UD-1", fields={"fix_versions": ["2.0", "3.0"]})


@pytest.fixture
async def engine() -> AsyncIterator[MontyEngine]:
    """Run scripts for real."""
    made = MontyEngine(workers=1)
    yield made
    await made.close()


def rules_of(engine: MontyEngine, *sources: str) -> IncomingRules:
    steps = tuple(ScriptStep(name=f"s{number}", source=source) for number, source in enumerate(sources))
    return IncomingRules(RuleSet(direction="incoming", steps=steps), version=1, engine=engine)


def context(*may_create: str, jira: KnownJira | None = None, **more: Any) -> IncomingContext:
    facts = CachedFacts(jira or KnownJira())
    return IncomingContext(
        **{"first_sync": True, "project": "SC", "facts": facts, "connection": "Green_to_Blue",
           "may_create": frozenset(may_create), **more}
    )  # fmt: skip


async def drafted(engine: MontyEngine, source: str, *may_create: str, **more: Any) -> Draft:
    draft = await rules_of(engine, source).evaluate(REPLICA, context(*may_create, **more))
    assert isinstance(draft, Draft)
    return draft


def version(name: str) -> Creation:
    return Creation(kind="versions", name=name, project="SC")


async def test_what_is_missing_is_listed_and_answered_as_if_it_were_there(engine: MontyEngine) -> None:
    """One version exists, in other letters; the other is to be made. No call but the look-up goes to Jira."""
    jira = KnownJira()
    draft = await drafted(
        engine, "issue.fix_versions = versions.all(replica.fix_versions, create=True)", "versions", jira=jira
    )
    assert draft.fields["fix_versions"] == ["2.0", "3.0"]
    assert draft.creates == (version("3.0"),)
    assert jira.calls["versions"] == 1
    assert [call.result for call in draft.calls if call.name == "versions.get_or_create"] == ["2.0", "3.0"]


async def test_nothing_is_made_that_no_field_names(engine: MontyEngine) -> None:
    """A version that was asked for and then not used, or that another step replaced, is no wish."""
    assert (await drafted(engine, "versions.get_or_create('3.0')", "versions")).creates == ()
    rules = rules_of(
        engine, "issue.fix_versions = [versions.get_or_create('3.0')]", "issue.fix_versions = [versions.get('1.0')]"
    )
    draft = await rules.evaluate(REPLICA, context("versions"))
    assert isinstance(draft, Draft)
    assert draft.creates == ()


async def test_a_name_that_will_be_made_is_there_for_later_questions(engine: MontyEngine) -> None:
    """In the same script and in later ones, in any case, it is one name and made once."""
    rules = rules_of(
        engine,
        "issue.fix_versions = [versions.get_or_create(' v3 ')]",
        "issue.affects_versions = [versions.get('V3'), versions.get_or_create('V3')]",
    )
    draft = await rules.evaluate(REPLICA, context("versions"))
    assert isinstance(draft, Draft)
    assert draft.fields["affects_versions"] == ["v3", "v3"]
    assert draft.creates == (version("v3"),)


async def test_the_same_input_lists_it_again_without_running_the_script_again(engine: MontyEngine) -> None:
    """A remembered evaluation wants what the first one wanted: an echo, a retry and a preview show the same."""
    source = "issue.components = components.all(['UI', 'Core'], create=True)"
    facts = CachedFacts(KnownJira())
    first = await drafted(engine, source, "components", facts=facts)
    again = await drafted(engine, source, "components", facts=facts)
    assert first.creates == again.creates == (Creation(kind="components", name="Core", project="SC"),)


async def test_an_archived_version_is_not_for_use(engine: MontyEngine) -> None:
    """`get` does not find it; `get_or_create` asks for it, and whoever makes it finds that it is there."""
    assert (await drafted(engine, "issue.fix_versions = versions.all(['0.9'])")).fields["fix_versions"] == []
    draft = await drafted(engine, "issue.fix_versions = versions.all(['0.9'], create=True)", "versions")
    assert draft.creates == (version("0.9"),)


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("versions.get_or_create('3.0')", "versions", "The version '3.0' does not exist in project SC"),
        ("components.get_or_create('Core')", "components", "The component 'Core' does not exist in project SC"),
        (
            "options.get_or_create('Severity', 'Odd')",
            "options",
            "The option 'Odd' does not exist in the field 'Severity'",
        ),
    ],
)
async def test_what_is_not_allowed_is_an_error_that_says_how_to_allow_it(
    engine: MontyEngine, source: str, kind: str, message: str
) -> None:
    """Each kind by itself; the advice is the command to type."""
    others = [one for one in CREATABLE if one != kind]
    with pytest.raises(RuleError, match="may not create it") as caught:
        await drafted(engine, source, *others)
    assert message in caught.value.message
    assert f"accord connections allow Green_to_Blue {kind}" in caught.value.advice
    await drafted(engine, source, kind)


async def test_an_option_belongs_to_its_field(engine: MontyEngine) -> None:
    """The same word in another field makes nothing."""
    wish = "options.get_or_create('Severity', 'Odd')"
    draft = await drafted(engine, f"issue.custom['Severity'] = {wish}", "options")
    assert draft.creates == (Creation(kind="options", name="Odd", project="SC", field="custom.Severity"),)
    assert (await drafted(engine, f"issue.custom['Note'] = {wish}", "options")).creates == ()


async def test_a_field_without_any_option_gets_its_first(engine: MontyEngine) -> None:
    """Jira tells no options of it, so nothing can be compared: where it is allowed, it is seen to; else it stays."""
    jira = KnownJira()
    jira.custom["Empty"] = ("select", ())
    source = "issue.custom['Empty'] = options.get_or_create('Empty', 'One')"
    assert (await drafted(engine, source, jira=jira)).creates == ()
    draft = await drafted(engine, source, "options", jira=jira)
    assert draft.creates == (Creation(kind="options", name="One", project="SC", field="custom.Empty"),)
    source = "issue.custom['Note'] = options.get_or_create('Note', 'One')"
    assert (await drafted(engine, source, "options", jira=jira)).creates == ()


async def test_a_version_may_be_for_a_custom_field(engine: MontyEngine) -> None:
    """Fields of the kinds version and several versions choose from the same names."""
    draft = await drafted(engine, "issue.custom['Builds'] = versions.all(['3.0'], create=True)", "versions")
    assert draft.creates == (version("3.0"),)


async def test_a_project_that_is_set_in_the_same_step_is_refused(engine: MontyEngine) -> None:
    """The name was looked up in one project, and the issue would be made in another."""
    with pytest.raises(RuleError, match="made in project SC and the issue in ABC"):
        await drafted(engine, "issue.project = 'ABC'\nissue.fix_versions = [versions.get_or_create('3.0')]", "versions")


async def test_outgoing_rules_make_nothing(engine: MontyEngine) -> None:
    """They only read: the check refuses the script, and a run that gets there ends with an error."""
    source = "replica.custom['V'] = versions.get_or_create('3.0')"
    ruleset = RuleSet(direction="outgoing", steps=(ScriptStep(name="x", source=source),))
    facts = CachedFacts(KnownJira())
    (finding,) = await engine.check(source, "outgoing", await facts.script_schema("SC"))
    assert (finding.severity, finding.suggestion) == ("error", "Write `versions.get`.")
    rules = OutgoingRules(ruleset, version=1, engine=engine)
    with pytest.raises(RuleError, match="outgoing rules only read"):
        await rules.evaluate(an_issue(project="SC"), OutgoingContext(first_sync=True, facts=facts))


async def test_a_preview_shows_what_would_be_made_apart_from_the_fields(engine: MontyEngine) -> None:
    """It is in the payload and has a place of its own; where nothing is made the payload does not mention it."""
    draft = await drafted(engine, "issue.fix_versions = ['2.0', versions.get_or_create('3.0')]", "versions")
    preview = preview_incoming("a new issue", draft, ours=None)
    assert preview.creates == draft.creates
    assert {change.field for change in preview.changes} == {"fix_versions", "project", "type"}
    assert plain_result(draft)["creates"] == [{"kind": "versions", "name": "3.0", "project": "SC", "field": ""}]
    assert "creates" not in plain_result(await drafted(engine, "pass"))


async def test_a_recorded_case_knows_what_was_allowed(engine: MontyEngine) -> None:
    """It runs without a Jira, and fails when the rules no longer want the version made."""
    rules = rules_of(engine, "issue.fix_versions = [versions.get_or_create('3.0')]")
    case = incoming_case("Makes a version", REPLICA, context("versions"))
    recorded = await record_case(case, rules.ruleset, CachedFacts(KnownJira()), engine=engine)
    assert read_case(recorded.to_text()) == recorded
    assert recorded.expect["creates"]
    assert await run_case(recorded, rules.ruleset, engine=engine)
    other = rules_of(engine, "issue.fix_versions = []")
    assert "creates" in str(await run_case(recorded, other.ruleset, engine=engine))


def mapping(source: str, target: str, **settings: Any) -> RuleSet:
    step = MappingStep(source=source, target=target, otherwise="create", **settings)
    return RuleSet(direction="incoming", steps=(step,))


async def mapped(ruleset: RuleSet, value: Any, *may_create: str) -> Draft:
    source = ruleset.steps[0]
    assert isinstance(source, MappingStep)
    replica = Replica(issue="h", fields={source.source: value})
    draft = await IncomingRules(ruleset, version=1).evaluate(replica, context(*may_create))
    assert isinstance(draft, Draft)
    return draft


async def test_a_mapping_may_have_names_made_too() -> None:
    """`otherwise = "create"`: what the field lacks is listed, what it has is spelled as here."""
    draft = await mapped(mapping("fix_versions", "fix_versions"), ["2.0", "3.0"], "versions")
    assert (draft.fields["fix_versions"], draft.creates) == (["2.0", "3.0"], (version("3.0"),))
    draft = await mapped(mapping("area", "components"), ["ui", "Core", "CORE"], "components")
    assert draft.fields["components"] == ["UI", "Core"]
    assert draft.creates == (Creation(kind="components", name="Core", project="SC"),)
    draft = await mapped(mapping("sev", "custom.Severity", values={"1": "Odd"}), "1", "options")
    assert draft.fields["custom.Severity"] == "Odd"
    assert draft.creates == (Creation(kind="options", name="Odd", project="SC", field="custom.Severity"),)


async def test_a_mapping_makes_only_what_its_value_map_gives() -> None:
    """A value that is not in the map is left out, as without `create`."""
    draft = await mapped(mapping("v", "fix_versions", values={"next": "3.0"}), ["next", "other"], "versions")
    assert (draft.fields["fix_versions"], draft.creates) == (["3.0"], (version("3.0"),))


async def test_a_mapping_needs_leave_too() -> None:
    """Without it the issue gets an error with the command, as from a script."""
    with pytest.raises(RuleError, match="may not create it") as caught:
        await mapped(mapping("fix_versions", "fix_versions"), ["3.0"])
    assert "accord connections allow Green_to_Blue versions" in caught.value.advice


@pytest.mark.parametrize(
    ("direction", "target", "message"),
    [("incoming", "summary", "Nothing can be created for 'summary'"), ("incoming", "status", "Nothing can be created"),
     ("incoming", "custom.Place", "Nothing can be created"), ("outgoing", "fix_versions", "they create nothing")],
)  # fmt: skip
async def test_create_is_refused_where_it_makes_no_sense(direction: Any, target: str, message: str) -> None:
    """Fields whose names nobody can make, and rules that only read."""
    step = MappingStep(source=target, target=target, otherwise="create")
    ruleset = RuleSet(direction=direction, steps=(step,))
    findings = await check_rules(ruleset, CachedFacts(KnownJira()), project="SC")
    assert [message in one.message for one in findings if one.severity == "error"] == [True]


async def test_a_mapping_that_creates_becomes_a_script_and_a_mapping_again(engine: MontyEngine) -> None:
    """The script means the same."""
    ruleset = mapping("fix_versions", "fix_versions")
    script = to_script(ruleset)
    assert to_mappings(script) == ruleset
    replica = Replica(issue="h", fields={"fix_versions": ["2.0", "3.0"]})
    one = await IncomingRules(ruleset, version=1).evaluate(replica, context("versions"))
    other = await IncomingRules(script, version=1, engine=engine).evaluate(replica, context("versions"))
    assert isinstance(one, Draft)
    assert isinstance(other, Draft)
    assert (one.fields, one.creates) == (other.fields, other.creates)
    with pytest.raises(UsageError, match="no simple script"):
        to_script(mapping("custom.sev", "custom.Severity"), kinds={"custom.Severity": "select"})
