"""What a node says of itself stays true: whether it is ready, and whether Jira reports changes to it."""

from __future__ import annotations

from typing import Any

import pytest

from node.errors import AccordError
from tests.support.two_nodes import Party, eventually, quiet

Parties = tuple[Party, Party]
HOOKS = "/rest/jira-webhook/1.0/webhooks"


async def webhook_finding(party: Party) -> dict[str, Any]:
    """Run the checks and return what they say of the webhook."""
    findings: list[dict[str, Any]] = (await party.call("GET", "/api/v1/check"))["findings"]
    return next(one for one in findings if one["what"] == "webhook")


async def test_a_node_whose_jira_is_down_is_not_ready(parties: Parties) -> None:
    """Ready while Jira answers sweeps, not ready once it does not, and ready again after that."""
    alice, _ = parties
    await alice.call("POST", "/api/v1/sweep", {})
    assert (await alice.call("GET", "/ready"))["ready"] is True
    alice.sandbox.faults.add("error", "*", count=None, status=503)
    with pytest.raises(AccordError):
        await alice.call("POST", "/api/v1/sweep", {})
    with pytest.raises(AccordError):
        await alice.call("GET", "/ready")
    assert (await webhook_finding(alice))["state"] != "ok"
    alice.sandbox.faults.clear()
    await alice.call("POST", "/api/v1/sweep", {})
    assert (await alice.call("GET", "/ready"))["ready"] is True
    assert (await webhook_finding(alice))["state"] == "ok"


async def test_a_webhook_that_somebody_removed_is_put_back(parties: Parties) -> None:
    """An admin deletes the webhook in Jira: the next look registers it again, and what happened meanwhile is found."""
    alice, bob = parties
    key = await alice.create(summary="before")
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    for hook in await alice.admin.call("GET", HOOKS):
        await alice.admin.call("DELETE", f"{HOOKS}/{hook['id']}")
    await alice.person.edit(key, {"summary": "unseen"})
    assert (await webhook_finding(alice))["state"] == "ok"
    assert len(await alice.admin.call("GET", HOOKS)) == 1

    async def arrived() -> bool:
        return bool((await bob.issue(twin))["fields"]["summary"] == "unseen")

    await eventually(arrived, "the edit that nobody reported arrives")
