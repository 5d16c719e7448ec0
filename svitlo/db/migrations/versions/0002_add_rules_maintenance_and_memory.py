"""Add rules, maintenance windows, journals and what the detector remembers."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


_CHECKS = {
    ("sites", "rule"): "rule IN ('any', 'all', 'majority', 'k')",
    ("sites", "k"): "(rule = 'k') = (k IS NOT NULL) AND k >= 1",
    ("sites", "confirm_off_s"): "confirm_off_s >= 0 AND confirm_off_s <= 86400",
    ("sites", "confirm_on_s"): "confirm_on_s >= 0 AND confirm_on_s <= 86400",
    ("site_devices", "weight"): "weight BETWEEN 1 AND 100",
}
"""By table and column; a check goes with its column."""


def _time(name: str, *, nullable: bool = False, default_now: bool = False) -> sa.Column[Any]:
    default = sa.text("now()") if default_now else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=nullable)


def _json(name: str) -> sa.Column[Any]:
    return sa.Column(name, postgresql.JSONB(astext_type=sa.Text()), nullable=True)


def _columns() -> dict[str, list[sa.Column[Any]]]:
    """The new columns by table."""
    return {
        "sites": [
            sa.Column("rule", sa.String(length=8), server_default="any", nullable=False),
            sa.Column("k", sa.Integer(), nullable=True),
            sa.Column("confirm_off_s", sa.REAL(), nullable=True),
            sa.Column("confirm_on_s", sa.REAL(), nullable=True),
        ],
        "site_devices": [sa.Column("weight", sa.Integer(), server_default="1", nullable=False)],
        "device_state": [_json("memory"), _time("deadline_at", nullable=True)],
        "site_state": [_json("memory")],
        "outages": [
            sa.Column(name, sa.Boolean(), server_default=sa.text("false"), nullable=False)
            for name in ("momentary", "reconstructed", "maintenance")
        ],
        "power_events": [_json("details")],
        "service_ticks": [_time("since", nullable=True), _json("details")],
    }


def upgrade() -> None:
    """Apply."""
    for table, columns in _columns().items():
        for column in columns:
            op.add_column(table, column)
    for (table, name), condition in _CHECKS.items():
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)
    op.create_table(
        "former_slugs",
        sa.Column("slug", sa.String(length=48), nullable=False),
        _time("renamed_at", default_now=True),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_former_slugs")),
    )
    op.create_table(
        "journal_entries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _time("received_at"),
        sa.Column("device_id", sa.String(length=48), nullable=False),
        sa.Column("boot", sa.String(length=32), nullable=False),
        _time("at"),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_entries")),
    )
    op.create_index("ix_journal_entries_device_id_received_at", "journal_entries", ["device_id", "received_at"])
    op.create_index(op.f("ix_journal_entries_received_at"), "journal_entries", ["received_at"])
    op.create_table(
        "maintenance_windows",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("subtree", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        _time("starts_at"),
        sa.Column("duration_s", sa.Integer(), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("rrule", sa.String(length=200), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        _time("created_at", default_now=True),
        _time("cancelled_at", nullable=True),
        sa.CheckConstraint("duration_s > 0 AND duration_s <= 1209600", name=op.f("ck_maintenance_windows_duration_s")),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("fk_maintenance_windows_site_id_sites"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maintenance_windows")),
    )
    op.create_index(op.f("ix_maintenance_windows_site_id"), "maintenance_windows", ["site_id"])
    op.execute(
        "CREATE TRIGGER registry_changed AFTER INSERT OR DELETE OR UPDATE ON maintenance_windows "
        "FOR EACH STATEMENT EXECUTE FUNCTION svitlo_registry_changed()"
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("maintenance_windows")
    op.drop_table("journal_entries")
    op.drop_table("former_slugs")
    for table, name in reversed(_CHECKS):
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table)
    for table, columns in _columns().items():
        for column in columns:
            op.drop_column(table, column.name)
