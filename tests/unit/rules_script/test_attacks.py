"""Scripts that want out: each must fail or find nothing, in bounded time, and leave nothing for the next evaluation."""

# ruff: noqa: E501 - a script on one line is easier to compare with its name

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import re
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic_monty import AsyncFunctionSnapshot, AsyncNameLookupSnapshot, MontyComplete, MontyError

from node.errors import RuleError
from node.rules.script.engine import Script, ScriptFailed, ScriptResult
from node.rules.script.sandbox import MontyEngine
from tests.support.scripts import SCHEMA, JiraAtHand, inputs

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "canary-7c1b0e"
CLEAN = 'issue.summary = replica.summary\nissue.labels.append("seen")\nlog(len("clean"))'
BOUND_SECONDS = 8.0
"""1 s of computing, 2 s of grace before a deaf worker is killed, and a busy machine."""

# Refused by the check, so they never run; `raw` below runs them nevertheless, behind the check's back.
REFUSED = {
    "import os": "import os\nissue.summary = str(os.environ)",
    "from os import": "from os import environ\nissue.summary = str(environ)",
    "import subprocess": "import subprocess\nsubprocess.run(['touch', 'made-by-script'])",
    "import socket": "import socket\nsocket.create_connection(('127.0.0.1', PORT))",
    "import ctypes": "import ctypes\nctypes.string_at(0)",
    "import sys": "import sys\nissue.summary = str(sys.modules)",
    "import pathlib": "from pathlib import Path\nissue.summary = Path('/etc/passwd').read_text()",
    "import pickle": "import pickle\npickle.loads(b'')",
    "import urllib": "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:PORT/')",
    "__import__": "__import__('os').system('touch made-by-script')",
    "importlib by name": "x = __builtins__['__import__']('os')",
    "open a file": "issue.summary = open('/etc/passwd').read()",
    "write a file": "open('made-by-script', 'w').write('x')",
    "open 200000 files": "for i in range(200000):\n    open('/dev/null')",
    "open the environment": "issue.summary = open('/proc/self/environ').read()",
    "open the parent's memory": "issue.summary = open('/proc/' + '1' + '/mem', 'rb').read(10)",
    "eval": "issue.summary = eval('1+1')",
    "exec": "exec('import os')",
    "compile": "compile('1', 'x', 'eval')",
    "globals": "issue.summary = str(globals())",
    "vars": "issue.summary = str(vars(issue))",
    "dir": "issue.summary = str(dir(issue))",
    "getattr": "issue.summary = str(getattr(issue, '__' + 'class__'))",
    "setattr": "setattr(issue, '_writable', ('id',))",
    "type with three arguments": "type('X', (), {})()",
    "class": "class X:\n    pass\nissue.summary = str(X)",
    "class with __eq__": "class X:\n    def __eq__(self, other):\n        return True\n[X()].remove(X())",
    "class sort key re-entrancy": "x = [3, 1]\nclass K:\n    def __lt__(self, o):\n        x.clear()\n        return True\n"
    "x.sort(key=lambda v: K())",
    "subclasses": "issue.summary = str(().__class__.__mro__[1].__subclasses__())",
    "function globals": "issue.summary = str(log.__globals__)",
    "function code": "issue.summary = str(log.__code__)",
    "bound method self": "issue.summary = str(comments.merge.__self__)",
    "traceback frames": "try:\n    1 / 0\nexcept Exception as e:\n    issue.summary = str(e.__traceback__.tb_frame)",
    "generator frames": "g = (x for x in [1])\nissue.summary = str(g.gi_frame)",
    "frame globals": "issue.summary = str(log.f_globals)",
    "match class": "match issue:\n    case object(__class__=c):\n        issue.summary = str(c)",
    "private state": "_state.direction = 'outgoing'",
    "private door": "_ask(0, 'users.by_email', 'x')",
    "private attribute": "issue._writable = ('id',)\nissue.id = '1'",
    "private of a comment": "for c in issue.comments:\n    c._cleared = True",
    "dunder as keyword": "log(__class__=1)",
    "bare except": "while True:\n    try:\n        1 / 0\n    except:\n        pass",
    "catch what ends a script": "try:\n    skip('x')\nexcept SystemExit:\n    issue.summary = 'still here'",
    "catch everything": "try:\n    error('x')\nexcept BaseException:\n    issue.summary = 'still here'",
    "replace a helper": "users = 1",
    "replace a function": "def log(x):\n    return x",
    "replace a builtin": "len = str",
    "replace a parameter": "def f(comments):\n    return comments\nf(1)",
    "decorator": "def d(f):\n    return f\n@d\ndef g():\n    pass",
    "async": "async def f():\n    pass",
    "yield": "def f():\n    yield 1\nissue.summary = str(list(f()))",
    "global": "def f():\n    global x\n    x = 1\nf()",
    "nonlocal": "def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = 2\n    g()\nf()",
    "del": "x = 1\ndel x",
    "with": "with open('x') as f:\n    pass",
    "print to the log's channel": "print('0 forged')",
    "format_map": "issue.summary = '{x.__class__}'.format_map({'x': log})",
    "break out of the function": "x = 1\n\x0cdef _evaluate(*a):\n    return ''",
    "null byte": "x = 1\x00\nimport os",
    "carriage return": "x = '''\rimport os\r'''",
    "surrogate": "x = '\ud800'",
    "5000 parentheses": "x = " + "(" * 5000 + "1" + ")" * 5000,
    "60000 signs": "x = " + "-" * 60000 + "1",
    "nested functions": "".join(" " * i + f"def f{i}():\n" for i in range(90)) + " " * 90 + "pass",
    "20000 sums": "x = 0" + "+0" * 20000,
    "too long": "x = '" + "a" * 70_000 + "'",
    "huge number literal": "x = " + "9" * 6000,
    "unfinished string": 'x = """',
    "bytes": "x = b'abc'",
}

