"""What would happen: what would leave of an issue, and what a replica would change here. Sends and writes nothing."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from node.errors import AccordError, RuleError, TrackerError, UsageError
from node.rules.guard import Stopped
from node.rules.incoming import IncomingRules
from node.rules.model import Draft, Shared, Skip
from node.rules.outgoing import OutgoingRules
from node.rules.preview import Preview, preview_incoming, preview_outgoing
from node.rules.ruleset import Direction, RuleSet
from node.rules.script.engine import RuleEngine
from node.rules_desk.issues import Found, by_keys, by_query, link_for
from node.rules_desk.publishing import Publishing
from node.rules_desk.replicas import received
from node.rules_desk.shown import shown_preview
from node.shape_words import first_problem
from node.store import links, shadows
from node.store.links import Link
from node.sync import last_look
from node.sync.content import FileDigest, content_of, replica_of
from node.sync.contexts import incoming_context, outgoing_context
from node.sync.message import replica_message
from node.sync.site import Party, Site
from node.sync.twins import LinkTwins
from node.trackers.fields import field_values
from node.trackers.issue import Issue
from protocol.errors import ProtocolError
from protocol.messages import dump_message
from protocol.replica import Replica

UNKNOWN_DIGEST = "0" * 64
EXACT_FILES = 1
"""Issues up to which files are fetched to show their digests; a query shows zeros for files that never left."""


class Previews:
    """Dry runs of both directions, with the published rules or with a file that was not published."""

    def __init__(self, site: Site, publishing: Publishing, engine: RuleEngine) -> None:
        self._site = site
        self._publishing = publishing
        self._engine = engine

    async def outgoing(
        self,
        name: str,
        *,
        keys: Sequence[str] = (),
        jql: str | None = None,
        cursor: str | None = None,
        text: str | None = None,
    ) -> dict[str, Any]:
        """Preview what would leave of issues: by key, or one page of a query's.

        Raises:
            UsageError: nothing was named, or none of it is there; what is missing among others fails alone.
            TrackerError: our Jira cannot be asked now.
        """
        party = await self._party(name)
        rules = OutgoingRules(await self._rules(name, "outgoing", text), version=0, engine=self._engine)
        found = await self._find(keys, jql, cursor)
        looked = [(issue, await link_for(self._site, party, issue)) for issue in found.issues]
        contexts = [await outgoing_context(self._site, party, link) for _, link in looked]
        evaluations = await rules.evaluate_many(
            [(issue, context) for (issue, _), context in zip(looked, contexts, strict=True)]
        )
        exact = len(looked) <= EXACT_FILES
        previews = [
            await self._leaving(party, rules.ruleset, issue, link, evaluation, exact=exact)
            for (issue, link), evaluation in zip(looked, evaluations, strict=True)
        ]
        previews += [
            shown_preview(Preview(label=key), origins={}, payload=None, error=error)
            for key, error in found.missing.items()
        ]
        return {"previews": previews, "next": found.next, "total": found.total}

    async def incoming(
        self,
        name: str,
        *,
        key: str | None = None,
        replica: Mapping[str, Any] | None = None,
        text: str | None = None,
    ) -> dict[str, Any]:
        """Preview what our incoming rules would write for the last received replica of an issue, or for a given one.

        ``key`` is ours, or the peer's of an issue that has no link here yet. With ``replica``, ``key`` names the issue
        of ours to compare with; without one it is the linked one, or a new one.
        """
        party = await self._party(name)
        rules = IncomingRules(await self._rules(name, "incoming", text), version=0, engine=self._engine)
        if replica is not None:
            wanted = read_replica(replica)
            link = await self._site.store.read(lambda tx: links.find(tx, party.id, twin=wanted.issue))
            if key is not None:
                ours: Issue | None = (await by_keys(self._site, [key])).issues[0]
            else:
                ours = await self._site.tracker.issue(link.issue_id) if link is not None else None
        elif key is not None:
            link, wanted = await received(self._site, party, key)
            ours = await self._site.tracker.issue(link.issue_id) if link is not None else None
        else:
            raise UsageError("No replica was named.", advice="Give the key of an issue, or a file with a replica.")
        context = incoming_context(self._site, party, link, ours)
        evaluation: Draft | Skip | RuleError
        try:
            evaluation = await rules.evaluate(wanted, context)
        except RuleError as error:
            evaluation = error
        label = ours.key if ours is not None else f"a new issue in {party.project}"
        handles = {link.issue for link in evaluation.links or ()} if isinstance(evaluation, Draft) else set()
        twins = LinkTwins(self._site.store, party.id)
        preview = preview_incoming(
            label,
            evaluation,
            ours=field_values(ours) if ours is not None else None,
            linked={handle: await twins.local_key(handle) for handle in handles},
        )
        origins = getattr(evaluation, "origins", {})
        return {"previews": [shown_preview(preview, origins=origins, payload=preview.payload)]}

    async def _party(self, name: str) -> Party:
        return await self._site.rules.party((await self._publishing.connection(name)).id)

    async def _rules(self, name: str, direction: Direction, text: str | None) -> RuleSet:
        if text is not None:
            return (await self._publishing.read({direction: text}))[direction]
        return await self._publishing.version(await self._publishing.connection(name), direction, None)

    async def _find(self, keys: Sequence[str], jql: str | None, cursor: str | None) -> Found:
        if jql is not None and not keys:
            return await by_query(self._site, jql, cursor)
        if keys and jql is None:
            return await by_keys(self._site, keys)
        raise UsageError("Give keys of issues, or a JQL query.", advice="One of the two, not both.")

    async def _leaving(
        self,
        party: Party,
        ruleset: RuleSet,
        issue: Issue,
        link: Link,
        evaluation: Shared | Skip | RuleError,
        *,
        exact: bool,
    ) -> dict[str, Any]:
        if not isinstance(evaluation, Shared):
            preview = preview_outgoing(issue.key, evaluation, payload=None, sent=link.sent)
            return shown_preview(preview, origins={}, payload=None)
        error: AccordError | None = None
        guard: tuple[Stopped, ...] = ()
        content: Mapping[str, Any] | None = None
        payload: bytes | None = None
        log: list[str] = []
        try:
            files = await self._digests(issue, evaluation, exact=exact, log=log)
            attachments = tuple(file for file in evaluation.attachments or () if file.id in files)
            if evaluation.attachments is not None:
                evaluation = replace(evaluation, attachments=attachments)
            url = self._site.browse_url(issue.key)
            replica = replica_of(issue, evaluation, handle=party.names.handle, files=files, url=url)
            content = content_of(replica)
            payload = dump_message(replica_message(party.names, link, issue, replica).message)
            guard = last_look.findings(
                replica, shared=evaluation, issue=issue, ruleset=ruleset, policy=self._site.guard
            )
        except RuleError as failure:
            error = failure
        except (ProtocolError, ValidationError) as failure:
            words = first_problem(failure) if isinstance(failure, ValidationError) else str(failure)
            error = AccordError(f"{issue.key}: {words}", advice=getattr(failure, "advice", ""))
        preview = preview_outgoing(issue.key, evaluation, payload=content, sent=link.sent)
        shown = shown_preview(
            preview,
            origins=evaluation.origins,
            payload=json.loads(payload) if payload is not None else None,
            guard=guard,
            error=error,
            size=len(payload) if payload is not None else None,
        )
        shown["log"] += log
        return shown

    async def _digests(self, issue: Issue, shared: Shared, *, exact: bool, log: list[str]) -> dict[str, FileDigest]:
        """Return the digest of every shared file; one that was never fetched is fetched and forgotten, or zeros."""
        wanted = {file.id for file in shared.attachments or ()}
        if not wanted:
            return {}
        site = self._site
        digests = dict(await site.store.read(lambda tx: shadows.file_digests(tx, sorted(wanted))))
        for file in issue.attachments:
            if file.id not in wanted or file.id in digests:
                continue
            digests[file.id] = FileDigest(UNKNOWN_DIGEST, file.size)
            if not exact or file.size > site.max_file:
                log.append(f"The digest of {file.name!r} is filled in when the file is fetched; zeros stand for it.")
                continue
            path = site.files.temporary()
            try:
                await site.tracker.download(file, path, limit=site.max_file)
                digests[file.id] = await asyncio.to_thread(_digest, path)
            except TrackerError as error:
                if error.temporary:
                    raise
                del digests[file.id]
                log.append(f"{file.name!r} would be left out: {error.message}")
            finally:
                path.unlink(missing_ok=True)
        return digests


def _digest(path: Path) -> FileDigest:
    with path.open("rb") as file:
        return FileDigest(hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size)


def read_replica(data: Mapping[str, Any]) -> Replica:
    """Read a replica from a file's JSON: itself, or a message or a preview that holds one. Raises UsageError."""
    inner: Any = data
    for name in ("payload", "replica"):
        if isinstance(inner, Mapping) and isinstance(inner.get(name), Mapping):
            inner = inner[name]
    try:
        return Replica.model_validate_json(json.dumps(inner))
    except ValidationError as error:
        raise UsageError(
            f"The file holds no replica: {first_problem(error)}.",
            advice="A replica is what accord rules preview --json shows as payload, and accord ledger show as sent.",
        ) from None
