"""Links: a local issue and the peer's twin, with what each side is taken to know of the other.

Statements only, each over the transaction or reader of its caller; never a decision.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from node.store.port import Reader, Row, Transaction
from node.sync.plan import OTHER_END, TwinItem

ACTIVE = "active"
ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One issue of ours on one connection. ``id`` is 0 until it was stored."""

    id: int = 0
    connection_id: int
    issue_id: str
    issue_key: str
    handle: str
    born: bool = False
    """Whether the sync made our issue, by the peer's wish."""
    twin: str | None = None
    twin_key: str | None = None
    twin_url: str | None = None
    state: str = ACTIVE
    revision: int = 0
    seen: int = 0
    sent: Mapping[str, Any] | None = None
    sent_changed: Mapping[str, int] = field(default_factory=dict)
    edited: Mapping[str, int] = field(default_factory=dict)
    received: Mapping[str, Any] | None = None
    received_changed: Mapping[str, int] = field(default_factory=dict)
    draft: Mapping[str, Any] = field(default_factory=dict)
    created_ms: int
    synced_ms: int | None = None


def begun_anew(link: Link) -> Link:
    """Return a link with nothing agreed on; its revisions go on, so that no message is said twice."""
    return replace(
        link, state=ACTIVE, born=False, twin=None, twin_key=None, twin_url=None, seen=0, sent=None,
        sent_changed={}, edited={}, received=None, received_changed={}, draft={},
    )  # fmt: skip


_JSON = ("sent", "sent_changed", "edited", "received", "received_changed", "draft")
_COLUMNS = (
    "connection_id", "issue_id", "issue_key", "handle", "born", "twin", "twin_key", "twin_url", "state", "revision",
    "seen", *_JSON, "created_ms", "synced_ms",
)  # fmt: skip
_INSERT = f"INSERT INTO link ({', '.join(_COLUMNS)}) VALUES ({', '.join(f':{name}' for name in _COLUMNS)}) RETURNING id"  # noqa: S608 - our own names
_OWN_WORDS = {"twin", "twin_key", "twin_url", "state"}
_UPDATED = tuple(name for name in _COLUMNS if name not in _OWN_WORDS)
_UPDATE = f"UPDATE link SET {', '.join(f'{name} = :{name}' for name in _UPDATED)} WHERE id = :id"  # noqa: S608 - our own names


def _values(link: Link) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(link, name) for name in _COLUMNS} | {"born": int(link.born)}
    for name in _JSON:
        if values[name] is not None:
            values[name] = json.dumps(values[name], separators=(",", ":"), ensure_ascii=False)
    return values


def _link(row: Row) -> Link:
    values: dict[str, Any] = {name: row[name] for name in ("id", *_COLUMNS)}
    for name in _JSON:
        if values[name] is not None:
            values[name] = json.loads(values[name])
    return Link(**values | {"born": bool(values["born"])})


async def insert(tx: Transaction, link: Link) -> Link:
    """Store a new link and return it with its id."""
    row = await tx.fetch_one(_INSERT, _values(link))
    return replace(link, id=row["id"]) if row else link


async def update(tx: Transaction, link: Link) -> None:
    """Store a link that exists, but for its twin and its state.

    Those two are learned from the peer while somebody may be busy with the issue, so a link that was read a while ago
    must not write them back.
    """
    values = _values(link)
    await tx.execute(_UPDATE, {**{name: values[name] for name in _UPDATED}, "id": link.id})


async def set_state(tx: Transaction, link_id: int, state: str) -> None:
    """Note that a link has ended, or begins anew."""
    await tx.execute("UPDATE link SET state = :state WHERE id = :id", {"state": state, "id": link_id})


async def set_twin(tx: Transaction, link_id: int, *, twin: str, key: str | None = None, url: str | None = None) -> None:
    """Note the peer's issue; a handle that is known stays, and so do key and address where none are given."""
    await tx.execute(
        "UPDATE link SET twin = coalesce(twin, :twin), twin_key = coalesce(:key, twin_key), "
        "twin_url = coalesce(:url, twin_url) WHERE id = :id",
        {"twin": twin, "key": key, "url": url, "id": link_id},
    )


async def forget_twin(tx: Transaction, link_id: int) -> None:
    """Forget the peer's issue, and which parts of ours were copies of its parts."""
    await tx.execute("DELETE FROM twin_item WHERE link_id = :id", {"id": link_id})
    await tx.execute("UPDATE link SET twin = NULL, twin_key = NULL, twin_url = NULL WHERE id = :id", {"id": link_id})


async def set_key(tx: Transaction, issue_id: str, key: str) -> None:
    """Note the key of an issue that was moved, on all its links."""
    await tx.execute("UPDATE link SET issue_key = :key WHERE issue_id = :issue_id", {"key": key, "issue_id": issue_id})


async def by_id(reader: Reader, link_id: int) -> Link | None:
    """Return one link."""
    row = await reader.fetch_one("SELECT * FROM link WHERE id = :id", {"id": link_id})
    return _link(row) if row else None


