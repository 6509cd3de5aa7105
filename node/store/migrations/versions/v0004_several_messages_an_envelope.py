"""An envelope may carry several messages: its bytes get a table of their own, and each message its place in it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_KEPT = (
    "id, connection_id, epoch, seq, mid, kind, issue, size, payload, state, code, attempts, due_ms, received_ms,"
    " done_ms"
)


def upgrade() -> None:
    """Move the bytes out of both boxes, and let messages of one envelope share its number."""
    op.create_table(
        "envelope",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_envelope_connection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("connection_id", "direction", "epoch", "seq", name=op.f("pk_envelope")),
        sqlite_strict=True,
    )
    op.execute(
        "INSERT INTO envelope (connection_id, direction, epoch, seq, messages, bytes)"
        " SELECT connection_id, 'tx', epoch, seq, 1, envelope FROM outbox WHERE envelope IS NOT NULL"
        " UNION ALL SELECT connection_id, 'rx', epoch, seq, 1, envelope FROM inbox"
    )
    op.execute("ALTER TABLE outbox DROP COLUMN envelope")
    _rebuild_inbox()
    op.add_column("ledger", sa.Column("place", sa.Integer(), nullable=True))
    op.add_column("ledger", sa.Column("places", sa.Integer(), nullable=True))


def _rebuild_inbox() -> None:
    """Make the table anew, since SQLite cannot change a unique constraint; ids that were given are not given again."""
    op.create_table(
        "inbox_new",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("mid", sa.LargeBinary(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("issue", sa.Text(), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_ms", sa.Integer(), server_default="0", nullable=False),
        sa.Column("received_ms", sa.Integer(), nullable=False),
        sa.Column("done_ms", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_inbox_connection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
        sa.UniqueConstraint(
            "connection_id", "epoch", "seq", "place", name=op.f("uq_inbox_connection_id_epoch_seq_place")
        ),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.execute(f"INSERT INTO inbox_new (place, {_KEPT}) SELECT 1, {_KEPT} FROM inbox")  # noqa: S608 - our own names
    op.execute("DELETE FROM sqlite_sequence WHERE name = 'inbox_new'")
    op.execute(
        "INSERT INTO sqlite_sequence (name, seq) SELECT 'inbox_new', seq FROM sqlite_sequence WHERE name = 'inbox'"
    )
    op.drop_table("inbox")
    op.rename_table("inbox_new", "inbox")
    op.create_index("ix_inbox_connection_id_issue", "inbox", ["connection_id", "issue"], unique=False)
    op.create_index("ix_inbox_connection_id_state_size", "inbox", ["connection_id", "state", "size"], unique=False)
    op.create_index("ix_inbox_connection_id_mid", "inbox", ["connection_id", "mid"], unique=False)
    op.create_index("ix_inbox_state_id", "inbox", ["state", "id"], unique=False)
