"""Calls over TLS and through a proxy: the same knowledge of what was sent."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from node.clock import SystemClock
from node.errors import ConfigError, TrackerUncertain, TrackerUnreachable
from node.tls import trusting
from node.trackers.jira.access import Auth, Timeouts
from node.trackers.jira.client import JiraClient
from node.transport.client import ClientSettings, PeerClient
from node.transport.errors import PeerNonsense, PeerUntrusted
from tests.support.raw_jira import Seen, always, raw_jira, reply
from tests.support.tls import certificate, tls_jira
from tests.support.two_nodes import there


async def test_a_trusted_certificate_is_accepted_and_time_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The certificates of the machine, or those that its environment names, decide; a call can be cut under TLS."""
    path = certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    async with tls_jira(path) as url:
        client = JiraClient(url, Auth("token"), clock=SystemClock())
        assert await client.get("myself", what="say who we are") == {"ok": True}
        await client.close()
    async with tls_jira(path, answers=False) as url:
        client = JiraClient(url, Auth("token"), clock=SystemClock(), timeouts=Timeouts(whole=0.5))
        with pytest.raises(TrackerUncertain, match="in time"):
            await client.send("DELETE", "issue/1", what="delete issue 1")
        await client.close()


async def test_an_untrusted_certificate_ends_before_anything_is_sent(tmp_path: Path) -> None:
    """The token is not shown to whoever sits in between; the message names the certificate."""
    async with tls_jira(certificate(tmp_path)) as url:
        client = JiraClient(url, Auth("token"), clock=SystemClock())
        with pytest.raises(TrackerUnreachable, match="certificate is not trusted") as refused:
            await client.send("DELETE", "issue/1", what="delete issue 1")
        assert "tls.ca_file" in refused.value.advice
        assert "Nothing needs to be done" not in refused.value.advice
        await client.close()


async def test_an_authority_of_ones_own_is_trusted_beside_those_of_the_machine(tmp_path: Path) -> None:
    """With its certificate in a file the same Jira is reached; what the machine trusts is still trusted."""
    path = certificate(tmp_path)
    tls = there(trusting(path))
    async with tls_jira(path) as url:
        client = JiraClient(url, Auth("token"), clock=SystemClock(), tls=tls)
        assert await client.get("myself", what="say who we are") == {"ok": True}
        await client.close()
    assert len(tls.get_ca_certs()) > 1


async def test_a_peer_behind_an_authority_of_ones_own(tmp_path: Path) -> None:
    """A peer's certificate that nobody knows is named with the setting; with the setting the peer is reached."""
    path = certificate(tmp_path)
    async with tls_jira(path) as url:
        stranger = PeerClient(ClientSettings(allow_private=True), SystemClock())
        with pytest.raises(PeerUntrusted, match="not trusted") as refused:
            await stranger.pair(url, b"m1")
        assert "tls.ca_file" in refused.value.advice
        await stranger.close()
        friend = PeerClient(ClientSettings(allow_private=True, tls=trusting(path)), SystemClock())
        with pytest.raises(PeerNonsense, match="not an Accord node"):
            await friend.pair(url, b"m1")
        await friend.close()


@pytest.mark.parametrize(("text", "words"), [(None, "cannot be read"), ("not a certificate", "holds no certificate")])
def test_a_file_of_authorities_that_cannot_be_used_is_named(tmp_path: Path, text: str | None, words: str) -> None:
    """A wrong path and a wrong file are told apart, before anything is opened."""
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        trusting(path)


async def test_calls_go_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also there it is known whether a request was sent."""

    async def cut(_seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.close()

    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with raw_jira(always(reply(200, {"ok": True}))) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        client = JiraClient("http://jira.example.com", Auth("token"), clock=SystemClock())
        assert await client.get("myself", what="say who we are") == {"ok": True}
        assert proxy.seen[0].target == "http://jira.example.com/rest/api/2/myself"
        await client.close()
    async with raw_jira(cut) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        client = JiraClient("http://jira.example.com", Auth("token"), clock=SystemClock())
        with pytest.raises(TrackerUncertain):
            await client.send("DELETE", "issue/1", what="delete issue 1")
        await client.close()
    client = JiraClient("http://jira.example.com", Auth("token"), clock=SystemClock())
    with pytest.raises(TrackerUnreachable):
        await client.send("DELETE", "issue/1", what="delete issue 1")
    await client.close()


async def test_a_jira_on_this_machine_is_reached_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that the environment names cannot reach our loopback, and has no business there."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with raw_jira(always(reply(200, {"ok": True}))) as jira:
        client = JiraClient(jira.url, Auth("token"), clock=SystemClock())
        assert await client.get("myself", what="say who we are") == {"ok": True}
        await client.close()
