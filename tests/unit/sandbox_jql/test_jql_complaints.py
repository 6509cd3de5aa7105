"""What is wrong with a query is said in the words, and at the place, in which Jira says it."""

from __future__ import annotations

import pytest

from node.sandbox.jql.errors import JqlError
from node.sandbox.jql.grammar import parse
from node.sandbox.jql.lexer import RESERVED_WORDS

_ESCAPES = r"""The valid escape sequences are \', \", \t, \n, \r, \\, '\ ' and \uXXXX."""
_OPERATORS = "The valid operators are '=', '!=', '<', '>', '<=', '>=', '~', '!~', 'IN', 'NOT IN', 'IS' and 'IS NOT'."
_VALUE = "Expecting either a value, list or function"
_RANGE = "Numbers must be between -9,223,372,036,854,775,808 and 9,223,372,036,854,775,807."

# Observed on real Jiras, by their own functional tests and by recorded answers.
CASES = [
    ("comment ~ 'test", "The quoted string 'test' has not been completed. (line 1, character 11)"),
    ("comment ~ 'test\n", "The quoted string 'test ' has not been completed. (line 1, character 11)"),
    ('priority="test\nword', "The quoted string 'test word' has not been completed. (line 1, character 10)"),
    ("comment ~ '", "The quoted string has not been completed. (line 1, character 11)"),
    ("comme\\unt ~ 'test", rf"'\un' is an illegal JQL escape sequence. {_ESCAPES} (line 1, character 6)"),
    ("status =\n\n\n\n\n\n \\c", rf"'\c' is an illegal JQL escape sequence. {_ESCAPES} (line 7, character 2)"),
    ("status =\n\n\n\n\\", f"The escape sequence has not been completed. {_ESCAPES} (line 5, character 1)"),
    ("a \\!= b", rf"'\!' is an illegal JQL escape sequence. {_ESCAPES} (line 1, character 3)"),
    (
        "mine{www = qwwr",
        (
            "The character '{' is a reserved JQL character. You must enclose it in a string or use the escape "
            "'\\u007b' instead. (line 1, character 5)"
        ),
    ),
    (
        "minewww = qwwr}",
        (
            "The character '}' is a reserved JQL character. You must enclose it in a string or use the escape "
            "'\\u007d' instead. (line 1, character 15)"
        ),
    ),
    (
        "minewww =\u007fqwwr",
        (
            "The character 'U+007F' on line 1 at position 10 must be escaped. Use the escape '\\u007f' instead. "
            "(line 1, character 10)"
        ),
    ),
    (
        'mqwwr="\u007f this is broken"',
        (
            "The character 'U+007F' on line 1 at position 8 must be escaped. Use the escape '\\u007f' instead. "
            "(line 1, character 8)"
        ),
    ),
    (
        "aaaaa=-3482094382084092840932809482",
        f"'-3482094382084092840932809482' is not a valid number. {_RANGE} (line 1, character 7)",
    ),
    (
        "cf[1002020202002020202020202020020202822]=a",
        f"'1002020202002020202020202020020202822' is not a valid number. {_RANGE} (line 1, character 4)",
    ),
    ("a =b order", "Expecting 'by' before the end of the query."),
    ("a =b order summary", "Expecting 'by' but got 'summary'. (line 1, character 12)"),
    ("a =b order by", "Expecting a field name at the end of the query."),
    (
        "a =b order by asc",
        (
            "Expecting a field name but got 'asc'. "
            "You must surround 'asc' in quotation marks to use it as a field name. (line 1, character 15)"
        ),
    ),
    ("a =b order by ajsks blah", "Expecting either 'ASC' or 'DESC' but got 'blah'. (line 1, character 21)"),
    ('a =b order by "" desc', "A field name cannot be empty. (line 1, character 15)"),
    ("'' = c", "A field name cannot be empty. (line 1, character 1)"),
    ("summary ~ bad and \n\\  ~ cool", "A field name cannot be empty. (line 2, character 1)"),
    ("a = ''()", "A function name cannot be empty. (line 1, character 5)"),
    ("a", f"Expecting operator before the end of the query. {_OPERATORS}"),
    ("a blah >", f"Expecting operator but got 'blah'. {_OPERATORS} (line 1, character 3)"),
    ("a =a and j not is empty", "Expecting 'IN' but got 'is'. (line 1, character 16)"),
    ("a =a and j is ! empty", "Expecting 'NOT' but got '!'. (line 1, character 15)"),
    ('a not was "Open"', "Expecting 'IN' but got 'was'. (line 1, character 7)"),
    ("cf", "Expecting '[' before the end of the query."),
    ("a = b and not (cf = 6)", "Expecting '[' but got '='. (line 1, character 19)"),
    ("cf[", "Expecting a custom field id (a positive number) before the end of the query."),
    ("cf[ = 9", "Expecting a custom field id (a positive number) but got '='. (line 1, character 5)"),
    ("cf[] = 1", "Expecting a custom field id (a positive number) but got ']'. (line 1, character 4)"),
    ("cf[29829k] = ", "Expecting a custom field id (a positive number) but got '29829k'. (line 1, character 4)"),
    ("cf[-29829] = ", "Expecting a custom field id (a positive number) but got '-29829'. (line 1, character 4)"),
    ("cf[29829 = world", "Expecting ']' but got '='. (line 1, character 10)"),
    ("cf[29829", "Expecting ']' before the end of the query."),
    ("a = func(", "Expecting ')' before the end of the query."),
    ("a = func(, and not (a = x)", "Expecting ')' but got ','. (line 1, character 10)"),
    ("b=func(bad", "Expecting ')' before the end of the query."),
    ("bas=func(bad,)", "Function argument must be specified. (line 1, character 14)"),
    ("bas=func(bad,", "Expecting a function argument at the end of the query."),
    (
        "k = func(!",
        (
            "Expecting a function argument but got '!'. You must surround '!' in quotation marks to use it as an "
            "argument. (line 1, character 10)"
        ),
    ),
    ("k = func(abc, jk!)", "Expecting ')' or ',' but got '!'. (line 1, character 17)"),
    ("(a=b and c = d", "Expecting ')' before the end of the query."),
    ("a=b or (c=d and not l ~ kate", "Expecting ')' before the end of the query."),
    ("b in ((12, (288)", "Expecting ')' before the end of the query."),
    ("abc IN ((foo) abc = a", "Expecting ')' but got 'abc'. (line 1, character 15)"),
    ("a=", f"{_VALUE} before the end of the query."),
    (
        "a=!",
        f"{_VALUE} but got '!'. You must surround '!' in quotation marks to use it as a value. (line 1, character 3)",
    ),
    (
        "key in ()",
        f"{_VALUE} but got ')'. You must surround ')' in quotation marks to use it as a value. (line 1, character 9)",
    ),
    (
        "project = OR AND b = c",
        (
            f"{_VALUE} but got 'OR'. You must surround 'OR' in quotation marks to use it as a value. "
            "(line 1, character 11)"
        ),
    ),
    ("a=b c=d", "Expecting either 'OR' or 'AND' but got 'c'. (line 1, character 5)"),
    ("a=b !c=d", "Expecting either 'OR' or 'AND' but got '!'. (line 1, character 5)"),
    ("a=(a,", f"{_VALUE} before the end of the query."),
    (
        "a=(a,(,bad))",
        f"{_VALUE} but got ','. You must surround ',' in quotation marks to use it as a value. (line 1, character 7)",
    ),
    ("a = ((c,d), d, e, f, yyy) and", "Expecting a field name at the end of the query."),
    ('comment !~ "brenden" jack = jill', "Expecting either 'OR' or 'AND' but got 'jack'. (line 1, character 22)"),
    (
        'comment !~ "brenden" and cf[1000] = jill order by a desc b',
        "Expecting ',' but got 'b'. (line 1, character 58)",
    ),
    (
        ", a = b",
        (
            "Expecting a field name but got ','. You must surround ',' in quotation marks to use it as a field name. "
            "(line 1, character 1)"
        ),
    ),
    ("order by a desc d", "Expecting ',' but got 'd'. (line 1, character 17)"),
    ("[brenden] = a", "Expecting a field name but got '['. Did you mean 'cf['? (line 1, character 1)"),
    ("a = brenden and [78] = q", "Expecting a field name but got '['. Did you mean 'cf['? (line 1, character 17)"),
    ("a was", f"{_VALUE} before the end of the query."),
]


