"""Rules on running nodes: published, previewed, compared, converted, recorded and explained, and what left, proved."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from node.admin.client import NodeSaidNo
from node.cli import accord
from tests.support.two_nodes import Party, quiet

Parties = tuple[Party, Party]

VISUAL = """direction = "outgoing"
method = "manual"

[[step]]
source = "summary"
target = "summary"

[[step]]
source = "priority"
target = "urgency"
"""

SCRIPT = '''direction = "outgoing"
method = "manual"

[[step]]
name = "Shout"
script = """
replica.summary = issue.summary.upper()
log("shouted", issue.key)
if "secret" in issue.labels:
    skip("not for partners")
"""
'''


def rules(party: Party) -> str:
    return f"/api/v1/connections/{party.connection}/rules"


async def publish(party: Party, **files: str) -> dict[str, Any]:
    body = {"files": files, "author": "ada", "why": "a test"}
    done: dict[str, Any] = await party.call("POST", f"{rules(party)}/import", body)
    return done


async def preview(party: Party, *keys: str, **more: Any) -> list[dict[str, Any]]:
    found = await party.call("POST", f"{rules(party)}/preview/outgoing", {"keys": list(keys), **more})
    previews: list[dict[str, Any]] = found["previews"]
    return previews


async def test_a_preview_is_exactly_what_leaves(parties: Parties) -> None:
    """The payload of a preview is byte for byte what the ledger says left afterwards, file and script included."""
    alice, bob = parties
    await publish(alice, outgoing=SCRIPT.replace('log("', 'replica.attachments = issue.attachments\nlog("'))
    key = await alice.create(summary="Hello")
    await alice.person.attach(key, "notes.txt", b"some bytes")
    [seen] = await preview(alice, key)
    assert seen["result"] == "changes"
    assert seen["log"] == [f"shouted {key}"]
    assert seen["origins"]["summary"]["line"] is not None
    assert (await alice.call("GET", f"/api/v1/connections/{alice.connection}/links"))["links"] == []
    await alice.sync(key)
    await alice.twin(key)
    await quiet(alice, bob)
    entries = (await alice.call("GET", f"/api/v1/ledger/of/{key}"))["entries"]
    file, message = entries
    assert json.loads(message["payload"]) == seen["payload"]
    assert len(message["payload"].encode()) == seen["bytes"]
    assert (message["rule_version"], message["to"]) == (1, "Bob")
    assert json.loads(file["payload"]) == {"blob": seen["payload"]["replica"]["attachments"][0]["blob"], "chunks": [0]}


async def test_names_of_roles_and_transitions_are_checked_in_few_calls(parties: Parties) -> None:
    """What an issue offers is fine, another transition is a doubt, and a role that is not there is an error."""
    alice, bob = parties
    key = await alice.create(summary="Hello")
    await quiet(alice, bob)
    offered = (await alice.person.call("GET", f"/rest/api/2/issue/{key}/transitions"))["transitions"][0]["name"]
    script = f"""workflow.transition({offered!r})
