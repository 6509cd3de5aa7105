"""Rules as files: what is exported is imported again, and mistakes are shown where they are."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from node.rules.files import RulesFileError, export_rules, import_rules
from node.rules.ruleset import Default, MappingStep, RuleSet, Scope, ScriptStep, basic_incoming, basic_outgoing
from tests.support.rule_sets import rule_sets


@given(rule_sets)
@settings(max_examples=300)
def test_a_rule_set_survives_its_file(ruleset: RuleSet) -> None:
    """Whatever is exported is imported as an equal rule set, and exported again as the same text."""
    text = export_rules(ruleset)
    again = import_rules(text)
    assert again == ruleset
    assert export_rules(again) == text


@given(rule_sets)
@settings(max_examples=100)
def test_a_rule_set_survives_the_store(ruleset: RuleSet) -> None:
    """The stored text gives back an equal rule set."""
    assert RuleSet.from_body(ruleset.to_body()) == ruleset


def test_the_file_reads_well() -> None:
    """The text is what a person would have written."""
    ruleset = RuleSet(
        direction="outgoing",
        scope=Scope(labels=("partner", "urgent")),
        steps=(
            MappingStep(source="summary", target="summary"),
            MappingStep(
                source="status", target="state", values={"In Progress": "Doing"}, otherwise=Default(default="Open")
            ),
            ScriptStep(name="Labels", source='if first_sync:\n    replica.labels = ["new"]\n'),
        ),
    )
    assert export_rules(ruleset).split("\n", 1)[1] == (
        """
direction = "outgoing"
method = "automatic"

[scope]
labels = ["partner", "urgent"]

[[step]]
source = "summary"
target = "summary"

[[step]]
source = "status"
target = "state"
otherwise = { default = "Open" }

[step.values]
"In Progress" = "Doing"

[[step]]
name = "Labels"
script = '''
if first_sync:
    replica.labels = ["new"]
'''
"""
    )


@pytest.mark.parametrize("ruleset", [basic_outgoing(), basic_incoming()])
def test_basic_rules_have_files_too(ruleset: RuleSet) -> None:
    """The Basic rules are rules like any other."""
    assert import_rules(export_rules(ruleset)) == ruleset


_GOOD = 'direction = "outgoing"\n\n[[step]]\nsource = "summary"\ntarget = "summary"\n'
_LONG = _GOOD + f"\n[[step]]\nname = 'x'\nscript = '{'x' * 65_537}'\n"


@pytest.mark.parametrize(
    ("text", "line", "column", "message", "suggestion"),
    [
        (_GOOD + 'wen = "create"\n', 6, 1, "unknown key 'wen'", "Did you mean 'when'?"),
        (_GOOD + 'when = "crate"\n', 6, 1, "'when' is one of 'always', 'create'", "Did you mean 'create'?"),
        (
            _GOOD + 'otherwise = "eror"\n',
            6,
            1,
            "'otherwise' is one of 'nothing', 'error', 'create', {",
            "Did you mean 'error'?",
        ),
        (_GOOD + "\n[[step]]\nsource = 'a'\n", 7, 3, "step 2 has no 'target'", "A mapping has a source"),
        (_GOOD + "\n[step.values]\na = 1\n", 8, 1, "step 1: 'values', 'a' has to be a text in quotes", ""),
        (_GOOD + "values = 3\n", 6, 1, "step 1: 'values' has to be a table", "[step.values]"),
        (_GOOD + "otherwise = { defalt = 'x' }\n", 6, 1, "'otherwise' is one of", ""),
        (_GOOD + "script = 'x'\n", 4, 1, "step 1 has both a script and 'source': a step is either", "make two steps"),
        (_LONG, 9, 1, "step 2: 'script' is longer than 65,536", ""),
        (_GOOD + "\n[[step]]\nscript = '''\nwhen = 1\n'''\nnam = 'x'\n", 11, 1, "unknown key 'nam'", "'name'"),
        ("direction = 'sideways'\n", 1, 1, "'direction' is one of", ""),
        ("method = 'manual'\n", 1, 1, "'direction' is missing", ""),
        ("direction = 'incoming'\n[scope]\nlable = ['a']\n", 3, 1, "unknown key 'lable'", "Did you mean 'labels'?"),
        ("direction = 'incoming'\n[scope]\nlabels = 'a'\n", 3, 1, "'labels' has to be a list", 'labels = ["one",'),
        ("direction = 'incoming'\n[scope]\nlabels = ['a', 3]\n", 3, 16, "'labels', entry 2 has to be a text", ""),
        ("direction = 'incoming\n", 1, 13, "the text that begins here is never closed", "the same quotes"),
        ("direction = 'incoming'\n\nx = [1,\n", 3, 5, "the list or table that begins here is never closed", "]"),
        ("[scope]\nlabels = ['a']\nlabels = ['b']\n", 3, 1, "'labels' is there a second time", "Keep one"),
        ("direction = 'incoming'\ndirection = 'outgoing'\n", 2, 1, "'direction' is there a second time", "Keep one"),
        ("[[step]\n", 1, 8, "the name of a table is not closed", "[[step]]"),
        ('direction = "\\ud800"\n', 1, 15, "half of a character", ""),
        ("direction = incoming\n", 1, 13, "this is no value", "A text stands in quotes"),
        ("direction = 3 4\n", 1, 15, "something else is expected", "one key on a line"),
        ("direction = 'incoming'\nstep = 3\n", 2, 1, "steps are written as [[step]]", ""),
    ],
)
def test_a_mistake_is_shown_where_it_is(text: str, line: int, column: int, message: str, suggestion: str) -> None:
    """The error names line and column, shows the line, and suggests what was meant."""
    with pytest.raises(RulesFileError) as caught:
        import_rules(text, name="outgoing.toml")
    error = caught.value
    assert (error.line, error.column) == (line, column), error.message
    assert message in error.message
    assert error.message.startswith(f"outgoing.toml, line {line}, column {column}: ")
    assert suggestion in error.suggestion
    assert error.advice
    for word in LIBRARY_WORDS:
        assert word not in error.message.casefold()


LIBRARY_WORDS = ("pydantic", "tomlkit", "input", "dictionary", "tuple", "string", "literal", "codes less", "step.0")
"""What the libraries say to programmers, and no person should have to read."""


def test_a_very_long_line_is_shown_around_the_place() -> None:
    """The mark stays below what it means."""
    with pytest.raises(RulesFileError) as caught:
        import_rules("direction = 'incoming'\nscope = { labels = [" + "'a', " * 200 + "3] }\n", name="incoming.toml")
    _, shown, mark = caught.value.message.split("\n")
    assert len(shown) < 200
    assert shown[mark.index("^")] == "3"