async def of_issue(reader: Reader, issue_id: str) -> list[Link]:
    """Return the active links of one of our issues, on all connections that are not closed."""
    rows = await reader.fetch_all(
        "SELECT link.* FROM link JOIN connection ON connection.id = link.connection_id "
        "WHERE link.issue_id = :issue_id AND link.state = 'active' AND connection.state <> 'closed' ORDER BY link.id",
        {"issue_id": issue_id},
    )
    return [_link(row) for row in rows]


async def origins_of_issue(reader: Reader, issue_id: str) -> dict[int, bool]:
    """Return the connections that an issue has or had a link on, and whether the sync made it there."""
    rows = await reader.fetch_all(
        "SELECT connection_id, born FROM link WHERE issue_id = :issue_id", {"issue_id": issue_id}
    )
    return {row["connection_id"]: bool(row["born"]) for row in rows}


async def of_connection(reader: Reader, connection_id: int) -> list[Link]:
    """Return the links of a connection, ended ones too."""
    rows = await reader.fetch_all(
        "SELECT * FROM link WHERE connection_id = :connection_id ORDER BY id", {"connection_id": connection_id}
    )
    return [_link(row) for row in rows]


async def active_part(reader: Reader, connection_id: int, *, after: int, limit: int) -> list[Link]:
    """Return active links of a connection beyond link ``after``, oldest first."""
    rows = await reader.fetch_all(
        "SELECT * FROM link WHERE connection_id = :connection_id AND state = 'active' AND id > :after "
        "ORDER BY id LIMIT :limit",
        {"connection_id": connection_id, "after": after, "limit": limit},
    )
    return [_link(row) for row in rows]


async def entered(reader: Reader, *, after: int, limit: int) -> list[tuple[int, str]]:
    """Return row and issue of the links beyond link ``after``, oldest first."""
    rows = await reader.fetch_all(
        "SELECT id, issue_id FROM link WHERE id > :after ORDER BY id LIMIT :limit", {"after": after, "limit": limit}
    )
    return [(row["id"], row["issue_id"]) for row in rows]


async def that_offered(reader: Reader, connection_id: int, sha256: str) -> list[str]:
    """Return our issues on a connection whose last replica named a file."""
    rows = await reader.fetch_all(
        "SELECT issue_id FROM link WHERE connection_id = :connection_id AND state = 'active' "
        "AND INSTR(sent, :sha256) > 0 ORDER BY id",
        {"connection_id": connection_id, "sha256": sha256},
    )
    return [row["issue_id"] for row in rows]


async def by_key(reader: Reader, issue_key: str) -> list[Link]:
    """Return all links of one of our issues by its key, ended ones too."""
    rows = await reader.fetch_all("SELECT * FROM link WHERE issue_key = :key ORDER BY id", {"key": issue_key})
    return [_link(row) for row in rows]


async def find(
    reader: Reader,
    connection_id: int,
    *,
    issue_id: str | None = None,
    twin: str | None = None,
    handle: str | None = None,
) -> Link | None:
    """Return the link on one connection by the one thing that is known of it."""
    for column, value in (("issue_id", issue_id), ("twin", twin), ("handle", handle)):
        if value is not None:
            row = await reader.fetch_one(
                f"SELECT * FROM link WHERE connection_id = :connection_id AND {column} = :value",  # noqa: S608 - one of three literals
                {"connection_id": connection_id, "value": value},
            )
            return _link(row) if row else None
    return None


async def local_key(reader: Reader, connection_id: int, remote: str) -> str | None:
    """Return the key of our issue whose twin has this key or handle, while they are linked."""
    for column in ("twin", "twin_key"):
        row = await reader.fetch_one(
            f"SELECT issue_key FROM link WHERE connection_id = :connection_id AND {column} = :remote "  # noqa: S608 - one of two literals
            "AND state = 'active' ORDER BY id LIMIT 1",
            {"connection_id": connection_id, "remote": remote},
        )
        if row is not None:
            return str(row["issue_key"])
    return None


async def handles(reader: Reader, connection_id: int, issue_ids: Sequence[str]) -> dict[str, str]:
    """Return the handles of those of our issues that are or were linked on a connection, by id."""
    rows = await reader.fetch_all(
        "SELECT issue_id, handle FROM link WHERE connection_id = :connection_id"
        " AND issue_id IN (SELECT value FROM json_each(:ids))",
        {"connection_id": connection_id, "ids": json.dumps(list(issue_ids))},
    )
    return {row["issue_id"]: row["handle"] for row in rows}


async def linked_ids(reader: Reader, issue_ids: Sequence[str]) -> set[str]:
    """Return which of these issues have an active link on a connection that is not closed."""
    rows = await reader.fetch_all(
        "SELECT DISTINCT link.issue_id FROM link JOIN connection ON connection.id = link.connection_id "
        "WHERE link.state = 'active' AND connection.state <> 'closed' "
        "AND link.issue_id IN (SELECT value FROM json_each(:ids))",
        {"ids": json.dumps(list(issue_ids))},
    )
    return {row["issue_id"] for row in rows}