workflow.transition("Frobnicate")
issue.comments = comments.merge(issue, replica, role="Developers" if first_sync else "Developer")
"""
    text = f"direction = \"incoming\"\n[[step]]\nname = \"S\"\nscript = '''\n{script}'''\n"
    alice.sandbox.calls.clear()
    found = (await alice.call("POST", f"{rules(alice)}/check", {"files": {"incoming": text}}))["findings"]
    assert [(one["severity"], one["line"]) for one in found] == [("warning", 6), ("error", 7)]
    assert "'Frobnicate'" in found[0]["message"]
    assert found[1]["suggestion"] == "Did you mean 'Developers'?"
    calls = alice.sandbox.calls.by_route()
    assert calls["GET /rest/api/2/project/{project}/role"] == 1
    assert calls["GET /rest/api/2/issue/{issue}/transitions"] == 1


async def test_rules_are_published_compared_and_rolled_back(parties: Parties) -> None:
    """Both directions are versions with who and why; what they say is compared and can be had back."""
    alice, _ = parties
    done = await publish(alice, outgoing=VISUAL)
    assert done["versions"] == {"outgoing": 1}
    again = await publish(alice, outgoing=VISUAL)
    assert again["versions"] == {}
    await publish(alice, outgoing=VISUAL.replace('"urgency"', '"priority"'))
    history = (await alice.call("GET", f"{rules(alice)}/history"))["versions"]
    assert [(one["version"], one["author"], one["why"]) for one in history] == [
        (2, "ada", "a test"), (1, "ada", "a test"),
    ]  # fmt: skip
    difference = await alice.call("POST", f"{rules(alice)}/diff", {"direction": "outgoing", "old": 1})
    assert [one["title"] for one in difference["changes"]] == [
        "step 2 (priority to urgency) is gone",
        "step 2 (priority to priority) is new",
    ]
    body = {"direction": "outgoing", "version": 1, "author": "ada", "why": ""}
    assert (await alice.call("POST", f"{rules(alice)}/rollback", body))["versions"] == {"outgoing": 3}
    assert 'target = "urgency"' in (await alice.call("GET", rules(alice)))["outgoing"]["text"]


async def test_the_history_and_diffs_of_two_versions_read_well(parties: Parties, tmp_path: Path) -> None:
    """At 80 columns; what changed shows old and new; a diff of versions that one direction has names the other."""
    alice, _ = parties
    name, folder = alice.connection, f"--folder={tmp_path / 'rules'}"
    incoming = (await alice.call("GET", rules(alice)))["incoming"]["text"]
    await publish(alice, outgoing=VISUAL, incoming=incoming.replace('"automatic"', '"manual"'))
    scoped = VISUAL.replace("[[step]]", '[scope]\nassignee = ["alice"]\n\n[[step]]', 1)
    await publish(alice, outgoing=scoped)
    long = "".join(f'"v{number}" = "w"\n' for number in range(9))
    await publish(alice, outgoing=scoped.replace('["alice"]', '["bob", "accord"]') + f"\n[step.values]\n{long}")

    async def said(*arguments: str, status: int = 0) -> str:
        return await asyncio.to_thread(lambda: run(alice, *arguments, status=status))

    history = await said("rules", "history", name)
    assert (
        "  outgoing version 3  visual\n    by ada: a test\n    scope, assignee: 'alice' became 'bob', 'accord'\n"
        in history
    )
    assert "    method: automatic became manual\n" in history
    whole = "accord rules diff Alice_to_Bob --old 2 --new 3 --direction outgoing"
    assert f"        and 4 lines more:\n          {whole}\n" in history
    assert max(map(len, history.splitlines())) <= 80
    told = await said("rules", "diff", name, "--old", "2", "--new", "3", folder)
    assert "The incoming rules have no version 2 and version 3; they are left out." in told
    assert "scope, assignee: 'alice' became 'bob', 'accord'" in told
    assert "incoming\n" not in told.replace("incoming rules", "")
    both = await said("rules", "diff", name, "--old", "0", "--new", "1", folder)
    assert "method: automatic became manual" in both
    assert "step 2 (priority to urgency) is new" in both
    await said("rules", "export", name, folder)
    assert "The incoming rules have no version 2" in await said("rules", "diff", name, "--old", "2", folder)


async def test_a_wrong_key_does_not_hide_the_others(parties: Parties) -> None:
    """The preview shows the issues that are there, and the error of each that is not."""
    alice, _ = parties
    one, other = await alice.create(summary="One"), await alice.create(summary="Two")
    shown = await asyncio.to_thread(
        lambda: run(alice, "rules", "preview", alice.connection, one, "WRONG-1", other, status=3)
    )
    assert f"{one} would change" in shown
    assert f"{other} would change" in shown
    assert "WRONG-1 fails\n    There is no issue WRONG-1 in our Jira" in shown
    assert "nothing became nothing" not in shown
    assert "comments: are shared now, and there are none" in shown
    with pytest.raises(NodeSaidNo, match="There is no issue WRONG-1"):
        await preview(alice, "WRONG-1")


async def test_rules_that_cannot_work_are_refused_with_the_place(parties: Parties) -> None:
    """An unknown field and a name that a script misspells are errors with line and suggestion; nothing is published."""
    alice, _ = parties
    shown = (
        r"outgoing.toml, line 9, column 10: step 2: .*\n    source = .prioritty.\n {13}\^\n    Did you mean 'priority'"
    )
    with pytest.raises(NodeSaidNo, match=shown):
        await publish(alice, outgoing=VISUAL.replace('source = "priority"', 'source = "prioritty"'))
    with pytest.raises(NodeSaidNo, match=r"outgoing.toml, line 7, column 19: step 1, line 1 of its script"):
        await publish(alice, outgoing=SCRIPT.replace("issue.summary", "issue.sumary"))
    assert (await alice.call("GET", rules(alice)))["outgoing"]["version"] == 0


async def test_a_basic_connection_becomes_visual_then_script_then_basic(parties: Parties) -> None:
    """Without pairing again: Basic, Visual, Script, and back; issues sync with each and the twin stays the same."""
    alice, bob = parties
    key = await alice.create(summary="Basic", description="d")
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)

    async def modes(party: Party) -> list[str]:
        shown = await party.call("GET", rules(party))
        return [shown["outgoing"]["mode"], shown["incoming"]["mode"]]

    async def convert(mode: str) -> None:
        for party in parties:
            await party.call("POST", f"{rules(party)}/convert", {"mode": mode, "author": "ada"})

    async def travels(summary: str) -> None:
        await alice.person.edit(key, {"summary": summary})
        await quiet(alice, bob)
        fields = (await bob.issue(twin))["fields"]
        assert (fields["summary"], fields["description"]) == (summary, "d")
        assert await alice.problems() == await bob.problems() == []

    assert await modes(alice) == ["basic", "basic"]
    basic = (await alice.call("GET", rules(alice)))["outgoing"]["text"]
    await publish(alice, outgoing=basic + '\n[[step]]\nsource = "priority"\ntarget = "priority"\n')
    assert await modes(alice) == ["visual", "basic"]
    await travels("Visual")
    await convert("script")
    assert await modes(alice) == await modes(bob) == ["script", "script"]
    await travels("Script")
    await convert("visual")
    assert await modes(alice) == ["visual", "basic"]
    await alice.call("POST", f"{rules(alice)}/rollback", {"direction": "outgoing", "version": 0})
    assert await modes(alice) == await modes(bob) == ["basic", "basic"]
    await travels("Basic again")
    assert (await bob.status(twin))["twin_key"] == key


async def test_an_edit_is_compared_before_it_is_published(parties: Parties) -> None:
    """The comparison counts the issues that an edit alters, over past syncs and over a query, with their diffs."""
    alice, bob = parties
    keys = [await alice.create(summary=f"Issue {number}") for number in range(3)]
    await alice.sync(*keys)
    for key in keys:
        await alice.twin(key)
    await quiet(alice, bob)
    await alice.create(summary="Issue 4")
    basic = (await alice.call("GET", rules(alice)))["outgoing"]["text"]
    edited = (
        basic
        + '\n[[step]]\nname = "One"\nscript = """\nif issue.summary == "Issue 1":\n    replica.summary = "x"\n"""\n'
    )
    body = {"direction": "outgoing", "text": edited}
    past = await alice.call("POST", f"{rules(alice)}/compare", body)
    assert (past["compared"], [one["key"] for one in past["altered"]]) == (3, [keys[1]])
    assert past["altered"][0]["changes"][0]["after"] == "x"
    asked = await alice.call("POST", f"{rules(alice)}/compare", {**body, "jql": f"project = {alice.project}"})
    assert (asked["compared"], len(asked["altered"])) == (4, 1)
    coming = (await bob.call("GET", rules(bob)))["incoming"]["text"].replace(
        'source = "summary"\ntarget = "summary"', 'source = "summary"\ntarget = "description"'
    )
    there = await bob.call("POST", f"{rules(bob)}/compare", {"direction": "incoming", "text": coming})
    assert there["compared"] == len(there["altered"]) == 3


async def test_an_incoming_preview_shows_what_would_be_written(parties: Parties) -> None:
    """A received replica, or one from a file, is compared with our issue field by field, with the step; ours stays."""
    alice, bob = parties
    key = await alice.create(summary="Theirs")
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    await bob.person.edit(twin, {"summary": "Ours"})
    await quiet(alice, bob)
    address = f"{rules(bob)}/preview/incoming"
    [seen] = (await bob.call("POST", address, {"key": twin}))["previews"]
    assert [(one["field"], one["before"], one["after"]) for one in seen["changes"] if one["field"] == "summary"] == [
        ("summary", "Ours", "Theirs")
    ]
    assert next(one for one in seen["changes"] if one["field"] == "summary")["step"] == 2
    replica = {"issue": "i" * 22, "fields": {"summary": "From a file", "type": "Bug"}}
    [fresh] = (await bob.call("POST", address, {"replica": replica}))["previews"]
    assert fresh["payload"]["fields"]["summary"] == "From a file"
    assert "new issue" in fresh["key"]
    with pytest.raises(NodeSaidNo, match="holds no replica"):
        await bob.call("POST", address, {"replica": {"fields": 3}})


async def test_the_guard_stops_an_issue_and_never_shows_what_it_found(parties: Parties) -> None:
    """A customer number in a shared text holds the issue; the error names pattern and field, not the number."""
    alice, bob = parties
    await alice.guard(patterns=[{"name": "customer number", "expression": r"CN-\d{6}"}])
    key = await alice.create(summary="Fine")
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    await alice.person.edit(key, {"description": "It is CN-123456"})
    await quiet(alice, bob)
    [problem] = await alice.problems()
    assert problem["issue_key"] == key
    assert "customer number in description" in problem["message"]
    assert "123456" not in json.dumps(problem)
    [seen] = await preview(alice, key)
    assert (seen["result"], seen["guard"]) == ("stopped", [{"pattern": "customer number", "field": "description"}])
    assert (await bob.issue(twin))["fields"]["description"] is None
    await alice.person.edit(key, {"description": "mail me at ada@example.com"})
    await quiet(alice, bob)
    [problem] = await alice.problems()
    assert "e-mail address in description" in problem["message"]
    await alice.person.edit(key, {"description": "harmless"})
    await quiet(alice, bob)
    assert await alice.problems() == []
    assert (await bob.issue(twin))["fields"]["description"] == "harmless"


async def test_every_past_sync_is_explained_by_the_version_that_made_it(parties: Parties) -> None:
    """After the rules changed, an older sync is still explained by the rules of its time; a skip says its line."""
    alice, bob = parties
    await publish(alice, outgoing=VISUAL)
    key = await alice.create(summary="One")
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    await publish(alice, outgoing=SCRIPT)
    await alice.person.edit(key, {"summary": "Two"})
    await quiet(alice, bob)
    address = f"/api/v1/issues/{key}/explanation"
    syncs = (await alice.call("GET", f"{address}?past=5"))["syncs"]
    out = [one for one in syncs if one["direction"] == "outgoing"]
    assert [one["rule_version"] for one in out] == [2, 1]
    said = {one["field"]: one["text"] for one in out[1]["fields"]}
    assert said["urgency"] == "urgency was let out by step 2, the mapping priority to urgency."
    assert "the script 'Shout', line" in next(one["text"] for one in out[0]["fields"] if one["field"] == "summary")
    one = (await alice.call("GET", f"{address}?sync={out[1]['sync']}&field=labels"))["syncs"][0]
    assert one["fields"][0]["text"] == "labels: no step set it."
    there = (await bob.call("GET", f"/api/v1/issues/{twin}/explanation"))["syncs"]
    assert "was set by step 2, the mapping summary to summary" in json.dumps(there)
    await alice.person.edit(key, {"labels": ["secret"]})
    await quiet(alice, bob)
    [last] = (await alice.call("GET", address))["syncs"][:1]
    assert last["event"] == "skipped"
    assert "not for partners" in last["note"]


async def test_the_ledger_names_the_row_that_somebody_changed(parties: Parties) -> None:
    """What left is proved; a row that is changed in the database behind the node's back is named."""
    alice, bob = parties
    key = await alice.create(summary="One")
    await alice.sync(key)
    await alice.twin(key)
    await quiet(alice, bob)
    for party in parties:
        assert (await party.call("POST", "/api/v1/ledger/verify", {}))["sound"]
    await alice.stop()
    with closing(sqlite3.connect(alice.folder.database)) as raw, raw:
        raw.execute(
            "UPDATE ledger SET payload = CAST(replace(payload, 'One', 'Two') AS BLOB) WHERE issue_key = ?", (key,)
        )
    await alice.start()
    report = await alice.call("POST", "/api/v1/ledger/verify", {})
    assert not report["sound"]
    assert f"({key}) was changed" in report["chains"][0]["broken"][0]["text"]


