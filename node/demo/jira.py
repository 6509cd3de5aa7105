"""Acts in a sandbox Jira as a person would, through its REST interface, and reads it whole for comparing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, BinaryIO, Self

import aiohttp

from node.demo.samples import Sample
from node.errors import TrackerError

PAGE = 100


class Person:
    """One user of one sandbox Jira; the password is the user's name, as the sandbox seeds it."""

    def __init__(self, url: str, user: str) -> None:
        self._url = url
        self._session = aiohttp.ClientSession(
            headers={"Authorization": aiohttp.encode_basic_auth(user, user), "X-Atlassian-Token": "no-check"}
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Make one REST call; return its JSON, or None for an empty answer."""
        async with self._session.request(method, f"{self._url}{path}", **arguments) as response:
            text = await response.text()
            if response.status >= 400:  # noqa: PLR2004 - HTTP's own line between success and failure
                raise TrackerError(f"The sandbox answered {response.status} to {method} {path}: {text[:200]}")
            return await response.json() if text else None

    async def create(self, project: str, sample: Sample) -> str:
        """Create a sample issue with all that belongs to it; return its key."""
        fields = {
            "project": {"key": project},
            "summary": sample.summary,
            "description": sample.description,
            "issuetype": {"name": sample.type},
        }
        key: str = (await self.call("POST", "/rest/api/2/issue", json={"fields": fields}))["key"]
        for name, data in sample.files:
            await self.attach(key, name, data)
        return key

    async def edit(self, key: str, fields: Mapping[str, object]) -> None:
        """Set fields."""
        await self.call("PUT", f"/rest/api/2/issue/{key}", json={"fields": dict(fields)})

    async def comment(self, key: str, body: str) -> str:
        """Write a comment; return its id."""
        return str((await self.call("POST", f"/rest/api/2/issue/{key}/comment", json={"body": body}))["id"])

    async def edit_comment(self, key: str, comment_id: str, body: str) -> None:
        """Change a comment."""
        await self.call("PUT", f"/rest/api/2/issue/{key}/comment/{comment_id}", json={"body": body})

    async def delete_comment(self, key: str, comment_id: str) -> None:
        """Delete a comment."""
        await self.call("DELETE", f"/rest/api/2/issue/{key}/comment/{comment_id}")

    async def attach(self, key: str, name: str, data: bytes | BinaryIO) -> None:
        """Attach a file."""
        form = aiohttp.FormData()
        form.add_field("file", data, filename=name, content_type="application/octet-stream")
        await self.call("POST", f"/rest/api/2/issue/{key}/attachments", data=form)

    async def every_issue(self) -> dict[str, dict[str, Any]]:
        """Return all issues of this Jira by key, whole."""
        found: dict[str, dict[str, Any]] = {}
        while True:
            query = {"jql": "ORDER BY key", "fields": "*all", "maxResults": str(PAGE), "startAt": str(len(found))}
            page = await self.call("GET", "/rest/api/2/search", params=query)
            found.update({issue["key"]: issue for issue in page["issues"]})
            if not page["issues"] or len(found) >= page["total"]:
                return found

    async def sha256(self, url: str) -> str:
        """Return the digest of an attachment's bytes."""
        digest = hashlib.sha256()
        async with self._session.get(url) as response:
            response.raise_for_status()
            async for chunk in response.content.iter_chunked(1 << 16):
                digest.update(chunk)
        return digest.hexdigest()

    async def issue_types(self, project: str) -> set[str]:
        """Return the issue types that a project offers."""
        found = await self.call("GET", f"/rest/api/2/project/{project}")
        return {one["name"] for one in found["issueTypes"] if not one.get("subtask")}

    async def calls(self) -> dict[str, int]:
        """Return how many calls of the sync user this Jira has answered, by method and route."""
        counted: dict[str, int] = (await self.call("GET", "/sandbox/calls", params={"user": "accord"}))["byRoute"]
        return counted