async def active_keys(reader: Reader) -> dict[str, str]:
    """Return the issues of ours that are in sync on a connection that is not closed, with their keys by id."""
    rows = await reader.fetch_all(
        "SELECT DISTINCT link.issue_id, link.issue_key FROM link JOIN connection ON connection.id = link.connection_id "
        "WHERE link.state = 'active' AND connection.state IN ('active', 'deactivated')"
    )
    return {row["issue_id"]: row["issue_key"] for row in rows}


async def projects(reader: Reader) -> set[str]:
    """Return the projects in which issues are linked, by their keys' first part."""
    rows = await reader.fetch_all(
        "SELECT DISTINCT substr(issue_key, 1, instr(issue_key, '-') - 1) AS project FROM link "
        "JOIN connection ON connection.id = link.connection_id "
        "WHERE link.state = 'active' AND connection.state IN ('active', 'deactivated')"
    )
    return {row["project"] for row in rows if row["project"]}


async def counts(reader: Reader) -> dict[int, int]:
    """Return the number of active links of each connection."""
    rows = await reader.fetch_all(
        "SELECT connection_id, count(*) AS links FROM link WHERE state = 'active' GROUP BY connection_id"
    )
    return {row["connection_id"]: row["links"] for row in rows}


async def items(reader: Reader, link_id: int) -> list[TwinItem]:
    """Return what the sync made on our issue for the peer's comments, files and worklogs."""
    rows = await reader.fetch_all(
        "SELECT kind, handle, item_id, digest FROM twin_item WHERE link_id = :link_id ORDER BY rowid",
        {"link_id": link_id},
    )
    return [TwinItem(row["kind"], row["handle"], row["item_id"], row["digest"]) for row in rows]


async def made_by_sync(reader: Reader, issue_id: str) -> frozenset[tuple[str, str]]:
    """Return (kind, id) of everything that any connection's sync made on this issue."""
    rows = await reader.fetch_all(
        "SELECT kind, item_id FROM twin_item JOIN link ON link.id = twin_item.link_id WHERE link.issue_id = :issue_id",
        {"issue_id": issue_id},
    )
    return frozenset((row["kind"], row["item_id"]) for row in rows)


async def put_item(tx: Transaction, link_id: int, item: TwinItem) -> None:
    """Store what we made, or its new digest."""
    await tx.execute(
        "INSERT INTO twin_item (link_id, kind, handle, item_id, digest) "
        "VALUES (:link_id, :kind, :handle, :item_id, :digest) "
        "ON CONFLICT (link_id, kind, handle) DO UPDATE SET item_id = excluded.item_id, digest = excluded.digest",
        {"link_id": link_id, "kind": item.kind, "handle": item.handle, "item_id": item.item_id, "digest": item.digest},
    )


async def drop_item(tx: Transaction, link_id: int, item: TwinItem) -> None:
    """Forget what we made and removed again."""
    await tx.execute(
        "DELETE FROM twin_item WHERE link_id = :link_id AND kind = :kind AND handle = :handle",
        {"link_id": link_id, "kind": item.kind, "handle": item.handle},
    )


async def put_issue_link(
    tx: Transaction, link_id: int, item: TwinItem, *, connection_id: int, other_id: str, seen_there: str
) -> None:
    """Store a link between two issues of ours that we made; both of them know then that no person did it.

    ``seen_there`` is the handle of the link as it is seen from the other issue.
    """
    await tx.execute(
        "DELETE FROM twin_item WHERE link_id = :link_id AND kind = 'issue link' AND item_id = :item_id",
        {"link_id": link_id, "item_id": item.item_id},
    )
    await put_item(tx, link_id, item)
    other = await find(tx, connection_id, issue_id=other_id)
    if other is not None:
        await tx.execute(
            "INSERT INTO twin_item (link_id, kind, handle, item_id, digest)"
            " VALUES (:link_id, 'issue link', :handle, :item_id, :digest) ON CONFLICT DO NOTHING",
            {
                "link_id": other.id,
                "handle": seen_there,
                "item_id": item.item_id,
                "digest": OTHER_END,
            },
        )


async def drop_issue_link(tx: Transaction, item_id: str) -> None:
    """Forget a link between two issues that we made and removed again, at both ends."""
    await tx.execute("DELETE FROM twin_item WHERE kind = 'issue link' AND item_id = :item_id", {"item_id": item_id})


async def is_our_issue_link(reader: Reader, item_id: str) -> bool:
    """Tell whether the sync made a link between two issues."""
    row = await reader.fetch_one(
        "SELECT 1 AS one FROM twin_item WHERE kind = 'issue link' AND item_id = :item_id LIMIT 1", {"item_id": item_id}
    )
    return row is not None