def run(party: Party, *arguments: str, status: int = 0) -> str:
    """Run a command as a person would."""
    done = CliRunner().invoke(accord, ["--dir", str(party.folder.root), *arguments])
    assert done.exit_code == status, done.output + repr(done.exception)
    return done.output


async def test_a_person_works_with_rules_from_the_command_line(parties: Parties, tmp_path: Path) -> None:
    """Export, edit, check, diff, compare, preview, import, record, test without a node, explain, ledger."""
    alice, bob = parties
    key = await alice.create(summary="Ask Ada Lovelace", description="d")
    await alice.sync(key)
    await alice.twin(key)
    await quiet(alice, bob)
    name, folder = alice.connection, f"--folder={tmp_path / 'rules'}"

    async def command(*arguments: str, status: int = 0) -> str:
        return await asyncio.to_thread(lambda: run(alice, *arguments, status=status))

    assert "priority" in await command("rules", "fields", name)
    await command("rules", "export", name, folder)
    path = tmp_path / "rules" / name / "outgoing.toml"
    text = path.read_text("utf-8")
    path.write_text(text.replace('source = "summary"', 'source = "sumary"'), "utf-8")
    assert "Did you mean 'summary'?" in await command("rules", "check", name, folder, status=3)
    edited = text + '\n[[step]]\nsource = "priority"\ntarget = "priority"\n'
    path.write_text(edited, "utf-8")
    assert "is new" in await command("rules", "diff", name, folder)
    assert "This change alters 1 of 1 issue." in await command("rules", "compare", name, folder)
    assert "priority: nothing became" in await command("rules", "preview", name, key, f"--file={path}")
    assert "version 1 of the outgoing rules" in await command("rules", "import", name, folder, "--why=urgency")
    assert "urgency" in await command("rules", "history", name)
    assert "visual" in await command("rules", "show", name)
    await command("rules", "record", name, key, "--direction=outgoing", folder)
    assert "1 of 1 cases passed." in await command("rules", "test", name, folder)
    (path.parent / "cases" / "a-broken.json").write_text("{", "utf-8")
    (path.parent / "cases" / "b-incoming.json").write_text('{"name": "b", "direction": "outgoing"}', "utf-8")
    told = await command("rules", "test", name, folder, status=1)
    assert "1 of 3 cases passed." in told
    assert "a-broken.json, line 1, column 2: this is not JSON" in told
    assert "The case 'b' has no input: it needs an issue." in told
    path.write_text(text, "utf-8")
    assert "FAILED" in await command("rules", "test", name, folder, status=1)
    assert "step 2, the mapping type to type" in await command("explain", key)
    assert "Ask Ada Lovelace" in await command("ledger", key)
    assert "Nothing was changed or removed" in await command("ledger", "verify")
    assert json.loads(await command("--json", "ledger", "verify"))["sound"]
    assert "version 2" in await command("rules", "rollback", name, "outgoing", "0")
    assert "version 3" in await command("rules", "convert", name, "script", "--direction=outgoing")


