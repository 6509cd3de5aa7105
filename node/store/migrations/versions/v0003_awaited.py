"""What rules asked for and was not linked yet, so that they are asked again once it is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "awaited",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("issue", sa.Text(), nullable=False),
        sa.Column("remote", sa.Text(), nullable=False),
        sa.Column("here", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_awaited_connection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("connection_id", "issue", "remote", name=op.f("pk_awaited")),
        sqlite_strict=True,
    )
    op.create_index("ix_awaited_connection_id_remote", "awaited", ["connection_id", "remote"], unique=False)
