"""Each connection says what its rules may make in our Jira: nothing, until people allow it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("connection", sa.Column("may_create", sa.Text(), server_default="[]", nullable=False))