TWO_SCRIPTS = """direction = "outgoing"
method = "manual"

[[step]]
name = "First"
script = '''
replica.key = issue.key
replica.summary = issue.summary
log("first", issue.key)
'''

[[step]]
name = "Second"
script = '''
log("second")
replica.custom["rest"] = str(7 // len(issue.labels))
'''
"""


async def test_a_script_that_fails_is_told_with_step_line_and_log(parties: Parties) -> None:
    """Errors, status and the preview name which of two scripts failed and where, and show what was logged until then.

    What scripts logged stands in the history of both directions.
    """
    alice, bob = parties
    await publish(alice, outgoing=TWO_SCRIPTS)
    await publish(
        bob,
        incoming='direction = "incoming"\n\n[[step]]\nname = "In"\nscript = """\nissue.summary = replica.summary\n'
        'log("in", replica.key)\nx = 1 // (replica.summary != "Zero")\n"""\n',
    )

    async def said(party: Party, *arguments: str, status: int = 0) -> str:
        return await asyncio.to_thread(lambda: run(party, *arguments, status=status))

    key = await alice.create(summary="One")
    await alice.sync(key)
    expected = (
        f"{alice.connection}: Step 2 (script 'Second') failed in line 2: ZeroDivisionError: division by zero.\n"
        '      line 2: replica.custom["rest"] = str(7 // len(issue.labels))\n'
        f"      log: first {key}\n"
        "      log: second\n"
    )
    assert expected in await said(alice, "errors", status=3)
    assert expected in await said(alice, "status", key)
    seen = await said(alice, "rules", "preview", alice.connection, key, status=3)
    assert f"log: first {key}" in seen
    await alice.person.edit(key, {"labels": ["a", "b"]})
    await quiet(alice, bob)
    assert await alice.problems() == []
    twin = await alice.twin(key)
    assert f" log: first {key}\n" in await said(alice, "status", key)
    assert f" log: in {key}\n" in await said(bob, "status", twin)
    await alice.person.edit(key, {"summary": "Zero"})
    await quiet(alice, bob)
    there = await said(bob, "errors", status=3)
    assert f"{twin} could not be brought up to date. Step 1 (script 'In') failed in line 3: " in there
    assert f"      log: in {key}\n" in there


