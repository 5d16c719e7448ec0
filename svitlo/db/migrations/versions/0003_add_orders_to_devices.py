"""Add orders to devices."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_NOTIFY = """
CREATE FUNCTION svitlo_order_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('svitlo_orders', TG_TABLE_NAME);
  RETURN NULL;
END $$
"""

_OPEN = "state IN ('waiting', 'sent', 'accepted', 'loading', 'stored')"
_STATES = _OPEN[:-1] + ", 'done', 'refused', 'failed', 'expired', 'cancelled')"


def upgrade() -> None:
    """Apply."""
    now = sa.text("now()")
    op.create_table(
        "device_orders",
        sa.Column("id", postgresql.UUID(), nullable=False),
        sa.Column("device_id", sa.String(length=48), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=10), server_default="waiting", nullable=False),
        sa.Column("details", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("text", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.CheckConstraint("kind IN ('identify', 'reboot', 'update', 'rotate')", name=op.f("ck_device_orders_kind")),
        sa.CheckConstraint(_STATES, name=op.f("ck_device_orders_state")),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.id"], name=op.f("fk_device_orders_device_id_devices"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_orders")),
    )
    op.create_index("ix_device_orders_device_id_created_at", "device_orders", ["device_id", "created_at"])
    op.create_index(
        "uq_device_orders_open", "device_orders", ["device_id", "kind"], unique=True, postgresql_where=sa.text(_OPEN)
    )
    op.execute(_NOTIFY)
    op.execute(
        "CREATE TRIGGER order_added AFTER INSERT ON device_orders "
        "FOR EACH STATEMENT EXECUTE FUNCTION svitlo_order_added()"
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("device_orders")
    op.execute("DROP FUNCTION svitlo_order_added()")