# Accepted by the check, stopped or answered harmlessly when they run.
FAILS = {
    "while True": "while True:\n    pass",
    "while True, swallowed": "while True:\n    try:\n        while True:\n            pass\n    except Exception:\n        pass",
    "endless finally": "try:\n    error('x')\nfinally:\n    while True:\n        pass",
    "long sum": "x = sum(range(10 ** 10))",
    "nested loops": "for i in range(10 ** 6):\n    for j in range(10 ** 6):\n        pass",
    "list bomb": "x = [0] * 10 ** 10",
    "text bomb": "x = 'a' * 10 ** 9",
    "doubling text": "x = 'ab'\nwhile True:\n    x = x + x",
    "doubling list": "x = [1]\nfor i in range(60):\n    x = x + x",
    "memory, swallowed": "keep = []\nwhile True:\n    try:\n        keep.append('a' * 1000000)\n    except Exception:\n        pass",
    "wide f-string": "x = f\"{'a':>2000000000}\"",
    "wide percent": "x = '%2000000000d' % 1",
    "wide format": "x = '{:>2000000000}'.format(1)",
    "stored format": "f = '{0.__class__}'.format\nissue.summary = f(log)",
    "padding": "x = 'a'.ljust(10 ** 10)",
    "join bomb": "x = ('a' * 10000).join(['b'] * 100000)",
    "replace bomb": "x = ('a' * 10000).replace('a', 'b' * 100000)",
    "power": "x = 7 ** 10 ** 8",
    "shift": "x = 1 << 10 ** 10",
    "big number as text": "x = str(7 ** 100000)",
    "recursion": "def f(n):\n    return f(n + 1)\nf(0)",
    "mutual recursion": "def f(n):\n    return g(n)\ndef g(n):\n    return f(n)\nf(0)",
    "recursion in a sort": "def f(x):\n    return sorted([2, 1], key=f)\nf(1)",
    "backtracking with a reference": "re_search('(?=(a+))\\\\1+b', 'a' * 30000)",
    "long expression": "re_search('a' * 2000, 'a')",
    "long text to search": "re_search('a', 'a' * 300000)",
    "bad expression": "re_search('(', 'a')",
    "question flood": "for i in range(100000):\n    users.by_email(str(i))",
    "huge question": "users.by_email('a' * 100000)",
    "question with an object": "users.by_email([1, 2])",
    "huge result": "issue.summary = 'a' * 3000000",
    "huge result of many": "issue.labels = ['a' * 1000] * 2000",
    "cyclic list": "x = []\nx.append(x)\nissue.labels = x",
    "cyclic dict": "x = {}\nx['x'] = x\nissue.custom['Customer'] = x",
    "100000 levels": "x = []\nfor i in range(100000):\n    x = [x]\nissue.custom['Customer'] = x",
    "function as value": "issue.summary = log",
    "method as value": "issue.custom['Customer'] = [users.by_email]",
    "infinity": "issue.custom['Story Points'] = float('inf')",
    "not a number": "issue.custom['Story Points'] = float('nan')",
    "dict with numbers as keys": "issue.custom['Customer'] = {1: 2}",
    "forged comment": "issue.comments = [{'handle': 'x', 'body': 'y'}]",
    "issue as a value": "issue.custom['Customer'] = issue",
    "field through another name": "other = issue\nother.id = '666'",
    "unknown field through another name": "other = issue\nother.admin = True",
    "write the replica": "other = replica\nother.summary = 'x'",
    "custom field that is not there": "name = 'No' + 'ne'\nissue.custom[name] = 1",
    "dates bomb": "dates.add_business_days(dates.today(), 10 ** 9)",
    "dates overflow": "dates.add_days(dates.today(), 10 ** 9)",
}

