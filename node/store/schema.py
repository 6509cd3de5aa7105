"""The tables of one node, described once. Never a statement, never a decision.

Reading order: a *connection* has *streams*; a *change* of an issue becomes a *link* and an *outbox* row; an
*inbox* row becomes *steps* against the tracker; what cannot go on is a *problem*; what happened is *history*, and what
left is in the *ledger*.
Times are milliseconds since 1970 UTC. JSON columns hold text that ``node`` wrote itself and reads back.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.schema import SchemaItem

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _table(name: str, *parts: SchemaItem, ids_stay_unique: bool = False) -> Table:
    """Describe a table. ``ids_stay_unique``: rows are deleted, and others remember their ids."""
    return Table(name, metadata, *parts, sqlite_strict=True, sqlite_autoincrement=ids_stay_unique)


def _connection_id() -> Column[Any]:
    return Column("connection_id", Integer, ForeignKey("connection.id", ondelete="CASCADE"), nullable=False)


meta = _table("meta", Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

connection = _table(
    "connection",
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),  # inviter | invitee
    Column("state", Text, nullable=False),  # pending | active | deactivated | closed
    Column("verified", Integer, nullable=False, server_default="0"),
    Column("conn", LargeBinary, unique=True),  # 16 bytes on the wire; NULL until the handshake made it
    Column("peer_label", Text, nullable=False, server_default=""),
    Column("peer_urls", Text, nullable=False, server_default="[]"),  # JSON list
    Column("peer_node_key", LargeBinary),
    Column("peer_statement", LargeBinary),  # as received
    Column("own_statement", LargeBinary),
    Column("pairing", Text),  # JSON record of the pairing machine, without secrets once it has ended
    Column("project", Text, nullable=False),
    Column("default_type", Text),
    Column("description", Text, nullable=False, server_default=""),
    Column("created_ms", Integer, nullable=False),
    Column("last_sync_ms", Integer),
    Column("closed_ms", Integer),
    Column("may_create", Text, nullable=False, server_default="[]"),  # JSON list: what rules may make in our Jira
    ids_stay_unique=True,
)

invitation = _table(  # finds the connection that a code was made for; the code itself is in the pairing record
    "invitation",
    Column("invite", LargeBinary, primary_key=True),  # 16 bytes
    _connection_id(),
    Column("state", Text, nullable=False),  # open | used | revoked | expired | locked
    Column("expires_ms", Integer, nullable=False),
)

peer = _table(  # how reaching the peer goes: back-off survives a restart
    "peer",
    Column("connection_id", Integer, ForeignKey("connection.id", ondelete="CASCADE"), primary_key=True),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_ms", Integer, nullable=False, server_default="0"),
    Column("last_heard_ms", Integer),
    Column("last_error", Text),
)

stream = _table(
    "stream",
    _connection_id(),
    Column("direction", Text, nullable=False),  # tx | rx
    Column("state", Text, nullable=False),  # JSON of protocol.stream's state
    PrimaryKeyConstraint("connection_id", "direction"),
)

rule_set = _table(
    "rule_set",
    Column("id", Integer, primary_key=True),
    _connection_id(),
    Column("direction", Text, nullable=False),  # outgoing | incoming
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("why", Text, nullable=False, server_default=""),
    Column("created_ms", Integer, nullable=False),
    UniqueConstraint("connection_id", "direction", "version"),
)

shadow = _table(  # the last state of a linked issue that we know of, in our words
    "shadow",
    Column("issue_id", Text, primary_key=True),
    Column("issue_key", Text, nullable=False),
    Column("updated_ms", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("pending", Text, nullable=False, server_default="{}"),  # JSON: what we wrote and nobody has shown us yet
)

link = _table(
    "link",
    Column("id", Integer, primary_key=True),
    _connection_id(),
    Column("issue_id", Text, nullable=False),
    Column("issue_key", Text, nullable=False),
    Column("handle", Text, nullable=False),  # what the peer calls our issue
    Column("born", Integer, nullable=False, server_default="0"),  # 1: the sync made our issue, by the peer's wish
    Column("twin", Text),  # what we call the peer's issue; NULL until it answered
    Column("twin_key", Text),
    Column("twin_url", Text),
    Column("state", Text, nullable=False),  # active | ended
    Column("revision", Integer, nullable=False, server_default="0"),  # the last that we sent
    Column("seen", Integer, nullable=False, server_default="0"),  # the peer's last that we applied
    Column("sent", Text),  # JSON: what the peer is taken to know of us
    Column("sent_changed", Text, nullable=False, server_default="{}"),  # JSON: replica field -> our revision
    Column("edited", Text, nullable=False, server_default="{}"),  # JSON: local field -> our revision
    Column("received", Text),  # JSON: the last replica that we applied
    Column("received_changed", Text, nullable=False, server_default="{}"),  # JSON: replica field -> their revision
    Column("draft", Text, nullable=False, server_default="{}"),  # JSON: what their last replica asked of us
    Column("created_ms", Integer, nullable=False),
    Column("synced_ms", Integer),
    UniqueConstraint("connection_id", "issue_id"),
    UniqueConstraint("connection_id", "handle"),
    UniqueConstraint("connection_id", "twin"),
    Index("ix_link_issue_id", "issue_id"),
    Index("ix_link_issue_key", "issue_key"),
    Index("ix_link_connection_id_twin_key", "connection_id", "twin_key"),
    ids_stay_unique=True,
)

twin_item = _table(  # a comment, file or worklog of ours that the sync made for one of theirs
    "twin_item",
    Column("link_id", Integer, ForeignKey("link.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),  # comment | attachment | worklog | issue link
    Column("handle", Text, nullable=False),  # theirs
    Column("item_id", Text, nullable=False),  # ours
    Column("digest", Text, nullable=False),  # of what we last wrote
    PrimaryKeyConstraint("link_id", "kind", "handle"),
    UniqueConstraint("link_id", "kind", "item_id"),
)

attachment_blob = _table(  # the digest of a file of ours, so that it is fetched once
    "attachment_blob",
    Column("attachment_id", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("size", Integer, nullable=False),
)

change = _table(
    "change",
    Column("id", Integer, primary_key=True),
    Column("source", Text, nullable=False),  # webhook | poll | request
    Column("connection_id", Integer, ForeignKey("connection.id", ondelete="CASCADE")),  # only for a request
    Column("issue", Text),  # id or key where it is known at once
    Column("body", Text),  # raw JSON as it came, NULL: ask the tracker
    Column("received_ms", Integer, nullable=False),
    Column("state", Text, nullable=False),  # new | waiting | held
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_ms", Integer, nullable=False, server_default="0"),
    Index("ix_change_state_id", "state", "id"),
    ids_stay_unique=True,
)

outbox = _table(
    "outbox",
    Column("id", Integer, primary_key=True),
    _connection_id(),
    Column("link_id", Integer, ForeignKey("link.id", ondelete="SET NULL")),
    Column("mid", LargeBinary, nullable=False),
    Column("kind", Text, nullable=False),
    Column("revision", Integer),
    Column("rule_version", Integer),
    Column("payload", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),  # queued | sealed | acked
    Column("epoch", Integer),
    Column("seq", Integer),  # of the envelope that carries it, alone or with others
    Column("created_ms", Integer, nullable=False),
    Column("acked_ms", Integer),
    Column("outcome", Integer),  # the peer's code; NULL until it said
    Column("outcome_ms", Integer),
    UniqueConstraint("connection_id", "mid"),
    Index("ix_outbox_connection_id_state_id", "connection_id", "state", "id"),
    Index("ix_outbox_connection_id_epoch_seq", "connection_id", "epoch", "seq"),
    Index("ix_outbox_link_id", "link_id"),
    ids_stay_unique=True,
)

envelope = _table(  # the bytes that travel, once for all the messages in them
    "envelope",
    _connection_id(),
    Column("direction", Text, nullable=False),  # tx | rx
    Column("epoch", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("messages", Integer, nullable=False),  # in it, beside it: credit is counted without opening it
    Column("bytes", LargeBinary, nullable=False),  # as sealed, or as received
    PrimaryKeyConstraint("connection_id", "direction", "epoch", "seq"),
)

inbox = _table(
    "inbox",
    Column("id", Integer, primary_key=True),
    _connection_id(),
    Column("epoch", Integer, nullable=False),
    Column("seq", Integer, nullable=False),  # of the envelope that carried it
    Column("place", Integer, nullable=False),  # among the messages of that envelope: 1, 2, 3, ...
    Column("mid", LargeBinary),
    Column("kind", Text, nullable=False),
    Column("issue", Text),  # the peer's handle: rows of one issue are applied in order
    Column("size", Integer, nullable=False),  # its share of the envelope's bytes: credit is counted without reading it
    Column("payload", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),  # new | waiting | held | done
    Column("code", Integer),  # the outcome, once done
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_ms", Integer, nullable=False, server_default="0"),
    Column("received_ms", Integer, nullable=False),
    Column("done_ms", Integer),
    UniqueConstraint("connection_id", "epoch", "seq", "place"),
    Index("ix_inbox_state_id", "state", "id"),
    Index("ix_inbox_connection_id_state_size", "connection_id", "state", "size"),
    Index("ix_inbox_connection_id_mid", "connection_id", "mid"),
    Index("ix_inbox_connection_id_issue", "connection_id", "issue"),
    Index("ix_inbox_connection_id_issue_new", "connection_id", "issue", sqlite_where=text("state = 'new'")),
    Index(
        "ix_inbox_connection_id_id_open",
        "connection_id",
        "id",
        "due_ms",
        "issue",
        sqlite_where=text("state IN ('new', 'waiting')"),
    ),
    ids_stay_unique=True,
)

awaited = _table(  # rules asked for one of the peer's issues that is not linked here: look again once it is
    "awaited",
    _connection_id(),
    Column("issue", Text, nullable=False),  # the peer's handle of the issue whose rules asked
    Column("remote", Text, nullable=False),  # what they asked for: the peer's handle or key
    Column("here", Integer, nullable=False, server_default="0"),  # 1: it is linked now, and nobody has looked again yet
    PrimaryKeyConstraint("connection_id", "issue", "remote"),
    Index("ix_awaited_connection_id_remote", "connection_id", "remote"),
)

step = _table(  # a call to the tracker that must not happen twice: intent, call, result
    "step",
    _connection_id(),
    Column("issue", Text, nullable=False),  # the peer's handle
    Column("key", Text, nullable=False),  # create, comment:<handle>, ...
    Column("marker", Text, nullable=False),
    Column("since_ms", Integer, nullable=False),
    PrimaryKeyConstraint("connection_id", "issue", "key"),
)

blob = _table(  # bytes of a file on their way; the bytes themselves are in a file of the blob folder
    "blob",
    _connection_id(),
    Column("direction", Text, nullable=False),  # tx | rx
    Column("sha256", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("missing", Text, nullable=False, server_default="[]"),  # JSON: ranges of chunks, rx only
    Column("created_ms", Integer, nullable=False),
    PrimaryKeyConstraint("connection_id", "direction", "sha256"),
)

problem = _table(
    "problem",
    Column("id", Integer, primary_key=True),
    Column("connection_id", Integer, ForeignKey("connection.id", ondelete="CASCADE")),
    Column("stage", Text, nullable=False),  # change | inbox | peer | outcome | file | sweep | gone
    Column("ref", Integer),  # the row that waits, in the table of that stage
    Column("issue_key", Text),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("advice", Text, nullable=False, server_default=""),
    Column("first_ms", Integer, nullable=False),
    Column("last_ms", Integer, nullable=False),
    Column("count", Integer, nullable=False, server_default="1"),
    Column("state", Text, nullable=False),  # open | closed
    Index("ix_problem_state_id", "state", "id"),
    Index("ix_problem_stage_ref", "stage", "ref"),
)

history = _table(
    "history",
    Column("id", Integer, primary_key=True),
    _connection_id(),
    Column("link_id", Integer, ForeignKey("link.id", ondelete="CASCADE")),
    Column("at_ms", Integer, nullable=False),
    Column("direction", Text, nullable=False),  # out | in
    Column("event", Text, nullable=False),  # sent, applied, outcome, conflict, skipped, held, linked, ended
    Column("rule_version", Integer),
    Column("detail", Text, nullable=False, server_default="{}"),  # JSON
    Column("origins", Text),  # JSON: field -> step, line and sources of the rules that let it through
    Index("ix_history_link_id_id", "link_id", "id"),
)

ledger = _table(  # what was sealed, one chain of hashes a connection; rows are added, never changed
    "ledger",
    Column("connection_id", Integer, ForeignKey("connection.id"), nullable=False),
    Column("number", Integer, nullable=False),  # 1, 2, 3, ... within the connection
    Column("at_ms", Integer, nullable=False),
    Column("conn", LargeBinary, nullable=False),  # 16 bytes on the wire
    Column("peer_node_key", LargeBinary, nullable=False),  # to whom
    Column("link_id", Integer),
    Column("issue_key", Text),  # as it was then
    Column("kind", Text, nullable=False),
    Column("mid", Text),
    Column("epoch", Integer),
    Column("seq", Integer),
    Column("revision", Integer),
    Column("rule_version", Integer),
    Column("head", LargeBinary, nullable=False),  # SHA-256 over the envelope's header
    Column("payload_sha256", LargeBinary, nullable=False),
    Column("payload", LargeBinary),  # exactly as sealed; not in the hash, so that it may be dropped later
    Column("prev", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("place", Integer),  # among the messages of its envelope: 1, 2, 3, ...; NULL for one alone
    Column("places", Integer),  # how many messages that envelope carries; NULL for one alone
    PrimaryKeyConstraint("connection_id", "number"),
    Index("ix_ledger_issue_key", "issue_key"),
    Index("ix_ledger_link_id", "link_id"),
)

cursor = _table("cursor", Column("name", Text, primary_key=True), Column("value", Text, nullable=False))
