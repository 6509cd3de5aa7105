"""Rules are checked against our Jira when they are saved."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.rules.checks import check_rules
from node.rules.facts import CachedFacts
from node.rules.files import import_rules
from node.rules.findings import Finding, did_you_mean, has_errors
from node.rules.ruleset import Default, MappingStep, RuleSet, Scope, ScriptStep, basic_incoming, basic_outgoing
from node.rules.script.sandbox import MontyEngine
from node.rules.similar import closest
from tests.support.known_jira import ALICE, TWIN_ONE, TWIN_TWO, KnownJira


async def _check(
    direction: str, *steps: Any, scope: Scope | None = None, method: str = "automatic"
) -> tuple[Finding, ...]:
    ruleset = RuleSet.model_validate(
        {"direction": direction, "method": method, "steps": steps, "scope": scope or Scope()}
    )
    return await check_rules(ruleset, CachedFacts(KnownJira()), project="SC")


def _map(source: str, target: str | None = None, **settings: Any) -> MappingStep:
    return MappingStep(source=source, target=target or source, **settings)


_SUMMARY = _map("summary")


@pytest.mark.parametrize("ruleset", [basic_outgoing(), basic_incoming()])
async def test_basic_rules_are_fine(ruleset: RuleSet) -> None:
    """What everybody starts with has neither errors nor doubts."""
    assert await check_rules(ruleset, CachedFacts(KnownJira()), project="SC") == ()


@pytest.mark.parametrize(
    ("direction", "step", "severity", "message", "suggestion"),
    [
        ("outgoing", _map("sumary"), "error", "This Jira has no field 'sumary'.", "Did you mean 'summary'?"),
        ("outgoing", _map("fixVersions"), "error", "no field 'fixVersions'", "Did you mean 'fix_versions'?"),
        ("outgoing", _map("custom.Severty"), "error", "no field 'custom.Severty'", "Did you mean 'custom.Severity'?"),
        ("outgoing", _map("Severity"), "error", "no field 'Severity'", "Did you mean 'custom.Severity'? Custom fields"),
        ("outgoing", _map("comments", "notes"), "error", "'comments' can only be carried to 'comments'", "same name"),
        ("outgoing", _map("summary", "comments"), "error", "'comments' is the name of a collection", ""),
        ("outgoing", _map("links", "ties"), "error", "'links' can only be carried to 'links'", "same name"),
        ("outgoing", _map("summary", "links"), "error", "'links' is the name of a collection", ""),
        ("incoming", _map("links", "labels"), "error", "'links' cannot be carried to 'labels'", "same name"),
        ("outgoing", _map("summary", "key"), "error", "'key' is the name under which", "another name"),
        ("outgoing", _map("comments", when="create"), "warning", "always carried", ""),
        ("outgoing", _map("comments", otherwise="error"), "warning", "have no effect", ""),
        ("outgoing", _map("assignee", people="email"), "warning", "E-mail addresses leave with 'assignee'.", ""),
        ("outgoing", _map("summary", "x", people="email"), "warning", "holds no people", ""),
        ("outgoing", _map("security_level"), "warning", "the guard stops", ""),
        ("outgoing", _map("priority", values={"Hihg": "1"}), "warning", "'Hihg', which 'priority' does not", "'High'?"),
        ("incoming", _map("x", "custom.Severty"), "error", "no field 'custom.Severty'", "Did you mean"),
        ("incoming", _map("x", "created"), "error", "'created' cannot be written", ""),
        ("incoming", _map("comments", "description"), "error", "cannot be carried to 'description'", "same name"),
        ("incoming", _map("x", "status", values={"a": "Dooing"}), "error", "gives 'Dooing' for 'a', and that is not",
         "Did you mean 'Doing'?"),
        ("incoming", _map("x", "priority", otherwise=Default(default="Blocker")), "error", "the default is 'Blocker'",
         "Known here: High, Low."),
        ("incoming", _map("x", "type", otherwise=Default(default="Tsak")), "error", "'Tsak'", "Did you mean 'Task'?"),
        ("incoming", _map("x", "custom.Points", otherwise=Default(default="many")), "error", "is not a number", ""),
        ("incoming", _map("x", "custom.Place", otherwise=Default(default="Europe / Tokyo")), "error",
         "the default is 'Europe / Tokyo', and that is not a value that this field offers below 'Europe'.",
         "Known here: Asia"),
        ("incoming", _map("x", "custom.Place", values={"1": "Europe / Bern"}), "error", "gives 'Europe / Bern' for '1'",
         "Did you mean 'Europe / Berlin'?"),
        ("incoming", _map("x", "assignee", otherwise=Default(default="mallory")), "error", "nobody in this Jira", ""),
        ("incoming", _map("descripton", "description"), "warning", "may call it otherwise", "'description'"),
        ("incoming", _map("x", "due", people="email"), "warning", "only on what leaves", ""),
    ],
)  # fmt: skip
async def test_a_mistake_is_found_with_what_was_probably_meant(
    direction: str, step: MappingStep, severity: str, message: str, suggestion: str
) -> None:
    """Errors refuse, doubts warn; both name the step."""
    first, *rest = [finding for finding in await _check(direction, _SUMMARY, step) if finding.step == 2]
    assert not rest
    assert first.severity == severity
    assert message in first.message
    assert suggestion in first.suggestion
    assert has_errors([first]) == (severity == "error")
    assert str(first).startswith(f"{severity}: step 2, {first.place[2]}")


async def test_good_values_raise_no_doubt() -> None:
    """Options in any case, people by address, empty values, cascading options."""
    found = await _check(
        "incoming",
        _SUMMARY,
        _map("a", "priority", values={"1": "high", "2": ""}),
        _map("b", "assignee", values={"Al": "alice@blue.example"}),
        _map("c", "custom.Place", otherwise=Default(default="Europe / Berlin")),
        _map("d", "parent_key", otherwise=Default(default="SC-1")),
    )
    assert found == ()


async def test_doubts_about_the_whole() -> None:
    """Two steps for one target; nothing to carry; a required field that nobody sets."""
    twice = await _check("outgoing", _SUMMARY, _map("description", "summary"))
    assert [finding.message for finding in twice] == ["Step 1 sets 'summary' too; the later one counts."]
    assert "no steps" in (await _check("outgoing"))[0].message
    assert await _check("outgoing", method="disabled") == ()
    for method in ("manual", "disabled"):
        assert await _check("incoming", _map("description"), method=method) == ()  # nothing is created then
    bare = await _check("incoming", _map("description"))
    assert bare[0].message == "Jira wants 'summary' when an issue of type Bug, Task is created, and no step sets it."


async def test_a_scope_that_nothing_can_pass_is_doubted() -> None:
    """Only outgoing: an incoming scope speaks in the peer's words."""
    scope = Scope(status=("Opne",), type=("Bug",), assignee=("mallory", "alice"), labels=("any",))
    found = await _check("outgoing", _SUMMARY, scope=scope)
    assert [str(finding) for finding in found] == [
        "warning: Scope: no status is 'Opne' here.\n    Did you mean 'Open'?",
        "warning: Scope, assignee: 'mallory' is nobody in this Jira.",
    ]
    assert await _check("incoming", _SUMMARY, scope=scope) == ()