async def test_scripts_find_linked_issues_and_people(parties: Parties) -> None:
    """A script of Bob's finds his twin of an issue that Alice names, and his user through the user map."""
    alice, bob = parties
    settings = bob.folder.settings()
    bob.folder.write_settings(settings.model_copy(update={"users": {"Ada of Blue": "bob"}}))
    await bob.stop()
    await bob.start()
    first = await alice.create(summary="First")
    await alice.sync(first)
    twin = await alice.twin(first)
    await quiet(alice, bob)
    await publish(
        alice,
        outgoing='direction = "outgoing"\nmethod = "manual"\n\n[[step]]\nname = "A"\nscript = """\n'
        'replica.key = issue.key\nreplica.summary = issue.summary\nreplica.custom["after"] = issue.description\n'
        'replica.custom["who"] = "Ada of Blue"\n"""\n',
    )
    await publish(
        bob,
        incoming='direction = "incoming"\nmethod = "automatic"\n\n[[step]]\nname = "B"\nscript = """\n'
        'issue.summary = replica.summary\nissue.environment = sync.local_key(replica.custom["after"])\n'
        'issue.assignee = users.by_map(replica.custom["who"])\n"""\n',
    )
    second = await alice.create(summary="Second", description=first)
    [seen] = await preview(alice, second)
    assert seen["result"] == "changes", seen
    await alice.sync(second)
    there = (await bob.issue(await alice.twin(second)))["fields"]
    assert there["environment"] == twin
    assert there["assignee"]["name"] == "bob"
    [shown] = (await bob.call("POST", f"{rules(bob)}/preview/incoming", {"key": await alice.twin(second)}))["previews"]
    assert {call["name"] for call in shown["calls"]} >= {"sync.local_key", "users.by_map"}
    assert await alice.problems() == await bob.problems() == []


