"""Remember when a board was first heard."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Of boards that were heard before nobody kept when; they were made shortly before."""
    op.add_column("devices", sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE devices SET first_seen_at = created_at WHERE last_seen_at IS NOT NULL")


def downgrade() -> None:
    """Take back."""
    op.drop_column("devices", "first_seen_at")