async def test_a_script_without_an_engine_is_an_error() -> None:
    """It could never run."""
    found = await _check("outgoing", ScriptStep(name="x", source="pass"))
    assert [(finding.severity, finding.step) for finding in found] == [("error", 1)]


def test_a_finding_in_a_script_shows_the_line() -> None:
    """With a mark under the place."""
    finding = Finding(
        severity="error", message="no such name", step=2, line=3, column=5, shown="x = isue", suggestion="Did you mean?"
    )
    assert str(finding) == (
        "error: step 2, line 3, column 5: no such name\n    x = isue\n        ^\n    Did you mean?"
    )  # fmt: skip


_FILE = """direction = "incoming"

[[step]]
source = "summary"
target = "summary"

[[step]]
source = "state"
target = "status"
otherwise = { default = "Opne" }

[step.values]
"In Progress" = "Dooing"

[[step]]
name = "More"
script = '''
issue.summary = 'x'
issue.sumary = 'x'
'''
"""


async def _check_file(text: str) -> list[str]:
    engine = MontyEngine(workers=1)
    try:
        found = await check_rules(import_rules(text), CachedFacts(KnownJira()), project="SC", engine=engine)
    finally:
        await engine.close()
    return [str(finding.in_file(text, "incoming.toml")) for finding in found]


async def test_a_finding_shows_the_line_of_the_file() -> None:
    """File, line, column, the line with a mark, and a suggestion: for mappings, defaults and scripts alike."""
    assert "\n".join(await _check_file(_FILE)) == (
        "error: incoming.toml, line 13, column 17: step 2: In 'status' the value map gives 'Dooing' for 'In Progress', "
        "and that is not a value that this field offers.\n"
        '    "In Progress" = "Dooing"\n'
        "                    ^\n"
        "    Did you mean 'Doing'?\n"
        "error: incoming.toml, line 10, column 25: step 2: In 'status' the default is 'Opne', and that is not a value "
        "that this field offers.\n"
        '    otherwise = { default = "Opne" }\n'
        "                            ^\n"
        "    Did you mean 'Open'?\n"
        "error: incoming.toml, line 19, column 1: step 3, line 2 of its script: issue has no field `sumary`\n"
        "    issue.sumary = 'x'\n"
        "    ^\n"
        "    Did you mean `summary`?"
    )