async def test_many_issues_go_through_a_script_at_once(parties: Parties) -> None:
    """A bulk run evaluates a script in batches; each issue leaves as it would have left alone, or fails alone."""
    alice, bob = parties
    await publish(alice, outgoing=SCRIPT.replace('log("', 'x = 1 // (issue.description != "zero")\nlog("'))
    keys = [await alice.create(summary=f"number {at}", description="zero" if at == 3 else "d") for at in range(12)]
    results = {one["key"]: one for one in await alice.sync(*keys)}
    assert [key for key in keys if results[key]["result"] != "queued"] == [keys[3]]
    assert "division" in results[keys[3]]["text"]
    await quiet(alice, bob)
    there = {one["fields"]["summary"] for one in (await bob.person.every_issue()).values()}
    assert {f"NUMBER {at}" for at in range(12) if at != 3} <= there


async def test_the_ledger_after_a_restored_backup(parties: Parties, tmp_path: Path) -> None:
    """A restored database lacks rows that were signed for: that is told, a person signs anew, and it goes on whole."""
    alice, bob = parties
    key = await alice.create(summary="One")
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    await alice.stop()
    shutil.copy(alice.folder.database, tmp_path / "backup.db")
    await alice.start()
    await alice.person.edit(key, {"summary": "Two"})
    await quiet(alice, bob)
    await alice.stop()
    for path in alice.folder.root.glob("accord.db*"):
        path.unlink()
    shutil.copy(tmp_path / "backup.db", alice.folder.database)
    await alice.start()
    report = await alice.call("POST", "/api/v1/ledger/verify", {})
    assert "The node signed for" in report["chains"][0]["broken"][0]["text"]
    trouble = [one for one in (await alice.call("GET", "/api/v1/check"))["findings"] if one["what"] == "ledger"]
    assert trouble[0]["state"] == "error"
    await alice.call("POST", "/api/v1/ledger/sign-anew", {})
    await alice.person.edit(key, {"summary": "Three"})
    await quiet(alice, bob)
    assert (await bob.issue(twin))["fields"]["summary"] == "Three"
    report = await alice.call("POST", "/api/v1/ledger/verify", {})
    assert report["sound"], report
