"""Ten rules that people write, for comparing an engine with bare Python and for measuring it."""

# ruff: noqa: E501 - rules as people type them

from __future__ import annotations

from typing import Any

from node.rules.script.engine import Direction, ScriptInputs
from tests.support.scripts import ALICE, BOB, SCHEMA, issue, replica

TEN_RULES: dict[str, tuple[Direction, str]] = {
    "plain copy": (
        "outgoing",
        (
            "replica.summary = issue.summary\nreplica.description = issue.description\nreplica.labels = issue.labels\n"
            "replica.priority = issue.priority\nreplica.status = issue.status\nreplica.comments = issue.comments\n"
            "replica.attachments = issue.attachments"
        ),
    ),
    "internal filter": (
        "outgoing",
        (
            "replica.comments = [c for c in comments.public(issue.comments) if not c.body.startswith('#')]\n"
            "replica.labels = [label for label in issue.labels if not label.startswith('int-')]"
        ),
    ),
    "first sync": (
        "incoming",
        (
            "if first_sync:\n    issue.project = 'ABC'\n    issue.type = jira.issue_type(replica.type) or 'Task'\n"
            "    issue.labels = replica.labels + ['synced']\nelse:\n    issue.labels = issue.labels\n"
            "issue.summary = replica.summary"
        ),
    ),
    "status map": (
        "incoming",
        (
            "names = {'In Progress': 'Doing', 'Closed': 'Done', 'Open': 'To Do'}\n"
            "wanted = names.get(replica.status)\nif wanted is None:\n    error('no status for ' + str(replica.status))\n"
            "if issue.status != wanted:\n    issue.status = wanted"
        ),
    ),
    "custom fields": (
        "incoming",
        (
            "impact = replica.custom['Impact']\nissue.custom['Severity'] = 'High' if impact in ('1', '2') else 'Low'\n"
            "issue.custom['Story Points'] = int(impact or '0') * 2\n"
            "issue.custom['Teams'] = sorted(set(issue.custom['Teams'] + ['Blue']))"
        ),
    ),
    "comments of the peer": (
        "incoming",
        (
            "def body(c):\n    name = str(c.author or 'somebody')\n    return name.split()[0] + ' wrote:\\n' + c.body\n"
            "issue.comments = comments.merge(issue, replica, text=body, internal=lambda c: 'secret' in c.body)"
        ),
    ),
    "people": (
        "incoming",
        (
            "found = []\nfor n in range(7):\n    user = users.by_email('user' + str(n) + '@example.org')\n"
            "    found.append(user.id if user else 'nobody')\n"
            "issue.assignee = users.by_map(replica.assignee)\nissue.description = ', '.join(found)"
        ),
    ),
    "regular expressions": (
        "outgoing",
        (
            "text = issue.description or ''\nfor n in range(20):\n"
            "    text = re_sub('REF-([0-9]+)', 'REF/' + str(n) + '-\\\\1', text)\n    text = text.replace('REF/', 'REF-')\n"
            "replica.description = text\nreplica.custom['References'] = re_findall('[0-9]+', text)"
        ),
    ),
    "business days": (
        "outgoing",
        (
            "day = issue.due or dates.today()\nleft = 10\nwhile left > 0:\n    day = dates.add_days(day, 1)\n"
            "    if dates.is_business_day(day):\n        left -= 1\nreplica.due = day\n"
            "replica.custom['Answer by'] = dates.add_business_days(issue.created[:10], 5)"
        ),
    ),
    "functions and sets": (
        "outgoing",
        (
            "def score(label):\n    return sum([1 for letter in label if letter in {'a', 'e', 'i', 'o', 'u'}])\n"
            "ranked = sorted(issue.labels, key=lambda label: (-score(label), label))\n"
            "groups = {}\nfor label in ranked:\n    groups.setdefault(score(label), []).append(label)\n"
            "replica.labels = ranked\nreplica.custom['Groups'] = {str(k): v for k, v in groups.items()}\n"
            "replica.summary = f'{issue.key}: {issue.summary:.20} ({len(ranked)})'"
        ),
    ),
}


def large_inputs(direction: Direction, number: int = 0) -> ScriptInputs:
    """Return an issue and a replica of about ten kilobytes: 20 comments, 8 worklogs, 5 files."""
    text = f"Comment {number} with REF-{number} and more. " * 6
    author = [ALICE, BOB]
    ours = issue(
        key=f"ABC-{number}",
        summary=f"Printer {number} on fire",
        labels=["hot", "partner", "int-secret", f"number-{number}"],
        comments=[
            {"id": str(n), "body": f"{n} {text}", "author": author[n % 2], "created": "2026-11-20T09:00:00Z",
             "updated": None, "restriction": None, "internal": n % 5 == 0}
            for n in range(20)
        ],
        worklogs=[
            {"id": str(n), "seconds": 60 * n, "started": "2026-11-20T09:00:00Z", "author": author[n % 2],
             "comment": "work", "restriction": None}
            for n in range(8)
        ],
        attachments=[
            {"id": str(n), "name": f"{n}.png", "size": n, "content_url": "x", "mime": None, "author": BOB,
             "created": None}
            for n in range(5)
        ],
    )  # fmt: skip
    theirs = replica(
        key=f"PEER-{number}",
        comments=[
            {"handle": f"h{n}", "body": f"{n} {text}", "author": "Ann Other", "created": None, "updated": None,
             "internal": False}
            for n in range(20)
        ],
    )  # fmt: skip
    given: dict[str, Any] = {"issue": ours, "first_sync": number % 2 == 0, "now": "2026-11-24T10:00:00.000Z"}
    if direction == "incoming":
        given["replica"] = theirs
    return ScriptInputs(**given)


def answer(_index: int, name: str, *arguments: Any) -> Any:
    """Answer as ``JiraAtHand`` does, without waiting: for bare Python."""
    if name == "jira.issue_type":
        return {kind.casefold(): kind for kind in SCHEMA.issue_types}.get(str(arguments[0]).casefold())
    if name == "users.by_map":
        return BOB if arguments[0] == "Robert" else None
    return None