async def test_a_script_with_escapes_keeps_its_own_lines() -> None:
    """Where the file does not show the line as the script has it, the line is counted in the script."""
    text = _FILE[: _FILE.index("script =")] + "script = \"issue.summary = 1\\nissue.sumary = 'x'\"\n"
    [*_, last] = await _check_file(text)
    assert last.startswith("error: step 3, line 2, column 1: issue has no field `sumary`\n    issue.sumary = 'x'\n")


@pytest.mark.parametrize(
    ("wrong", "known"), [("Frozen", "Open"), ("moment", "comments"), ("Dup", "Num"), ("to", "Done"), ("x", "y")]
)
def test_a_far_fetched_guess_is_not_made(wrong: str, known: str) -> None:
    """A name is meant only where a third of it at most was typed wrongly."""
    assert did_you_mean(wrong, [known]) == ""


@given(st.text(max_size=12), st.lists(st.text(max_size=12), max_size=4))
def test_a_guess_is_one_of_the_known_names(name: str, known: list[str]) -> None:
    """Whatever is typed; a name that differs in case only is always found."""
    assert closest(name, known) in {"", *known}
    if name.isascii() and name.isalpha() and name.swapcase() != name:
        assert closest(name, [name.swapcase()]) == name.swapcase()


async def test_fields_of_one_name_are_told_apart() -> None:
    """The name alone names none of them; the message says how one is named, and that name is accepted."""
    jira = KnownJira()
    for number in (10018, 10019):
        jira.custom[f"Dup (customfield_{number})"] = ("text", ())
    rules = RuleSet(direction="outgoing", steps=(_map("custom.Dup", "a"), _map("Dup", "b")))
    found = await check_rules(rules, CachedFacts(jira), project="SC")
    for finding, name in zip(found, ("custom.Dup", "Dup"), strict=True):
        assert finding.message == f"Several fields of this Jira are called {name!r}."
        assert "'custom.Dup (customfield_10018)' or 'custom.Dup (customfield_10019)'" in finding.suggestion
    named = RuleSet(direction="outgoing", steps=(_map("custom.Dup (customfield_10018)", "a"),))
    assert await check_rules(named, CachedFacts(jira), project="SC") == ()


@pytest.mark.parametrize(
    ("who", "reason", "advice"),
    [
        ("mallory", "that is nobody in this Jira", ""),
        ("Sam Gray", "that is the name of 2 people in this Jira: 'sam1' and 'sam2'", "by user id or e-mail address"),
        ("Ada", "that is 'alovelace' in the user map, and that is nobody in this Jira", "Correct [users] in accord"),
    ],
)
async def test_a_person_who_is_not_found_is_told_apart(who: str, reason: str, advice: str) -> None:
    """Nobody, several of one name, or a user map that names somebody who is not there."""
    facts = CachedFacts(KnownJira(users=(ALICE, TWIN_ONE, TWIN_TWO)), user_map={"ada": "alovelace"})
    step = _map("x", "assignee", otherwise=Default(default=who))
    ruleset = RuleSet(direction="incoming", steps=(_SUMMARY, step), scope=Scope())
    [finding] = await check_rules(ruleset, facts, project="SC")
    assert finding.message == f"In 'assignee' the default is {who!r}, and {reason}."
    assert advice in finding.suggestion


_NAMED = """
direction = "incoming"

[[step]]
name = "Names"
script = '''
issue.comments = comments.merge(issue, replica, role="Developer")
workflow.transition("Reopne")
'''
"""


async def _check_names(jira: KnownJira) -> list[str]:
    engine = MontyEngine(workers=1)
    try:
        found = await check_rules(import_rules(_NAMED), CachedFacts(jira), project="SC", engine=engine)
    finally:
        await engine.close()
    return [str(one.in_file(_NAMED, "incoming.toml")) for one in found]


async def test_roles_and_transitions_of_scripts_are_looked_up_in_our_jira() -> None:
    """A role that is not there is an error, a transition that was not seen a doubt; each is asked once."""
    jira = KnownJira()
    role, transition = await _check_names(jira)
    assert role == (
        "error: incoming.toml, line 7, column 54: step 1, line 1 of its script: "
        "there is no role 'Developer' in this project\n"
        '    issue.comments = comments.merge(issue, replica, role="Developer")\n'
        "                                                         ^\n"
        "    Did you mean 'Developers'?"
    )
    assert transition.startswith("warning: incoming.toml, line 8, column 21: step 1, line 2 of its script: no issue")
    assert "asked were issues in 'Done', 'Open'" in transition
    assert transition.endswith("Did you mean 'Reopen'?")
    assert (jira.calls["roles"], jira.calls["offered_transitions"]) == (1, 1)


async def test_roles_that_we_may_not_see_and_transitions_of_no_issue_raise_nothing() -> None:
    """Nobody knows whether the names are right, so nobody is bothered."""
    jira = KnownJira()
    jira.shows_roles, jira.offered = False, {}
    assert await _check_names(jira) == []