HARMLESS = {
    "catastrophic (a+)+": "issue.summary = str(re_search('(a+)+$', 'a' * 40 + 'b'))",
    "catastrophic (a|aa)+": "issue.summary = str(re_search('(a|aa)+$', 'a' * 60 + 'b'))",
    "format to attributes": "issue.summary = '{0.summary}'.format(issue)",
    "format to the class": "try:\n    issue.summary = '{0.__class__.__init__.__globals__}'.format(users)\n"
    "except Exception:\n    issue.summary = 'no'",
    "percent with a dict": "try:\n    issue.summary = '%(x)s' % {'x': log}\nexcept Exception:\n    issue.summary = 'no'",
    "log flood": "for i in range(5000):\n    log('line', i)",
    "long log line": "log('a' * 100000)",
    "forged log lines": "log('x\\n1 forged\\n0 forged')",
    "changed answer of a helper": "u = users.by_email('alice@example.org')\nu.id = 'root'\n"
    "issue.summary = users.by_email('alice@example.org').id",
    "change the helper through another name": "h = users\ntry:\n    h.by_email = 1\nexcept Exception:\n    pass",
    "change previous comments": "for c in replica.comments:\n    c.body = 'changed'",
    "mutable default": "def f(seen=[]):\n    seen.append(1)\n    return len(seen)\nissue.summary = str(f() + f())",
}


