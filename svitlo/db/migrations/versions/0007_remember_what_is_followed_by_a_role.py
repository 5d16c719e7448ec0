"""Remember what is followed by a role."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Nobody kept how a place was come by: what a role reaches was followed by that role."""
    op.add_column("subscriptions", sa.Column("by_role", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("""
WITH RECURSIVE reach (user_id, site_id) AS (
  SELECT p.user_id, s.id FROM people p JOIN sites s ON p.site_id IS NULL OR s.id = p.site_id
  UNION
  SELECT r.user_id, s.id FROM reach r JOIN sites s ON s.parent_id = r.site_id
)
UPDATE subscriptions f SET by_role = true FROM chats c JOIN reach r ON r.user_id = c.chat_id
WHERE c.id = f.chat AND r.site_id = f.site_id AND c.platform = 'telegram' AND c.kind = 'private'
""")


def downgrade() -> None:
    """Take back."""
    op.drop_column("subscriptions", "by_role")