@pytest.mark.parametrize(("text", "message"), CASES)
def test_text_that_cannot_be_read_is_refused_as_jira_refuses_it(text: str, message: str) -> None:
    """The message names what was expected, what came, and the line and character."""
    with pytest.raises(JqlError) as caught:
        parse(text)
    assert caught.value.messages == [f"Error in the JQL Query: {message}"]


@pytest.mark.parametrize("word", sorted(RESERVED_WORDS))
def test_a_reserved_word_is_refused_without_quotes_and_taken_with_them(word: str) -> None:
    """Jira keeps words of query languages for itself; quotes make them plain values."""
    with pytest.raises(JqlError) as caught:
        parse(f"summary ~ {word}")
    assert caught.value.messages == [
        (
            f"Error in the JQL Query: '{word}' is a reserved JQL word. You must surround it in quotation marks to use "
            "it in a query. (line 1, character 11)"
        ),
    ]
    parse(f'summary ~ "{word}"')


@pytest.mark.parametrize(
    "text",
    [
        "a = b AND (c = d OR (" * 200 + "a = b" + "))" * 200,
        "NOT " * 200 + "a = b",
        "a in " + "(" * 200 + "b" + ")" * 200,
    ],
)
def test_a_query_nested_too_deeply_is_refused(text: str) -> None:
    """Depth costs call frames, so that a hostile query ends as an error in words, not as a crash."""
    with pytest.raises(JqlError, match="nested more than 100 levels"):
        parse(text)