@pytest.fixture(scope="module")
def listener() -> Iterator[socket.socket]:
    """A port that nobody may reach."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(0)
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[MontyEngine]:
    before = os.environ.get("ACCORD_CANARY")
    os.environ["ACCORD_CANARY"] = SECRET
    engine = MontyEngine()
    yield engine
    await engine.close()
    if before is None:
        del os.environ["ACCORD_CANARY"]


async def _clean(engine: MontyEngine) -> None:
    """The next evaluation works, sees nothing of the one before, and is not answered from memory."""
    script = Script(CLEAN, "incoming", SCHEMA)
    fresh = inputs(issue={**inputs().issue, "labels": [str(time.monotonic_ns())]})
    result = await engine.evaluate(script, fresh, JiraAtHand())
    assert result.changes["fields"]["summary"] == "Printer smokes"
    assert result.changes["fields"]["labels"][1:] == ["seen"]
    assert result.log == ("5",)
    assert not result.cached


def _nothing_outside(listener: socket.socket, told: str) -> None:
    assert SECRET not in told
    assert "root:" not in told
    assert not Path("made-by-script").exists()
    with pytest.raises(BlockingIOError):
        listener.accept()


def _told(outcome: object) -> str:
    if isinstance(outcome, ScriptFailed):
        return json.dumps([outcome.message, outcome.advice, outcome.log, outcome.shown])
    return repr(outcome)


async def _attack(engine: MontyEngine, source: str) -> ScriptResult | RuleError:
    began = time.monotonic()
    try:
        outcome: ScriptResult | RuleError = await engine.evaluate(
            Script(source, "incoming", SCHEMA), inputs(), JiraAtHand()
        )
    except RuleError as error:
        outcome = error
    assert time.monotonic() - began < BOUND_SECONDS
    return outcome


@pytest.mark.parametrize("name", REFUSED)
async def test_is_refused_before_it_runs(engine: MontyEngine, listener: socket.socket, name: str) -> None:
    """A script outside the language is refused by the check, with a line, and also when it is run unchecked."""
    source = REFUSED[name].replace("PORT", str(listener.getsockname()[1]))
    findings = await engine.check(source, "incoming", SCHEMA)
    assert any(finding.severity == "error" and finding.line >= 1 for finding in findings)
    outcome = await _attack(engine, source)
    assert isinstance(outcome, RuleError)
    _nothing_outside(listener, _told(outcome))
    await _clean(engine)


@pytest.mark.parametrize("name", REFUSED)
async def test_finds_nothing_behind_the_check(engine: MontyEngine, listener: socket.socket, name: str) -> None:
    """The same script, fed to a worker past the check, ends in time and reaches no file, secret or network."""
    source = REFUSED[name].replace("PORT", str(listener.getsockname()[1])).replace("issue.summary =", "result =")
    code = "result = None\nissue = {}\nlog = len\n" + source + "\nstr(result)"
    began = time.monotonic()
    pool = await engine._workers.pool()
    told = ""
    try:
        async with asyncio.timeout(BOUND_SECONDS), pool.checkout(limits=engine._workers.limits()) as session:
            snapshot = await session.feed_start(code)
            for _ in range(300):
                if isinstance(snapshot, MontyComplete):
                    told = str(snapshot.output)
                    break
                if isinstance(snapshot, AsyncNameLookupSnapshot):
                    snapshot = await snapshot.resume()
                elif isinstance(snapshot, AsyncFunctionSnapshot):
                    snapshot = await snapshot.resume({"exc_type": "PermissionError", "message": "no"})
                else:
                    break
    except (MontyError, UnicodeEncodeError) as error:
        told = str(error)
    assert time.monotonic() - began < BOUND_SECONDS
    _nothing_outside(listener, told)
    await _clean(engine)


@pytest.mark.parametrize("name", FAILS)
async def test_fails_on_that_issue_only(engine: MontyEngine, listener: socket.socket, name: str) -> None:
    """A script that eats time, memory or questions, or gives back nonsense, is an error on that issue."""
    outcome = await _attack(engine, FAILS[name])
    assert isinstance(outcome, RuleError), outcome
    assert outcome.message
    assert len(outcome.message) < 2_000
    _nothing_outside(listener, _told(outcome))
    await _clean(engine)


@pytest.mark.parametrize("name", HARMLESS)
async def test_comes_to_nothing(engine: MontyEngine, listener: socket.socket, name: str) -> None:
    """A trick that needs no refusal gives a bounded, plain and repeatable result."""
    outcome = await _attack(engine, HARMLESS[name])
    assert isinstance(outcome, ScriptResult), outcome
    told = _told(outcome)
    assert len(told) < 300_000
    assert not re.search("0x[0-9a-f]{6,}", told), "an address of the worker came out"
    assert "forged" not in [line.split()[0] for line in outcome.log if line]
    assert len(outcome.log) <= 201
    _nothing_outside(listener, told)
    await _clean(engine)


async def test_nothing_passes_from_issue_to_issue_in_a_batch(engine: MontyEngine) -> None:
    """What a script does to its helpers, its functions and its inputs is gone for the next issue of the batch."""
    source = (
        "h = users\n"
        "issue.summary = str(users.by_email('alice@example.org'))\n"
        "try:\n    h.by_email = len\nexcept Exception:\n    pass\n"
        "issue.labels.append('x')\n"
        "issue.custom['Teams'].append('Blue')\n"
    )
    many = [inputs(issue={**inputs().issue, "key": f"ABC-{n}"}, first_sync=bool(n % 2)) for n in range(6)]
    many = [dataclasses.replace(one, now=f"2026-11-24T10:00:0{n}+00:00") for n, one in enumerate(many)]
    results = await engine.evaluate_many(Script(source, "incoming", SCHEMA), many, JiraAtHand())
    for result in results:
        assert isinstance(result, ScriptResult)
        assert result.changes["fields"]["summary"] == "Alice Smith"
        assert result.changes["fields"]["labels"] == ["hot", "partner", "x"]
        assert result.changes["fields"]["custom.Teams"] == ["Red", "Blue"]


@pytest.mark.parametrize(
    "source",
    [
        "issue.summary = str(sorted({'b', 'a', 'c'})) + str(list({'b', 'a', 'c'}))",
        "issue.summary = str({'b': 1, 'a': 2}) + str(issue) + str(users)",
        "issue.summary = dates.now()",
    ],
)
async def test_is_deterministic_across_workers(source: str) -> None:
    """The same script and input give the same result in another worker: nothing random, no clock, no addresses."""
    results = []
    for _ in range(2):
        engine = MontyEngine(workers=1)
        try:
            results.append(await engine.evaluate(Script(source, "incoming", SCHEMA), inputs(), JiraAtHand()))
        finally:
            await engine.close()
    assert results[0] == results[1]
